#include <cove/io/aligned_buffer.hpp>
#include <cove/io/file.hpp>
#include <cove/io/whole_file.hpp>

#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>

// Files, in a folder of their own for each test; what was written is looked at from outside.

namespace {

using namespace cove::test;
using cove::runtime_options;
using cove::task;
using cove::io::file;
using cove::io::open_options;
using cove::io::seek_from;

std::span<std::byte> room_in(std::string& text) {
  return {reinterpret_cast<std::byte*>(text.data()), text.size()};
}

const open_options reading = open_options{}.read();
const open_options both = open_options{}.read().write();
const open_options fresh = open_options{}.read().write().create(0600).exclusive();

task<std::size_t> write_in_one(file* to, const std::string* text) {
  co_return co_await to->write_at(bytes_of(*text), 0);
}

task<> drop_while_written(const temporary_folder* in) {
  const std::string text = pattern(std::size_t{2} << 20);
  const std::size_t before = entries_of("/proc/self/fd");
  for (int i = 0; i < 20; ++i) {
    file f = co_await file::open(*in / "file", open_options{}.write().create().truncate());
    auto writing = cove::spawn(write_in_one, &f, &text);
    co_await cove::this_task::yield();
    f = file();
    const std::size_t moved = co_await writing;
    CHECK(moved == text.size());
    const auto is_closed = [before] { return entries_of("/proc/self/fd") == before; };
    co_await eventually(is_closed);
  }
}

void run_file_test(task<> (*body)(const temporary_folder*)) {
  const temporary_folder folder;
  const std::size_t before = entries_of("/proc/self/fd");
  run_in(net_options(), [body, &folder] { return body(&folder); });
  CHECK(entries_of("/proc/self/fd") == before);
}

}  // namespace

// ----- opening -----

TEST_CASE("F01 a file is opened, written, read and closed") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(*in / "file", fresh);
    co_await f.write_all(bytes_of("hello, disk"));
    std::string text(5, ' ');
    const std::size_t n = co_await f.read_at(room_in(text), 7);
    CHECK(n == 4);
    CHECK(text.substr(0, n) == "disk");
    const std::error_code closed = co_await f.close();
    CHECK(!closed);
    CHECK(f.is_closed());
    CHECK(f.native_handle() == -1);
    CHECK(contents_of(*in / "file") == "hello, disk");
  });
}

TEST_CASE("F01 what open finds wrong is told with the system's code and the path") {
  run_file_test([](const temporary_folder* in) -> task<> {
    in->file("file", "x");
    const auto missing = co_await file::open(*in / "none", reading).as_result();
    CHECK(missing.error() == std::errc::no_such_file_or_directory);
    const auto there = co_await file::open(*in / "file", fresh).as_result();
    CHECK(there.error() == std::errc::file_exists);
    const auto below = co_await file::open(*in / "file/x", reading).as_result();
    CHECK(below.error() == std::errc::not_a_directory);
    const auto folder = co_await file::open(*in / ".", both).as_result();
    CHECK(folder.error() == std::errc::is_a_directory);
    REQUIRE(::symlink("loop", (*in / "loop").c_str()) == 0);
    const auto loop = co_await file::open(*in / "loop", reading).as_result();
    CHECK(loop.error() == std::errc::too_many_symbolic_link_levels);
    const std::string said = co_await outcome_of(file::open(*in / "none", reading));
    CHECK(said == "open \"" + *in / "none" + "\": no such file or directory (ENOENT)");
  });
}

TEST_CASE("F01 options that contradict one another are refused before any call") {
  struct {
    open_options options;
    const char* says;
  } const wrong[] = {
      {open_options{}, "none of read(), write() and append()"},
      {open_options{}.read().create(), "create() needs write()"},
      {open_options{}.write().exclusive(), "exclusive() needs create()"},
      {open_options{}.read().truncate(), "truncate() needs write()"},
      {open_options{}.write().append().truncate(), "truncate() and append()"},
      {open_options{}.read().write().directory(), "directory() goes with read() alone"},
      {open_options{}.write().create(0100644), "more than permissions"},
  };
  const temporary_folder folder;
  const std::string path = folder / "file";
  for (const auto& each : wrong) {
    const open_options options = each.options;
    const std::string said = run_in(net_options(), [&path, options]() -> task<std::string> {
      return outcome_of(file::open(path, options));
    });
    CHECK_MESSAGE(said.find(each.says) != std::string::npos, said);
    CHECK(said.find("invalid argument") != std::string::npos);
    CHECK(!std::filesystem::exists(path));
  }
}

TEST_CASE("F01 a path with a NUL inside is refused") {
  run_file_test([](const temporary_folder* in) -> task<> {
    in->file("file", "x");
    const std::string path = *in / "file" + std::string(1, '\0') + ".txt";
    const auto opened = co_await file::open(path, reading).as_result();
    CHECK(opened.error() == std::errc::invalid_argument);
    const std::error_code read = co_await code_of(cove::io::read_whole(path));
    CHECK(read == std::errc::invalid_argument);
  });
}

TEST_CASE("F01 a file that is made has the mode that was given, and is close-on-exec") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const file f = co_await file::open(*in / "file", fresh);
    struct stat seen{};
    REQUIRE(::stat((*in / "file").c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0600);
    CHECK((::fcntl(f.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
  });
}

// ----- at an offset -----

TEST_CASE("F02 transfers at an offset leave the cursor where it is") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "0123456789"), both);
    std::string text(3, ' ');
    co_await f.read_exact(room_in(text));
    CHECK(text == "012");
    co_await f.read_exact_at(room_in(text), 7);
    CHECK(text == "789");
    co_await f.write_all_at(bytes_of("ab"), 4);
    const std::int64_t at = co_await f.seek(0, seek_from::current);
    CHECK(at == 3);
    co_await f.read_exact(room_in(text));
    CHECK(text == "3ab");
  });
}

TEST_CASE("F02 a file opened with append refuses an offset, and is written at its end") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "old "), open_options{}.read().append());
    const std::string said = co_await outcome_of(f.write_all_at(bytes_of("x"), 0));
    CHECK(said.find("append()") != std::string::npos);
    const auto refused = co_await f.write_at(bytes_of("x"), 0).as_result();
    CHECK(refused.error == std::errc::invalid_argument);
    co_await f.seek(0);
    co_await f.write_all(bytes_of("new"));
    CHECK(contents_of(*in / "file") == "old new");
    std::string text(3, ' ');
    co_await f.read_exact_at(room_in(text), 4);
    CHECK(text == "new");
  });
}

TEST_CASE("F03 a read at the end or behind it gives 0") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "12345"), reading);
    std::string text(4, ' ');
    const std::size_t at_end = co_await f.read_at(room_in(text), 5);
    const std::size_t behind = co_await f.read_at(room_in(text), 1'000'000);
    const std::size_t part = co_await f.read_at(room_in(text), 3);
    CHECK(at_end == 0);
    CHECK(behind == 0);
    CHECK(part == 2);
    const auto exact = co_await f.read_exact_at(room_in(text), 3).as_result();
    CHECK(exact.error == cove::errc::unexpected_end);
    CHECK(exact.n == 2);
  });
}

TEST_CASE("F03 an offset below zero, a size below zero and an empty buffer are refused") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "12345"), both);
    std::string text(4, ' ');
    const auto read = co_await f.read_at(room_in(text), -1).as_result();
    CHECK(read.error == std::errc::invalid_argument);
    const auto written = co_await f.write_at(bytes_of("x"), INT64_MIN).as_result();
    CHECK(written.error == std::errc::invalid_argument);
    const auto cut = co_await f.truncate(-5).as_result();
    CHECK(cut.error() == std::errc::invalid_argument);
    const auto moved = co_await f.seek(-1).as_result();
    CHECK(moved.error() == std::errc::invalid_argument);
    const auto before = co_await f.seek(-6, seek_from::end).as_result();
    CHECK(before.error() == std::errc::invalid_argument);
    const auto empty = co_await f.read_at(std::span<std::byte>(), 0).as_result();
    CHECK(empty.error == std::errc::invalid_argument);
    const std::string said = co_await outcome_of(f.read_at(room_in(text), -7));
    CHECK(said == "read_at \"" + *in / "file" +
                      "\" at -7: invalid argument (EINVAL); offsets count from 0, the first byte");
    // What needs no byte has them all.
    co_await f.read_exact_at(std::span<std::byte>(), 100);
    co_await f.write_all_at(std::span<const std::byte>(), 100);
    CHECK(contents_of(*in / "file") == "12345");
  });
}

TEST_CASE("F04 offsets beyond 4 GiB") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(*in / "file", fresh);
    constexpr std::int64_t far = (std::int64_t{5} << 30) + 7;
    co_await f.write_all_at(bytes_of("far away"), far);
    std::string text(8, ' ');
    co_await f.read_exact_at(room_in(text), far);
    CHECK(text == "far away");
    const cove::io::file_status status = co_await f.stat();
    CHECK(status.size == static_cast<std::uint64_t>(far) + 8);
    const std::int64_t end = co_await f.seek(0, seek_from::end);
    CHECK(end == far + 8);
    co_await f.seek(far + 4);
    co_await f.write_all(bytes_of("gone"));
    co_await f.read_exact_at(room_in(text), far);
    CHECK(text == "far gone");
    std::string hole(4, 'x');
    co_await f.read_exact_at(room_in(hole), std::int64_t{1} << 32);
    CHECK(hole == std::string(4, '\0'));
  });
}

// ----- several buffers -----

TEST_CASE("F05 vectored transfers of more buffers than the system takes at once") {
  run_file_test([](const temporary_folder* in) -> task<> {
    constexpr std::size_t count = 5000;
    std::string text;
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < count; ++i) sizes.push_back(i % 7);  // Empty ones, too.
    for (std::size_t i = 0; i < count; ++i) text.append(sizes[i], static_cast<char>('a' + i % 26));
    std::vector<cove::io::const_buffer> from;
    std::size_t at = 0;
    for (const std::size_t size : sizes) {
      from.emplace_back(text.data() + at, size);
      at += size;
    }
    file f = co_await file::open(*in / "file", fresh);
    const std::span<const cove::io::const_buffer> parts(from);
    co_await f.write_all_at(parts, 0);
    co_await f.write_all(parts);
    CHECK(contents_of(*in / "file") == text);
    std::string back(text.size(), ' ');
    std::vector<cove::io::mutable_buffer> into;
    at = 0;
    for (std::size_t i = count; i-- != 0;) {
      into.emplace_back(back.data() + at, sizes[i]);
      at += sizes[i];
    }
    const std::span<const cove::io::mutable_buffer> rooms(into);
    co_await f.read_exact_at(rooms, 0);
    CHECK(back == text);
    std::fill(back.begin(), back.end(), ' ');
    co_await f.seek(0);
    co_await f.read_exact(rooms);
    CHECK(back == text);
    const std::size_t some = co_await f.read_at(rooms, 0);
    CHECK(some > 0);
  });
}

TEST_CASE("F05 empty buffers in front are passed over, and nothing but empty ones is refused") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "abc"), reading);
    std::string text(3, ' ');
    std::vector<cove::io::mutable_buffer> parts(3000, cove::io::mutable_buffer(nullptr, 0));
    const std::span<const cove::io::mutable_buffer> nothing(parts);
    const auto refused = co_await f.read_some(nothing).as_result();
    CHECK(refused.error == std::errc::invalid_argument);
    parts.emplace_back(text.data(), text.size());
    const std::span<const cove::io::mutable_buffer> rooms(parts);
    const std::size_t n = co_await f.read_some(rooms);
    CHECK(n == 3);
    CHECK(text == "abc");
  });
}

// ----- /proc, whole files -----

TEST_CASE("F06 a file of /proc, whose size is 0, is read whole") {
  run_file_test([](const temporary_folder*) -> task<> {
    const std::string name = "/proc/self/status";
    const std::string at_once = co_await cove::io::read_whole(name);
    CHECK(at_once.find("VmSize") != std::string::npos);
    CHECK(at_once.back() == '\n');
    file f = co_await file::open(name, reading);
    std::string text;
    std::string part(100, ' ');
    while (const std::size_t n = co_await f.read_some(room_in(part))) text += part.substr(0, n);
    CHECK(text.find("VmSize") != std::string::npos);
    CHECK(text.back() == '\n');
    std::string begin(4, ' ');
    co_await f.read_exact_at(room_in(begin), 1);
    CHECK(begin == "ame:");
  });
}

TEST_CASE("F06 whole files are written and read") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const std::string text = pattern(300'000);
    co_await cove::io::write_whole(*in / "file", text);
    CHECK(contents_of(*in / "file") == text);
    const std::string back = co_await cove::io::read_whole(*in / "file");
    CHECK(back == text);
    const std::string just = co_await cove::io::read_whole(*in / "file", text.size());
    CHECK(just == text);
    const std::error_code more = co_await code_of(cove::io::read_whole(*in / "file", 299'999));
    CHECK(more == std::errc::file_too_large);
    co_await cove::io::write_whole(*in / "file", "");
    const std::string empty = co_await cove::io::read_whole(*in / "file");
    CHECK(empty.empty());
    const std::string said = co_await outcome_of(cove::io::read_whole(*in / "none"));
    CHECK(said == "open \"" + *in / "none" + "\": no such file or directory (ENOENT)");
    const std::error_code folder = co_await code_of(cove::io::read_whole(*in / "."));
    CHECK(folder == std::errc::is_a_directory);
  });
}

// ----- the cursor -----

TEST_CASE("F10 reads and writes at the cursor follow one another") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(*in / "file", fresh);
    co_await f.write_all(bytes_of("one two three"));
    co_await f.seek(4);
    std::string text(3, ' ');
    co_await f.read_exact(room_in(text));
    CHECK(text == "two");
    co_await f.write_all(bytes_of("-"));
    co_await f.read_exact(room_in(text));
    CHECK(text == "thr");
    const std::int64_t back = co_await f.seek(-3, seek_from::current);
    CHECK(back == 8);
    co_await f.read_exact(room_in(text));
    CHECK(text == "thr");
    const std::int64_t end = co_await f.seek(-2, seek_from::end);
    CHECK(end == 11);
    CHECK(contents_of(*in / "file") == "one two-three");
  });
}

TEST_CASE("F10 one task uses the cursor at a time; others use offsets meanwhile") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const std::string text = pattern(std::size_t{8} << 20);
    file f = co_await file::open(*in / "file", fresh);
    const auto write = [](file* to, const std::string* what) -> task<> {
      co_await to->write_all(bytes_of(*what));
    };
    auto first = cove::spawn(write, &f, &text);
    // It may be through before it is looked for: then there was nobody to disturb.
    std::error_code seen;
    while (!first.done() && !seen) {
      const auto at = co_await f.seek(0, seek_from::current).as_result();
      seen = at.error();
      co_await cove::this_task::yield();
    }
    CHECK((!seen || seen == cove::errc::operation_in_progress));
    co_await f.write_all_at(bytes_of("x"), 0);
    co_await first;
    const cove::io::file_status status = co_await f.stat();
    CHECK(status.size == text.size());
  });
}

TEST_CASE("F02 many reads of one file at once") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const std::string text = pattern(1 << 20);
    file f = co_await file::open(in->file("file", text), reading);
    const auto read = [](file* from, const std::string* all, std::size_t seed) -> task<> {
      std::string part(4096, ' ');
      for (std::size_t i = 0; i < 100; ++i) {
        const std::size_t at = (seed * 7919 + i * 104'729) % (all->size() - part.size());
        co_await from->read_exact_at(room_in(part), static_cast<std::int64_t>(at));
        if (all->compare(at, part.size(), part) != 0) FAIL("other bytes than were written");
      }
    };
    std::vector<cove::join_handle<>> readers;
    for (std::size_t i = 0; i < 64; ++i) readers.push_back(cove::spawn(read, &f, &text, i));
    for (auto& each : readers) co_await each;
  });
}

// ----- what the system has not at hand -----

TEST_CASE("F02 a file that the system has not in memory is read all the same") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const std::string text = pattern(2 << 20);
    file f = co_await file::open(in->file("file", text), both);
    co_await f.sync();
    std::string part(100'000, ' ');
    for (std::size_t at = 0; at + part.size() < text.size(); at += 300'000) {
      REQUIRE(::posix_fadvise(f.native_handle(), 0, 0, POSIX_FADV_DONTNEED) == 0);
      co_await f.read_exact_at(room_in(part), static_cast<std::int64_t>(at));
      CHECK(text.compare(at, part.size(), part) == 0);
    }
    REQUIRE(::posix_fadvise(f.native_handle(), 0, 0, POSIX_FADV_DONTNEED) == 0);
    std::string all(text.size(), ' ');
    co_await f.read_exact(room_in(all));
    CHECK(all == text);
  });
}

TEST_CASE("F02 direct transfers, with aligned buffers") {
  run_file_test([](const temporary_folder* in) -> task<> {
    auto opened = co_await file::open(*in / "file", open_options{}.read().write().create().direct())
                      .as_result();
    if (!opened) co_return;  // This file system has none.
    cove::io::aligned_buffer block(8192);
    std::memset(block.bytes().data(), 'd', block.size());
    co_await opened->write_all_at(block.bytes(), 4096);
    std::memset(block.bytes().data(), 0, block.size());
    co_await opened->read_exact_at(block.bytes(), 4096);
    CHECK(static_cast<char>(block.bytes()[8191]) == 'd');
    const std::size_t end = co_await opened->read_at(block.bytes(), 12288);
    CHECK(end == 0);
    const auto odd = co_await opened->read_at(block.bytes().subspan(1, 512), 3).as_result();
    CHECK((odd.error == std::errc::invalid_argument || !odd.error));
  });
}

// ----- the file as a whole -----

TEST_CASE("F01 truncate, sync and stat") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "0123456789"), both);
    co_await f.truncate(4);
    CHECK(contents_of(*in / "file") == "0123");
    co_await f.truncate(6);
    CHECK(contents_of(*in / "file") == std::string("0123\0\0", 6));
    co_await f.sync_data();
    co_await f.sync();
    const cove::io::file_status status = co_await f.stat();
    struct stat seen{};
    REQUIRE(::stat((*in / "file").c_str(), &seen) == 0);
    CHECK(status.size == 6);
    CHECK(status.is_regular());
    CHECK(status.inode == seen.st_ino);
    CHECK(status.device == seen.st_dev);
    CHECK(status.mode == (seen.st_mode & 07777U));
    CHECK(status.links == 1);
    const std::chrono::seconds when(seen.st_mtim.tv_sec);
    CHECK(status.modified.time_since_epoch() ==
          when + std::chrono::nanoseconds(seen.st_mtim.tv_nsec));
  });
}

TEST_CASE("F01 what a file was not opened for is refused, with the remedy") {
  run_file_test([](const temporary_folder* in) -> task<> {
    in->file("file", "x");
    file r = co_await file::open(*in / "file", reading);
    const std::string write = co_await outcome_of(r.write_all_at(bytes_of("y"), 0));
    CHECK(write.find("not opened with write()") != std::string::npos);
    file w = co_await file::open(*in / "file", open_options{}.write());
    std::string text(1, ' ');
    const std::string read = co_await outcome_of(w.read_some(room_in(text)));
    CHECK(read.find("not opened with read()") != std::string::npos);
    file d = co_await file::open(*in / ".", open_options{}.read().directory());
    const auto folder = co_await d.read_some(room_in(text)).as_result();
    CHECK(folder.error == std::errc::is_a_directory);
    co_await d.sync();
  });
}

// ----- closing, adopting -----

TEST_CASE("F01 a closed file reports closed, and so does a second close") {
  run_file_test([](const temporary_folder* in) -> task<> {
    file f = co_await file::open(in->file("file", "x"), both);
    const std::error_code first = co_await f.close();
    const std::error_code second = co_await f.close();
    CHECK(!first);
    CHECK(second == cove::errc::closed);
    std::string text(1, ' ');
    const auto read = co_await f.read_at(room_in(text), 0).as_result();
    CHECK(read.error == cove::errc::closed);
    const auto synced = co_await f.sync().as_result();
    CHECK(synced.error() == cove::errc::closed);
    file none;
    const auto nothing = co_await none.stat().as_result();
    CHECK(nothing.error() == cove::errc::closed);
    const std::error_code never = co_await none.close();
    CHECK(never == cove::errc::closed);
  });
}

TEST_CASE("F01 a close asks nothing of a ring, whatever its memory held before") {
  run_test([]() -> task<> {
    using cove::io::detail::close_operation;
    const temporary_folder folder;
    const std::string path = folder.file("data", "text");
    file from = co_await file::open(path, reading);
    const auto room = std::make_unique<std::byte[]>(sizeof(close_operation));
    // Else the compiler leaves it out, as the constructor comes behind it.
    volatile std::byte* const before = room.get();
    for (std::size_t i = 0; i < sizeof(close_operation); ++i) before[i] = std::byte{0xff};
    auto* closing = ::new (room.get()) close_operation(from.kernel_file());
    const std::error_code why = co_await std::move(*closing);
    CHECK(!why);
    closing->~close_operation();
  });
}

TEST_CASE("F01 close waits for the operations that are under way") {
  run_file_test([](const temporary_folder* in) -> task<> {
    const std::string text = pattern(std::size_t{4} << 20);
    for (int i = 0; i < 20; ++i) {
      file f = co_await file::open(*in / "file", open_options{}.write().create().truncate());
      const auto write = [](file* to, const std::string* what) -> task<cove::io_result> {
        co_return co_await to->write_at(bytes_of(*what), 0).as_result();
      };
      auto writing = cove::spawn(write, &f, &text);
      for (int turns = i; turns > 0; --turns) co_await cove::this_task::yield();
      const std::error_code closed = co_await f.close();
      CHECK(!closed);
      const cove::io_result moved = co_await writing;
      CHECK((moved.n == text.size() || moved.error == cove::errc::closed));
      CHECK(std::filesystem::file_size(*in / "file") == moved.n);
    }
  });
}

TEST_CASE("F01 a file that is dropped while it is written is closed after the write") {
  const temporary_folder folder;
  const std::size_t before = entries_of("/proc/self/fd");
  runtime_options options = net_options();
  options.workers = 1;  // Whoever is spawned has parked or ended after a turn.
  run_in(options, [&folder]() { return drop_while_written(&folder); });
  CHECK(entries_of("/proc/self/fd") == before);
}

TEST_CASE("F01 descriptors are adopted and released") {
  run_file_test([](const temporary_folder* in) -> task<> {
    in->file("file", "12345");
    const int fd = ::open((*in / "file").c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
    REQUIRE(fd >= 0);
    file f = file::adopt(fd);
    std::string text(2, ' ');
    co_await f.read_exact_at(room_in(text), 3);
    CHECK(text == "45");
    const auto refused = co_await f.write_at(bytes_of("x"), 0).as_result();
    CHECK(refused.error == std::errc::invalid_argument);
    CHECK(f.release() == fd);
    CHECK(f.is_closed());
    CHECK_THROWS_AS(f.release(), cove::error);
    CHECK(::write(fd, "6", 1) == 1);
    CHECK(::close(fd) == 0);
    CHECK_THROWS_AS(file::adopt(fd), cove::error);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    CHECK_THROWS_WITH(
        file::adopt(ends[0]),
        doctest::Contains("it is a socket or a pipe: streams and pipe_reader are for these"));
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST_CASE("F01 a file is used by tasks of two runtimes, and dropped outside of any") {
  const temporary_folder folder;
  const std::string path = folder.file("file", "abc");
  const std::size_t before = entries_of("/proc/self/fd");
  {
    file f = run_in(net_options(), [&path] {
      return [](std::string name) -> task<file> {
        co_return co_await file::open(name, reading);
      }(path);
    });
    const std::size_t n = run_in(net_options(), [&f] {
      return [](file* in) -> task<std::size_t> {
        std::string text(8, ' ');
        co_return co_await in->read_at(room_in(text), 0);
      }(&f);
    });
    CHECK(n == 3);
  }
  CHECK(entries_of("/proc/self/fd") == before);
}
