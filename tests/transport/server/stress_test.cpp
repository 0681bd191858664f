// Streams on real threads: migration, closing and cancellation. In each test the runtime is declared last, so
// that it ends before the objects its tasks refer to.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <atomic>

using namespace troupe;
using namespace troupe_test;

namespace {

task<void> until_zero(std::atomic<int>& n) {
  while (n.load() != 0) co_await sleep_for(1ms);
}

// Keeps a worker busy for a moment, so that others steal the strands queued behind it.
void be_busy(unsigned turns) {
  std::atomic<unsigned> sink{0};
  for (unsigned i = 0; i < turns; ++i) sink.fetch_add(i, std::memory_order_relaxed);
}

}  // namespace

TEST_CASE("stress: strands that migrate between workers lose and reorder no bytes of their sockets") {
  constexpr int pairs = 32;
  constexpr int rounds = 200;
  std::atomic<int> running{2 * pairs};
  std::atomic<int> wrong{0};
  runtime rt({.workers = 2});
  const auto side = [](tcp_stream s, bool first, std::atomic<int>& left,
                       std::atomic<int>& bad) -> task<void> {
    for (int i = 0; i < rounds; ++i) {
      const std::string said = std::to_string(10'000 + i);
      if (first) must(co_await s.write_all(bytes_of(said)));
      if (co_await read_exactly(s, said.size()) != said) bad.fetch_add(1);
      if (i % 16 == 0) be_busy(2000);
      if (i % 7 == 0) co_await yield();
      if (!first) must(co_await s.write_all(bytes_of(said)));
    }
    left.fetch_sub(1);
  };
  for (int i = 0; i < pairs; ++i) {
    connection c = must(rt.block_on(make_connection()));
    rt.spawn(side(std::move(c.server), true, running, wrong));
    rt.spawn(side(std::move(c.client), false, running, wrong));
  }
  CHECK(rt.block_on(with_timeout(until_zero(running), 60s)));
  CHECK(wrong.load() == 0);
}

TEST_CASE("stress: reads that time out while bytes arrive lose none of them") {
  constexpr int pairs = 8;
  constexpr int bytes = 400;
  std::atomic<int> running{2 * pairs};
  std::atomic<int> wrong{0};
  runtime rt({.workers = 2});
  const auto send = [](tcp_stream s, std::atomic<int>& left) -> task<void> {
    for (int i = 0; i < bytes; ++i) {
      const std::byte b[1] = {static_cast<std::byte>(i)};
      must(co_await s.write_all(b));
      if (i % 4 == 0) co_await sleep_for(100us);
    }
    left.fetch_sub(1);
  };
  const auto receive = [](tcp_stream s, std::atomic<int>& left, std::atomic<int>& bad) -> task<void> {
    for (int i = 0; i < bytes;) {
      std::byte b[1];
      const auto n = co_await with_timeout(s.read_some(b), 200us);
      if (!n && n.error() == errc::timeout) continue;
      if (must(n) != 1 || b[0] != static_cast<std::byte>(i)) bad.fetch_add(1);
      ++i;
    }
    left.fetch_sub(1);
  };
  for (int i = 0; i < pairs; ++i) {
    connection c = must(rt.block_on(make_connection()));
    rt.spawn(send(std::move(c.client), running));
    rt.spawn(receive(std::move(c.server), running, wrong));
  }
  CHECK(rt.block_on(with_timeout(until_zero(running), 60s)));
  CHECK(wrong.load() == 0);
}

TEST_CASE("stress: connections that come and go at once leave nothing behind") {
  // Events for a socket may be collected while its owner, on another worker, closes it.
  constexpr int clients = 4;
  constexpr int connections = 150;
  tcp_listener l = listen_on_loopback();
  const ip_endpoint at = must(l.local_endpoint());
  std::atomic<int> running{clients};
  runtime rt({.workers = 2});
  const auto serve_one = [](tcp_stream s) -> task<void> {
    std::byte chunk[16];
    const auto n = co_await s.read_some(chunk);
    if (n && *n % 2 == 0) (void)co_await s.write_all(std::span(chunk, *n));
  };
  const auto serve = [](runtime& on, tcp_listener& from, auto each) -> task<void> {
    for (;;) {
      auto s = co_await from.accept();
      if (s) on.spawn(each(std::move(*s)));
    }
  };
  const auto client = [](ip_endpoint to, std::atomic<int>& left) -> task<void> {
    for (int i = 0; i < connections; ++i) {
      auto s = co_await tcp_stream::connect(to);
      if (!s) continue;
      (void)co_await s->write_all(bytes_of(std::string(1 + static_cast<std::size_t>(i % 5), 'x')));
      std::byte chunk[16];
      if (i % 3 == 0) (void)co_await with_timeout(s->read_some(chunk), 100us);
      if (i % 3 == 1) (void)co_await s->read_some(chunk);
    }
    left.fetch_sub(1);
  };
  rt.spawn(serve(rt, l, serve_one));
  for (int i = 0; i < clients; ++i) rt.spawn(client(at, running));
  CHECK(rt.block_on(with_timeout(until_zero(running), 60s)));
}
