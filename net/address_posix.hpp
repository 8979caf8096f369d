#pragma once

#include <sys/socket.h>

#include <cove/net/address.hpp>

namespace cove::net::detail {

/// A socket address as the kernel takes it and gives it back:
///
///     raw_address peer;
///     ::accept(fd, peer.get(), &peer.length);
///     socket_address from = *from_native(peer.storage, peer.length);
struct raw_address {
  /// Room for any address.
  raw_address() noexcept = default;
  explicit raw_address(const socket_address& address) noexcept;

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  /// In: the room; out: what is used of it.
  socklen_t length = sizeof(sockaddr_storage);
};

/// Writes sockaddr_in or sockaddr_in6 with its scope; what is not used of `storage` is zero.
///
/// Threads:  any.
void to_native(const socket_address& address, sockaddr_storage& storage,
               socklen_t& length) noexcept;

/// Reads sockaddr_in or sockaddr_in6. An IPv4-mapped address stays one; flow information is
/// dropped.
///
/// Errors:   address_family_not_supported for any other family, so for the peer of an unbound Unix
///           socket; invalid_argument where `length` is shorter than the family's structure or
///           longer than the storage.
/// Threads:  any.
result<socket_address> from_native(const sockaddr_storage& storage, socklen_t length);

inline raw_address::raw_address(const socket_address& address) noexcept {
  to_native(address, storage, length);
}

}  // namespace cove::net::detail
