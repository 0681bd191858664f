// ctx.after and ctx.every.
#include "actors/common.hpp"

using namespace actors_test;

namespace {

struct tick {
  int number;
};
struct start {
  troupe::duration period;
  troupe::missed_tick how;
  troupe::duration busy;
};
struct arm {
  troupe::duration after;
  int number;
};
struct cancel {};
struct crash {};
struct at {
  int number;
  std::int64_t ms;
  bool operator==(const at&) const = default;
};

/// Tells when each of its ticks is handled; the first takes as long as it is told.
struct clockwork {
  using accepts = troupe::protocol<tick, start, arm, cancel, crash>;
  explicit clockwork(troupe::ref<at> r) : to(std::move(r)) {}
  void handle(start m, troupe::context& ctx) {
    began = ctx.now();
    busy = m.busy;
    last = ctx.every(m.period, tick{0}, m.how);
  }
  void handle(arm m, troupe::context& ctx) {
    began = ctx.now();
    last = ctx.after(m.after, tick{m.number});
  }
  void handle(cancel, troupe::context& ctx) { (void)to.tell(at{ctx.cancel(last) ? 1 : 0, -1}); }
  void handle(crash) { throw std::runtime_error("told to"); }
  troupe::task<void> handle(tick m, troupe::context& ctx) {
    (void)to.tell(at{m.number, (ctx.now() - began) / 1ms});
    const auto pause = std::exchange(busy, {});
    if (pause.count() > 0) co_await troupe::sleep_for(pause);
  }
  troupe::ref<at> to;
  troupe::time_point began{};
  troupe::duration busy{};
  troupe::timer_id last{};
};

}  // namespace

TEST_CASE("after: one message, at its time") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<at> p(b.sys);
    const auto c = b.sys.spawn<clockwork>({}, p.ref());
    REQUIRE(c.tell(arm{250ms, 1}) == send_result::ok);
    p.expect_nothing();
    CHECK(p.expect<at>() == at{1, 250});
    p.expect_nothing_for(10s);
    REQUIRE(c.tell(cancel{}) == send_result::ok);
    CHECK(p.expect<at>() == at{0, -1});  // it is spent: there is nothing to cancel
  });
}

TEST_CASE("after: cancelled before its time, it never comes") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<at> p(b.sys);
    const auto c = b.sys.spawn<clockwork>({}, p.ref());
    REQUIRE(c.tell(arm{250ms, 1}) == send_result::ok);
    REQUIRE(c.tell(cancel{}) == send_result::ok);
    CHECK(p.expect<at>() == at{1, -1});
    p.expect_nothing_for(1s);
  });
}

TEST_CASE("after: many one after the other leave nothing behind") {
  test_system b;
  probe<at> p(b.sys);
  const auto c = b.sys.spawn<clockwork>({}, p.ref());
  const auto once = [&] {
    REQUIRE(c.tell(arm{1ms, 1}) == send_result::ok);
    p.expect<at>();
  };
  once();
  const troupe::testkit::leak_guard memory;
  for (int i = 0; i < 100; ++i) once();
  memory.verify();
}

TEST_CASE("every: late ticks are skipped, delayed, or delivered in a burst") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<at> p(b.sys);
    const auto expect = [&](troupe::missed_tick how, std::vector<std::int64_t> times) {
      const auto c = b.sys.spawn<clockwork>({}, p.ref());
      REQUIRE(c.tell(start{100ms, how, 250ms}) == send_result::ok);
      for (const auto t : times) CHECK(p.expect<at>() == at{0, t});
      b.sys.stop(c);
      p.expect_nothing_for(1s);
    };
    // The first is handled from 100 to 350 ms. The one due at 200 waits, at most one does.
    expect(troupe::missed_tick::skip, {100, 350, 400, 500});
    expect(troupe::missed_tick::delay, {100, 350, 450, 550});
    expect(troupe::missed_tick::burst, {100, 350, 350, 400, 500});
  });
}

TEST_CASE("every: a timer that is cancelled ticks no more") {
  test_system b;
  probe<at> p(b.sys);
  const auto c = b.sys.spawn<clockwork>({}, p.ref());
  REQUIRE(c.tell(start{100ms, troupe::missed_tick::skip, {}}) == send_result::ok);
  CHECK(p.expect<at>() == at{0, 100});
  CHECK(p.expect<at>() == at{0, 200});
  REQUIRE(c.tell(cancel{}) == send_result::ok);
  CHECK(p.expect<at>() == at{1, -1});
  p.expect_nothing_for(1s);
}

TEST_CASE("every: timers of one message type do not take each other's ticks") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    struct many {
      using accepts = troupe::protocol<tick>;
      many(troupe::context& ctx, int n, history* h) : log(h) {
        for (int i = 0; i < n; ++i) ctx.every(10ms, tick{i});
      }
      void handle(tick m) { log->push_back(std::to_string(m.number)); }
      history* log;
    };
    history log;
    {
      test_system b({.seed = seed});
      b.sys.spawn<many>({}, 5, &log);
      b.advance(100ms);
      CHECK(log.size() == 50);
    }
    log = {};
    log.shrink_to_fit();
  });
}

TEST_CASE("every: refuses a period that is not positive") {
  struct bad {
    using accepts = troupe::protocol<tick>;
    explicit bad(troupe::context& ctx) { ctx.every(0s, tick{}); }
    void handle(tick) {}
  };
  test_system b;
  CHECK_THROWS_WITH(b.sys.spawn<bad>({.name = "bad"}), Catch::Contains("period") && Catch::Contains("/bad"));
}

TEST_CASE("timers: die with their incarnation") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<at> p(b.sys);
    const auto c = b.sys.spawn<clockwork>({}, p.ref());
    REQUIRE(c.tell(arm{250ms, 1}) == send_result::ok);
    REQUIRE(c.tell(start{100ms, troupe::missed_tick::burst, {}}) == send_result::ok);
    REQUIRE(c.tell(crash{}) == send_result::ok);
    p.expect_nothing_for(10s);
    REQUIRE(c.tell(arm{250ms, 2}) == send_result::ok);
    CHECK(p.expect<at>() == at{2, 250});
  });
}

TEST_CASE("timers: those armed by the stopping hook die too") {
  struct stubborn {
    using accepts = troupe::protocol<tick>;
    void handle(tick) {}
    void stopping(troupe::context& ctx, const troupe::exit_reason&) { ctx.after(1s, tick{}); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto s = b.sys.spawn<stubborn>();
    b.run();
    b.sys.stop(s);
    b.advance(5s);
    CHECK(s.ended());
  });
}
