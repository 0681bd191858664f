// Attacks of untrusted peers on a TLS server, and of servers on a TLS client: none hangs, crashes or leaks,
// and every error says what happened.
#include "support/catch.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <csignal>
#include <random>
#include <thread>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

/// The error of accept() for a client that sends `text`, and then ends its half if `end` is set.
error greet(runtime& rt, std::string_view text, bool end, duration deadline = 20s,
            std::string* answer = nullptr) {
  tcp_listener l = listen_on_loopback();
  raw_peer peer(must(l.local_endpoint()));
  peer.send(text);
  if (end) peer.shutdown_write();
  const auto accept = [](tcp_listener& from, tls_context c, duration d) -> task<error> {
    result<tls_stream> s =
        co_await tls_stream::accept(must(co_await from.accept()), std::move(c), {.handshake_deadline = d});
    co_return s ? error(errc::not_found) : s.error();
  };
  const error e = must(rt.block_on(accept(l, server_context(), deadline)));
  // The server has closed: the peer reads the rest, and the end.
  char chunk[512];
  std::string all;
  for (ssize_t n = 0; (n = ::recv(peer.fd(), chunk, sizeof chunk, 0)) > 0;)
    all.append(chunk, static_cast<std::size_t>(n));
  if (answer != nullptr) *answer = all;
  return e;
}

std::string text(const error& e) {
  return std::string(e.text());
}

/// The ClientHello of our client, as bytes.
std::string client_hello(runtime& rt) {
  tcp_listener l = listen_on_loopback();
  const auto connect = [](ip_endpoint to, tls_context c) -> task<void> {
    (void)co_await tls_stream::connect(must(co_await tcp_stream::connect(to, 5s)), std::move(c),
                                       {.server_name = "localhost"});
  };
  rt.spawn(connect(must(l.local_endpoint()), client_context()));
  const auto take = [](tcp_listener& from) -> task<std::string> {
    tcp_stream s = must(co_await from.accept());
    std::string hello = co_await read_exactly(s, 5);
    const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(hello[3])) * 256 +
                             static_cast<unsigned char>(hello[4]);
    hello += co_await read_exactly(s, size);
    co_return hello;
  };
  return must(rt.block_on(take(l)));
}

/// A man in the middle, without a key, who can cut the connection and change its bytes.
/// client <-> outer.server, inner.client <-> server
struct wire_tap {
  connection outer;
  connection inner;
  bool changes = false;

  static task<void> carry(tcp_stream* from, tcp_stream* to, const bool& change) {
    std::byte chunk[4096];
    for (;;) {
      const result<std::size_t> n = co_await from->read_some(chunk);
      if (!n || *n == 0) co_return;
      if (change) chunk[*n - 1] ^= std::byte{1};
      if (!co_await to->write_all(std::span(chunk, *n))) co_return;
    }
  }

  tls_pair shake_hands_through(runtime& rt) {
    outer = must(rt.block_on(make_connection()));
    inner = must(rt.block_on(make_connection()));
    rt.spawn(carry(&outer.server, &inner.client, changes));
    rt.spawn(carry(&inner.client, &outer.server, changes));
    tls_outcome o = shake_hands(rt, {.server = std::move(inner.server), .client = std::move(outer.client)},
                                server_context(), client_context(), {.server_name = "localhost"});
    return {must(std::move(o.server)), must(std::move(o.client))};
  }
};

}  // namespace

TEST_CASE("tls under attack: plain HTTP gets an error that says so, an alert, and the end") {
  runtime rt({.workers = 1});
  std::string answer;
  const error e = greet(rt, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", false, 20s, &answer);
  CHECK(e == make_error_code(tls_errc::not_tls));
  CHECK_THAT(text(e), Contains("TLS handshake with 127.0.0.1:") && Contains("plain HTTP"));
}

TEST_CASE("tls under attack: garbage of any kind gets an error and the end") {
  runtime rt({.workers = 1});
  std::mt19937 random(7);
  for (int i = 0; i < 40; ++i) {
    std::string garbage(1 + random() % 3000, '\0');
    for (char& c : garbage) c = static_cast<char>(random());
    const error e = greet(rt, garbage, true);
    CHECK(e != errc::not_found);
    CHECK(!e.text().empty());
  }
  const error e = greet(rt, std::string(300, 'x'), false);
  CHECK(e == make_error_code(tls_errc::not_tls));
  CHECK_THAT(text(e), Contains("is not TLS"));
}

TEST_CASE(
    "tls under attack: a ClientHello with one byte changed, or cut short, is refused or answered, and does "
    "no "
    "harm") {
  runtime rt({.workers = 1});
  const std::string hello = client_hello(rt);
  REQUIRE(hello.size() > 100);
  CHECK_THAT(text(greet(rt, hello, true)), Contains("the peer closed the connection in the middle of it"));
  for (std::size_t cut = 0; cut < hello.size(); cut += 23) {
    CHECK(greet(rt, std::string_view(hello).substr(0, cut), true) ==
          make_error_code(tls_errc::handshake_failed));
  }
  for (std::size_t at = 0; at < hello.size(); at += 5) {
    std::string bad = hello;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    CHECK(greet(rt, bad, true) != errc::not_found);
  }
}

TEST_CASE(
    "tls under attack: a client that is silent, or stops in the middle, is disconnected at the deadline") {
  runtime rt({.workers = 1});
  const std::string hello = client_hello(rt);
  const std::size_t said = GENERATE(as<std::size_t>(), 0, 3, 60, 100'000);
  const error e = greet(rt, std::string_view(hello).substr(0, said), false, 30ms);
  CHECK(e == errc::timeout);
  CHECK_THAT(text(e), Contains("handshake_deadline passed"));
}

TEST_CASE("tls under attack: a client leaves a silent server at the deadline") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  const result<tls_stream> s = rt.block_on(tls_stream::connect(
      std::move(c.client), client_context(), {.server_name = "localhost", .handshake_deadline = 30ms}));
  REQUIRE(!s);
  CHECK(s.error() == errc::timeout);
}

TEST_CASE("tls under attack: a server that does not speak TLS is recognized") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  must(rt.block_on(c.server.write_all(bytes_of("HTTP/1.1 400 Bad Request\r\n\r\n"))));
  const result<tls_stream> s =
      rt.block_on(tls_stream::connect(std::move(c.client), client_context(), {.server_name = "localhost"}));
  REQUIRE(!s);
  CHECK(s.error() == make_error_code(tls_errc::not_tls));
}

TEST_CASE("tls under attack: an end without close_notify is not taken for the end of the stream") {
  wire_tap tap;
  runtime rt({.workers = 1});
  tls_pair p = tap.shake_hands_through(rt);
  const auto test = [](tls_pair& c, tcp_stream& between) -> task<std::vector<result<std::size_t>>> {
    must(co_await c.server.write_all(bytes_of("pay 10")));
    std::vector<result<std::size_t>> reads;
    std::byte chunk[64];
    reads.push_back(co_await c.client.read_some(chunk));
    must(between.shutdown_write());
    reads.push_back(co_await c.client.read_some(chunk));
    reads.push_back(co_await c.client.read_some(chunk));
    co_return reads;
  };
  const auto reads = must(rt.block_on(test(p, tap.outer.server)));
  CHECK(reads[0] == 6U);
  for (const std::size_t i : {1U, 2U}) {
    REQUIRE(!reads[i]);
    CHECK(reads[i].error() == make_error_code(tls_errc::truncated));
    CHECK_THAT(text(reads[i].error()), Contains("without the peer's close_notify"));
  }
  CHECK(!rt.block_on(p.client.write_all(bytes_of("x"))));
}

TEST_CASE("tls under attack: bytes changed in transit are an error, and the error is permanent") {
  wire_tap tap;
  runtime rt({.workers = 1});
  tls_pair p = tap.shake_hands_through(rt);
  const auto test = [](tls_pair& c, bool& changes) -> task<std::vector<result<std::size_t>>> {
    std::vector<result<std::size_t>> reads;
    std::byte chunk[64];
    must(co_await c.server.write_all(bytes_of("pay 10")));
    reads.push_back(co_await c.client.read_some(chunk));
    changes = true;
    must(co_await c.server.write_all(bytes_of("pay 20")));
    reads.push_back(co_await c.client.read_some(chunk));
    changes = false;
    must(co_await c.server.write_all(bytes_of("pay 30")));
    reads.push_back(co_await c.client.read_some(chunk));
    co_return reads;
  };
  const auto reads = must(rt.block_on(test(p, tap.changes)));
  CHECK(reads[0] == 6U);
  for (const std::size_t i : {1U, 2U}) {
    REQUIRE(!reads[i]);
    CHECK(reads[i].error() == make_error_code(tls_errc::protocol_error));
    CHECK_THAT(text(reads[i].error()), Contains("bad record mac"));
  }
}

TEST_CASE("tls under attack: a peer that vanishes in the middle of a write is an error, not a signal") {
  // With the default SIGPIPE, which would end the test program.
  REQUIRE(std::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt);
  const std::string much(16 * 1024 * 1024, 'x');
  const auto vanish = [](tls_stream* s) -> task<void> {
    co_await sleep_for(10ms);
    std::byte chunk[100];
    must(co_await s->read_some(chunk));
    s->close();
  };
  rt.spawn(vanish(&p.client));
  const result<void> written = rt.block_on(p.server.write_all(bytes_of(much)));
  REQUIRE(!written);
  const bool gone = written.error() == std::make_error_code(std::errc::connection_reset) ||
                    written.error() == std::make_error_code(std::errc::broken_pipe);
  CHECK(gone);
  CHECK_THAT(text(written.error()), Contains("write to 127.0.0.1:"));
  CHECK(!rt.block_on(p.server.write_all(bytes_of("more"))));
  CHECK(!rt.block_on(p.server.shutdown_write()));
}

TEST_CASE("tls under attack: a handshake that is stopped leaves nothing behind") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  const auto stop_it = [](tcp_stream s, tls_context ctx) -> task<bool> {
    const auto r = co_await with_timeout(tls_stream::accept(std::move(s), std::move(ctx)), 10ms);
    co_return !r && r.error() == errc::timeout;
  };
  CHECK(must(rt.block_on(stop_it(std::move(c.server), server_context()))));
  std::byte chunk[8];
  const result<std::size_t> end = rt.block_on(c.client.read_some(chunk));
  CHECK((!end || *end == 0));  // it was closed
}

TEST_CASE("tls under attack: hundreds of clients that disconnect at every stage leave nothing behind") {
  runtime rt({.workers = 2});
  const tls_context context = server_context();
  tcp_listener l = listen_on_loopback();
  const std::string hello = client_hello(rt);
  const auto accept_all = [](tcp_listener& from, tls_context c, int n) -> task<int> {
    int failed = 0;
    for (int i = 0; i < n; ++i) {
      const result<tls_stream> s =
          co_await tls_stream::accept(must(co_await from.accept()), c, {.handshake_deadline = 20s});
      failed += s ? 0 : 1;
    }
    co_return failed;
  };
  constexpr int visits = 300;
  std::thread clients([at = must(l.local_endpoint()), &hello] {
    for (int i = 0; i < visits; ++i) {
      raw_peer peer(at);
      peer.send(std::string_view(hello).substr(0, static_cast<std::size_t>(i) * 7 % (hello.size() + 1)));
      if (i % 3 == 0) peer.reset();
    }
  });
  const result<int> failed = rt.block_on(with_timeout(accept_all(l, context, visits), 60s));
  clients.join();
  CHECK(must(failed) == visits);
}
