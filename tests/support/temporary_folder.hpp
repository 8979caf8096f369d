#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace cove::test {

/// A folder of the test's own, gone at its end with all that is in it.
class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "cove-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = std::move(name);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    // What a test forbade to enter.
    for (const auto& each : std::filesystem::directory_iterator(path_, ignored))
      if (each.symlink_status(ignored).type() == std::filesystem::file_type::directory)
        ::chmod(each.path().c_str(), 0700);
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }
  /// The path of `name` inside of it.
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Makes a file with these contents; gives its path.
  std::string file(std::string_view name, std::string_view contents = {}) const {
    std::string at = *this / name;
    std::ofstream(at, std::ios::binary) << contents;
    return at;
  }
  /// Makes a folder; gives its path.
  std::string folder(std::string_view name) const {
    std::string at = *this / name;
    std::filesystem::create_directory(at);
    return at;
  }

 private:
  std::string path_;
};

/// An empty file, gone at its end.
class temporary_file {
 public:
  const std::string& path() const noexcept { return path_; }

 private:
  temporary_folder in_;
  std::string path_ = in_.file("file");
};

/// All of a file.
inline std::string contents_of(const std::string& path) {
  std::ifstream from(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

}  // namespace cove::test
