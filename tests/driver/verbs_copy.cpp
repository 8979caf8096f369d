#include "verbs.hpp"

#include "kinds.hpp"

#include <cove/io/copy.hpp>
#include <cove/io/copy_bidirectional.hpp>

// Copying from object to object. Both must outlive it, so a drop takes effect when it has ended;
// close them to end it.

namespace cove::driver {
namespace {

/// The library's own type, by which it chooses the way of a copy.
template <class S>
S& plain(S& object) {
  return object;
}
template <class S>
S& plain(with_reader<S>& object) {
  return object;
}

template <class From, class To>
auto start_copy(From& from, To& to, io::copy_options options) {
  return from.reader ? io::copy(*from.reader, plain(to), options)
                     : io::copy(plain(from), plain(to), options);
}

template <class From, class To>
task<> run_copy(call& c, std::shared_ptr<From> from, std::shared_ptr<To> to,
                io::copy_options options) {
  auto copying = start_copy(*from, *to, options);
  const std::size_t n = co_await copying;
  c.moved(n);
}

io::copy_options options_of(const request& asked, std::string_view most) {
  io::copy_options chosen;
  if (asked.has(most)) chosen.most = static_cast<std::uint64_t>(asked.number(most));
  return chosen;
}

task<> prepare_copy(call& c) {
  const io::copy_options options = options_of(c.asked, "max");
  c.moves_bytes();
  return with_object(c, "src", [&]<has_reader From>(std::shared_ptr<From> from) {
    return with_object(c, "dst", [&]<writable_stream To>(std::shared_ptr<To> to) {
      return run_copy(c, from, std::move(to), options);
    });
  });
}

template <writable_stream To>
task<> run_sendfile(call& c, std::shared_ptr<To> to, io::copy_options options) {
  auto opening = io::file::open(c.asked.text("path"));
  io::file from = co_await opening;
  auto copying = io::copy(from, plain(*to), options);
  const std::size_t n = co_await copying;
  c.moved(n);
}

task<> prepare_sendfile(call& c) {
  io::copy_options options = options_of(c.asked, "n");
  if (c.asked.has("off")) options.offset = c.asked.number("off", INT64_MIN);
  static_cast<void>(c.asked.text("path"));
  c.moves_bytes();
  return with_object(c, [&]<writable_stream To>(std::shared_ptr<To> to) {
    return run_sendfile(c, std::move(to), options);
  });
}

template <class A, class B>
task<> run_relay(call& c, std::shared_ptr<A> a, std::shared_ptr<B> b) {
  auto relaying = io::copy_bidirectional(plain(*a), plain(*b)).as_result();
  const io::relayed moved = co_await relaying;
  c.members["n_ab"] = moved.a_to_b;
  c.members["n_ba"] = moved.b_to_a;
  if (moved.error) throw error(moved.error, "copy_bidirectional");
}

task<> prepare_relay(call& c) {
  return with_object(c, "a", [&]<io::byte_stream A>(std::shared_ptr<A> a) {
    return with_object(c, "b", [&]<io::byte_stream B>(std::shared_ptr<B> b) {
      return run_relay(c, a, std::move(b));
    });
  });
}

const verb table[] = {
    {"copy", {"src", "dst", "max"}, prepare_copy},
    {"sendfile", {"h", "path", "off", "n"}, prepare_sendfile},
    {"relay", {"a", "b"}, prepare_relay},
};

}  // namespace

std::span<const verb> copy_verbs() { return table; }

}  // namespace cove::driver
