#include "address_posix.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace cove::net {

result<std::uint32_t> interface_index(std::string_view name) {
  // The name ends in a zero there, so one that holds a zero would be taken for a shorter one; an
  // overlong one is cut by some systems.
  char c_name[IF_NAMESIZE] = {};
  const bool fits =
      !name.empty() && name.size() < sizeof c_name && name.find('\0') == std::string_view::npos;
  if (!fits) return std::make_error_code(std::errc::no_such_device);
  std::copy(name.begin(), name.end(), c_name);
  const unsigned index = ::if_nametoindex(c_name);
  if (index == 0) return std::make_error_code(std::errc::no_such_device);
  return static_cast<std::uint32_t>(index);
}

namespace detail {

// The structures are copied whole rather than reached by a cast: the storage is none of them, and
// the compiler may take that literally.

void to_native(const socket_address& address, sockaddr_storage& storage,
               socklen_t& length) noexcept {
  storage = {};
  const ip_address ip = address.ip();
  const std::span<const std::uint8_t> bytes = ip.bytes();
  if (ip.is_v4()) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(address.port());
    std::memcpy(&native.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &native, sizeof native);
    length = sizeof native;
  } else {
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = htons(address.port());
    native.sin6_scope_id = ip.scope_id();
    std::memcpy(&native.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &native, sizeof native);
    length = sizeof native;
  }
}

result<socket_address> from_native(const sockaddr_storage& storage, socklen_t length) {
  const std::error_code malformed = std::make_error_code(std::errc::invalid_argument);
  constexpr std::size_t family_end =
      offsetof(sockaddr_storage, ss_family) + sizeof storage.ss_family;
  if (length < family_end || length > sizeof storage) return malformed;
  switch (storage.ss_family) {
    case AF_INET: {
      sockaddr_in native;
      if (length < sizeof native) return malformed;
      std::memcpy(&native, &storage, sizeof native);
      std::array<std::uint8_t, 4> bytes;
      std::memcpy(bytes.data(), &native.sin_addr, bytes.size());
      return socket_address(ip_address::from_bytes(bytes), ntohs(native.sin_port));
    }
    case AF_INET6: {
      sockaddr_in6 native;
      if (length < sizeof native) return malformed;
      std::memcpy(&native, &storage, sizeof native);
      std::array<std::uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &native.sin6_addr, bytes.size());
      return socket_address(ip_address::from_bytes(bytes, native.sin6_scope_id),
                            ntohs(native.sin6_port));
    }
    default: return std::make_error_code(std::errc::address_family_not_supported);
  }
}

}  // namespace detail
}  // namespace cove::net
