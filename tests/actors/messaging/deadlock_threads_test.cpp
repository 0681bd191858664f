// Waits that would close a cycle, closed from several threads at once.
#include "deadlock.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;

namespace {

/// A rally of two players: each answers, and at once asks the player that it has answered.
struct strike;
struct serve;
using opponent = troupe::ref<strike, serve>;
struct strike {
  opponent to;
  int left;
};
struct serve {
  using reply = int;
  opponent from;
  int left;
};
struct rally {
  using accepts = troupe::protocol<strike, serve>;
  explicit rally(troupe::ref<outcome> r) : report(std::move(r)) {}
  troupe::task<void> handle(strike m, troupe::context& ctx) {
    const auto r = co_await m.to.ask(serve{ctx.self<rally>(), m.left}, 20s);
    if (!r || *r == 0) (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
  }
  int handle(const serve& m, troupe::context& ctx) const {
    if (m.left > 0) (void)ctx.self<rally>().tell(strike{m.from, m.left - 1});
    return m.left;
  }
  troupe::ref<outcome> report;
};

}  // namespace

TEST_CASE("deadlock: on threads, a cycle that is closed from all sides at once is refused once") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2});
    probe<outcome> p(sys);
    constexpr int rounds = 2000;
    for (const std::size_t n : {2U, 3U}) {
      std::vector<stage> all;
      for (std::size_t i = 0; i < n; ++i) all.push_back(sys.spawn<player>());
      const auto asks_at_once = [&](const stage& to) {
        return play{[to, report = p.ref()](troupe::context& ctx) -> troupe::task<void> {
          const auto r = co_await to.ask(ping{}, 20s);
          (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
        }};
      };
      int refusals = 0;
      for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < n; ++i)
          REQUIRE(all[i].tell(asks_at_once(all[(i + 1) % n])) == send_result::ok);
        int refused = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const auto o = p.expect<outcome>(30s);
          REQUIRE((o.code == errc{} || o.code == errc::would_deadlock));
          if (o.code == errc::would_deadlock) ++refused;
        }
        REQUIRE(refused <= 1);
        refusals += refused;
      }
      CHECK(refusals > 0);
    }
  }
  memory.verify();
}

TEST_CASE("deadlock: on threads, a wait whose answer is under way is over") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2});
    probe<outcome> p(sys);
    const auto one = sys.spawn<rally>({}, p.ref());
    const auto two = sys.spawn<rally>({}, p.ref());
    REQUIRE(one.tell(strike{two, 20'000}) == send_result::ok);
    CHECK(p.expect<outcome>(60s).code == errc{});
    CHECK(sys.counters().deadlocks == 0);
  }
  memory.verify();
}

TEST_CASE("deadlock: on threads, asks, sends, deadlines and crashes at random end") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = 2, .log = &log});
    std::vector<stage> all;
    for (int i = 0; i < 5; ++i) {
      all.push_back(sys.spawn<player>({.mailbox = {.capacity = 4}, .restarts = {1'000'000, 1s}}));
    }
    std::vector<std::thread> clients;
    std::atomic<int> timeouts{0};
    for (unsigned t = 0; t < 2; ++t) {
      clients.emplace_back([&, t] {
        std::uint64_t x = t;
        const auto any = [&](std::uint64_t n) {
          x = x * 6364136223846793005U + 1442695040888963407U;
          return static_cast<std::size_t>((x >> 33) % n);
        };
        for (int i = 0; i < 3000; ++i) {
          const stage to = all[any(all.size())];
          const std::size_t how = any(20);
          (void)all[any(all.size())].tell(play{[to, how, &timeouts](troupe::context&) -> troupe::task<void> {
            if (how == 0) throw std::runtime_error("x");
            if (how == 1) {
              (void)co_await to.ask(ping{}, 50us);
            } else if (how < 5) {
              (void)co_await to.send(ping{}, 100ms);
            } else if (how < 8) {
              auto pending = to.request(ping{}, 100ms);
              (void)co_await pending;
            } else {
              const auto r = co_await to.ask(ping{}, 10s);
              if (!r && r.error() == errc::timeout) ++timeouts;
            }
          }});
          if (i % 16 == 0) std::this_thread::yield();
        }
      });
    }
    for (auto& c : clients) c.join();
    for (const stage& s : all) {
      troupe::result<int> n = std::unexpected(troupe::error(errc::full));
      while (!n && n.error() != errc::timeout) n = sys.block_on(s.ask(ping{}, 30s));
      CHECK(n);
    }
    CHECK(timeouts == 0);
  }
  memory.verify();
}
