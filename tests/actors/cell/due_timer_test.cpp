// Timers that are due, and whose message waits for the actor: however that wait ends, nothing is left behind.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <memory>
#include <thread>

using namespace actors_test;

namespace {

struct tick {
  std::shared_ptr<int> alive;
};
struct nap {
  troupe::duration length;
};
struct give_up {};

/// Sleeps in a handler, so that its ticks wait.
struct sleeper {
  using accepts = troupe::protocol<tick, nap, give_up>;
  sleeper(troupe::context& ctx, std::shared_ptr<int> token) {
    periodic = ctx.every(10ms, tick{token});
    single = ctx.after(10ms, tick{token});
  }
  void handle(const tick&) {}
  troupe::task<void> handle(nap m) { co_await troupe::sleep_for(m.length); }
  troupe::task<void> handle(give_up, troupe::context& ctx) {
    co_await troupe::sleep_for(1s);  // meanwhile both are due
    CHECK(ctx.cancel(periodic));
    CHECK(ctx.cancel(single));
    CHECK_FALSE(ctx.cancel(periodic));
    CHECK_FALSE(ctx.cancel(single));
  }
  troupe::timer_id periodic{};
  troupe::timer_id single{};
};

/// Lets ticks wait in an actor that naps, and ends that in a way.
template <class End>
void with_ticks_waiting(End end) {
  for_each_seed(seeds, [&](std::uint64_t seed) {
    const auto token = std::make_shared<int>(1);
    {
      test_system b({.seed = seed});
      const auto s = b.sys.spawn<sleeper>({.restarts = {100, 1s}}, token);
      REQUIRE(s.tell(nap{1s}) == send_result::ok);
      b.advance(500ms);
      end(b, s);
      b.run();
      b.sys.stop(s);
      b.advance(10s);
      CHECK(s.ended());
    }
    CHECK(token.use_count() == 1);
  });
}

}  // namespace

TEST_CASE("due timers: nothing is left when the actor is stopped while their messages wait") {
  with_ticks_waiting([](test_system& b, const auto& s) { b.sys.stop(s); });
}

TEST_CASE("due timers: nothing is left when the actor is killed while their messages wait") {
  with_ticks_waiting([](test_system& b, const auto& s) { b.sys.kill(s); });
}

TEST_CASE("due timers: nothing is left when the actor crashes while their messages wait") {
  with_ticks_waiting([](test_system& b, const auto& s) { b.crash(s); });
}

TEST_CASE("due timers: nothing is left when the system ends while their messages wait") {
  with_ticks_waiting([](test_system& b, const auto&) { CHECK(b.sys.shutdown()); });
}

TEST_CASE("due timers: cancelled while their messages wait, they do not come, and nothing is left") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    const auto token = std::make_shared<int>(1);
    test_system b({.seed = seed});
    const auto s = b.sys.spawn<sleeper>({}, token);
    REQUIRE(s.tell(give_up{}) == send_result::ok);
    b.advance(5s);
    CHECK_FALSE(s.ended());
    CHECK(token.use_count() == 2);  // the other one is kept for the next incarnation
  });
}

TEST_CASE("due timers: on threads, actors that end at any moment leave no timer behind") {
  const auto token = std::make_shared<int>(1);
  const troupe::testkit::leak_guard memory;
  {
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = 2, .log = &log});
    for (int round = 0; round < 50; ++round) {
      struct busy {
        using accepts = troupe::protocol<tick, nap, fail_now>;
        busy(troupe::context& ctx, const std::shared_ptr<int>& t) {
          for (int i = 0; i < 10; ++i) ctx.every(100us, tick{t}, troupe::missed_tick::burst);
        }
        void handle(const tick&) {}
        troupe::task<void> handle(nap m) { co_await troupe::sleep_for(m.length); }
        void handle(const fail_now& m) { throw std::runtime_error(m.why); }
      };
      const auto s = sys.spawn<busy>({.restarts = {1000, 1s}}, token);
      for (int i = 0; i < 3; ++i) {
        (void)s.tell(nap{300us});
        (void)s.tell(fail_now{"x"});
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100 * (round % 20)));
      if (round % 2 == 0) {
        sys.stop(s);
      } else {
        sys.kill(s);
        sys.stop(s);
      }
      CHECK(troupe_test::becomes_true([&] { return s.ended(); }));
    }
  }
  CHECK(token.use_count() == 1);
  memory.verify();
}
