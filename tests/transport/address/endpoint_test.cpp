// ip_endpoint: text and bytes.
#include "support/catch.hpp"

#include <troupe/transport/endpoint.hpp>

#include <rapidcheck.h>

using troupe::errc;
using troupe::ip_endpoint;

TEST_CASE("ip_endpoint: parses IPv4 and IPv6 addresses with a port") {
  const auto v4 = ip_endpoint::parse("127.0.0.1:6379");
  REQUIRE(v4);
  CHECK(*v4 == ip_endpoint::loopback(6379));
  CHECK(v4->to_string() == "127.0.0.1:6379");
  const auto v6 = ip_endpoint::parse("[::1]:80");
  REQUIRE(v6);
  CHECK(*v6 == ip_endpoint::loopback_v6(80));
  CHECK(v6->is_v6());
  CHECK(v6->address() == "::1");
  CHECK(v6->to_string() == "[::1]:80");
  CHECK(*ip_endpoint::parse("0.0.0.0:0") == ip_endpoint());
  CHECK(*ip_endpoint::parse("::1", 80) == *v6);
}

TEST_CASE("ip_endpoint: text that is not an endpoint is refused with what was expected") {
  for (const char* text : {"",
                           ":",
                           "localhost:80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1: 80",
                           "127.0.0.1:80x",
                           "1.2.3:80",
                           "256.0.0.1:80",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[::1:80",
                           "[127.0.0.1]:80",
                           "[]:80",
                           "]:80",
                           "[:80",
                           "[::1]]:80"}) {
    INFO(text);
    const auto e = ip_endpoint::parse(text);
    REQUIRE(!e);
    CHECK(e.error() == errc::invalid_argument);
    CHECK_THAT(std::string(e.error().text()), Catch::Contains("'" + std::string(text) + "'") &&
                                                  Catch::Contains("expected 127.0.0.1:port or [::1]:port"));
  }
}

TEST_CASE("ip_endpoint: parse reads back what to_string wrote") {
  CHECK(rc::check("round trip", [](ip_endpoint::v6_bytes bytes, std::uint16_t port, bool six) {
    const ip_endpoint e =
        six ? ip_endpoint(bytes, port)
            : ip_endpoint(ip_endpoint::v4_bytes{bytes[0], bytes[1], bytes[2], bytes[3]}, port);
    const auto back = ip_endpoint::parse(e.to_string());
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == e);
  }));
}

TEST_CASE("ip_endpoint: any text is either refused or an endpoint that prints again") {
  CHECK(rc::check("no crash, and stable", [](const std::string& text) {
    const auto e = ip_endpoint::parse(text);
    if (!e) return;
    const auto again = ip_endpoint::parse(e->to_string());
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == *e);
  }));
}

TEST_CASE("ip_endpoint: an IPv4 address inside IPv6 can be told, and taken out") {
  const ip_endpoint mapped = *ip_endpoint::parse("[::ffff:127.0.0.1]:80");
  CHECK(mapped.is_v6());
  CHECK(mapped.is_v4_mapped());
  CHECK(mapped.is_loopback());
  CHECK(mapped.unmapped() == ip_endpoint::loopback(80));
  CHECK(ip_endpoint::loopback_v6(80).unmapped() == ip_endpoint::loopback_v6(80));
  CHECK(!ip_endpoint::loopback(1).is_v4_mapped());
  CHECK(!ip_endpoint::any_v6(1).is_v4_mapped());
  CHECK(ip_endpoint::parse("239.1.2.3:4")->is_multicast());
  CHECK(ip_endpoint::parse("[ff02::1]:4")->is_multicast());
  CHECK(!ip_endpoint::any(4).is_multicast());
  CHECK(ip_endpoint::parse("127.255.0.1:4")->is_loopback());
  CHECK(!ip_endpoint::any(4).is_loopback());
}
