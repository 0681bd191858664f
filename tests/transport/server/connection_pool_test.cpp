// connection_pool: leases, waiters and idle connections.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/runtime/sim.hpp>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

struct book {
  int made = 0;
  int alive = 0;
  int most = 0;
  bool refuse = false;
  duration delay{};
};

// A connection that counts itself.
class fake {
 public:
  fake(book& b, int n) : book_(&b), number(n) { b.most = std::max(b.most, ++b.alive); }
  fake(fake&& other) noexcept
      : book_(std::exchange(other.book_, nullptr)), number(other.number), healthy(other.healthy) {}
  fake& operator=(fake&&) = delete;
  ~fake() {
    if (book_ != nullptr) --book_->alive;
  }

 private:
  book* book_;

 public:
  int number;
  bool healthy = true;
};

task<result<fake>> make_fake(book* b) {
  if (b->delay.count() > 0) co_await sleep_for(b->delay);
  if (b->refuse)
    co_return std::unexpected(error(std::make_error_code(std::errc::connection_refused), "no luck"));
  co_return fake(*b, ++b->made);
}

task<bool> is_healthy(fake& f) {
  co_return f.healthy;
}

connection_pool<fake> pool_of(book& b, pool_options o) {
  return connection_pool<fake>([&b] { return make_fake(&b); }, &is_healthy, o);
}

task<int> lease_number(connection_pool<fake>& p) {
  auto c = must(co_await p.get());
  co_return c->number;
}

task<void> hold(connection_pool<fake> p, duration d, std::vector<int>& order, int who) {
  auto c = co_await p.get();
  if (!c) {
    order.push_back(-who);
    co_return;
  }
  order.push_back(who);
  co_await sleep_for(d);
}

}  // namespace

TEST_CASE("connection_pool: a connection is made on demand, and reused") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 2});
  CHECK(pool.counts().created == 0);
  for (int i = 0; i < 3; ++i) CHECK(must(rt.block_on(lease_number(pool))) == 1);
  const pool_counts c = pool.counts();
  CHECK(c.created == 1);
  CHECK(c.idle == 1);
  CHECK(c.leased == 0);
}

TEST_CASE("connection_pool: a get() that finds all in use waits its turn, first come first served") {
  book b;
  std::vector<int> order;
  sim::runtime rt({.seed = GENERATE(range(1U, 20U))});
  auto pool = pool_of(b, {.max_size = 1, .max_wait = 1h});
  for (int who = 1; who <= 5; ++who) {
    rt.spawn(hold(pool, 10ms, order, who));
    rt.run_until_idle();  // so that they ask in this order
  }
  CHECK(pool.counts().waiting == 4);
  CHECK(rt.run_to_end());
  CHECK(order == std::vector<int>{1, 2, 3, 4, 5});
  CHECK(b.made == 1);
  CHECK(pool.counts().waiting == 0);
}

TEST_CASE("connection_pool: there are never more than max_size connections") {
  book b;
  std::vector<int> order;
  sim::runtime rt({.seed = GENERATE(range(1U, 20U))});
  b.delay = 3ms;
  auto pool = pool_of(b, {.max_size = 3, .max_idle_time = 4ms, .max_wait = 20ms});
  for (int who = 1; who <= 60; ++who) {
    rt.spawn(hold(pool, std::chrono::milliseconds(rt.random() % 7), order, who));
    if (rt.random() % 3 == 0) rt.advance(std::chrono::milliseconds(rt.random() % 9));
  }
  CHECK(rt.run_to_end());
  CHECK(order.size() == 60);
  CHECK(b.most <= 3);
  CHECK(pool.counts().leased == 0);
  CHECK(pool.counts().waiting == 0);
  // Every permit is back: three leases at a time are still possible.
  std::vector<int> again;
  for (int who = 1; who <= 3; ++who) rt.spawn(hold(pool, 10ms, again, who));
  rt.advance(5ms);
  CHECK(again.size() == 3);
  CHECK(pool.counts().leased == 3);
}

TEST_CASE("connection_pool: a wait ends at max_wait, with an error that says what to do") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 1, .max_wait = 2s});
  const auto test = [](connection_pool<fake>& p) -> task<std::pair<error, duration>> {
    const auto first = must(co_await p.get());
    const std::int64_t begin = detail::due_in(duration::zero());
    const auto second = co_await p.get();
    co_return std::pair(second.error(), duration(detail::due_in(duration::zero()) - begin));
  };
  const auto [why, took] = must(rt.block_on(test(pool)));
  CHECK(why == errc::timeout);
  CHECK_THAT(std::string(why.text()), Contains("all connections are in use") && Contains("max_size"));
  CHECK(took >= 2s);
  CHECK(took < 2100ms);  // of virtual time
  CHECK(pool.counts().waiting == 0);
}

TEST_CASE("connection_pool: a waiter that is stopped or times out loses no connection") {
  book b;
  std::vector<int> order;
  sim::runtime rt({.seed = GENERATE(range(1U, 40U))});
  auto pool = pool_of(b, {.max_size = 1, .max_wait = 1h});
  const auto give_up = [](connection_pool<fake> p, duration d, std::vector<int>& to) -> task<void> {
    const auto c = co_await with_timeout(p.get(), d);
    to.push_back(c ? 2 : -2);
  };
  rt.spawn(hold(pool, 10ms, order, 1));
  rt.run_until_idle();
  // In the same millisecond as the return, so that both orders occur.
  rt.spawn(give_up(pool, 10ms, order));
  rt.run_until_idle();
  rt.spawn(hold(pool, 1ms, order, 3));
  CHECK(rt.run_to_end());
  CHECK(order.size() == 3);
  CHECK(order.back() == 3);
  CHECK(pool.counts().leased == 0);
  CHECK(pool.counts().waiting == 0);
}

TEST_CASE("connection_pool: an unhealthy connection is replaced") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {});
  const auto spoil = [](connection_pool<fake>& p) -> task<void> { must(co_await p.get())->healthy = false; };
  must(rt.block_on(spoil(pool)));
  CHECK(must(rt.block_on(lease_number(pool))) == 2);
  CHECK(b.alive == 1);
  CHECK(pool.counts().unhealthy == 1);
}

TEST_CASE("connection_pool: a check that takes too long costs one idle connection, not all") {
  book b;
  sim::runtime rt;
  connection_pool<fake> pool([&b] { return make_fake(&b); },
                             [](fake&) -> task<bool> {
                               co_await sleep_for(1h);
                               co_return true;
                             },
                             {.max_wait = 10ms});
  const auto three = [](connection_pool<fake>& p) -> task<void> {
    auto one = must(co_await p.get());
    auto two = must(co_await p.get());
    auto other = must(co_await p.get());
  };
  must(rt.block_on(three(pool)));
  REQUIRE(pool.counts().idle == 3);
  const auto c = rt.block_on(pool.get());
  REQUIRE(!c);
  CHECK(c.error() == errc::timeout);
  CHECK_THAT(std::string(c.error().text()), Contains("not checked within max_wait"));
  CHECK(pool.counts().idle == 2);
  CHECK(pool.counts().unhealthy == 1);
  CHECK(pool.counts().leased == 0);
  CHECK(b.alive == 2);
}

TEST_CASE("connection_pool: a discarded connection is closed, and another may take its place") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 1});
  const auto test = [](connection_pool<fake>& p, book& of) -> task<int> {
    auto c = must(co_await p.get());
    c.discard();
    c.discard();  // harmless
    if (c || of.alive != 0) co_return -1;
    co_return must(co_await p.get())->number;
  };
  CHECK(must(rt.block_on(test(pool, b))) == 2);
}

TEST_CASE("connection_pool: expired idle connections are closed, and at most max_idle are kept") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 4, .max_idle = 2, .max_idle_time = 1s});
  const auto three = [](connection_pool<fake>& p) -> task<void> {
    auto one = must(co_await p.get());
    auto two = must(co_await p.get());
    auto three_ = must(co_await p.get());
  };
  must(rt.block_on(three(pool)));
  CHECK(b.alive == 2);
  CHECK(pool.counts().idle == 2);
  rt.advance(600ms);
  const int used = must(rt.block_on(lease_number(pool)));
  rt.advance(600ms);
  const auto tidy = [](connection_pool<fake>& p) -> task<void> {
    p.close_idle();
    co_return;
  };
  must(rt.block_on(tidy(pool)));  // the one used in between has not expired
  CHECK(b.alive == 1);
  CHECK(must(rt.block_on(lease_number(pool))) == used);
  rt.advance(1100ms);
  CHECK(must(rt.block_on(lease_number(pool))) == 4);
}

TEST_CASE("connection_pool: a failed connect is an error with its cause, and gives its permit back") {
  book b;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 1, .max_wait = 1s});
  b.refuse = true;
  for (int i = 0; i < 3; ++i) {
    const auto c = rt.block_on(pool.get());
    REQUIRE(!c);
    CHECK(c.error() == std::make_error_code(std::errc::connection_refused));
    CHECK_THAT(std::string(c.error().text()), Contains("cannot make a connection") && Contains("no luck"));
  }
  b.refuse = false;
  b.delay = 2s;  // longer than max_wait
  CHECK(rt.block_on(pool.get()).error() == errc::timeout);
  b.delay = {};
  CHECK(must(rt.block_on(lease_number(pool))) == 1);
}

TEST_CASE("connection_pool: close() ends all waits, and closes connections as they are returned") {
  book b;
  std::vector<int> order;
  sim::runtime rt;
  auto pool = pool_of(b, {.max_size = 1, .max_wait = 1h});
  rt.spawn(hold(pool, 10ms, order, 1));
  rt.run_until_idle();
  rt.spawn(hold(pool, 10ms, order, 2));
  rt.run_until_idle();
  pool.close();
  rt.run_until_idle();
  CHECK(order == std::vector<int>{1, -2});
  CHECK(b.alive == 1);
  CHECK(rt.run_to_end());
  CHECK(b.alive == 0);
  CHECK(rt.block_on(pool.get()).error() == errc::closed);
}

TEST_CASE("connection_pool: a lease may outlive the pool, and end on any thread") {
  book b;
  sim::runtime rt;
  auto pool = std::make_unique<connection_pool<fake>>(pool_of(b, {}));
  {
    auto c = must(rt.block_on(pool->get()));
    pool.reset();
    CHECK(c->number == 1);
    CHECK(b.alive == 1);
  }
  CHECK(b.alive == 0);
}

TEST_CASE("connection_pool: actors on several threads share it") {
  struct nothing {};
  std::atomic<int> in_use{0};
  std::atomic<int> most{0};
  std::atomic<int> rounds{0};
  std::atomic<int> failed{0};
  runtime rt({.workers = 4});
  const auto make = []() -> task<result<nothing>> { co_return nothing{}; };
  connection_pool<nothing> pool(make, {.max_size = 3, .max_wait = 30s});
  const auto user = [](connection_pool<nothing> p, std::atomic<int>& now, std::atomic<int>& peak,
                       std::atomic<int>& done, std::atomic<int>& lost) -> task<void> {
    for (int i = 0; i < 200; ++i) {
      auto c = co_await p.get();
      if (!c) {
        ++lost;
        continue;
      }
      const int n = ++now;
      int seen = peak.load();
      while (seen < n && !peak.compare_exchange_weak(seen, n)) {
      }
      co_await yield();
      if (i % 10 == 0) c->discard();
      --now;
    }
    ++done;
  };
  const auto wait_for_all = [](std::atomic<int>& done, int n) -> task<void> {
    while (done.load() < n) co_await sleep_for(1ms);
  };
  for (int i = 0; i < 16; ++i) rt.spawn(user(pool, in_use, most, rounds, failed));
  must(rt.block_on(wait_for_all(rounds, 16)));
  CHECK(failed == 0);
  CHECK(most <= 3);
  CHECK(pool.counts().waiting == 0);
}

TEST_CASE("connection_pool: a stream whose peer has ended, or has sent something, is not leased again") {
  runtime rt({.workers = 1});
  tcp_listener l = listen_on_loopback();
  const ip_endpoint at = must(l.local_endpoint());
  connection_pool<tcp_stream> pool([at] { return tcp_stream::connect(at, 5s); });
  const auto port_of_lease = [](connection_pool<tcp_stream>& p) -> task<std::uint16_t> {
    auto c = must(co_await p.get());
    co_return must(c->local_endpoint()).port();
  };
  const std::uint16_t first = must(rt.block_on(port_of_lease(pool)));
  tcp_stream peer = must(rt.block_on(l.accept()));
  CHECK(must(rt.block_on(port_of_lease(pool))) == first);
  peer.close();
  const std::uint16_t second = must(rt.block_on(port_of_lease(pool)));
  CHECK(second != first);
  peer = must(rt.block_on(l.accept()));
  must(rt.block_on(peer.write_all(bytes_of("out of turn"))));
  CHECK(must(rt.block_on(port_of_lease(pool))) != second);
  CHECK(pool.counts().unhealthy == 2);
}
