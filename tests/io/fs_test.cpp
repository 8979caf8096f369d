#include <cove/io/fs.hpp>

#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <sys/stat.h>

#include <algorithm>

// The operations on paths: what they do to a folder, and what they say when they cannot.

namespace {

namespace fs = cove::io::fs;
using namespace cove::test;
using namespace std::chrono_literals;
using cove::task;
using cove::io::file_kind;
using cove::io::file_time;

/// run_in() that sees descriptors, too.
template <class Body>
void run_on_files(Body body) {
  const same_descriptors outside;
  run_in(plain_options(2), body);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST_CASE("F01 stat tells what a path leads to, lstat what it is") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "hello");
    ::chmod(file.c_str(), 0640);
    co_await fs::symlink("file", in / "soft");
    const auto through = co_await fs::stat(in / "soft");
    CHECK(through.kind == file_kind::regular);
    CHECK(through.size == 5);
    CHECK(through.mode == 0640);
    CHECK(through.links == 1);
    const auto itself = co_await fs::lstat(in / "soft");
    CHECK(itself.is_symlink());
    const auto target = co_await fs::readlink(in / "soft");
    CHECK(target == "file");
    const auto folder = co_await fs::stat(in.path());
    CHECK(folder.is_directory());
  });
}

TEST_CASE("F01 directories are made, renamed and removed") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    co_await fs::mkdir(in / "a", 0700);
    const auto made = co_await fs::stat(in / "a");
    CHECK(made.mode == 0700);
    co_await fs::rename(in / "a", in / "b");
    const bool old_name = co_await fs::exists(in / "a");
    const bool new_name = co_await fs::exists(in / "b");
    CHECK_FALSE(old_name);
    CHECK(new_name);
    co_await fs::remove(in / "b");
    const bool removed = co_await fs::exists(in / "b");
    CHECK_FALSE(removed);
    const bool below_a_file = co_await fs::exists(in.file("file") + "/name");
    CHECK_FALSE(below_a_file);
  });
}

TEST_CASE("F01 unlink takes no directory, and rmdir nothing else") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file");
    REQUIRE(::symlink("directory", (in / "link").c_str()) == 0);
    co_await fs::mkdir(in / "directory");
    const auto kept = co_await fs::unlink(in / "directory").as_result();
    CHECK(kept.error() == std::errc::is_a_directory);
    // A link is no directory, wherever it leads.
    const std::array paths{file, in / "link"};
    for (const std::string& path : paths) {
      auto removing = fs::rmdir(path);
      const auto refused = co_await std::move(removing).as_result();
      CHECK(refused.error() == std::errc::not_a_directory);
      co_await fs::unlink(path);
      const auto gone = co_await fs::lstat(path).as_result();
      CHECK(gone.error() == std::errc::no_such_file_or_directory);
    }
    co_await fs::rmdir(in / "directory");
    const bool there = co_await fs::exists(in / "directory");
    CHECK_FALSE(there);
  });
}

TEST_CASE("F01 files are linked, cut, dated and removed") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "contents");
    co_await fs::link(file, in / "other");
    const auto twice = co_await fs::stat(file);
    CHECK(twice.links == 2);
    co_await fs::truncate(file, 3);
    CHECK(contents_of(in / "other") == "con");
    co_await fs::truncate(file, 5);
    CHECK(contents_of(file) == std::string("con\0\0", 5));
    const file_time read(1'000'000'000'123'456'789ns);
    const file_time written(-1'500'000'001ns);  // Before 1970.
    co_await fs::utimes(file, read, written);
    const auto dated = co_await fs::stat(file);
    CHECK(dated.accessed == read);
    CHECK(dated.modified == written);
    co_await fs::chmod(file, 04751);
    const auto marked = co_await fs::stat(file);
    CHECK(marked.mode == 04751);
    co_await fs::remove(file);
    const auto once = co_await fs::stat(in / "other");
    CHECK(once.links == 1);
  });
}

TEST_CASE("F01 create_directories makes what is missing, and does not mind what is there") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    constexpr std::array names{"a/b/c", "x//y///z/", "a/./q/../q/r"};
    for (const char* name : names) {
      const std::string path = in / name;
      const bool first = co_await fs::create_directories(path);
      CHECK(first);
      const bool second = co_await fs::create_directories(path);
      CHECK_FALSE(second);
      const auto made = co_await fs::stat(path);
      CHECK(made.is_directory());
    }
    const bool root = co_await fs::create_directories("/");
    CHECK_FALSE(root);
    const std::string file = in.file("file");
    auto blocked = fs::create_directories(file + "/a/b");
    const std::string text = co_await outcome_of(std::move(blocked));
    CHECK(text == "create_directories \"" + file + "/a/b\", at \"" + file +
                      "\": not a directory (ENOTDIR); what stands on the way to the last name is "
                      "a file");
    const std::string itself = co_await outcome_of(fs::create_directories(file));
    CHECK(contains(itself, "(ENOTDIR)"));
    const auto nameless = co_await fs::create_directories("").as_result();
    CHECK(nameless.error() == std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("F01 many tasks make the same directories at once, and one of them makes each") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    for (int round = 0; round < 20; ++round) {
      const std::string path = in / std::to_string(round) + "/a/b/c/d";
      std::vector<task<bool>> makers;
      makers.reserve(8);
      const auto make = [](std::string where) -> task<bool> {
        co_return co_await fs::create_directories(std::move(where));
      };
      for (int i = 0; i < 8; ++i) makers.push_back(make(path));
      const std::vector<bool> made = co_await cove::when_all(std::move(makers));
      CHECK(std::count(made.begin(), made.end(), true) == 1);
    }
  });
}

TEST_CASE("F01 mkdtemp makes a directory that nobody else has") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string one = co_await fs::mkdtemp(in / "job-");
    const std::string other = co_await fs::mkdtemp(in / "job-");
    CHECK(one.starts_with(in / "job-"));
    CHECK(one != other);
    const auto made = co_await fs::stat(one);
    CHECK(made.is_directory());
    CHECK(made.mode == 0700);
  });
}

TEST_CASE("F01 realpath, access and statfs tell what the system knows") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file");
    co_await fs::symlink(".", in / "here");
    const std::string real = co_await fs::realpath(
        in / "here/./here/../" + std::filesystem::path(in.path()).filename().string() + "/file");
    CHECK(real == std::filesystem::canonical(file).string());
    co_await fs::access(file, fs::right::read | fs::right::write);
    const auto executable = co_await fs::access(file, fs::right::execute).as_result();
    CHECK(executable.error() == std::errc::permission_denied);
    const auto storage = co_await fs::statfs(file);
    CHECK(storage.size >= storage.free);
    CHECK(storage.free >= storage.available);
    CHECK(storage.block_size > 0);
    CHECK(storage.name_max >= 255);
  });
}

TEST_CASE("F01 a long link is read whole") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string far(2000, 'x');
    co_await fs::symlink(far, in / "soft");
    const std::string read = co_await fs::readlink(in / "soft");
    CHECK(read == far);
  });
}

/// What an operation ends with, and whether as_result() says the same.
template <class Make>
task<std::string> told(Make make, std::errc expected) {
  const auto reported = co_await make().as_result();
  CHECK(reported.error() == expected);
  co_return co_await outcome_of(make());
}

TEST_CASE("F01 errors of the system are kept, and told with verb, paths and remedy") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "x");
    const std::string folder = in.folder("folder");
    const std::string full = in.folder("full");
    in.file("full/file");
    const std::string none = in / "none";
    ::symlink("loop", (in / "loop").c_str());
    std::string text;

    const auto missing = [&] { return fs::stat(none); };
    text = co_await told(missing, std::errc::no_such_file_or_directory);
    CHECK(text == "stat \"" + none +
                      "\": no such file or directory (ENOENT); nothing has this name; relative "
                      "ones begin at the working directory of the process");
    const auto there = [&] { return fs::mkdir(folder); };
    text = co_await told(there, std::errc::file_exists);
    CHECK(text == "mkdir \"" + folder +
                      "\": file exists (EEXIST); create_directories() does not mind a directory "
                      "that is there");
    const auto under_file = [&] { return fs::lstat(file + "/x"); };
    text = co_await told(under_file, std::errc::not_a_directory);
    CHECK(text.starts_with("lstat \"" + file + "/x\": not a directory (ENOTDIR); "));
    const auto circle = [&] { return fs::stat(in / "loop"); };
    text = co_await told(circle, std::errc::too_many_symbolic_link_levels);
    CHECK(contains(text, "(ELOOP); its symbolic links lead in a circle"));
    const auto folder_cut = [&] { return fs::truncate(folder, 0); };
    text = co_await told(folder_cut, std::errc::is_a_directory);
    CHECK(contains(text, "truncate \"" + folder + "\": is a directory (EISDIR); it is for files"));
    const auto into_itself = [&] { return fs::rename(full, full + "/inner"); };
    text = co_await told(into_itself, std::errc::invalid_argument);
    CHECK(text == "rename \"" + full + "\" to \"" + full +
                      "/inner\": invalid argument (EINVAL); no directory can be moved into itself");
    const auto no_link = [&] { return fs::readlink(file); };
    text = co_await told(no_link, std::errc::invalid_argument);
    CHECK(contains(text, "it is no symbolic link"));
    const auto no_parent = [&] { return fs::mkdtemp(none + "/x"); };
    text = co_await told(no_parent, std::errc::no_such_file_or_directory);
    CHECK(contains(text, "its parent is missing"));
    const auto refused = [&] { return fs::rename(file, full, fs::if_exists::refuse); };
    text = co_await told(refused, std::errc::file_exists);
    CHECK(contains(text, "if_exists::replace does not"));
    const auto too_long = [&] { return fs::stat(in / std::string(300, 'n')); };
    text = co_await told(too_long, std::errc::filename_too_long);
    CHECK(contains(text, "at most 255 bytes"));
    const auto nameless = [] { return fs::stat(""); };
    text = co_await told(nameless, std::errc::no_such_file_or_directory);
    CHECK(contains(text, "stat \"\": "));
    CHECK(contains(text, "the path is empty"));
    const auto other_system = [&] { return fs::link(file, "/proc/cove"); };
    const auto across = co_await other_system().as_result();
    CHECK_FALSE(across);
  });
}

TEST_CASE("F01 what has to be a file, or a directory, and is not, is told with what helps") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "x");
    const std::string folder = in.folder("folder");
    const std::string full = in.folder("full");
    in.file("full/file");
    std::string text;

    const auto not_empty = [&] { return fs::remove(full); };
    text = co_await told(not_empty, std::errc::directory_not_empty);
    CHECK(contains(text, "remove_all() takes what is in it"));
    const auto as_directory = [&] { return fs::rmdir(full); };
    text = co_await told(as_directory, std::errc::directory_not_empty);
    CHECK(contains(text, "rmdir \"" + full + "\": "));
    CHECK(contains(text, "remove_all() takes what is in it"));
    const auto no_directory = [&] { return fs::rmdir(file); };
    text = co_await told(no_directory, std::errc::not_a_directory);
    CHECK(contains(text, "it is a file, or one stands on the way; remove() takes both"));
    const auto no_file = [&] { return fs::unlink(full); };
    text = co_await told(no_file, std::errc::is_a_directory);
    CHECK(text == "unlink \"" + full +
                      "\": is a directory (EISDIR); rmdir() and remove() take directories");
    const auto onto_folder = [&] { return fs::rename(file, folder); };
    text = co_await told(onto_folder, std::errc::is_a_directory);
    CHECK(contains(text, "a file takes the place of no directory"));
    const auto onto_file = [&] { return fs::rename(folder, file); };
    text = co_await told(onto_file, std::errc::not_a_directory);
    CHECK(contains(text, "a directory takes the place of no file"));
    const auto onto_full = [&] { return fs::rename(folder, full); };
    text = co_await told(onto_full, std::errc::directory_not_empty);
    CHECK(contains(text, "a directory takes the place of an empty one only"));
    const auto second_name = [&] { return fs::link(folder, in / "none"); };
    text = co_await told(second_name, std::errc::operation_not_permitted);
    CHECK(contains(text, "a directory has no second name"));
  });
}

TEST_CASE("F01 a mode with more than permissions is refused, before anything is made or set") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file");
    const std::string none = in / "none";
    const auto kind_too = [&] { return fs::chmod(file, 0100644); };
    const std::string text = co_await told(kind_too, std::errc::invalid_argument);
    CHECK(text ==
          "chmod \"" + file +
              "\" to 0100644: invalid argument (EINVAL); a mode has permissions only, 07777 "
              "at most");
    const auto made_so = co_await fs::mkdir(none, 040755).as_result();
    CHECK(made_so.error() == std::errc::invalid_argument);
    const auto all_so = co_await fs::create_directories(none, 040755).as_result();
    CHECK(all_so.error() == std::errc::invalid_argument);
    CHECK_FALSE(std::filesystem::exists(none));
  });
}

TEST_CASE("F01 a path with a byte 0 in it is refused by name, before anything is done") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    std::string path = in.file("file");
    const std::string whole = path;
    path.push_back('\0');
    path += "rest";
    const auto cut = [&] { return fs::remove(path); };
    const std::string text = co_await told(cut, std::errc::invalid_argument);
    CHECK(text == "remove \"" + whole +
                      "\\x00rest\": invalid argument (EINVAL); no path has a byte 0 in it");
    const auto second = [&] { return fs::rename(whole, path); };
    const std::string other = co_await told(second, std::errc::invalid_argument);
    CHECK(contains(other, "no path has a byte 0"));
    const bool still_there = co_await fs::exists(whole);
    CHECK(still_there);
  });
}

TEST_CASE("F11 a call that waits for a thread is not made when its task is cancelled") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const auto make = [](std::string path) -> task<> {
      cove::this_task::set_name("maker");
      co_await fs::mkdir(std::move(path));
    };
    const auto asked = [](auto maker, std::string path) -> task<std::string> {
      auto made = cove::spawn(maker, path);
      made.cancel();
      co_return co_await outcome_of(std::move(made));
    };
    int refused = 0;
    for (int round = 0; round < 50; ++round) {
      const std::string path = in / std::to_string(round);
      const std::string ended = co_await asked(make, path);
      const bool exists = co_await fs::exists(path);
      CHECK(exists == (ended == "done"));
      if (ended == "canceled") ++refused;
    }
    CHECK(refused > 0);
    const auto late = co_await cove::with_timeout(fs::mkdir(in / "late"), 0ns).as_result();
    CHECK(late.error() == cove::errc::deadline_exceeded);
    const bool late_exists = co_await fs::exists(in / "late");
    CHECK_FALSE(late_exists);
  });
}

}  // namespace
