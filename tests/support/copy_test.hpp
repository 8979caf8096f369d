#pragma once

// What is copied from and to in the tests of copies, and by which way.

#include "support/stream_test.hpp"

#include <cove/io/copy.hpp>
#include <cove/io/pipe.hpp>

#include <array>
#include <memory>

namespace cove::test {

using io::copy_options;
using io::detail::copy_way;
using net::tcp_stream;

inline constexpr std::array ways{copy_way::plain, copy_way::kernel, copy_way::by_size};

/// copy(), by a way that is chosen.
template <class From, class To>
task<cove::io_result> copy_by(copy_way way, From* from, To* to,
                              copy_options options = copy_options()) {
  const auto ended = co_await io::detail::copy_plain(*from, *to, options, way);
  co_return cove::io_result{ended.n, ended.error};
}

template <class To>
task<> send(To* to, std::string text) {
  co_await to->write_all(bytes_of(text));
}

template <class From>
task<std::string> receive(From* from, std::size_t count) {
  std::string text(count, '\0');
  co_await from->read_exact(std::as_writable_bytes(std::span(text)));
  co_return text;
}

/// What the kernel copies from: the near end is read, the far end is written and ended.
struct socket_source {
  stream_pair ends;
  auto& near() { return ends.near; }
  auto& far() { return ends.far; }
  task<> finish() {
    ends.far.shutdown_write();
    co_return;
  }
  static task<std::unique_ptr<socket_source>> make() {
    stream_pair made = co_await make_streams();
    co_return std::make_unique<socket_source>(std::move(made));
  }
  explicit socket_source(stream_pair made) : ends(std::move(made)) {}
};
struct pipe_source {
  io::pipe_ends ends = io::make_pipe();
  auto& near() { return ends.reader; }
  auto& far() { return ends.writer; }
  task<> finish() { static_cast<void>(co_await ends.writer.close()); }
  static task<std::unique_ptr<pipe_source>> make() { co_return std::make_unique<pipe_source>(); }
};
struct socket_target : socket_source {
  using socket_source::socket_source;
  static task<std::unique_ptr<socket_target>> make() {
    stream_pair made = co_await make_streams();
    co_return std::make_unique<socket_target>(std::move(made));
  }
};
struct pipe_target {
  io::pipe_ends ends = io::make_pipe();
  auto& near() { return ends.writer; }
  auto& far() { return ends.reader; }
  static task<std::unique_ptr<pipe_target>> make() { co_return std::make_unique<pipe_target>(); }
};

template <class Source>
task<> send_and_finish(Source* source, std::string text) {
  co_await source->far().write_all(bytes_of(text));
  co_await source->finish();
}

template <class Source, class Target>
task<> check_copies() {
  constexpr std::array<std::size_t, 4> sizes{0, 1, 100'000, 2'000'000};
  for (const copy_way way : ways) {
    for (const std::size_t size : sizes) {
      auto source = co_await Source::make();
      auto target = co_await Target::make();
      const std::string text = pattern(size);
      auto sending = spawn(send_and_finish<Source>, source.get(), text);
      auto taking =
          spawn(receive<std::remove_reference_t<decltype(target->far())>>, &target->far(), size);
      const auto copied = co_await copy_by(way, &source->near(), &target->near());
      CHECK(!copied.error);
      CHECK(copied.n == size);
      const std::string got = co_await taking;
      CHECK(got == text);
      co_await sending;
    }
  }
}

}  // namespace cove::test
