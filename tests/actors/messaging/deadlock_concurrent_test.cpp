// A wait that another concurrent wait may end is not an edge; and a cycle that was hidden at first is found
// later.
#include "deadlock.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::context;
using troupe::inbox;
using troupe::task;

namespace {

/// Answers a request only after it has asked back.
struct back_asker {
  using accepts = troupe::protocol<question>;
  explicit back_asker(troupe::ref<ping> b) : back(std::move(b)) {}
  task<int> handle(question) {
    const auto r = co_await back.ask(ping{});
    co_return r ? 1 + *r : -static_cast<int>(code_of(r.error()));
  }
  troupe::ref<ping> back;
};

task<void> answer_one(inbox<ping> in) {
  auto m = co_await in.receive();
  std::get<0>(m).reply.send(1);
}
task<void> ask_one(asked to, troupe::ref<outcome> report) {
  question q;
  const auto r = co_await to.ask(std::move(q));
  (void)report.tell(outcome{"poll", r ? errc{} : code_of(r.error()), std::to_string(r.value_or(0))});
}

/// Asks an actor that asks back, and answers that one meanwhile.
task<void> two_at_once(context& ctx, inbox<ping> in, bool asks_first, troupe::ref<outcome> report) {
  const asked to = ctx.spawn<back_asker>({}, in.self());
  if (asks_first) {
    co_await troupe::both(ask_one(to, report), answer_one(in));
  } else {
    co_await troupe::both(answer_one(in), ask_one(to, report));
  }
}

task<void> an_hour() {
  co_await troupe::sleep_for(1h);
}
task<void> ask_for_ever(stage to) {
  (void)co_await to.ask(ping{}, troupe::forever);
}

play requests(stage to, troupe::duration before, troupe::duration timer, troupe::ref<outcome> report) {
  return {[=](context& ctx) -> task<void> {
    ctx.after(timer, play{[](context&) -> task<void> { co_return; }});
    co_await troupe::sleep_for(before);
    auto pending = to.request(ping{}, troupe::forever);
    const auto r = co_await pending;
    (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
  }};
}

play sends_next_to_a_timer(stage to, troupe::duration before, troupe::duration timer,
                           troupe::ref<outcome> report) {
  return {[=](context& ctx) -> task<void> {
    ctx.after(timer, play{[](context&) -> task<void> { co_return; }});
    co_await troupe::sleep_for(before);
    const auto r = co_await to.send(ping{}, troupe::forever);
    (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
  }};
}

// Of two that wait for each other one is refused, and so the other one is answered.
void one_is_refused(test_system& b, probe<outcome>& p) {
  const auto first = p.expect<outcome>(1s);
  const auto second = p.expect<outcome>(1s);
  CHECK(first.code == errc::would_deadlock);
  CHECK(second.code == errc{});
  CHECK(b.sys.counters().deadlocks == 1);
  p.expect_nothing_for(10s);
}

}  // namespace

TEST_CASE("deadlock: an actor that receives while it waits for an answer is asked back") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    for (const bool asks_first : {true, false}) {
      test_system b({.seed = seed});
      probe<outcome> p(b.sys);
      b.sys.spawn(two_at_once, {}, asks_first, p.ref());
      const auto o = p.expect<outcome>(1s);
      CHECK(o.code == errc{});
      CHECK(o.text == "2");
      CHECK(b.sys.counters().deadlocks == 0);
    }
  });
}

TEST_CASE("deadlock: a wait that another concurrent wait may end is not an edge") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>(named("one"));
    const stage two = b.sys.spawn<player>(named("two"));
    // One waits for two, or for an hour, whichever ends first; two asks it meanwhile.
    for (const bool swapped : {true, false}) {
      const play waits{[two, swapped](context&) -> task<void> {
        if (swapped) {
          co_await troupe::either(an_hour(), ask_for_ever(two));
        } else {
          co_await troupe::either(ask_for_ever(two), an_hour());
        }
      }};
      REQUIRE(one.tell(waits) == send_result::ok);
      REQUIRE(two.tell(asks(one, 0ms, p.ref(), troupe::forever)) == send_result::ok);
      CHECK(p.expect<outcome>(2h).code == errc{});
    }
    CHECK(b.sys.counters().deadlocks == 0);
  });
}

TEST_CASE("deadlock: a cycle is found although one of its actors had other work when it was closed") {
  for_each_seed(2 * seeds, [](std::uint64_t seed) {
    // The mail of the second kind waits outside of the mailbox's word.
    for (const auto& policy : {troupe::reject, troupe::drop_oldest}) {
      test_system b({.seed = seed});
      probe<outcome> p(b.sys);
      const stage one = b.sys.spawn<player>({.name = "one", .mailbox = {.policy = policy}});
      const stage two = b.sys.spawn<player>(named("two"));
      // As the second one asks, a timer of the first is due.
      REQUIRE(one.tell(requests(two, 1ms, 5ms, p.ref())) == send_result::ok);
      REQUIRE(two.tell(asks(one, 5ms, p.ref(), troupe::forever)) == send_result::ok);
      one_is_refused(b, p);
    }
  });
}

TEST_CASE("deadlock: two actors that wait for room in each other are refused, whatever timers are due") {
  for_each_seed(2 * seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>(named("one", 1));
    const stage two = b.sys.spawn<player>(named("two", 1));
    REQUIRE(one.tell(sends_next_to_a_timer(two, 1ms, 2ms, p.ref())) == send_result::ok);
    REQUIRE(two.tell(sends_next_to_a_timer(one, 2ms, 2ms, p.ref())) == send_result::ok);
    one_is_refused(b, p);
  });
}

TEST_CASE(
    "deadlock: on threads, an actor that receives meanwhile is never refused; a cycle among timers is") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2});
    probe<outcome> p(sys, {.mailbox = {.capacity = 10'000}});
    for (int i = 0; i < 300; ++i) {
      sys.spawn(two_at_once, {.restart = troupe::restart::temporary}, i % 2 == 0, p.ref());
      const auto o = p.expect<outcome>(60s);
      REQUIRE(o.code == errc{});
      REQUIRE(o.text == "2");
    }
    CHECK(sys.counters().deadlocks == 0);
    for (int i = 0; i < 300; ++i) {
      const stage one = sys.spawn<player>();
      const stage two = sys.spawn<player>();
      REQUIRE(one.tell(requests(two, 100us, 100us, p.ref())) == send_result::ok);
      REQUIRE(two.tell(requests(one, 100us, 100us, p.ref())) == send_result::ok);
      const auto first = p.expect<outcome>(60s);
      const auto second = p.expect<outcome>(60s);
      REQUIRE((first.code == errc{} || first.code == errc::would_deadlock));
      REQUIRE(second.code == errc{});
      sys.stop(one);
      sys.stop(two);
    }
  }
  memory.verify();
}
