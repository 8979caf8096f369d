#include <cove/io/fs.hpp>

#include "support/net_test.hpp"
#include "support/system_call_filter.hpp"
#include "support/temporary_folder.hpp"

#include <sys/fsuid.h>
#include <sys/stat.h>

#include <algorithm>

// The end of trees and the copies of files: the path operations that take many steps.

namespace {

namespace fs = cove::io::fs;
using namespace cove::test;
using namespace std::chrono_literals;
using cove::task;

/// run_in() that sees descriptors, too.
template <class Body>
void run_on_files(Body body) {
  const same_descriptors outside;
  run_in(plain_options(2), body);
}

bool is_there(const std::string& path) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0;
}

/// A tree of `depth` directories below each other, `width` files in each; how many names that is.
std::uint64_t grow(const std::string& at, int depth, int width) {
  std::string path = at;
  for (int i = 0; i < depth; ++i) {
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    for (int j = 0; j < width; ++j) std::ofstream(path + "/f" + std::to_string(j)) << "x";
    path += "/d";
  }
  return static_cast<std::uint64_t>(depth) * static_cast<std::uint64_t>(width + 1);
}

TEST_CASE("F01 remove_all takes files, links and trees, and counts the names") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::uint64_t names = grow(in / "tree", 5, 7);
    const std::uint64_t tree = co_await fs::remove_all(in / "tree");
    CHECK(tree == names);
    CHECK_FALSE(is_there(in / "tree"));
    const std::uint64_t file = co_await fs::remove_all(in.file("file"));
    CHECK(file == 1);
    const std::uint64_t nothing = co_await fs::remove_all(in / "none");
    CHECK(nothing == 0);
    const std::uint64_t below_file = co_await fs::remove_all(in.file("other") + "/below");
    CHECK(below_file == 0);
    grow(in / "slashes", 2, 1);
    const std::uint64_t slashes = co_await fs::remove_all(in / "slashes///");
    CHECK(slashes == 4);
  });
}

TEST_CASE("F01 remove_all ends a tree that is deeper than there may be descriptors") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    constexpr int depth = 300;  // A path may have 4096 bytes.
    const std::uint64_t names = grow(in / "deep", depth, 2);
    const std::uint64_t gone = co_await fs::remove_all(in / "deep");
    CHECK(gone == names);
    CHECK_FALSE(is_there(in / "deep"));
  });
}

TEST_CASE("F09 remove_all follows no symbolic link") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string kept = in.folder("kept");
    in.file("kept/file", "precious");
    grow(in / "tree", 2, 1);
    co_await fs::symlink("../kept", in / "tree/soft");
    co_await fs::symlink(kept, in / "tree/d/hard");
    const std::uint64_t gone = co_await fs::remove_all(in / "tree");
    CHECK(gone == 6);
    CHECK(contents_of(kept + "/file") == "precious");
    co_await fs::symlink(kept, in / "itself");
    const std::uint64_t link = co_await fs::remove_all(in / "itself/");
    CHECK(link == 1);
    CHECK(contents_of(kept + "/file") == "precious");
  });
}

TEST_CASE("F09 remove_all refuses what nobody can mean") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    grow(in / "tree", 2, 1);
    constexpr std::array ends{"/tree/.", "/tree/d/..", "/tree/./"};
    for (const char* last : ends) {
      const auto refused = co_await fs::remove_all(in.path() + last).as_result();
      CHECK(refused.error() == std::errc::invalid_argument);
    }
    const std::string root = co_await outcome_of(fs::remove_all("//"));
    CHECK(root.find("name the directory itself, not \"/\"") != std::string::npos);
    const auto nameless = co_await fs::remove_all("").as_result();
    CHECK(nameless.error() == std::errc::no_such_file_or_directory);
    CHECK(is_there(in / "tree/d/f0"));
  });
}

task<> create_until(const std::atomic<bool>* over, std::string root, int number) {
  for (int i = 0; !over->load(); ++i) {
    const std::string folder = root + "/" + std::to_string(number) + "/" + std::to_string(i % 5);
    static_cast<void>(co_await fs::create_directories(folder).as_result());
    const std::string file = folder + "/file";
    static_cast<void>(co_await fs::symlink("x", file).as_result());
  }
}

TEST_CASE("F09 remove_all ends cleanly while others create in the tree") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string root = in / "tree";
    std::atomic<bool> over{false};
    std::vector<cove::join_handle<void>> creators;
    creators.reserve(3);
    for (int i = 0; i < 3; ++i) creators.push_back(cove::spawn(create_until, &over, root, i));
    for (int round = 0; round < 10; ++round) {
      const auto gone = co_await fs::remove_all(root).as_result();
      if (!gone) CHECK(gone.error() == std::errc::directory_not_empty);
    }
    over.store(true);
    for (auto& each : creators) co_await each;
    co_await fs::remove_all(root);
    CHECK_FALSE(is_there(root));
  });
}

TEST_CASE("F09 several remove_all of one tree share it, and all succeed") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const auto end = [](std::string root) -> task<std::uint64_t> {
      co_return co_await fs::remove_all(std::move(root));
    };
    for (int round = 0; round < 4; ++round) {
      const std::uint64_t names = grow(in / "tree", 40, 5);
      std::vector<task<std::uint64_t>> all;
      all.reserve(4);
      for (int i = 0; i < 4; ++i) all.push_back(end(in / "tree"));
      const std::vector<std::uint64_t> counts = co_await cove::when_all(std::move(all));
      std::uint64_t sum = 0;
      for (const std::uint64_t each : counts) sum += each;
      CHECK(sum == names);
      CHECK_FALSE(is_there(in / "tree"));
    }
  });
}

/// On a thread of the lane: from now on it has no rights beyond those that permissions give.
void give_up_rights() { ::setfsuid(::geteuid() == 0 ? 65534 : ::geteuid()); }

TEST_CASE("F09 what remove_all cannot remove is named and left, and the rest goes") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string root = in.folder("tree");
    constexpr std::array folders{"tree/a", "tree/b", "tree/b/shut", "tree/c"};
    for (const char* each : folders) in.folder(each);
    constexpr std::array files{"tree/a/file", "tree/b/file", "tree/b/shut/file", "tree/file"};
    for (const char* each : files) in.file(each);
    constexpr std::array open{"", "tree", "tree/a", "tree/b", "tree/c"};
    for (const char* each : open) ::chmod((in / each).c_str(), 0777);
    ::chmod((in / "tree/b/shut").c_str(), 0555);
    co_await cove::blocking(cove::pool_lane::file, give_up_rights);
    const std::string text = co_await outcome_of(fs::remove_all(root));
    CHECK(text.starts_with("remove_all \"" + root + "\", at \"" + root +
                           "/b/shut/file\": permission denied (EACCES); "));
    CHECK(is_there(root + "/b/shut/file"));
    CHECK(std::distance(std::filesystem::directory_iterator(root), {}) == 1);
    CHECK(std::distance(std::filesystem::directory_iterator(root + "/b"), {}) == 1);
    const auto again = co_await fs::remove_all(root).as_result();
    CHECK(again.error() == std::errc::permission_denied);
    ::chmod((in / "tree/b/shut").c_str(), 0777);
    const std::uint64_t rest = co_await fs::remove_all(root);
    CHECK(rest == 4);
  });
}

TEST_CASE("F09 a remove_all that is cancelled leaves off, and tells how much is gone") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const auto end = [](std::string root) -> task<std::uint64_t> {
      try {
        co_return co_await fs::remove_all(std::move(root));
      } catch (const cove::canceled& asked) {
        co_return asked.transferred();
      }
    };
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t names = grow(in / "tree", 30, 5);
      auto removing = cove::spawn(end, in / "tree");
      for (int i = 0; i < round; ++i) co_await cove::this_task::yield();
      removing.cancel();
      std::uint64_t gone = 0;
      try {
        gone = co_await removing;
      } catch (const cove::canceled&) {
        gone = 0;  // It had not begun.
      }
      const std::uint64_t rest = co_await fs::remove_all(in / "tree");
      CHECK(gone + rest == names);
    }
  });
}

// ----- copies -----

TEST_CASE("F08 copy_file copies contents and permissions, and says how many bytes") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    constexpr std::array sizes{0U, 1U, 4096U, 1'000'003U};
    for (const std::size_t size : sizes) {
      const std::string from = in.file("from", pattern(size));
      ::chmod(from.c_str(), 0751);
      const std::uint64_t copied = co_await fs::copy_file(from, in / "to");
      CHECK(copied == size);
      CHECK(contents_of(in / "to") == pattern(size));
      const auto made = co_await fs::stat(in / "to");
      CHECK(made.mode == 0751);
      ::chmod((in / "to").c_str(), 0600);
    }
  });
}

TEST_CASE("F08 copy_file overwrites a longer target in its place, or refuses if it is asked to") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string from = in.file("from", "new");
    const std::string to = in.file("to", "old and longer");
    co_await fs::link(to, in / "second");
    const auto refused = co_await fs::copy_file(from, to, fs::if_exists::refuse).as_result();
    CHECK(refused.error() == std::errc::file_exists);
    CHECK(contents_of(to) == "old and longer");
    co_await fs::copy_file(from, to);
    CHECK(contents_of(in / "second") == "new");
    co_await fs::copy_file(from, in / "third", fs::if_exists::refuse);
    CHECK(contents_of(in / "third") == "new");
    co_await fs::symlink("fourth", in / "soft");  // It leads to a name that is free.
    co_await fs::copy_file(from, in / "soft");
    CHECK(contents_of(in / "fourth") == "new");
  });
}

TEST_CASE("F08 copy_file refuses what is no regular file, and a file and itself") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "precious");
    const std::string folder = in.folder("folder");
    co_await fs::link(file, in / "same");
    ::mkfifo((in / "fifo").c_str(), 0600);
    std::string text = co_await outcome_of(fs::copy_file(file, in / "same"));
    CHECK(text == "copy_file \"" + file + "\" to \"" + in.path() +
                      "/same\": invalid argument (EINVAL); copy_file() is for two regular files, "
                      "not for one and itself");
    CHECK(contents_of(file) == "precious");
    const auto from_folder = co_await fs::copy_file(folder, in / "new").as_result();
    CHECK(from_folder.error() == std::errc::is_a_directory);
    const auto to_folder = co_await fs::copy_file(file, folder).as_result();
    CHECK(to_folder.error() == std::errc::is_a_directory);
    const auto from_fifo = co_await fs::copy_file(in / "fifo", in / "new").as_result();
    CHECK(from_fifo.error() == std::errc::invalid_argument);
    CHECK_FALSE(is_there(in / "new"));
    const auto to_fifo = co_await fs::copy_file(file, in / "fifo").as_result();
    CHECK_FALSE(to_fifo);
    const auto none = co_await fs::copy_file(in / "none", in / "new").as_result();
    CHECK(none.error() == std::errc::no_such_file_or_directory);
    const auto nowhere = co_await fs::copy_file(file, in / "none/new").as_result();
    CHECK(nowhere.error() == std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("F06 F08 copy_file takes all of a file of /proc, whose size is 0") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::uint64_t copied = co_await fs::copy_file("/proc/version", in / "version");
    CHECK(copied > 0);
    CHECK(contents_of(in / "version") == contents_of("/proc/version"));
  });
}

/// On a thread of the lane, for as long as that lives.
bool deny_call(std::string_view which) { return deny(*denied_call_from(which)); }

TEST_CASE("F08 where the kernel does not copy, copy_file takes the next way") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string contents = pattern(3'000'001);
    const std::string from = in.file("from", contents);
    constexpr std::array calls{"copy_file_range=ENOSYS", "sendfile=EINVAL"};
    for (const char* denied : calls) {
      const bool possible = co_await cove::blocking(cove::pool_lane::file, deny_call, denied);
      if (!possible) co_return;
      const std::uint64_t copied = co_await fs::copy_file(from, in / "to");
      CHECK(copied == contents.size());
      CHECK(contents_of(in / "to") == contents);
      co_await fs::remove(in / "to");
    }
  });
}

/// A file of `size` bytes that holds `text` at each of these places, and holes else.
std::string file_with_holes(const std::string& path, off_t size, std::string_view text,
                            std::initializer_list<off_t> places) {
  std::ofstream to(path, std::ios::binary);
  for (const off_t place : places) to.seekp(place) << text;
  to.close();
  REQUIRE(::truncate(path.c_str(), size) == 0);
  return path;
}

std::uint64_t room_of(const std::string& path) {
  struct stat found{};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return static_cast<std::uint64_t>(found.st_blocks) * 512;
}

constexpr off_t mebibyte = 1 << 20;
constexpr off_t holey_size = 4 * mebibyte;

std::array<std::string, 3> files_with_holes(const temporary_folder& in) {
  const std::string text = pattern(5000);
  const auto last = holey_size - static_cast<off_t>(text.size());
  return {file_with_holes(in / "none", holey_size, text, {}),
          file_with_holes(in / "ends", holey_size, text, {0, last}),
          file_with_holes(in / "middle", holey_size, text, {mebibyte + 1, 2 * mebibyte})};
}

task<> check_holes(bool kept) {
  const temporary_folder in;
  const auto sources = files_with_holes(in);
  const std::string to = in.file("to", "old");
  for (const std::string& from : sources) {
    const std::uint64_t copied = co_await fs::copy_file(from, to);
    CHECK(copied == holey_size);
    const bool same = contents_of(to) == contents_of(from);
    CHECK(same);
    if (room_of(from) > mebibyte)
      MESSAGE("the file system of the temporary folder keeps no holes");
    else if (kept)
      CHECK(room_of(to) <= room_of(from) + mebibyte / 2);
  }
}

TEST_CASE("F08 copy_file keeps holes, by every way to copy") {
  run_on_files([]() -> task<> {
    co_await check_holes(true);
    constexpr std::array calls{"ioctl=EINVAL", "copy_file_range=ENOSYS", "sendfile=EINVAL"};
    for (const char* denied : calls) {
      const bool possible = co_await cove::blocking(cove::pool_lane::file, deny_call, denied);
      if (!possible) co_return;
      co_await check_holes(true);
    }
    // Where nobody tells where they are, all is copied.
    co_await cove::blocking(cove::pool_lane::file, deny_call, "lseek=EINVAL");
    co_await check_holes(false);
  });
}

TEST_CASE("F08 a copy that fails or is cancelled leaves no new target") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string from = in / "from";
    std::ofstream(from).put('x');
    REQUIRE(::truncate(from.c_str(), 512 << 20) == 0);  // A hole.
    // A clone takes no time that one could cancel in, nor does a hole.
    const bool filtered = co_await cove::blocking(cove::pool_lane::file, deny_call, "ioctl=EINVAL");
    if (!filtered) co_return;
    co_await cove::blocking(cove::pool_lane::file, deny_call, "lseek=EINVAL");
    const auto copy = [](std::string source, std::string target) -> task<std::uint64_t> {
      co_return co_await fs::copy_file(std::move(source), std::move(target));
    };
    int left_off = 0;
    for (int round = 0; round < 4; ++round) {
      auto copying = cove::spawn(copy, from, in / "to");
      const auto begun = [&] { return is_there(in / "to") || copying.done(); };
      co_await eventually(begun);
      copying.cancel();
      const auto ended = co_await copying.as_result();
      CHECK(is_there(in / "to") == ended.has_value());
      if (!ended) ++left_off;
      static_cast<void>(co_await fs::remove(in / "to").as_result());
    }
    CHECK(left_off > 0);
    co_await cove::blocking(cove::pool_lane::file, deny_call, "ftruncate=EPERM");
    const auto failed = co_await fs::copy_file(from, in.file("there", "x")).as_result();
    CHECK(failed.error() == std::errc::operation_not_permitted);
    CHECK(is_there(in / "there"));
  });
}

}  // namespace
