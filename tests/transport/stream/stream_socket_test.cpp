// Vectored writes, resets and options.
#include "support/catch.hpp"
#include "transport/backend.hpp"

#include <netinet/tcp.h>
#include <random>

using namespace troupe;
using namespace troupe_test;

namespace {

int option_of(const tcp_stream& s, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(s.native_handle(), level, name, &value, &size) == 0);
  return value;
}

task<void> write_pieces(tcp_stream& s, std::span<const const_buffer> pieces) {
  must(co_await s.write_all(pieces));
  must(s.shutdown_write());
}

task<std::string> connect_and_meet(tcp_listener& l, ip_endpoint to) {
  const tcp_stream client = must(co_await tcp_stream::connect(to, 5s));
  const tcp_stream server = must(co_await l.accept());
  co_return must(server.remote_endpoint()).address();
}

}  // namespace

TEST_CASE("stream_socket: pieces are written as if they were joined, however many there are") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const std::size_t count = GENERATE(0U, 1U, 63U, 64U, 65U, 128U, 1000U);
  std::mt19937 random(static_cast<unsigned>(count));
  std::string all;
  std::vector<std::string> texts(count);
  for (std::size_t i = 0; i < count; ++i) {
    // Empty ones in between, and in front; long ones, so that the kernel takes part of a piece.
    if (i > 2 && random() % 4 != 0) texts[i].assign(random() % 9000, static_cast<char>('a' + i % 26));
    all += texts[i];
  }
  std::vector<const_buffer> pieces;
  for (const std::string& t : texts) pieces.push_back(bytes_of(t));
  connection c = must(rt.block_on(make_connection({.receive_buffer = 8192}, {.send_buffer = 8192})));
  rt.spawn(write_pieces(c.client, pieces));
  CHECK(must(rt.block_on(read_all(c.server))) == all);
}

TEST_CASE("stream_socket: more pieces than one system call takes do not wait for a peer that has room") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection({}, {.write_deadline = 5s})));
  const std::vector<const_buffer> pieces(200, bytes_of("x"));
  must(rt.block_on(c.client.write_all(pieces)));  // the peer does not read, and need not
  CHECK(must(rt.block_on(read_exactly(c.server, 200))) == std::string(200, 'x'));
}

TEST_CASE("stream_socket: a vectored write that the peer does not read is cut at write_deadline") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection({.write_deadline = 50ms})));
  const std::string much(1024 * 1024, 'm');
  const std::vector<const_buffer> pieces(16, bytes_of(much));
  const result<void> written = rt.block_on(c.server.write_all(pieces));
  REQUIRE(!written);
  CHECK(written.error() == errc::timeout);
  CHECK_THAT(std::string(written.error().text()), Catch::Contains("of 16777216 bytes were left"));
  CHECK(!rt.block_on(c.server.write_all(bytes_of("x"))));
}

TEST_CASE("stream_socket: after reset() the peer sees a reset, also with data on its way") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  c.server.reset();
  CHECK(!c.server.is_open());
  c.server.reset();  // harmless
  std::byte chunk[8];
  const result<std::size_t> got = rt.block_on(c.client.read_some(chunk));
  REQUIRE(!got);
  CHECK(got.error() == std::make_error_code(std::errc::connection_reset));
}

TEST_CASE("stream_socket: a moved-out stream is the same stream under its base") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  detail::stream_socket base = std::move(c.client);
  must(rt.block_on(base.write_all(bytes_of("hello"))));
  base.close();
  CHECK(must(rt.block_on(read_all(c.server))) == "hello");
}

TEST_CASE("tcp_options: what is asked for is what the kernel says") {
  runtime rt({.workers = 1});
  const tcp_options options{.no_delay = false,
                            .keep_alive = true,
                            .keep_alive_idle = 29'500ms,
                            .keep_alive_interval = 7s,
                            .keep_alive_count = 3,
                            .receive_buffer = 20'000,
                            .send_buffer = 30'000};
  const connection c = must(rt.block_on(make_connection(options, {})));
  CHECK(option_of(c.server, IPPROTO_TCP, TCP_NODELAY) == 0);
  CHECK(option_of(c.client, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option_of(c.server, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option_of(c.client, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(option_of(c.server, IPPROTO_TCP, TCP_KEEPIDLE) == 30);
  CHECK(option_of(c.server, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
  CHECK(option_of(c.server, IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(option_of(c.server, SOL_SOCKET, SO_RCVBUF) == 40'000);  // the kernel doubles them, for its own use
  CHECK(option_of(c.server, SOL_SOCKET, SO_SNDBUF) == 60'000);
}

TEST_CASE("tcp_listener: a dual-stack listener takes both, and shows IPv4 peers as such") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  tcp_listener l = must(tcp_listener::bind(ip_endpoint::any_v6(0), {.dual_stack = true}));
  const std::uint16_t port = must(l.local_endpoint()).port();
  CHECK(must(rt.block_on(connect_and_meet(l, ip_endpoint::loopback(port)))) == "127.0.0.1");
  CHECK(must(rt.block_on(connect_and_meet(l, ip_endpoint::loopback_v6(port)))) == "::1");
  // A mapped address as the target is the same peer.
  const ip_endpoint mapped = must(ip_endpoint::parse("::ffff:127.0.0.1", port));
  CHECK(must(rt.block_on(connect_and_meet(l, mapped))) == "127.0.0.1");
}

TEST_CASE("tcp_listener: an IPv6 listener takes IPv6 only, unless told otherwise") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const tcp_listener l = must(tcp_listener::bind(ip_endpoint::any_v6(0)));
  const auto c = rt.block_on(tcp_stream::connect(ip_endpoint::loopback(must(l.local_endpoint()).port()), 5s));
  REQUIRE(!c);
  CHECK(c.error() == std::make_error_code(std::errc::connection_refused));
  const auto wrong = tcp_listener::bind(ip_endpoint::loopback(), {.dual_stack = true});
  REQUIRE(!wrong);
  CHECK(wrong.error() == errc::invalid_argument);
}

TEST_CASE("tcp_listener: a port in use is refused with what to do, unless both share it") {
  const tcp_listener first = listen_on_loopback();
  const auto second = tcp_listener::bind(must(first.local_endpoint()));
  REQUIRE(!second);
  CHECK(second.error() == std::make_error_code(std::errc::address_in_use));
  CHECK_THAT(std::string(second.error().text()),
             Catch::Contains("cannot listen at 127.0.0.1:") && Catch::Contains("choose another port"));
  const tcp_listener one = listen_on_loopback({.reuse_port = true});
  CHECK(tcp_listener::bind(must(one.local_endpoint()), {.reuse_port = true}));
}
