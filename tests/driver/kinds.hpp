#pragma once

#include "call.hpp"

#include <concepts>

// What the objects behind handles can do. A verb names a concept and not kinds, so it serves every
// kind that the library gives this operation. What has a descriptor, but not this operation, is
// unsupported; a lock, a timer or a child makes a bad request.

namespace cove::driver {

using io::readable_stream;
using io::writable_stream;

template <class S>
concept vector_readable =
    requires(S& from, std::span<const io::mutable_buffer> room) { from.read_some(room); };
template <class S>
concept exactly_readable = requires(S& from, std::span<std::byte> room) { from.read_exact(room); };
template <class S>
concept try_readable = requires(S& from, std::span<std::byte> room) { from.try_read(room); };
template <class S>
concept peekable = requires(S& from, std::span<std::byte> room) { from.peek(room); };
template <class S>
concept vector_writable =
    requires(S& to, std::span<const io::const_buffer> parts) { to.write_all(parts); };
template <class S>
concept try_writable = requires(S& to, std::span<const std::byte> data) { to.try_write(data); };

/// It can be read by delimiters, and may have read ahead.
template <class S>
concept has_reader = requires(S& from) { from.reader.has_value(); };

template <class S>
concept waits_readable = requires(S& on) { on.wait_readable(); };
template <class S>
concept waits_writable = requires(S& on) { on.wait_writable(); };
template <class S>
concept waits_urgent = requires(S& on) { on.wait_urgent(); };

template <class S>
concept reads_by_deadline = requires(S& on) { on.set_read_deadline(clock::time_point()); };
template <class S>
concept writes_by_deadline = requires(S& on) { on.set_write_deadline(clock::time_point()); };
/// One deadline for all that it does.
template <class S>
concept has_deadline = requires(S& on) { on.set_deadline(clock::time_point()); };

/// Its close is awaited.
template <class S>
concept closes = requires(S& which) { which.close().await_ready(); };
template <class S>
concept releasable = requires(S& which) {
  { which.release() } -> std::same_as<int>;
};

template <class S>
concept has_descriptor = requires(const S& of) {
  { of.native_handle() } -> std::same_as<int>;
};
template <class S>
concept has_local_address = requires(const S& of) { of.local_address(); };
template <class S>
concept has_peer_address = requires(const S& of) { of.peer_address(); };

/// Gives the task that `make` makes of the object that the request's `member` names, a
/// `std::shared_ptr<Kind>`.
template <class Make>
task<> with_object(const call& c, const char* member, const Make& make) {
  return std::visit(
      [&](auto object) -> task<> {
        if constexpr (std::is_invocable_v<const Make&, decltype(object)>)
          return make(std::move(object));
        else if constexpr (has_descriptor<typename decltype(object)::element_type>)
          throw refusal::unsupported(member);
        else
          throw refusal::bad_request("\"" + std::string(member) + "\" is of another kind");
      },
      c.handles.find_any(c.asked.text(member)));
}
template <class Make>
task<> with_object(const call& c, const Make& make) {
  return with_object(c, "h", make);
}

/// Puts in what `ask` gives. An address is asked of an open socket; where the peer has reset, there
/// is none, and the reply does without.
template <class Ask>
void tell_address(json& members, const char* name, Ask ask) {
  try {
    members[name] = ask().to_string();
  } catch (const std::system_error&) {
  }
}

/// What a reply says of an object that has a descriptor.
template <has_descriptor S>
void tell_ends(json& members, const S& of) {
  if constexpr (has_local_address<S>)
    tell_address(members, "local", [&] { return of.local_address(); });
  if constexpr (has_peer_address<S>)
    tell_address(members, "peer", [&] { return of.peer_address(); });
  if (const int fd = of.native_handle(); fd >= 0) members["fd"] = fd;
}

}  // namespace cove::driver
