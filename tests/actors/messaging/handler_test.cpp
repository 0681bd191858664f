// Handlers that are coroutines, and actors that are one coroutine.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;

namespace {

struct work {
  int number;
};
struct tick {
  int number;
};
struct done {
  int number;
  bool operator==(const done&) const = default;
};

/// Takes a second for each piece of work; a tick comes every 300 ms.
struct worker {
  using accepts = troupe::protocol<work, tick>;
  explicit worker(troupe::ref<done> r) : to(std::move(r)) {}
  troupe::task<void> handle(work m, troupe::context& ctx) {
    if (m.number == 0) ctx.after(300ms, tick{1});
    co_await troupe::sleep_for(1s);
    (void)to.tell(done{m.number});
  }
  void handle(tick m) const { (void)to.tell(done{100 + m.number}); }
  troupe::ref<done> to;
};

struct bye {};
struct size {
  using reply = int;
};

troupe::task<void> collector(troupe::context&, troupe::inbox<work, size, bye> in, troupe::ref<done> to) {
  std::vector<int> got;
  for (;;) {
    auto m = co_await in.receive();
    if (auto* const w = std::get_if<work>(&m)) {
      got.push_back(w->number);
    } else if (auto* const s = std::get_if<troupe::request<size>>(&m)) {
      s->reply.send(static_cast<int>(got.size()));
    } else {
      break;
    }
  }
  for (const int n : got) (void)to.tell(done{n});
}

}  // namespace

TEST_CASE("coroutine handler: the next message waits until it is done") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto w = b.sys.spawn<worker>({}, p.ref());
    const auto began = b.sys.now();
    for (int i = 1; i <= 3; ++i) REQUIRE(w.tell(work{i}) == send_result::ok);
    for (int i = 1; i <= 3; ++i) {
      CHECK(p.expect<done>() == done{i});
      CHECK(b.sys.now() - began == i * 1s);
    }
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("coroutine handler: a timer that is due waits for it too") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto w = b.sys.spawn<worker>({}, p.ref());
    REQUIRE(w.tell(work{0}) == send_result::ok);
    CHECK(p.expect<done>() == done{0});
    CHECK(p.expect<done>() == done{101});
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("coroutine handler: a stop does not wait for it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto w = b.sys.spawn<worker>({}, p.ref());
    REQUIRE(w.tell(work{1}) == send_result::ok);
    REQUIRE(w.tell(work{2}) == send_result::ok);
    b.run();
    const auto began = b.sys.now();
    b.sys.stop(w);
    b.run();
    CHECK(w.ended());
    CHECK(b.sys.now() == began);
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("coroutine handler: a stop unwinds it, innermost first, and runs nothing after the await") {
  struct mark {
    history* to;
    const char* name;
    ~mark() { to->push_back(name); }
  };
  struct nested {
    using accepts = troupe::protocol<work>;
    explicit nested(history* h) : log(h) {}
    ~nested() { log->push_back("state"); }
    troupe::task<void> inner() {
      const mark m{log, "inner"};
      co_await troupe::sleep_for(1s);
      log->push_back("never");
    }
    troupe::task<void> handle(work) {
      const mark m{log, "outer"};
      co_await inner();
      log->push_back("never");
    }
    history* log;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto n = b.sys.spawn<nested>({}, &log);
      REQUIRE(n.tell(work{1}) == send_result::ok);
      b.run();
      b.sys.stop(n);
      b.run();
      CHECK(log == history{"inner", "outer", "state"});
    }
  });
}

TEST_CASE("coroutine handler: stopping oneself takes effect after it") {
  struct quitter {
    using accepts = troupe::protocol<work>;
    explicit quitter(troupe::ref<done> r) : to(std::move(r)) {}
    troupe::task<void> handle(work m, troupe::context& ctx) {
      ctx.stop();
      co_await troupe::sleep_for(1s);
      (void)to.tell(done{m.number});
    }
    troupe::ref<done> to;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    probe<> ends(b.sys);
    const auto q = b.sys.spawn<quitter>({}, p.ref());
    ends.watch(q);
    REQUIRE(q.tell(work{1}) == send_result::ok);
    REQUIRE(q.tell(work{2}) == send_result::ok);
    CHECK(p.expect<done>() == done{1});
    CHECK(ends.expect<troupe::down>().reason.kind() == troupe::exit_kind::normal);
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("coroutine handler: one that awaits without suspending gives way to others") {
  struct busy {
    using accepts = troupe::protocol<work>;
    explicit busy(troupe::ref<done> r) : to(std::move(r)) {}
    static troupe::task<int> one() { co_return 1; }
    troupe::task<void> handle(work m) {
      int sum = 0;
      for (int i = 0; i < 20000; ++i) sum += co_await one();
      (void)to.tell(done{m.number + sum});
    }
    troupe::ref<done> to;
  };
  test_system b;
  probe<done> p(b.sys);
  const auto x = b.sys.spawn<busy>({}, p.ref());
  REQUIRE(x.tell(work{1}) == send_result::ok);
  const auto before = b.sys.counters().slices;
  CHECK(p.expect<done>() == done{20001});
  CHECK(b.sys.counters().slices - before > 100);
}

TEST_CASE("coroutine handler: what yields goes on when others have had their turn") {
  struct polite {
    using accepts = troupe::protocol<work>;
    polite(std::vector<int>* o, unsigned y) : order(o), yields(y) {}
    troupe::task<void> handle(work m) {
      for (unsigned i = 0; i < yields; ++i) {
        order->push_back(m.number);
        co_await troupe::yield();
      }
      order->push_back(m.number);
    }
    std::vector<int>* order;
    unsigned yields;
  };
  troupe::testkit::log_capture log;
  troupe::system sys({.current_thread = true, .log = &log});
  std::vector<int> order;
  const auto second = sys.spawn<polite>({}, &order, 0U);
  const auto first = sys.spawn<polite>({}, &order, 1U);
  // Sent by an actor, so that both are ready on its worker before either runs.
  struct starter {
    using accepts = troupe::protocol<size>;
    int handle(size) const { return (void)first.tell(work{1}), (void)second.tell(work{2}), 0; }
    troupe::ref<work> first, second;
  };
  REQUIRE(sys.block_on(sys.spawn<starter>({}, first, second).ask(size{})));
  REQUIRE(sys.shutdown());
  CHECK(order == std::vector{1, 2, 1});
}

TEST_CASE("inbox: a coroutine receives what it is sent, and ends the actor by returning") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    probe<> ends(b.sys);
    const auto c = b.sys.spawn(&collector, {.name = "collector"}, p.ref());
    ends.watch(c);
    for (int i = 0; i < 100; ++i) REQUIRE(c.tell(work{i}) == send_result::ok);
    CHECK(b.await(c.ask(size{})).value() == 100);
    REQUIRE(c.tell(bye{}) == send_result::ok);
    for (int i = 0; i < 100; ++i) CHECK(p.expect<done>() == done{i});
    CHECK(ends.expect<troupe::down>().reason.kind() == troupe::exit_kind::normal);
    CHECK(c.tell(work{1}) == send_result::closed);
    p.expect_nothing();
  });
}

TEST_CASE("inbox: receive_for gives up after its time, and receives again") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto patient = [](troupe::context&, troupe::inbox<work> in,
                            troupe::ref<done> to) -> troupe::task<void> {
      for (;;) {
        auto m = co_await in.receive_for(100ms);
        (void)to.tell(done{m ? std::get<work>(*m).number : -1});
      }
    };
    const auto c = b.sys.spawn(+patient, {}, p.ref());
    p.watch(c);
    CHECK(p.expect<done>() == done{-1});
    REQUIRE(c.tell(work{1}) == send_result::ok);
    CHECK(p.expect<done>() == done{1});
    CHECK(p.expect<done>() == done{-1});
    b.sys.stop(c);
    CHECK(p.expect<troupe::down>().reason.kind() == troupe::exit_kind::shutdown);
  });
}

TEST_CASE("inbox: a message at the very moment receive_for gives up is not lost") {
  for_each_seed(200, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    struct prompt {
      using accepts = troupe::protocol<tick>;
      prompt(troupe::context& ctx, troupe::ref<work> t) : to(std::move(t)) { ctx.after(100ms, tick{}); }
      void handle(tick) const { (void)to.tell(work{1}); }
      troupe::ref<work> to;
    };
    const auto patient = [](troupe::context&, troupe::inbox<work> in,
                            troupe::ref<done> to) -> troupe::task<void> {
      int waits = 0;
      while (!co_await in.receive_for(100ms)) ++waits;
      (void)to.tell(done{waits});
    };
    const auto c = b.sys.spawn(+patient, {}, p.ref());
    b.sys.spawn<prompt>({}, c);
    CHECK(p.expect<done>(1s).number <= 1);
  });
}

TEST_CASE("inbox: a crash restarts the coroutine from its beginning, with what is queued") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto fragile = [](troupe::context& ctx, troupe::inbox<work> in,
                            troupe::ref<done> to) -> troupe::task<void> {
      (void)to.tell(done{static_cast<int>(1000 + ctx.epoch())});
      for (;;) {
        const int n = std::get<work>(co_await in.receive()).number;
        if (n == 1) throw std::runtime_error("not one");
        (void)to.tell(done{n});
      }
    };
    const auto c = b.sys.spawn(+fragile, {}, p.ref());
    for (int i = 0; i < 4; ++i) REQUIRE(c.tell(work{i}) == send_result::ok);
    for (const int n : {1000, 0, 1001, 2, 3}) CHECK(p.expect<done>() == done{n});
    p.expect_nothing();
  });
}

namespace {

/// Works for a second on each message; reports after the last.
troupe::task<void> polite(troupe::context&, troupe::inbox<work> in, troupe::ref<done> to) {
  while (const auto m = co_await in.next()) {
    co_await troupe::sleep_for(1s);
    (void)to.tell(done{std::get<work>(*m).number});
  }
  CHECK(!co_await in.next());  // and so it stays
  co_await troupe::sleep_for(1s);
  (void)to.tell(done{99});
}

constexpr troupe::mailbox_options draining{.when_stopped = troupe::on_stop::drain};

}  // namespace

TEST_CASE("inbox: next() yields nothing once a stopped actor has drained, and the coroutine goes on") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    probe<> end(b.sys);
    const auto idle = seed % 2 == 0;  // it waits in next() when it is stopped, or works
    const auto c = b.sys.spawn(&polite, {.mailbox = draining}, p.ref());
    end.watch(c);
    for (int i = 0; i < 2; ++i) REQUIRE(c.tell(work{i}) == send_result::ok);
    if (idle) b.advance(5s);
    b.sys.stop(c);
    b.run();
    CHECK(c.tell(work{7}) == send_result::closed);
    for (const int n : {0, 1, 99}) CHECK(p.expect<done>(3s) == done{n});
    CHECK(end.expect<troupe::down>().reason.kind() == troupe::exit_kind::normal);
    p.expect_nothing();
  });
}

TEST_CASE("inbox: what follows the last message has the shutdown time, and no more") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto c = b.sys.spawn(&polite, {.mailbox = draining, .shutdown = 500ms}, p.ref());
    p.watch(c);
    b.run();
    b.sys.stop(c);
    CHECK(p.expect<troupe::down>(1s).reason.kind() == troupe::exit_kind::killed);
    p.expect_nothing();
  });
}

TEST_CASE("inbox: an actor that does not drain is stopped in next() as in any other wait") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    const auto c = b.sys.spawn(&polite, {}, p.ref());
    b.run();
    b.sys.stop(c);
    b.advance(5s);
    CHECK(c.ended());
    p.expect_nothing();
  });
}

TEST_CASE("inbox: owns the callable and its arguments") {
  test_system b;
  probe<done> p(b.sys);
  const auto name = std::make_shared<int>(7);
  {
    auto f = [name](troupe::context&, troupe::inbox<work> in, troupe::ref<done> to) -> troupe::task<void> {
      (void)co_await in.receive();
      (void)to.tell(done{*name});
    };
    const auto c = b.sys.spawn(f, {}, p.ref());
    REQUIRE(c.tell(work{1}) == send_result::ok);
  }
  CHECK(p.expect<done>() == done{7});
}

TEST_CASE("context in a constructor: what it sends to itself is handled after it") {
  struct eager {
    using accepts = troupe::protocol<work>;
    eager(troupe::context& ctx, troupe::ref<done> r) : to(std::move(r)) {
      (void)ctx.self<eager>().tell(work{1});
      ctx.after(1ms, work{2});
      ready = true;
    }
    void handle(work m) const { (void)to.tell(done{ready ? m.number : -1}); }
    troupe::ref<done> to;
    bool ready = false;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<done> p(b.sys);
    b.sys.spawn<eager>({}, p.ref());
    CHECK(p.expect<done>() == done{1});
    CHECK(p.expect<done>() == done{2});
  });
}

TEST_CASE("context in a constructor: an actor may stop there") {
  struct brief {
    using accepts = troupe::protocol<work>;
    explicit brief(troupe::context& ctx) { ctx.stop(); }
    void handle(work) {}
  };
  test_system b;
  const auto x = b.sys.spawn<brief>();
  b.run();
  CHECK(x.ended());
}
