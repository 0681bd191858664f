// Waits that would close a cycle are refused; others are not.
#include "deadlock.hpp"

using namespace actors_test;

TEST_CASE("deadlock: a cycle of asks is refused at once, with its path") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    for (const std::size_t n : {2U, 3U, 10U}) {
      test_system b({.seed = seed});
      probe<outcome> p(b.sys);
      std::vector<asked> all;
      std::string path;
      for (std::size_t i = 0; i < n; ++i) {
        all.push_back(b.sys.spawn<relay>({.name = "n" + std::to_string(i)}, p.ref()));
        path += "/n" + std::to_string(i) + " asks /n" + std::to_string((i + 1) % n) + ", ";
      }
      path.resize(path.size() - 2);
      std::vector<asked> way(all.begin() + 1, all.end());
      way.push_back(all[0]);
      const auto began = b.sys.now();
      const auto r = b.await(all[0].ask(question{route_of(way)}, troupe::forever));
      CHECK(r.value() == static_cast<int>(100 + n - 1));
      CHECK(b.sys.now() == began);
      const auto o = p.expect<outcome>();
      CHECK(o.who == "/n" + std::to_string(n - 1));
      CHECK(o.code == errc::would_deadlock);
      // The one that closes the cycle comes first.
      const std::string last = "/n" + std::to_string(n - 1) + " asks /n0";
      CHECK(o.text ==
            "waiting would close a cycle: " + last + ", " + path.substr(0, path.size() - last.size() - 2));
      for (std::size_t i = 1; i < n; ++i) CHECK(p.expect<outcome>().code == errc{});
      CHECK(b.sys.counters().deadlocks == 1);
      // Everything goes on.
      CHECK(b.await(all[0].ask(question{route_of({all[1]})})).value() == 1);
    }
  });
}

TEST_CASE("deadlock: the refused request is not handled later") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    struct turn {
      using reply = int;
    };
    struct counting {
      using accepts = troupe::protocol<play, turn>;
      explicit counting(int* n) : handled(n) {}
      troupe::task<void> handle(play p, troupe::context& ctx) { co_await p.body(ctx); }
      int handle(turn) { return ++*handled; }
      int* handled;
    };
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    int turns = 0;
    const auto one = b.sys.spawn<counting>({}, &turns);
    const auto two = b.sys.spawn<counting>({}, &turns);
    const auto turn_at = [&](const troupe::ref<play, turn>& to) {
      return play{[to, report = p.ref()](troupe::context& ctx) -> troupe::task<void> {
        co_await troupe::sleep_for(1ms);
        const auto r = co_await to.ask(turn{});
        (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
      }};
    };
    REQUIRE(one.tell(turn_at(two)) == send_result::ok);
    REQUIRE(two.tell(turn_at(one)) == send_result::ok);
    errc codes[] = {p.expect<outcome>().code, p.expect<outcome>().code};
    std::ranges::sort(codes);
    CHECK(codes[0] == errc{});
    CHECK(codes[1] == errc::would_deadlock);
    p.expect_nothing_for(10s);
    CHECK(turns == 1);
  });
}

TEST_CASE("deadlock: full sends, and sends and asks mixed") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    {
      test_system b({.seed = seed});
      probe<outcome> p(b.sys);
      const stage one = b.sys.spawn<player>(named("one", 1));
      const stage two = b.sys.spawn<player>(named("two", 1));
      REQUIRE(one.tell(sends(two, 1ms, p.ref())) == send_result::ok);
      REQUIRE(two.tell(sends(one, 2ms, p.ref())) == send_result::ok);
      const auto refused = p.expect<outcome>(3ms);
      CHECK(refused.code == errc::would_deadlock);
      CHECK(refused.text ==
            "waiting would close a cycle: /two waits for room in /one, /one waits for room in /two");
      CHECK(p.expect<outcome>(1ms).code == errc{});
      p.expect_nothing_for(10s);
    }
    for (const bool ask_first : {true, false}) {
      test_system b({.seed = seed});
      probe<outcome> p(b.sys);
      const stage one = b.sys.spawn<player>(named("one", 1));
      const stage two = b.sys.spawn<player>(named("two", 2));
      const stage three = b.sys.spawn<player>(named("three", 2));
      REQUIRE(three.tell(sends(one, ask_first ? 4ms : 1ms, p.ref())) == send_result::ok);
      REQUIRE(one.tell(asks(two, 2ms, p.ref())) == send_result::ok);
      REQUIRE(two.tell(asks(three, 3ms, p.ref())) == send_result::ok);
      const auto refused = p.expect<outcome>(5ms);
      CHECK(refused.code == errc::would_deadlock);
      CHECK(refused.text == (ask_first ? "waiting would close a cycle: /three waits for room in /one, /one "
                                         "asks /two, /two asks /three"
                                       : "waiting would close a cycle: /two asks /three, /three waits for "
                                         "room in /one, /one asks /two"));
      CHECK(p.expect<outcome>(1ms).code == errc{});
      CHECK(p.expect<outcome>(1ms).code == errc{});
      p.expect_nothing_for(10s);
    }
  });
}

TEST_CASE("deadlock: an actor that waits for itself is told so") {
  test_system b;
  probe<outcome> p(b.sys);
  const stage one = b.sys.spawn<player>(named("one", 1));
  REQUIRE(one.tell(asks(one, 1ms, p.ref())) == send_result::ok);
  CHECK(p.expect<outcome>().text == "waiting would close a cycle: /one asks /one");
  REQUIRE(one.tell(sends(one, 1ms, p.ref())) == send_result::ok);
  CHECK(p.expect<outcome>().text == "waiting would close a cycle: /one waits for room in /one");
  CHECK(b.sys.counters().deadlocks == 2);
}

TEST_CASE("deadlock: a request that was sent before counts from when it is awaited") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>(named("one"));
    const stage two = b.sys.spawn<player>(named("two"));
    const auto requests = [&](stage to, troupe::duration before, troupe::duration after) {
      return play{[=, report = p.ref()](troupe::context& ctx) -> troupe::task<void> {
        co_await troupe::sleep_for(before);
        auto pending = to.request(ping{});
        co_await troupe::sleep_for(after);
        const auto r = co_await pending;
        (void)report.tell(
            outcome{ctx.path(), r ? errc{} : code_of(r.error()), r ? "" : std::string(r.error().text())});
      }};
    };
    // No actor waits in between: each is done before the other one's wait begins.
    REQUIRE(one.tell(requests(two, 1ms, 10ms)) == send_result::ok);
    REQUIRE(two.tell(asks(one, 2ms, p.ref())) == send_result::ok);
    const auto refused = p.expect<outcome>(12ms);
    CHECK(refused.who == "/one");
    CHECK(refused.code == errc::would_deadlock);
    CHECK(refused.text == "waiting would close a cycle: /one asks /two, /two asks /one");
    CHECK(p.expect<outcome>().code == errc{});
    // As an edge that is met.
    REQUIRE(one.tell(requests(two, 1ms, 1ms)) == send_result::ok);
    REQUIRE(two.tell(asks(one, 5ms, p.ref())) == send_result::ok);
    CHECK(p.expect<outcome>(6ms).who == "/two");
    CHECK(p.expect<outcome>().code == errc{});
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("deadlock: a coroutine actor blocks its mailbox too, but not in receive()") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>(named("one"));
    const auto session = [](troupe::context& ctx, troupe::inbox<ping> in, stage to,
                            troupe::ref<outcome> report) -> troupe::task<void> {
      auto first = std::get<0>(co_await in.receive());  // while it waits here, it may be asked
      first.reply.send(1);
      co_await troupe::sleep_for(10ms);
      const auto r = co_await to.ask(ping{});
      (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
      std::get<0>(co_await in.receive()).reply.send(2);
    };
    const auto two = b.sys.spawn(session, named("two"), one, p.ref());
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
    CHECK(p.expect<outcome>(2ms).code == errc{});
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);  // queued: its coroutine sleeps
    const auto refused = p.expect<outcome>(15ms);
    CHECK(refused.who == "/two");
    CHECK(refused.code == errc::would_deadlock);
    CHECK(p.expect<outcome>().code == errc{});
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("deadlock: shapes that are not cycles are not refused") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const asked top = b.sys.spawn<relay>({}, p.ref());
    const asked left = b.sys.spawn<relay>({}, p.ref());
    const asked right = b.sys.spawn<relay>({}, p.ref());
    const asked bottom = b.sys.spawn<relay>({}, p.ref());
    // A diamond, several times at once, and a queue in front of each of its actors.
    for (int i = 0; i < 3; ++i) {
      REQUIRE(top.tell(question{route_of({left, bottom}), 0, 5s, 1ms}) == send_result::ok);
      REQUIRE(top.tell(question{route_of({right, bottom}), 0, 5s, 1ms}) == send_result::ok);
      REQUIRE(left.tell(question{route_of({bottom}), 0, 5s, 2ms}) == send_result::ok);
      REQUIRE(right.tell(question{route_of({left, bottom}), 0, 5s, 1ms}) == send_result::ok);
    }
    for (int i = 0; i < 3 * 7; ++i) REQUIRE(p.expect<outcome>().code == errc{});
    p.expect_nothing_for(10s);
    CHECK(b.sys.counters().deadlocks == 0);
  });
}

TEST_CASE("deadlock: an actor that sleeps has no edge, and may be asked") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>();
    const stage two = b.sys.spawn<player>();
    // Two waits for one, whose handler sleeps, and asks two only afterwards.
    REQUIRE(one.tell(play{[](troupe::context&) -> troupe::task<void> { co_await troupe::sleep_for(1s); }}) ==
            send_result::ok);
    REQUIRE(two.tell(asks(one, 1ms, p.ref())) == send_result::ok);
    CHECK(p.expect<outcome>().code == errc{});
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
    CHECK(p.expect<outcome>().code == errc{});
    CHECK(b.sys.counters().deadlocks == 0);
  });
}

TEST_CASE("deadlock: a request whose reply_to was handed on has another target") {
  /// Hands the obligation to the next actor, and then asks for something itself.
  struct parcel {
    troupe::reply_to<int> owed;
  };
  struct clerk {
    using accepts = troupe::protocol<parcel>;
    troupe::task<void> handle(parcel p) {
      co_await troupe::sleep_for(1s);
      p.owed.send(7);
    }
  };
  struct desk {
    using accepts = troupe::protocol<ping>;
    desk(troupe::ref<parcel> c, stage s, troupe::ref<outcome> r)
        : back(std::move(c)), front(std::move(s)), report(std::move(r)) {}
    troupe::task<void> handle(ping, troupe::reply_to<int> owed, troupe::context& ctx) {
      (void)back.tell(parcel{std::move(owed)});
      // Asks the very actor that waits for the answer, which the clerk will give.
      const auto r = co_await front.ask(ping{});
      (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
    }
    troupe::ref<parcel> back;
    stage front;
    troupe::ref<outcome> report;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>();
    const auto d = b.sys.spawn<desk>({}, b.sys.spawn<clerk>(), one, p.ref());
    REQUIRE(one.tell(asks(d, 1ms, p.ref())) == send_result::ok);
    CHECK(p.expect<outcome>().code == errc{});
    CHECK(p.expect<outcome>().code == errc{});
    // The same for a request that is awaited later.
    REQUIRE(one.tell(play{[d, report = p.ref()](troupe::context& ctx) -> troupe::task<void> {
      auto pending = d.request(ping{});
      co_await troupe::sleep_for(1ms);
      const auto r = co_await pending;
      (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
    }}) == send_result::ok);
    CHECK(p.expect<outcome>().code == errc{});
    CHECK(p.expect<outcome>().code == errc{});
    CHECK(b.sys.counters().deadlocks == 0);
  });
}

TEST_CASE("deadlock: an edge goes with a timeout, a stop, a crash and a restart") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const stage one = b.sys.spawn<player>(named("one"));
    const stage two = b.sys.spawn<player>(named("two"));
    const auto sleeps = [](troupe::duration d) {
      return play{[d](troupe::context&) -> troupe::task<void> { co_await troupe::sleep_for(d); }};
    };
    const auto both_are_free = [&] {
      REQUIRE(two.tell(asks(one, 1ms, p.ref())) == send_result::ok);
      CHECK(p.expect<outcome>().code == errc{});
      REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
      CHECK(p.expect<outcome>().code == errc{});
    };
    // The asker times out.
    REQUIRE(two.tell(sleeps(100ms)) == send_result::ok);
    REQUIRE(one.tell(asks(two, 1ms, p.ref(), 10ms)) == send_result::ok);
    CHECK(p.expect<outcome>().code == errc::timeout);
    both_are_free();
    // The asker crashes and is restarted, with a wait out.
    REQUIRE(two.tell(sleeps(100ms)) == send_result::ok);
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
    b.advance(5ms);
    b.crash(one);
    b.advance(200ms);
    both_are_free();
    // The one that is asked crashes.
    REQUIRE(two.tell(sleeps(100ms)) == send_result::ok);
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
    b.advance(5ms);
    b.crash(two);
    CHECK(p.expect<outcome>().code == errc{});
    both_are_free();
    // It ends.
    REQUIRE(two.tell(sleeps(100ms)) == send_result::ok);
    REQUIRE(one.tell(asks(two, 1ms, p.ref())) == send_result::ok);
    b.advance(5ms);
    b.sys.stop(two);
    CHECK(p.expect<outcome>().code == errc::closed);
    CHECK(b.await(one.ask(ping{})).value() == 1);
    CHECK(b.sys.counters().deadlocks == 0);
  });
}

TEST_CASE("deadlock: random waits end, by an answer or by a refusal") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed, .max_slice_time = 100us});
    probe<outcome> p(b.sys, {.mailbox = {.capacity = 10'000}});
    std::vector<asked> all;
    for (int i = 0; i < 6; ++i) all.push_back(b.sys.spawn<relay>({}, p.ref()));
    std::uint64_t x = seed;
    const auto any = [&](std::uint64_t n) {
      x = x * 6364136223846793005U + 1442695040888963407U;
      return static_cast<std::size_t>((x >> 33) % n);
    };
    int waits = 0;
    for (int i = 0; i < 100; ++i) {
      std::vector<asked> way;
      for (std::size_t n = any(4); n > 0; --n) way.push_back(all[any(all.size())]);
      waits += static_cast<int>(way.size());
      REQUIRE(all[any(all.size())].tell(question{route_of(way), 0, troupe::forever}) == send_result::ok);
    }
    b.advance(10s);
    // A refused actor does not ask further, so there are at most as many outcomes as waits.
    for (const auto& a : all) CHECK(b.await(a.ask(question{route_of({})})).value() == 0);
    CHECK(waits > 0);
  });
}
