#include <cove/net/address.hpp>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <ostream>  // doctest prints error codes with it
#include <random>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include "address_posix.hpp"

namespace {

using cove::net::ip_address;
using cove::net::socket_address;

/// The text in memory of exactly its size, so that a sanitizer sees a read past its end.
template <class Address>
cove::result<Address> try_parse_exactly(std::string_view text) {
  const std::vector<char> copy(text.begin(), text.end());
  return Address::try_parse({copy.data(), copy.size()});
}

/// What parse throws; checks that try_parse agrees with it.
template <class Address>
std::string refusal_of(std::string_view text) {
  try {
    Address::parse(text);
  } catch (const cove::error& e) {
    CHECK(try_parse_exactly<Address>(text).error() == e.code());
    return e.what();
  }
  return "accepted";
}

std::string reference_text(const ip_address& ip) {
  char text[INET6_ADDRSTRLEN];
  REQUIRE(::inet_ntop(ip.is_v4() ? AF_INET : AF_INET6, ip.bytes().data(), text, sizeof text));
  return text;
}

/// Whether the C library reads `text` as the same address.
bool reference_reads(const std::string& text, const ip_address& ip) {
  std::array<std::uint8_t, 16> bytes{};
  const bool read = ::inet_pton(ip.is_v4() ? AF_INET : AF_INET6, text.c_str(), bytes.data()) == 1;
  const auto expected = ip.bytes();
  return read && std::equal(expected.begin(), expected.end(), bytes.begin());
}

/// An interface of this host, by name and number.
struct interface {
  std::string name;
  unsigned index = 0;
};

interface some_interface() {
  interface found;
  if (struct if_nameindex* list = ::if_nameindex()) {
    if (list->if_index != 0) found = {list->if_name, list->if_index};
    ::if_freenameindex(list);
  }
  return found;
}

/// The same numbers on every platform, which std::uniform_int_distribution does not promise.
std::uint32_t below(std::uint32_t bound, std::mt19937& random) {
  return static_cast<std::uint32_t>(random()) % bound;
}

std::uint8_t random_byte(std::mt19937& random) {
  return static_cast<std::uint8_t>(below(256, random));
}

ip_address random_v6(std::mt19937& random) {
  std::array<std::uint8_t, 16> bytes{};
  // Most groups zero or short in most addresses: there the text has its corners.
  const std::uint32_t zeros = below(4, random);
  for (std::size_t group = 0; group < 8; ++group) {
    if (below(4, random) < zeros) continue;
    const std::uint32_t value = below(65536, random) >> (4 * below(4, random));
    bytes[2 * group] = static_cast<std::uint8_t>(value >> 8);
    bytes[2 * group + 1] = static_cast<std::uint8_t>(value & 0xff);
  }
  return ip_address::from_bytes(bytes);
}

/// C libraries differ over mixed notation for the deprecated ::/96.
bool is_v4_compatible(const ip_address& ip) {
  const auto high = ip.bytes().first(12);
  return std::all_of(high.begin(), high.end(), [](std::uint8_t byte) { return byte == 0; });
}

constexpr ip_address mapped_v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ip_address::from_bytes(
      std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d});
}

}  // namespace

TEST_CASE("D02 an address is read in every form and written in the canonical one") {
  const struct {
    std::string_view text;
    std::string_view canonical;
  } table[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"127.0.0.1", "127.0.0.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"192.0.2.10", "192.0.2.10"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"2001:DB8::ABCD", "2001:db8::abcd"},
      {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6::", "1:2:3:4:5:6::"},
      {"::3:4:5:6:7:8", "::3:4:5:6:7:8"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"::1.2.3.4", "::102:304"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"::FFFF:c000:0201", "::ffff:192.0.2.1"},
      {"0:0:0:0:0:ffff:1.2.3.4", "::ffff:1.2.3.4"},
      {"fe80::1%3", "fe80::1%3"},
      {"fe80::1%4294967295", "fe80::1%4294967295"},
      {"fe80::1%0", "fe80::1"},
      {"ff02::1%7", "ff02::1%7"},
      {"1:2:3:4:5:6:7.8.9.10%2", "1:2:3:4:5:6:708:90a%2"},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const cove::result<ip_address> ip = try_parse_exactly<ip_address>(row.text);
    REQUIRE(ip.has_value());
    CHECK(ip->to_string() == row.canonical);
    CHECK(ip_address::parse(row.canonical) == *ip);
    CHECK(reference_reads(ip->with_scope(0).to_string(), *ip));
  }
}

TEST_CASE("D02 text that is no address is refused") {
  using namespace std::string_view_literals;
  const std::string_view table[] = {
      ""sv, " "sv, "."sv, ":"sv, ":::"sv, "%"sv, "%1"sv, "localhost"sv, "example.com"sv,
      // IPv4: the wrong count, size, radix or surroundings
      "1"sv, "1.2"sv, "1.2.3"sv, "1.2.3."sv, ".1.2.3"sv, "1..2.3"sv, "1.2.3.4."sv, "1.2.3.4.5"sv,
      "256.0.0.1"sv, "1.2.3.256"sv, "1.2.3.999"sv, "1.2.3.4294967296"sv,
      "1.2.3.18446744073709551617"sv, "01.2.3.4"sv, "1.2.3.04"sv, "00.0.0.0"sv, "0177.0.0.1"sv,
      "1.2.3.0000"sv, "0x7f.0.0.1"sv, "0x7f000001"sv, "2130706433"sv, "1.2.3.-4"sv, "1.2.3.+4"sv,
      " 1.2.3.4"sv, "1.2.3.4 "sv, "1.2.3. 4"sv, "1.2.3.4\n"sv, "1.2.3.4\0"sv, "1.2\0.3.4"sv,
      "\0001.2.3.4"sv, "1.2.3.4/8"sv, "1.2.3.4:80"sv, "1.2.3.4%1"sv, "1,2,3,4"sv, "a.b.c.d"sv,
      "1.2.3.4junk"sv, "[1.2.3.4]"sv, "\xd9\xa1.2.3.4"sv,
      // IPv6: groups, gaps and edges
      "1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:8:9"sv, "1:2:3:4:5:6:7:8::"sv, "::1:2:3:4:5:6:7:8"sv,
      "1:2:3:4::5:6:7:8"sv, "1::2::3"sv, "::1::"sv, "1:::2"sv, ":::1"sv, "::1:"sv, ":1"sv, "1:"sv,
      ":1::"sv, ":1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:"sv, "12345::"sv, "00001::"sv, "::fffff"sv,
      "::10000"sv, "::g"sv, "::-1"sv, "::+1"sv, "::0x1"sv, ":: 1"sv, " ::1"sv, "::1 "sv, "::1\0"sv,
      "::\0001"sv, "::1/64"sv, "::1junk"sv, "[::1]"sv, "[::1"sv, "::1]"sv, "::1,"sv, "::.1"sv,
      // IPv4 inside IPv6
      "::1.2.3"sv, "::1.2.3.4.5"sv, "::1.2.3.256"sv, "::01.2.3.4"sv, "::1.2.3.4:5"sv, "1.2.3.4::"sv,
      "::a.2.3.4"sv, "::1.2.3.4 "sv, "1:2:3:4:5:6:7:1.2.3.4"sv, "1:2:3:4:5:1.2.3.4"sv,
      "::ffff:1.2.3"sv, "1:2:3:4:5:6::1.2.3.4"sv, "::12345.2.3.4"sv,
      // scopes
      "fe80::1%"sv, "%lo"sv, "fe80::1%%1"sv, "fe80::1%1%1"sv, "fe80::1% 1"sv, "fe80::1%1 "sv,
      "fe80::1%1\0"sv, "fe80::1%lo\0"sv, "fe80::1%01"sv, "fe80::1%00"sv, "fe80::1%a:b"sv,
      "fe80::1%a/b"sv, "fe80::1%a\x7f"sv, "fe80%1::1"sv, "fe80::1%lo]"sv, "::ffff:1.2.3.4%1"sv};
  for (const std::string_view text : table) {
    CAPTURE(text);
    CHECK(try_parse_exactly<ip_address>(text).error() == std::errc::invalid_argument);
    CHECK_THROWS_AS(ip_address::parse(text), cove::error);
  }
}

TEST_CASE("D02 overlong text is refused wherever it grows") {
  for (const std::size_t size : {46u, 256u, 1u << 20}) {
    const std::string digits(size, '1');
    for (const std::string& text :
         {digits, digits + ".2.3.4", "1.2.3." + digits, digits + "::", "::" + digits,
          std::string(size, ':'), std::string(size, '.'), std::string(size, '0') + ".0.0.0",
          "::" + std::string(size, '0')})
      CHECK(ip_address::try_parse(text).error() == std::errc::invalid_argument);
    CHECK(ip_address::try_parse("fe80::1%" + std::string(size, 'x')).error() ==
          std::errc::no_such_device);
    CHECK(ip_address::try_parse("fe80::1%" + digits).error() == std::errc::result_out_of_range);
    CHECK(socket_address::try_parse("1.2.3.4:" + digits).error() == std::errc::result_out_of_range);
  }
}

TEST_CASE("D02 text and bytes agree with the C library for IPv6 addresses of every shape") {
  std::mt19937 random(20240229);
  for (int i = 0; i < 5000; ++i) {
    const ip_address ip = random_v6(random);
    const std::string text = ip.to_string();
    CAPTURE(text);
    REQUIRE(ip_address::parse(text) == ip);
    REQUIRE(reference_reads(text, ip));
    const std::string reference = reference_text(ip);
    REQUIRE(ip_address::parse(reference) == ip);
    if (!is_v4_compatible(ip)) REQUIRE(text == reference);
  }
}

TEST_CASE("D02 text and bytes agree with the C library for IPv4 addresses") {
  std::mt19937 random(19810901);
  for (int i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 4> bytes{};
    for (std::uint8_t& byte : bytes) byte = random_byte(random);
    const ip_address ip = ip_address::from_bytes(bytes);
    REQUIRE(ip.to_string() == reference_text(ip));
    REQUIRE(ip_address::parse(ip.to_string()) == ip);
  }
}

TEST_CASE("D02 text close to an address is read as the C library reads it") {
  constexpr std::string_view alphabet("0129afF:.%gx /-+\0", 17);
  const std::string_view seeds[] = {"192.0.2.10",
                                    "::",
                                    "fe80::1",
                                    "1:2:3:4:5:6:7:8",
                                    "::ffff:1.2.3.4",
                                    "::1",
                                    "1:2:3:4:5:6:1.2.3.4",
                                    "1:2:3:4:5:6:7::"};
  std::mt19937 random(4291);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text(seeds[below(std::size(seeds), random)]);
    for (std::uint32_t edits = 1 + below(2, random); edits != 0; --edits) {
      const auto at = below(static_cast<std::uint32_t>(text.size() + 1), random);
      const std::uint32_t removed = below(2, random);
      const std::uint32_t added = below(2, random);
      text.replace(at, removed, added, alphabet[below(alphabet.size(), random)]);
    }
    if (text.find('%') != std::string::npos) continue;  // unknown to inet_pton
    CAPTURE(text);
    std::array<std::uint8_t, 16> bytes{};
    const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const bool reference_accepts = text.find('\0') == std::string::npos &&
                                   ::inet_pton(family, text.c_str(), bytes.data()) == 1;
    const cove::result<ip_address> ip = try_parse_exactly<ip_address>(text);
    REQUIRE(ip.has_value() == reference_accepts);
    if (!ip) continue;
    ++accepted;
    REQUIRE(std::equal(ip->bytes().begin(), ip->bytes().end(), bytes.begin()));
  }
  CHECK(accepted > 1000);
}

TEST_CASE("D02 a scope is read by number or by the name of an interface, and written as a number") {
  const interface known = some_interface();
  REQUIRE(known.index != 0);
  CHECK(*cove::net::interface_index(known.name) == known.index);

  const ip_address named = ip_address::parse("fe80::1%" + known.name);
  CHECK(named.scope_id() == known.index);
  CHECK(named == ip_address::parse("fe80::1").with_scope(known.index));
  CHECK(named.to_string() == "fe80::1%" + std::to_string(known.index));
  CHECK(ip_address::parse(named.to_string()) == named);
  CHECK(socket_address::parse("[fe80::1%" + known.name + "]:80") == socket_address(named, 80));
}

TEST_CASE("D02 an interface this host does not have is no such device") {
  for (const std::string_view name : {"nosuchif0", "no-such-interface-with-a-long-name"})
    CHECK(cove::net::interface_index(name).error() == std::errc::no_such_device);
  CHECK(cove::net::interface_index("").error() == std::errc::no_such_device);
  const std::string zero_inside = some_interface().name + std::string("\0x", 2);
  CHECK(cove::net::interface_index(zero_inside).error() == std::errc::no_such_device);
  CHECK(ip_address::try_parse("fe80::1%nosuchif0").error() == std::errc::no_such_device);
  CHECK(ip_address::try_parse("fe80::1%4294967296").error() == std::errc::result_out_of_range);
  CHECK(socket_address::try_parse("[fe80::1%nosuchif0]:80").error() == std::errc::no_such_device);
  CHECK(refusal_of<ip_address>("fe80::1%nosuchif0") ==
        "parse \"fe80::1%nosuchif0\": no interface of that name: no such device (ENODEV); an "
        "interface of this host follows the %");
}

TEST_CASE("D02 a mapped address is IPv6, answers for the IPv4 address in it and unmaps to it") {
  const ip_address mapped = ip_address::parse("::ffff:127.0.0.1");
  CHECK(mapped == mapped_v4(127, 0, 0, 1));
  CHECK(mapped.is_v6());
  CHECK(mapped.is_v4_mapped());
  CHECK(mapped != ip_address::loopback_v4());
  CHECK(mapped.unmapped() == ip_address::loopback_v4());
  CHECK(mapped.with_scope(3) == mapped);
  for (const char* text : {"::1", "::127.0.0.1", "::fffe:1.2.3.4", "1::ffff:1.2.3.4", "1.2.3.4"}) {
    const ip_address ip = ip_address::parse(text);
    CHECK_FALSE(ip.is_v4_mapped());
    CHECK(ip.unmapped() == ip);
  }
}

TEST_CASE("an address knows what kind it is") {
  const struct {
    const char* text;
    bool loopback, unspecified, multicast, link_local;
  } table[] = {
      {"127.0.0.1", true, false, false, false},
      {"127.255.255.255", true, false, false, false},
      {"126.255.255.255", false, false, false, false},
      {"128.0.0.0", false, false, false, false},
      {"::1", true, false, false, false},
      {"::1%3", true, false, false, false},
      {"::2", false, false, false, false},
      {"::ffff:127.0.0.1", true, false, false, false},
      {"0.0.0.0", false, true, false, false},
      {"0.0.0.1", false, false, false, false},
      {"::", false, true, false, false},
      {"::%3", false, true, false, false},
      {"::ffff:0.0.0.0", false, true, false, false},
      {"223.255.255.255", false, false, false, false},
      {"224.0.0.1", false, false, true, false},
      {"239.255.255.255", false, false, true, false},
      {"240.0.0.0", false, false, false, false},
      {"ff02::1", false, false, true, false},
      {"feff::1", false, false, false, false},
      {"::ffff:224.0.0.1", false, false, true, false},
      {"169.254.0.1", false, false, false, true},
      {"169.253.0.1", false, false, false, false},
      {"fe80::1", false, false, false, true},
      {"febf::1%3", false, false, false, true},
      {"fec0::1", false, false, false, false},
      {"::ffff:169.254.0.1", false, false, false, true},
      {"192.0.2.1", false, false, false, false},
      {"2001:db8::1", false, false, false, false},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const ip_address ip = ip_address::parse(row.text);
    CHECK(ip.is_loopback() == row.loopback);
    CHECK(ip.is_unspecified() == row.unspecified);
    CHECK(ip.is_multicast() == row.multicast);
    CHECK(ip.is_link_local() == row.link_local);
    CHECK(ip.is_v4() == (std::strchr(row.text, ':') == nullptr));
    CHECK(ip.is_v6() != ip.is_v4());
  }
}

TEST_CASE("an address is a constant expression where its text is not needed") {
  static_assert(ip_address() == ip_address::any_v4());
  static_assert(ip_address::loopback_v4().is_loopback() && ip_address::loopback_v6().is_loopback());
  static_assert(mapped_v4(1, 2, 3, 4).unmapped() == ip_address::v4(1, 2, 3, 4));
  constexpr ip_address any = ip_address::any_v4();
  static_assert(any.bytes().size() == 4);
  static_assert(socket_address(ip_address::any_v6(), 80).port() == 80);
  static_assert(std::is_trivially_copyable_v<ip_address>);
  static_assert(std::is_trivially_copyable_v<socket_address>);
  static_assert(!std::is_constructible_v<socket_address, std::nullptr_t>);
  CHECK(ip_address::loopback_v6().to_string() == "::1");
}

TEST_CASE("addresses order by family, bytes, scope and port, and equal ones hash alike") {
  const char* ordered[] = {"0.0.0.0:0",      "0.0.0.0:1",     "1.0.0.0:0",     "2.0.0.0:0",
                           "[::]:0",         "[::1]:0",       "[fe80::1]:443", "[fe80::1%1]:80",
                           "[fe80::1%1]:81", "[fe80::1%2]:80"};
  std::unordered_set<socket_address> seen;
  std::unordered_set<std::size_t> hashes;
  for (std::size_t i = 0; i < std::size(ordered); ++i) {
    const socket_address left(ordered[i]);
    for (std::size_t j = 0; j < std::size(ordered); ++j)
      CHECK((left <=> socket_address(ordered[j])) == (i <=> j));
    CHECK(seen.insert(left).second);
    CHECK_FALSE(seen.insert(socket_address(ordered[i])).second);
    hashes.insert(std::hash<socket_address>{}(left));
  }
  CHECK(hashes.size() == std::size(ordered));
  CHECK(std::hash<ip_address>{}(ip_address::v4(0, 0, 0, 0)) !=
        std::hash<ip_address>{}(ip_address::any_v6()));
}

TEST_CASE("D01 D03 a literal address and port are read and written without a resolver") {
  const struct {
    std::string_view text;
    std::string_view ip;
    unsigned port;
    std::string_view canonical;
  } table[] = {
      {"127.0.0.1:9000", "127.0.0.1", 9000, "127.0.0.1:9000"},
      {"0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0"},
      {"255.255.255.255:65535", "255.255.255.255", 65535, "255.255.255.255:65535"},
      {"[::]:0", "::", 0, "[::]:0"},
      {"[::1]:80", "::1", 80, "[::1]:80"},
      {"[2001:DB8:0::1]:443", "2001:db8::1", 443, "[2001:db8::1]:443"},
      {"[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]:80"},
      {"[fe80::1%3]:80", "fe80::1%3", 80, "[fe80::1%3]:80"},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const cove::result<socket_address> address = try_parse_exactly<socket_address>(row.text);
    REQUIRE(address.has_value());
    CHECK(address->ip() == ip_address::parse(row.ip));
    CHECK(address->port() == row.port);
    CHECK(address->to_string() == row.canonical);
    CHECK(socket_address::parse(row.canonical) == *address);
  }
}

TEST_CASE("D01 a port outside 0 to 65535 is out of range, and what is no number is invalid") {
  for (const std::string_view port : {"65536", "65540", "99999", "100000", "4294967376",
                                      "18446744073709551696", "99999999999999999999999999"}) {
    CAPTURE(port);
    for (const std::string& host : {std::string("127.0.0.1:"), std::string("[::1]:")})
      CHECK(try_parse_exactly<socket_address>(host + std::string(port)).error() ==
            std::errc::result_out_of_range);
  }
  using namespace std::string_view_literals;
  for (const std::string_view port :
       {""sv,     " "sv,    "+80"sv,    "-1"sv,   "-0"sv,  " 80"sv,     "80 "sv,
        "8 0"sv,  "80\0"sv, "\00080"sv, "0x50"sv, "080"sv, "00"sv,      "80a"sv,
        "http"sv, "80:"sv,  "80/"sv,    "8.0"sv,  "8e1"sv, "\xd9\xa8"sv}) {
    CAPTURE(port);
    for (const std::string& host : {std::string("127.0.0.1:"), std::string("[::1]:")})
      CHECK(try_parse_exactly<socket_address>(host + std::string(port)).error() ==
            std::errc::invalid_argument);
  }
  for (unsigned port = 0; port <= 65535; ++port)
    REQUIRE(socket_address::parse("1.2.3.4:" + std::to_string(port)).port() == port);
}

TEST_CASE("D03 what is not an address, a colon and a port is refused") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      ":"sv,
                                      "::"sv,
                                      ":80"sv,
                                      "80"sv,
                                      "127.0.0.1"sv,
                                      "localhost:80"sv,
                                      "example.com"sv,
                                      "*:80"sv,
                                      "1.2.3:80"sv,
                                      "256.0.0.1:80"sv,
                                      "127.0.0.1 :80"sv,
                                      " 127.0.0.1:80"sv,
                                      "127.0.0.1:80:80"sv,
                                      "http://127.0.0.1:80"sv,
                                      "127.0.0.1\0:80"sv,
                                      "::1"sv,
                                      "::1:80"sv,
                                      "1:2:3:4:5:6:7:8"sv,
                                      "1:2:3:4:5:6:7:8:80"sv,
                                      "fe80::1%lo:80"sv,
                                      "["sv,
                                      "]"sv,
                                      "[]"sv,
                                      "[]:80"sv,
                                      "[:80"sv,
                                      "[::1"sv,
                                      "[::1]"sv,
                                      "[::1]80"sv,
                                      "[::1]:"sv,
                                      "[::1] :80"sv,
                                      "[::1]]:80"sv,
                                      "[[::1]]:80"sv,
                                      "[::1:80"sv,
                                      "::1]:80"sv,
                                      "x[::1]:80"sv,
                                      "[127.0.0.1]:80"sv,
                                      "[localhost]:80"sv,
                                      "[::1%]:80"sv,
                                      "[ ::1]:80"sv,
                                      "[::1\0]:80"sv,
                                      "[::1]:80\n"sv}) {
    CAPTURE(text);
    CHECK(try_parse_exactly<socket_address>(text).error() == std::errc::invalid_argument);
  }
}

TEST_CASE("D03 random addresses survive the way to text and back") {
  std::mt19937 random(3986);
  for (int i = 0; i < 3000; ++i) {
    const socket_address address(random_v6(random).with_scope(below(3, random)),
                                 static_cast<std::uint16_t>(below(65536, random)));
    REQUIRE(socket_address::parse(address.to_string()) == address);
  }
}

TEST_CASE("D02 a refused address is named with what is wrong") {
  const struct {
    const char* text;
    const char* says;
  } table[] = {
      {"1.2.3", "an IPv4 address has four numbers, as in 192.0.2.1"},
      {"1.2.3.256", "each number of an IPv4 address is at most 255"},
      {"010.2.3.4", "leave out the leading zeros: some would read the number as octal"},
      {"1.2.3.4%1", "only an IPv6 address has a scope"},
      {"localhost", "a name has to be resolved first"},
      {"", "the text is empty"},
      {"1::2::3", "an IPv6 address has at most one ::"},
      {"12345::", "a group of an IPv6 address is one to four hexadecimal digits"},
      {"::g", "a group of an IPv6 address is one to four hexadecimal digits"},
      {"1:2:3", "an IPv6 address has eight groups, or fewer and one ::, as in 2001:db8::1"},
      {"fe80::1%", "an interface's name or number follows the %, as in fe80::1%3"},
      {"::ffff:1.2.3.4%1", "an IPv4-mapped address has no scope"},
  };
  for (const auto& row : table)
    CHECK(refusal_of<ip_address>(row.text) ==
          "parse \"" + std::string(row.text) +
              "\": not an IP address: invalid argument (EINVAL); " + row.says);
}

TEST_CASE("D03 a refused host and port is named with what to write instead") {
  const struct {
    const char* text;
    const char* says;
  } table[] = {
      {":80", "no host: invalid argument (EINVAL); write 0.0.0.0:80 or [::]:80"},
      {":8080", "no host: invalid argument (EINVAL); write 0.0.0.0:8080 or [::]:8080"},
      {":http", "no host: invalid argument (EINVAL); write 0.0.0.0:80 or [::]:80"},
      {"[]:81", "no host: invalid argument (EINVAL); write 0.0.0.0:81 or [::]:81"},
      {"127.0.0.1", "no port: invalid argument (EINVAL); write 127.0.0.1:80"},
      {"[::1]", "no port: invalid argument (EINVAL); write [::1]:80"},
      {"::1:80", "an IPv6 address without brackets: invalid argument (EINVAL); write [::1]:80"},
      {"2001:db8::1:443",
       "an IPv6 address without brackets: invalid argument (EINVAL); write [2001:db8::1]:443"},
      {"1:2:3:4:5:6:7:8:9",
       "an IPv6 address without brackets: invalid argument (EINVAL); write [1:2:3:4:5:6:7:8]:9"},
      {"fe80::1%nosuchif0:80",
       "an IPv6 address without brackets: invalid argument (EINVAL); write "
       "[fe80::1%nosuchif0]:80"},
      {"2001:db8::1",
       "an IPv6 address without brackets: invalid argument (EINVAL); write [2001:db8::1]:80"},
      {"::1:fffe",
       "an IPv6 address without brackets: invalid argument (EINVAL); write [::1:fffe]:80"},
      {"::1:65536", "an IPv6 address without brackets: invalid argument (EINVAL); write [::1]:80"},
      {"[127.0.0.1]:81", "brackets are for IPv6: invalid argument (EINVAL); write 127.0.0.1:81"},
      {"localhost:80",
       "the host is not an IP address: invalid argument (EINVAL); a name has to be resolved first"},
      {"127.0.0.1:65536",
       "port out of range: numerical result out of range (ERANGE); a port is a number from 0 to "
       "65535"},
      {"127.0.0.1:",
       "no port after the colon: invalid argument (EINVAL); a port is a number from 0 to 65535"},
      {"127.0.0.1:+80",
       "the port is not a number: invalid argument (EINVAL); a port is a number from 0 to 65535"},
  };
  for (const auto& row : table)
    CHECK(refusal_of<socket_address>(row.text) ==
          "parse \"" + std::string(row.text) + "\": " + row.says);
}

TEST_CASE("D01 an error shows long text cut and unprintable bytes escaped") {
  using namespace std::string_view_literals;
  CHECK(refusal_of<ip_address>("1.2\0\n\x1b[2J\x7f\xff\"\\"sv)
            .starts_with(R"(parse "1.2\x00\x0a\x1b[2J\x7f\xff\"\\": )"));
  CHECK(refusal_of<ip_address>(std::string(100, '7'))
            .starts_with("parse \"" + std::string(100, '7') + "\": "));
  CHECK(refusal_of<socket_address>(std::string(1000000, 'a'))
            .starts_with("parse \"" + std::string(100, 'a') + "...\": "));
  // The suggestion repeats the text and has to be as tame.
  const std::string zone(1000, '\x9b');
  const std::string what = refusal_of<socket_address>("fe80::1%" + zone + ":80");
  CHECK(what.find('\x9b') == std::string::npos);
  CHECK(what.size() < 1000);
}

TEST_CASE("D01 a socket address is made from text implicitly, and throws where that is none") {
  const auto port_of = [](const socket_address& address) { return address.port(); };
  CHECK(port_of("127.0.0.1:1") == 1);
  CHECK(port_of(std::string("127.0.0.1:2")) == 2);
  CHECK(port_of(std::string_view("127.0.0.1:33").substr(0, 11)) == 3);
  CHECK_THROWS_AS(port_of("127.0.0.1"), cove::error);
  CHECK_THROWS_AS(port_of(std::string("127.0.0.1:4\0", 12)), cove::error);
  const char* nothing = nullptr;
  CHECK_THROWS_AS(port_of(nothing), cove::error);
}

TEST_CASE("an address goes into a sockaddr and comes back with port and scope") {
  for (const char* text : {"0.0.0.0:0", "192.0.2.1:443", "[::]:1", "[2001:db8::1]:65535",
                           "[fe80::1%7]:80", "[::ffff:192.0.2.1]:256"}) {
    CAPTURE(text);
    const socket_address address(text);
    const cove::net::detail::raw_address raw(address);
    CHECK(*cove::net::detail::from_native(raw.storage, raw.length) == address);
    CHECK(raw.get()->sa_family == (address.ip().is_v4() ? AF_INET : AF_INET6));
    CHECK(raw.length == (address.ip().is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
  }
  const cove::net::detail::raw_address raw(socket_address("[fe80::1%7]:80"));
  sockaddr_in6 native;
  std::memcpy(&native, &raw.storage, sizeof native);
  CHECK(native.sin6_scope_id == 7);
  CHECK(native.sin6_port == htons(80));
}

TEST_CASE("C18 a sockaddr of an unknown family or a wrong length becomes no address") {
  using cove::net::detail::from_native;
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:80"}) {
    const cove::net::detail::raw_address raw{socket_address(text)};
    for (socklen_t length = 0; length < raw.length; ++length)
      CHECK(from_native(raw.storage, length).error() == std::errc::invalid_argument);
    const socklen_t room = sizeof(sockaddr_storage);
    CHECK(from_native(raw.storage, room).has_value());
    CHECK(from_native(raw.storage, room + 1).error() == std::errc::invalid_argument);
    CHECK(from_native(raw.storage, ~socklen_t{0}).error() == std::errc::invalid_argument);
  }
  for (const int family : {AF_UNSPEC, AF_UNIX, 255}) {
    cove::net::detail::raw_address raw;
    raw.storage.ss_family = static_cast<sa_family_t>(family);
    CHECK(from_native(raw.storage, raw.length).error() == std::errc::address_family_not_supported);
  }
}
