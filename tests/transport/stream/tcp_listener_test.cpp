// Listening: addresses, errors and many connections.
#include "support/catch.hpp"
#include "transport/backend.hpp"

#include <atomic>
#include <fcntl.h>
#include <sys/resource.h>

using namespace troupe;
using namespace troupe_test;

namespace {

task<void> echo(tcp_stream s, std::atomic<int>& ended) {
  std::byte chunk[512];
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) break;
    must(co_await s.write_all(std::span(chunk, n)));
  }
  s.close();
  ended.fetch_add(1);
}

task<void> serve(runtime& rt, tcp_listener& l, std::atomic<int>& ended) {
  for (;;) rt.spawn(echo(must(co_await l.accept()), ended));
}

}  // namespace

TEST_CASE("tcp_listener: a port in use is an error that says which, and what to do") {
  const tcp_listener first = listen_on_loopback();
  const ip_endpoint at = must(first.local_endpoint());
  CHECK(at.port() != 0);
  const result<tcp_listener> second = tcp_listener::bind(at);
  REQUIRE(!second);
  CHECK(second.error() == std::make_error_code(std::errc::address_in_use));
  CHECK_THAT(second.error().to_string(),
             Catch::Contains("cannot listen at " + at.to_string()) && Catch::Contains("choose another port"));
}

TEST_CASE("tcp_listener: an address of another machine is refused with the reason") {
  const result<tcp_listener> l = tcp_listener::bind(must(ip_endpoint::parse("192.0.2.1:0")));
  REQUIRE(!l);
  CHECK_THAT(l.error().to_string(), Catch::Contains("no interface of this machine has this address"));
}

TEST_CASE("tcp_listener: IPv6 connections know their endpoints") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  result<tcp_listener> l = tcp_listener::bind(ip_endpoint::loopback_v6());
  if (!l) return;  // a machine without IPv6
  tcp_stream client = must(rt.block_on(tcp_stream::connect(must(l->local_endpoint()))));
  tcp_stream server = must(rt.block_on(l->accept()));
  CHECK(must(server.remote_endpoint()) == must(client.local_endpoint()));
  CHECK(must(server.remote_endpoint()).is_v6());
}

TEST_CASE("tcp_listener: an accept that waits ends when its owner stops, is timed out, or closes") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  tcp_listener l = listen_on_loopback();
  const auto timed = [](tcp_listener& from) -> task<error> {
    const auto r = co_await with_timeout(from.accept(), 5ms);
    co_return r ? error(errc::not_found) : r.error();
  };
  CHECK(must(rt.block_on(timed(l))) == errc::timeout);
  result<tcp_stream> got;
  const auto wait = [](tcp_listener& from, result<tcp_stream>& to) -> task<void> {
    to = co_await from.accept();
  };
  rt.spawn(wait(l, got));
  const auto close_soon = [](tcp_listener& which) -> task<void> {
    co_await sleep_for(5ms);
    which.close();
    co_await sleep_for(5ms);
  };
  must(rt.block_on(close_soon(l)));
  REQUIRE(!got);
  CHECK(got.error() == errc::closed);
  tcp_listener other = listen_on_loopback();
  runtime stopped({.workers = 2});
  stopped.spawn(wait(other, got));
  must(stopped.block_on([]() -> task<void> { co_await sleep_for(5ms); }()));
}

TEST_CASE("tcp_listener: out of descriptors is an error, and the listener goes on when some are free") {
  runtime rt({.workers = 1});
  tcp_listener l = listen_on_loopback();
  raw_peer peer(must(l.local_endpoint()));
  REQUIRE(peer.connected());
  // Whatever is open already stays; nothing new may be opened.
  const int next = ::dup(0);
  ::close(next);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next);
  // Warm up: the worker's epoll set is made by the first wait.
  (void)rt.block_on(with_timeout([](tcp_listener&) -> task<void> { co_await sleep_for(1ms); }(l), 1s));
  ::setrlimit(RLIMIT_NOFILE, &tight);
  result<tcp_stream> refused = rt.block_on(l.accept());
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(!refused);
  CHECK(refused.error() == std::make_error_code(std::errc::too_many_files_open));
  CHECK_THAT(refused.error().to_string(), Catch::Contains("ulimit -n"));
  CHECK(rt.block_on(l.accept()));
}

TEST_CASE("tcp_listener: 500 connections at once are each echoed their own bytes") {
  const unsigned workers = GENERATE(1U, 2U);
  constexpr int connections = 500;
  constexpr int rounds = 10;
  std::atomic<int> ended{0};
  std::atomic<int> correct{0};
  tcp_listener l;
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = workers});
  l = listen_on_loopback();
  const ip_endpoint at = must(l.local_endpoint());
  rt.spawn(serve(rt, l, ended));
  const auto client = [](ip_endpoint to, int number, std::atomic<int>& right) -> task<void> {
    tcp_stream s = must(co_await tcp_stream::connect(to));
    for (int round = 0; round < rounds; ++round) {
      const std::string said = std::to_string(number) + " in round " + std::to_string(round);
      must(co_await s.write_all(bytes_of(said)));
      if (co_await read_exactly(s, said.size()) == said) right.fetch_add(1);
    }
  };
  for (int i = 0; i < connections; ++i) rt.spawn(client(at, i, correct));
  const auto all_ended = [](std::atomic<int>& n) -> task<void> {
    while (n.load() != connections) co_await sleep_for(1ms);
  };
  CHECK(rt.block_on(with_timeout(all_ended(ended), 30s)));
  CHECK(correct.load() == connections * rounds);
}
