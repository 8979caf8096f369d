#include "support/copy_test.hpp"
#include "support/system_call_filter.hpp"
#include "support/temporary_folder.hpp"

#include <cove/io/read_to_end.hpp>

#include <array>
#include <thread>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::copy;
using cove::io::file;

task<cove::io_result> send_by(copy_way way, file* from, tcp_stream* to, copy_options options) {
  const auto ended = co_await cove::io::detail::copy_file(from, to, options, way);
  co_return cove::io_result{ended.n, ended.error};
}

copy_options part_of(std::int64_t offset, std::uint64_t most) {
  copy_options options(most);
  options.offset = offset;
  return options;
}

TEST_CASE("S21 a file is sent whole, in part and from an offset, and its cursor follows") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string text = pattern(3'000'000);
    const std::string path = folder.file("data", text);
    for (const copy_way way : ways) {
      file from = co_await file::open(path);
      auto target = co_await socket_target::make();
      auto taking = cove::spawn(receive<tcp_stream>, &target->far(), text.size() + 200'005);
      const auto part = co_await send_by(way, &from, &target->near(), part_of(100'000, 200'000));
      CHECK(part.n == 200'000);
      const auto behind = co_await send_by(way, &from, &target->near(), part_of(5'000'000, 9));
      CHECK(behind.n == 0);
      CHECK(!behind.error);
      const auto first = co_await send_by(way, &from, &target->near(), copy_options(7));
      CHECK(first.n == 7);
      const auto all = co_await send_by(way, &from, &target->near(), copy_options());
      CHECK(all.n == text.size() - 7);
      const auto at = co_await from.seek(0, cove::io::seek_from::current);
      CHECK(at == 3'000'000);
      const auto none = co_await send_by(way, &from, &target->near(), copy_options());
      CHECK(none.n == 0);
      const auto last = co_await send_by(way, &from, &target->near(), part_of(10, 5));
      CHECK(last.n == 5);
      const std::string got = co_await taking;
      CHECK(got == text.substr(100'000, 200'000) + text + text.substr(10, 5));
    }
  });
}

TEST_CASE("S21 a peer that resets in the middle of a file is an error, and no signal") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string path = folder.file("data", pattern(3'000'000));
    for (const copy_way way : ways) {
      for (int round = 0; round < 50; ++round) {
        file from = co_await file::open(path);
        auto target = co_await socket_target::make();
        target->near().set_send_buffer(64 * 1024);  // All of it would fit in, else.
        auto sending = cove::spawn(send_by, way, &from, &target->near(), copy_options());
        std::array<std::byte, 1000> some{};
        const std::size_t n = co_await target->far().read_some(some);
        CHECK(n != 0);
        target->far().abort();
        const cove::io_result ended = co_await sending;
        CHECK(
            (ended.error == std::errc::broken_pipe || ended.error == std::errc::connection_reset));
      }
    }
  });
}

TEST_CASE("S21 a file is copied to a file and to a pipe, and a socket to a file") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string text = pattern(300'000);
    const std::string path = folder.file("data", text);
    const auto fresh = cove::io::open_options{}.write().create();
    file from = co_await file::open(path);
    const std::string second_path = folder / "second";
    file second = co_await file::open(second_path, fresh);
    const std::size_t copied = co_await copy(from, second);
    CHECK(copied == text.size());
    CHECK(contents_of(second_path) == text);

    auto pipe = co_await pipe_target::make();
    auto taking = cove::spawn(receive<cove::io::pipe_reader>, &pipe->far(), text.size());
    const std::size_t piped = co_await copy(from, pipe->near(), part_of(0, UINT64_MAX));
    CHECK(piped == text.size());
    const std::string got = co_await taking;
    CHECK(got == text);

    auto source = co_await socket_source::make();
    auto sending = cove::spawn(send_and_finish<socket_source>, source.get(), text);
    const std::string third_path = folder / "third";
    file third = co_await file::open(third_path, fresh);
    const std::size_t received = co_await copy(source->near(), third);
    CHECK(received == text.size());
    CHECK(contents_of(third_path) == text);
    co_await sending;
  });
}

TEST_CASE("S22 sending a file honours the write deadline, and its cursor stands where that fell") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string text = pattern(8'000'000);
    const std::string path = folder.file("data", text);
    for (const copy_way way : ways) {
      file from = co_await file::open(path);
      auto target = co_await socket_target::make();
      target->near().set_send_buffer(8192);
      target->far().set_receive_buffer(8192);
      target->near().set_write_deadline(cove::clock::now() + std::chrono::milliseconds(50));
      const auto sent = co_await send_by(way, &from, &target->near(), copy_options());
      CHECK(sent.error == cove::errc::deadline_exceeded);
      CHECK(sent.n > 0);
      // It holds for what would not have to wait as well.
      const auto late = co_await send_by(way, &from, &target->near(), part_of(0, 1));
      CHECK(late.error == cove::errc::deadline_exceeded);
      CHECK(late.n == 0);
      target->near().shutdown_write();
      std::string got = co_await cove::io::read_to_end(target->far(), text.size());
      CHECK(got.size() == sent.n);
      got += co_await cove::io::read_to_end(from, text.size());
      CHECK(got == text);
    }
  });
}

TEST_CASE("S21 a file that is closed cannot be copied, and says so") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string path = folder.file("data", "text");
    file from = co_await file::open(path);
    static_cast<void>(co_await from.close());
    auto target = co_await socket_target::make();
    constexpr std::array offsets{false, true};
    for (const bool at : offsets) {
      copy_options options;
      if (at) options = part_of(0, 10);
      const auto sent = co_await copy(from, target->near(), options).as_result();
      CHECK(sent.error == cove::errc::closed);
    }
  });
}

/// How a copy fails, by each way.
template <class To>
task<> check_refusals(file* from, To* to, copy_options options, std::string text) {
  for (const copy_way way : ways) {
    auto copying = cove::io::detail::copy_file(from, to, options, way);
    const std::string said = co_await outcome_of(std::move(copying));
    CHECK(said == text);
  }
}

TEST_CASE("S21 a copy that a file refuses names the side, the path and the remedy") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string path = folder.file("data", "text");
    const std::string reading = "copy, reading \"" + path + '"';
    auto target = co_await socket_target::make();
    auto line = cove::io::make_pipe();
    const auto writes = cove::io::open_options{}.write();
    file unread = co_await file::open(path, writes);
    std::string text = reading +
                       " at 0: bad file descriptor (EBADF); the file was not opened with "
                       "read()";
    co_await check_refusals(&unread, &target->near(), copy_options(), text);
    co_await check_refusals(&unread, &line.writer, part_of(0, 9), text);

    file directory = co_await file::open(folder.path());
    text = "copy, reading \"" + folder.path() + "\" at 0: is a directory (EISDIR)";
    co_await check_refusals(&directory, &target->near(), copy_options(), text);

    file from = co_await file::open(path);
    text = reading + " at -1: invalid argument (EINVAL); offsets count from 0, the first byte";
    co_await check_refusals(&from, &target->near(), part_of(-1, 9), text);

    file unwritten = co_await file::open(path);
    const std::string writing = "copy, writing \"" + path +
                                "\": bad file descriptor (EBADF); the file was not opened with "
                                "write()";
    co_await check_refusals(&from, &unwritten, copy_options(), writing);
    const auto at = co_await from.seek(0, cove::io::seek_from::current);
    CHECK(at == 0);

    co_await line.writer.write_all(bytes_of("piped"));
    std::string unsent;
    copy_options options;
    options.unsent = &unsent;
    auto copying = copy(line.reader, unwritten, options);
    const std::string said = co_await outcome_of(std::move(copying));
    CHECK(said == writing);
    CHECK(unsent == "piped");

    static_cast<void>(co_await from.close());
    co_await check_refusals(&from, &target->near(), copy_options(),
                            reading + ": closed on this side");
  });
}

TEST_CASE("S21 a copy to a device that is full says which one, and that nothing was written") {
  run_test([]() -> task<> {
    const temporary_folder folder;
    const std::string path = folder.file("data", pattern(300'000));
    file from = co_await file::open(path);
    const auto writes = cove::io::open_options{}.write();
    file full = co_await file::open("/dev/full", writes);
    auto copying = copy(from, full);
    std::size_t moved = 1;
    std::string said;
    try {
      co_await std::move(copying);
    } catch (const cove::io_error& failure) {
      moved = failure.transferred();
      said = failure.what();
    }
    CHECK(moved == 0);
    CHECK(mentions(said, "copy, writing \"/dev/full\": no space left on device (ENOSPC)"));
  });
}

/// What a filter has denied is denied to the thread for ever, and to those it starts.
template <class Body>
void run_denied(const char* rule, Body body) {
  std::thread apart([rule, body] {
    const auto which = denied_call_from(rule);
    if (!which || !deny(*which)) {
      MESSAGE("this system has no filters of system calls");
      return;
    }
    run_test(body);
  });
  apart.join();
}

TEST_CASE("S21 where the kernel does not splice or send, a copy goes on without it") {
  constexpr std::array splice_rules{"splice=ENOSYS", "splice=EINVAL", "splice=EPERM"};
  for (const char* rule : splice_rules) {
    run_denied(rule, check_copies<socket_source, socket_target>);
    run_denied(rule, check_copies<pipe_source, socket_target>);
  }
  constexpr std::array send_rules{"sendfile=ENOSYS", "sendfile=EINVAL", "sendfile=EOPNOTSUPP"};
  for (const char* rule : send_rules) {
    run_denied(rule, []() -> task<> {
      const temporary_folder folder;
      const std::string text = pattern(1'500'000);
      const std::string path = folder.file("data", text);
      file from = co_await file::open(path);
      auto target = co_await socket_target::make();
      auto taking = cove::spawn(receive<tcp_stream>, &target->far(), text.size());
      const std::size_t sent = co_await copy(from, target->near());
      CHECK(sent == text.size());
      const std::string got = co_await taking;
      CHECK(got == text);
    });
  }
}

}  // namespace
