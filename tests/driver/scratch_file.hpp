#pragma once

#include "system.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

namespace cove::driver {

/// An empty file for as long as this lives.
class scratch_file {
 public:
  scratch_file() {
    static std::atomic<unsigned> made{0};
    path_ = std::filesystem::temp_directory_path() /
            ("cove-driver-" + std::to_string(process_id()) + "-" + std::to_string(++made));
    std::ofstream(path_).close();
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  ~scratch_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string name() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace cove::driver
