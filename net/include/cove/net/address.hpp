#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <cove/runtime/result.hpp>

namespace cove::net {

/// The number by which this host knows the network interface `name` ("lo", "eth0"). It goes into
/// ip_address::with_scope. Asks the kernel, which answers at once.
///
/// Errors:   no_such_device.
/// Threads:  any.
/// Source:   if_nametoindex, RFC 3493 section 4.1.
result<std::uint32_t> interface_index(std::string_view name);

/// An IPv4 or IPv6 address; an IPv6 address may carry the scope (zone) it is meant in. A default
/// address is 0.0.0.0. All IPv4 addresses order before all IPv6 addresses, within a family the
/// bytes decide, then the scope.
///
/// An IPv4-mapped address (::ffff:192.0.2.1) is an IPv6 address and differs from the IPv4 address
/// in it, but is_loopback and its like answer for the IPv4 address, where the packets would go.
///
/// Threads:  as any value: distinct objects are independent.
/// Source:   RFC 4291; RFC 4007 for scopes.
class ip_address {
 public:
  /// 0.0.0.0.
  constexpr ip_address() noexcept = default;

  /// The IPv4 address a.b.c.d.
  static constexpr ip_address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                 std::uint8_t d) noexcept {
    ip_address address;
    address.bytes_ = {a, b, c, d};
    return address;
  }

  /// Four bytes in network order make an IPv4 address, sixteen an IPv6 address.
  static constexpr ip_address from_bytes(std::span<const std::uint8_t, 4> bytes) noexcept {
    return v4(bytes[0], bytes[1], bytes[2], bytes[3]);
  }
  static constexpr ip_address from_bytes(std::span<const std::uint8_t, 16> bytes,
                                         std::uint32_t scope_id = 0) noexcept {
    ip_address address;
    address.is_v6_ = true;
    for (std::size_t i = 0; i < bytes.size(); ++i) address.bytes_[i] = bytes[i];
    return address.with_scope(scope_id);
  }

  /// 127.0.0.1
  static constexpr ip_address loopback_v4() noexcept { return v4(127, 0, 0, 1); }
  /// ::1
  static constexpr ip_address loopback_v6() noexcept {
    ip_address address = any_v6();
    address.bytes_[15] = 1;
    return address;
  }
  /// 0.0.0.0: to bind, every IPv4 interface of this host.
  static constexpr ip_address any_v4() noexcept { return {}; }
  /// `::`: to bind, every interface of this host.
  static constexpr ip_address any_v6() noexcept {
    ip_address address;
    address.is_v6_ = true;
    return address;
  }

  /// Reads an address: four decimal numbers without leading zeros, or any form of RFC 4291
  /// section 2.2, there with a scope if wished: `fe80::1%eth0`, `fe80::1%3`. The name has to be an
  /// interface of this host, the number is taken as it stands, and 0 means no scope. Nothing is
  /// resolved. An IPv4-mapped address takes no scope.
  ///
  /// Errors:   invalid_argument; no_such_device for an interface name this host does not know;
  ///           result_out_of_range for a scope above 4294967295.
  /// Threads:  any.
  /// Source:   RFC 4291 section 2.2, RFC 4007 section 11, RFC 6943 section 3.1.1 (strict IPv4).
  static result<ip_address> try_parse(std::string_view text);

  /// The same, but what is wrong is thrown.
  ///
  /// Errors:   cove::error with the codes of try_parse. It names the text and says what is wrong.
  static ip_address parse(std::string_view text);

  /// The canonical text: lower case, no leading zeros, the first longest run of zero groups as
  /// `::`, an IPv4-mapped address as ::ffff:192.0.2.1. A scope follows as its number: `fe80::1%3`.
  ///
  /// Source:   RFC 5952; RFC 4007 section 11.2.
  std::string to_string() const;

  /// True for an IPv4 address; an IPv4-mapped one is IPv6.
  constexpr bool is_v4() const noexcept { return !is_v6_; }
  /// True for an IPv4-mapped address too.
  constexpr bool is_v6() const noexcept { return is_v6_; }
  /// In 127.0.0.0/8, or ::1.
  constexpr bool is_loopback() const noexcept;
  /// 0.0.0.0 or `::`.
  constexpr bool is_unspecified() const noexcept;
  /// In 224.0.0.0/4 or ff00::/8.
  constexpr bool is_multicast() const noexcept;
  /// In 169.254.0.0/16 or fe80::/10: unicast, valid on one link only. To reach an IPv6 one takes a
  /// scope.
  constexpr bool is_link_local() const noexcept;
  /// In ::ffff:0:0/96: how a dual-stack IPv6 socket shows an IPv4 peer.
  constexpr bool is_v4_mapped() const noexcept {
    if (!is_v6_ || bytes_[10] != 0xff || bytes_[11] != 0xff) return false;
    for (std::size_t i = 0; i < 10; ++i)
      if (bytes_[i] != 0) return false;
    return true;
  }

  /// The IPv4 address in an IPv4-mapped one; any other address unchanged.
  constexpr ip_address unmapped() const noexcept {
    return is_v4_mapped() ? v4(bytes_[12], bytes_[13], bytes_[14], bytes_[15]) : *this;
  }

  /// The address in network order, four bytes or sixteen.
  ///
  /// Lifetime: a view of this object.
  constexpr std::span<const std::uint8_t> bytes() const& noexcept {
    return std::span(bytes_).first(is_v6_ ? 16 : 4);
  }
  std::span<const std::uint8_t> bytes() const&& = delete;

  /// The interface number a link-local or other scoped address is meant on; 0 where there is none.
  constexpr std::uint32_t scope_id() const noexcept { return scope_id_; }

  /// This address in another scope, 0 for none. IPv4 and IPv4-mapped addresses know no scope and
  /// come back unchanged.
  constexpr ip_address with_scope(std::uint32_t scope_id) const noexcept {
    ip_address address = *this;
    if (is_v6_ && !is_v4_mapped()) address.scope_id_ = scope_id;
    return address;
  }

  friend constexpr auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

 private:
  // In the order of comparison. An IPv4 address fills the first four bytes and leaves the rest
  // zero.
  bool is_v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};
  std::uint32_t scope_id_ = 0;
};

/// An IP address and a port: where a socket is bound or connected. A default one is 0.0.0.0:0.
/// Ordered by address, then port.
///
/// It is made implicitly from text, so that `tcp_listener::bind("127.0.0.1:9000")` reads as it
/// should; such a conversion parses and throws like parse.
///
/// Threads:  as any value: distinct objects are independent.
/// Units:    the port in host byte order.
class socket_address {
 public:
  constexpr socket_address() noexcept = default;
  constexpr socket_address(const ip_address& ip, std::uint16_t port) noexcept
      : ip_(ip), port_(port) {}

  /// Implicit on purpose: parse(text).
  ///
  /// Errors:   as parse; a null pointer is an invalid_argument too.
  socket_address(std::string_view text);
  socket_address(const char* text);
  socket_address(const std::string& text);
  socket_address(std::nullptr_t) = delete;

  /// Reads `192.0.2.1:80`, `[2001:db8::1]:80` or `[fe80::1%eth0]:80`. The host is an address as in
  /// ip_address::try_parse, never a name; the brackets are for IPv6 and cannot be left out; the
  /// port is decimal digits without a leading zero. Nothing is resolved.
  ///
  /// Errors:   invalid_argument; result_out_of_range for a port above 65535; for the scope as
  ///           ip_address::try_parse.
  /// Threads:  any.
  /// Source:   RFC 3986 section 3.2.2, RFC 5952 section 6.
  static result<socket_address> try_parse(std::string_view text);

  /// The same, but what is wrong is thrown.
  ///
  /// Errors:   cove::error with the codes of try_parse. It names the text, says what is wrong and,
  ///           where that can be guessed, what to write: `write [::1]:80`.
  static socket_address parse(std::string_view text);

  /// Its two parts.
  constexpr ip_address ip() const noexcept { return ip_; }
  /// Its port; 0 asks for any when binding.
  constexpr std::uint16_t port() const noexcept { return port_; }

  /// `192.0.2.1:80` or `[2001:db8::1]:80`, the address in its canonical text.
  ///
  /// Source:   RFC 5952 section 6.
  std::string to_string() const;

  friend constexpr auto operator<=>(const socket_address&,
                                    const socket_address&) noexcept = default;

 private:
  ip_address ip_;
  std::uint16_t port_ = 0;
};

constexpr bool ip_address::is_loopback() const noexcept {
  if (is_v6_ && !is_v4_mapped()) return with_scope(0) == loopback_v6();
  return unmapped().bytes_[0] == 127;
}

constexpr bool ip_address::is_unspecified() const noexcept {
  const ip_address address = unmapped();
  return address.with_scope(0) == (address.is_v6_ ? any_v6() : any_v4());
}

constexpr bool ip_address::is_multicast() const noexcept {
  const ip_address address = unmapped();
  return address.is_v6_ ? address.bytes_[0] == 0xff : (address.bytes_[0] & 0xf0) == 0xe0;
}

constexpr bool ip_address::is_link_local() const noexcept {
  const ip_address address = unmapped();
  if (address.is_v6_) return address.bytes_[0] == 0xfe && (address.bytes_[1] & 0xc0) == 0x80;
  return address.bytes_[0] == 169 && address.bytes_[1] == 254;
}

}  // namespace cove::net

template <>
struct std::hash<cove::net::ip_address> {
  std::size_t operator()(const cove::net::ip_address& address) const noexcept;
};

template <>
struct std::hash<cove::net::socket_address> {
  std::size_t operator()(const cove::net::socket_address& address) const noexcept;
};
