#include <cove/io/fs_directory.hpp>

#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <cove/io/fs.hpp>

#include <sys/stat.h>

#include <map>
#include <set>

// What a loop over a directory sees, while others change it and when it goes wrong.

namespace {

namespace fs = cove::io::fs;
using namespace cove::test;
using cove::task;
using cove::io::file_kind;

/// run_in() that sees descriptors, too.
template <class Body>
void run_on_files(Body body) {
  const same_descriptors outside;
  run_in(plain_options(2), body);
}

constexpr int many = 1500;  // More than one hop brings.

std::string name_of(int i) {
  return "a file with a name of some length, number " + std::to_string(i);
}

/// So many files.
void fill(const temporary_folder& folder, int files) {
  for (int i = 0; i < files; ++i) folder.file(name_of(i));
}

/// How often each name is given.
task<std::map<std::string, int>> names_in(std::string path) {
  std::map<std::string, int> names;
  auto entries = fs::read_directory(std::move(path));
  while (const fs::directory_entry* entry = co_await entries.next()) ++names[entry->name];
  co_return names;
}

TEST_CASE("F07 every entry is given once, with its kind, and neither . nor ..") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    in.file("file");
    in.folder("folder");
    REQUIRE(::symlink("nowhere", (in / "soft").c_str()) == 0);
    REQUIRE(::mkfifo((in / "fifo").c_str(), 0600) == 0);
    std::map<std::string, file_kind> found;
    auto entries = fs::read_directory(in.path());
    while (const fs::directory_entry* entry = co_await entries.next()) {
      CHECK(found.emplace(entry->name, entry->kind).second);
      const auto said = co_await fs::lstat(in / entry->name);
      CHECK(said.inode == entry->inode);
      CHECK(said.kind == entry->kind);
    }
    CHECK(found.size() == 4);
    CHECK(found["soft"] == file_kind::symlink);
    CHECK(found["folder"] == file_kind::directory);
    const auto* behind = co_await entries.next();
    CHECK(behind == nullptr);
  });
}

TEST_CASE("F07 a directory of thousands is given whole") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const auto nothing = co_await names_in(in.path());
    CHECK(nothing.empty());
    fill(in, many);
    const auto names = co_await names_in(in.path());
    CHECK(names.size() == many);
    for (int i = 0; i < many; ++i)
      if (const auto found = names.find(name_of(i)); found == names.end() || found->second != 1)
        FAIL("a name is missing or there twice");
  });
}

TEST_CASE("F07 what stays is given once while entries come and go") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fill(in, many);
    std::map<std::string, int> names;
    int number = 0;
    auto entries = fs::read_directory(in.path());
    while (const fs::directory_entry* entry = co_await entries.next()) {
      ++names[entry->name];
      in.file("new " + std::to_string(number));
      // Every second of those that were there goes, as it is given or long before.
      const std::string goes = name_of(number / 2 * 2);
      ::unlink((in / goes).c_str());
      ++number;
      if (number == 3 * many) FAIL("it has no end");
    }
    for (int i = 1; i < many; i += 2)
      if (names[name_of(i)] != 1) FAIL("a name that stayed is missing or there twice");
    for (const auto& [name, times] : names) CHECK(times == 1);
  });
}

TEST_CASE("F07 entries may be removed in the loop") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fill(in, many);
    auto entries = fs::read_directory(in.path());
    int removed = 0;
    while (const fs::directory_entry* entry = co_await entries.next()) {
      ::unlink((in / entry->name).c_str());
      ++removed;
    }
    CHECK(removed == many);
    CHECK(std::filesystem::is_empty(in.path()));
  });
}

/// The number of the descriptor that stands for `path`.
int number_of(const std::string& path) {
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (std::filesystem::read_symlink(each.path(), ignored) == path)
      return std::stoi(each.path().filename().string());
  }
  return -1;
}

TEST_CASE("F07 an error midway is told after what came before it, and closes the directory") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fill(in, many);
    const std::string text = co_await [](const std::string path) -> task<std::string> {
      int given = 0;
      try {
        auto entries = fs::read_directory(path);
        while (co_await entries.next() != nullptr) {
          // Behind its back, the directory becomes a file.
          if (++given != 1) continue;
          const int number = number_of(path);
          const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
          CHECK(::dup3(file, number, O_CLOEXEC) == number);
          ::close(file);
        }
      } catch (const cove::error& failure) {
        CHECK(failure.code() == std::errc::not_a_directory);
        CHECK(given > 1);
        CHECK(given < many);
        co_return failure.what();
      }
      co_return "no error";
    }(in.path());
    CHECK(text == "read_directory \"" + in.path() +
                      "\": not a directory (ENOTDIR); only directories have entries");
  });
}

TEST_CASE("F07 a directory that is removed meanwhile has an end") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string folder = in.folder("folder");
    for (int i = 0; i < many; ++i) in.file("folder/" + name_of(i));
    auto entries = fs::read_directory(folder);
    const auto* first = co_await entries.next();
    CHECK(first != nullptr);
    std::filesystem::remove_all(folder);
    int given = 1;
    while (co_await entries.next() != nullptr) ++given;
    CHECK(given <= many);
  });
}

TEST_CASE("F01 F07 what is no directory is an error of the first entry") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    auto none = fs::read_directory(in / "none");
    const auto missing = co_await none.next().as_result();
    CHECK(missing.error() == std::errc::no_such_file_or_directory);
    const auto behind = co_await none.next().as_result();
    CHECK(behind.value() == nullptr);
    auto file = fs::read_directory(in.file("file"));
    const std::string text = co_await outcome_of(file.next());
    CHECK(text.find("(ENOTDIR); only directories have entries") != std::string::npos);
    auto nameless = fs::read_directory("");
    const std::string empty = co_await outcome_of(nameless.next());
    CHECK(mentions(empty,
                   "read_directory \"\": no such file or directory (ENOENT); the path is empty"));
    auto cut = fs::read_directory(std::string("/tmp\0x", 6));
    const std::string refused = co_await outcome_of(cut.next());
    CHECK(refused.find("read_directory \"/tmp\\x00x\": ") == 0);
  });
}

TEST_CASE("F07 a loop that ends in the middle closes the directory at once") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fill(in, many);
    const std::size_t before = open_descriptors();
    {
      auto entries = fs::read_directory(in.path());
      CHECK(open_descriptors() == before);
      static_cast<void>(co_await entries.next());
      CHECK(open_descriptors() == before + 1);
    }
    CHECK(open_descriptors() == before);
    auto moved = fs::read_directory(in.path());
    static_cast<void>(co_await moved.next());
    moved = fs::read_directory(in.path());
    CHECK(open_descriptors() == before);
  });
}

TEST_CASE("F07 F12 a loop that is cancelled at any moment leaves nothing open") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fill(in, many);
    const auto before = open_descriptors();
    const auto loop = [](std::string path) -> task<int> {
      int given = 0;
      auto entries = fs::read_directory(std::move(path));
      while (co_await entries.next() != nullptr) ++given;
      co_return given;
    };
    for (int round = 0; round < 50; ++round) {
      auto looping = cove::spawn(loop, in.path());
      for (int i = 0; i < round; ++i) co_await cove::this_task::yield();
      looping.cancel();
      const auto ended = co_await looping.as_result();
      if (ended)
        CHECK(*ended == many);
      else
        CHECK(ended.error() == std::errc::operation_canceled);
      CHECK(open_descriptors() == before);
    }
  });
}

}  // namespace
