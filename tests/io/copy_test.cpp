#include <cove/io/copy.hpp>

#include "support/cancel_sweep.hpp"
#include "support/copy_test.hpp"
#include "support/stress.hpp"

#include <cove/io/any_stream.hpp>
#include <cove/io/duplex.hpp>
#include <cove/io/read_to_end.hpp>
#include <cove/io/split.hpp>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::any_stream;
using cove::io::copy;

TEST_CASE("S21 a socket is copied to a socket, whole, whichever way it goes") {
  run_test(check_copies<socket_source, socket_target>);
}
TEST_CASE("S21 a pipe is copied to a socket") {
  run_test(check_copies<pipe_source, socket_target>);
}
TEST_CASE("S21 a socket is copied to a pipe") {
  run_test(check_copies<socket_source, pipe_target>);
}
TEST_CASE("S21 a pipe is copied to a pipe") { run_test(check_copies<pipe_source, pipe_target>); }

TEST_CASE("S21 a part is copied, and what is behind it can still be read") {
  run_test([]() -> task<> {
    constexpr std::array<std::uint64_t, 5> parts{0, 1, 16'384, 70'000, 199'999};
    for (const copy_way way : ways) {
      for (const std::uint64_t most : parts) {
        auto source = co_await socket_source::make();
        auto target = co_await socket_target::make();
        const std::string text = pattern(200'000);
        auto sending = cove::spawn(send_and_finish<socket_source>, source.get(), text);
        auto taking = cove::spawn(receive<tcp_stream>, &target->far(), std::size_t{most});
        const auto copied =
            co_await copy_by(way, &source->near(), &target->near(), copy_options(most));
        CHECK(copied.n == most);
        const std::string got = co_await taking;
        CHECK(got == text.substr(0, most));
        const std::string rest = co_await cove::io::read_to_end(source->near(), text.size());
        CHECK(rest == text.substr(most));
        co_await sending;
      }
    }
  });
}

TEST_CASE("S21 an offset is refused by what is no file, and nothing is taken") {
  run_test([]() -> task<> {
    auto source = cove::io::duplex(10);
    auto target = cove::io::duplex(10);
    co_await source.far.write_all(cove::io::bytes_of("text"));
    source.far.shutdown_write();
    copy_options options;
    options.offset = 0;
    const std::string plain = co_await outcome_of(copy(source.near, target.near, options));
    CHECK(plain ==
          "copy: invalid argument (EINVAL); only a file can be copied from an offset; read or skip "
          "what is before it, and give no offset");
    cove::io::buffered_reader reader(source.near);
    const auto buffered = co_await copy(reader, target.near, options).as_result();
    CHECK(buffered.error == std::errc::invalid_argument);
    CHECK(buffered.n == 0);
    options.offset.reset();
    const std::size_t copied = co_await copy(reader, target.near, options);
    CHECK(copied == 4);
  });
}

TEST_CASE(
    "S21 streams the kernel does not know are copied through a buffer, erased ones as within") {
  run_test([]() -> task<> {
    auto target = co_await socket_target::make();
    auto memory = cove::io::duplex(1000);
    const std::string text = pattern(100'000);
    auto sending = cove::spawn(
        [](cove::io::duplex_stream* to, std::string all) -> task<> {
          co_await to->write_all(bytes_of(all));
          to->shutdown_write();
        },
        &memory.far, text);
    auto taking = cove::spawn(receive<tcp_stream>, &target->far(), text.size());
    any_stream from(std::move(memory.near));
    const std::size_t copied = co_await copy(from, target->near());
    CHECK(copied == text.size());
    const std::string got = co_await taking;
    CHECK(got == text);
    co_await sending;

    auto source = co_await socket_source::make();
    any_stream erased(std::move(source->near()));
    CHECK(erased.kernel_end() != nullptr);
    CHECK(from.kernel_end() == nullptr);
    auto again = cove::spawn(send_and_finish<socket_source>, source.get(), text);
    auto [reader, writer] = cove::io::split(std::move(target->near()));
    auto taking_again = cove::spawn(receive<tcp_stream>, &target->far(), text.size());
    const auto second = co_await copy_by(copy_way::kernel, &erased, &writer);
    CHECK(second.n == text.size());
    const std::string same = co_await taking_again;
    CHECK(same == text);
    co_await again;
  });
}

TEST_CASE(
    "S21 a buffered reader is copied with what it had read, and keeps what could not be sent") {
  run_test([]() -> task<> {
    for (const copy_way way : ways) {
      auto source = co_await socket_source::make();
      auto target = co_await socket_target::make();
      target->near().set_send_buffer(8192);
      target->far().set_receive_buffer(8192);
      const std::string text = "head\n" + pattern(4'000'000);
      auto sending = cove::spawn(send_and_finish<socket_source>, source.get(), text);
      cove::io::buffered_reader reader(source->near());
      const auto head = co_await reader.read_line(10);
      CHECK(head.value_or("?") == "head");
      auto copying = cove::spawn([&reader, &target, way]() {
        return cove::io::detail::copy_buffered(reader, target->near(), UINT64_MAX, way);
      });
      std::string got = co_await receive(&target->far(), 120'000);
      copying.cancel();
      const auto ended = co_await copying;
      CHECK(ended.error == std::errc::operation_canceled);
      target->near().shutdown_write();
      got += co_await cove::io::read_to_end(target->far(), text.size());
      CHECK(got.size() == ended.n);
      got += co_await cove::io::read_to_end(reader, text.size());
      CHECK(got == text.substr(5));
      co_await sending;
    }
  });
}

TEST_CASE("S22 a copy honours the write deadline, and says what is under way") {
  run_test([]() -> task<> {
    for (const copy_way way : ways) {
      auto source = co_await socket_source::make();
      auto target = co_await socket_target::make();
      target->near().set_send_buffer(8192);
      target->far().set_receive_buffer(8192);
      const std::string text = pattern(8'000'000);
      auto sending = cove::spawn(send_and_finish<socket_source>, source.get(), text);
      target->near().set_write_deadline(cove::clock::now() + std::chrono::milliseconds(50));
      std::string unsent;
      copy_options options;
      options.unsent = &unsent;
      const auto copied = co_await copy_by(way, &source->near(), &target->near(), options);
      CHECK(copied.error == cove::errc::deadline_exceeded);
      CHECK(copied.n > 0);
      target->near().shutdown_write();
      std::string got = co_await cove::io::read_to_end(target->far(), text.size());
      CHECK(got.size() == copied.n);
      got += unsent;
      got += co_await cove::io::read_to_end(source->near(), text.size());
      CHECK(got == text);
      co_await sending;
    }
  });
}

TEST_CASE("S21 a copy tells which side failed, and a reset is no end") {
  run_test([]() -> task<> {
    for (const copy_way way : ways) {
      auto [stream, peer] = co_await make_link();
      auto target = co_await socket_target::make();
      auto copying = cove::spawn(copy_by<tcp_stream, tcp_stream>, way, &stream, &target->near(),
                                 copy_options());
      peer.send("before");
      const std::string got = co_await receive(&target->far(), 6);
      CHECK(got == "before");
      peer.reset();
      const auto ended = co_await copying;
      CHECK(ended.error == std::errc::connection_reset);
      CHECK(ended.n == 6);
      const std::string said = co_await outcome_of(copy(stream, target->near()));
      CHECK(said.starts_with("copy, reading: "));
    }
  });
}

TEST_CASE("S21 a copy into a pipe that nobody reads is a broken pipe, and no signal") {
  run_test([]() -> task<> {
    for (const copy_way way : ways) {
      auto source = co_await socket_source::make();
      auto target = co_await pipe_target::make();
      auto sending = cove::spawn(send_and_finish<socket_source>, source.get(), pattern(10'000));
      static_cast<void>(co_await target->far().close());
      const auto ended = co_await copy_by(way, &source->near(), &target->near());
      CHECK(ended.error == std::errc::broken_pipe);
      CHECK(ended.n == 0);
      co_await sending;
      // What failed was not the source.
      co_await send(&source->near(), "back");
      const std::string back = co_await receive(&source->far(), 4);
      CHECK(back == "back");
    }
  });
}

TEST_CASE("S21 a copy from a stream that is closed meanwhile ends with closed") {
  run_test([]() -> task<> {
    for (const copy_way way : ways) {
      auto source = co_await pipe_source::make();
      auto target = co_await socket_target::make();
      auto copying = cove::spawn(copy_by<cove::io::pipe_reader, tcp_stream>, way, &source->near(),
                                 &target->near(), copy_options());
      co_await send(&source->far(), "x");
      const std::string got = co_await receive(&target->far(), 1);
      CHECK(got == "x");
      static_cast<void>(co_await source->near().close());
      const auto ended = co_await copying;
      CHECK(ended.error == cove::errc::closed);
    }
  });
}

// ----- cancellation -----

/// A peer with small buffers that takes what has arrived, whenever everybody waits.
template <class Source, copy_way Way>
struct copying {
  static constexpr bool external = true;
  static constexpr std::size_t total = std::size_t{192} << 10;

  std::unique_ptr<Source> source;
  linked target;
  std::string text = pattern(total);
  std::size_t copied = 0;
  std::string arrived;
  cove::io::buffered_reader<std::remove_reference_t<decltype(source->near())>&> reader;
  cove::join_handle<> sending;

  copying(std::unique_ptr<Source> from, linked to)
      : source(std::move(from)), target(std::move(to)), reader(source->near()) {
    sending = cove::spawn(send_and_finish<Source>, source.get(), text);
  }
  static task<std::unique_ptr<copying>> make() {
    auto from = co_await Source::make();
    linked to = co_await make_narrow_link();
    co_return std::make_unique<copying>(std::move(from), std::move(to));
  }
  task<> wait() {
    const auto ended =
        co_await cove::io::detail::copy_buffered(reader, target.stream, UINT64_MAX, Way);
    copied += ended.n;
    if (ended.error) cove::detail::throw_error(ended.error, "copy");
  }
  bool give() {
    std::array<char, 16384> part;
    const ssize_t count = ::recv(target.peer.fd(), part.data(), part.size(), MSG_DONTWAIT);
    if (count > 0) arrived.append(part.data(), static_cast<std::size_t>(count));
    return arrived.size() < total;
  }
  task<> finish() { co_await sending; }
  bool settled() {
    pollfd there{target.peer.fd(), POLLIN, 0};
    while (arrived.size() < total && ::poll(&there, 1, 10'000) == 1) static_cast<void>(give());
    return copied == total && arrived == text;
  }
};

constexpr sweep_line waits[] = {
    line_of<copying<socket_source, copy_way::plain>>("copy, plain"),
    line_of<copying<socket_source, copy_way::kernel>>("copy by splice, from a socket"),
    line_of<copying<pipe_source, copy_way::kernel>>("copy by splice, from a pipe"),
};

TEST_CASE("C09 K16 K17 K20 S21 every wait of a copy, asked to end at each of its moments") {
  const same_descriptors outside;
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 S21 every wait of a copy, asked to end by others and by timers") {
  const same_descriptors outside;
  race_against(waits, plain_options(), stress_seed(), sanitized ? 20 : 60);
}

}  // namespace
