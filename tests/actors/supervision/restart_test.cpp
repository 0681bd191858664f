// Crashes and restarts: the state that is kept, the messages that are lost, and when the owner gives up.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;
using troupe::restart;

namespace {

struct leave {};
struct epoch {
  using reply = int;
};

/// Ends in every way there is.
struct mortal {
  using accepts = troupe::protocol<leave, fail_now, epoch>;
  explicit mortal(history* h = nullptr) : log(h) {}
  void handle(leave, troupe::context& ctx) { ctx.stop(); }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  int handle(epoch, troupe::context& ctx) { return static_cast<int>(ctx.epoch()); }
  history* log;
};

enum class way { normal, shutdown, crash, kill };

}  // namespace

TEST_CASE("restart: each restart type after each kind of end") {
  for_each_seed(20, [](std::uint64_t seed) {
    for (const auto type : {restart::permanent, restart::transient, restart::temporary}) {
      for (const auto how : {way::normal, way::shutdown, way::crash, way::kill}) {
        test_system b({.seed = seed});
        probe<> p(b.sys);
        const auto m = b.sys.spawn<mortal>({.restart = type});
        p.watch(m);
        b.run();
        switch (how) {
          case way::normal:
            REQUIRE(m.tell(leave{}) == send_result::ok);
            break;
          case way::shutdown:
            b.sys.stop(m);
            break;
          case way::crash:
            REQUIRE(m.tell(fail_now{"x"}) == send_result::ok);
            break;
          case way::kill:
            m.cell()->request(troupe::detail::cell::order_kill);
            break;
        }
        b.run();
        const bool back = (type == restart::permanent && (how == way::normal || how == way::crash)) ||
                          (type == restart::transient && how == way::crash);
        CHECK(m.ended() != back);
        if (back) {
          p.expect_nothing();
          CHECK(b.await(m.ask(epoch{})).value() == 1);
          CHECK(b.sys.counters().restarts == 1);
        } else {
          constexpr exit_kind expected[] = {exit_kind::normal, exit_kind::shutdown, exit_kind::error,
                                            exit_kind::killed};
          CHECK(p.expect<troupe::down>().reason.kind() == expected[static_cast<int>(how)]);
        }
      }
    }
  });
}

TEST_CASE("restart: the ref stays, the state is new, the queue survives in order") {
  struct recorder {
    using accepts = troupe::protocol<note>;
    explicit recorder(history* h) : log(h) {}
    void handle(note m) {
      if (m.sender == 9) throw std::runtime_error("nine");
      log->push_back(std::to_string(m.number) + "/" + std::to_string(++handled));
    }
    history* log;
    int handled = 0;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      troupe::testkit::dead_letter_probe lost(b.sys);
      const auto r = b.sys.spawn<recorder>({.name = "r"}, &log);
      REQUIRE(r.tell(note{1, 1}) == send_result::ok);
      REQUIRE(r.tell(note{9, 2}) == send_result::ok);
      REQUIRE(r.tell(note{1, 3}) == send_result::ok);
      REQUIRE(r.tell(note{1, 4}) == send_result::ok);
      b.run();
      CHECK(log == history{"1/1", "3/1", "4/2"});
      CHECK(lost.count() == 1);
      CHECK(lost.take()->cause == troupe::dead_letter_cause::crashed);
      CHECK(b.log.count("/r: restarted (1)") == 1);
    }
  });
}

TEST_CASE("restart: asks that wait in the queue are answered by the next incarnation") {
  struct prone {
    using accepts = troupe::protocol<get, add>;
    troupe::task<void> handle(add) {
      co_await troupe::sleep_for(1s);
      throw std::runtime_error("x");
    }
    int handle(get) { return 5; }
  };
  struct asker {
    using accepts = troupe::protocol<leave>;
    asker(troupe::ref<get> t, history* h) : to(std::move(t)), log(h) {}
    troupe::task<void> handle(leave) { log->push_back(std::to_string((co_await to.ask(get{})).value())); }
    troupe::ref<get> to;
    history* log;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto p = b.sys.spawn<prone>();
      REQUIRE(p.tell(add{1}) == send_result::ok);
      const auto a = b.sys.spawn<asker>({}, troupe::ref<get>(p), &log);
      REQUIRE(a.tell(leave{}) == send_result::ok);
      b.advance(2s);
      CHECK(log == history{"5"});
    }
  });
}

TEST_CASE("budget: exactly max restarts within the time are survived, one more is not") {
  for_each_seed(20, [](std::uint64_t seed) {
    for (const std::uint32_t max : {0U, 1U, 3U}) {
      test_system b({.seed = seed});
      probe<> p(b.sys);
      const auto m = b.sys.spawn<mortal>({.name = "m", .restarts = {max, 5s}});
      p.watch(m);
      for (std::uint32_t i = 0; i < max; ++i) {
        REQUIRE(m.tell(fail_now{"x"}) == send_result::ok);
        b.run();
      }
      p.expect_nothing();
      CHECK(b.await(m.ask(epoch{})).value() == static_cast<int>(max));
      REQUIRE(m.tell(fail_now{"once too often"}) == send_result::ok);
      const auto d = p.expect<troupe::down>();
      CHECK(d.reason.kind() == exit_kind::restart_limit);
      CHECK(b.log.count("gives up") == 1);
      CHECK(b.log.count("once too often", troupe::log_level::error) == 1);
    }
  });
}

TEST_CASE("budget: crashes that are spaced never add up") {
  test_system b;
  const auto m = b.sys.spawn<mortal>({.restarts = {2, 1s}});
  for (int i = 0; i < 100; ++i) {
    REQUIRE(m.tell(fail_now{"x"}) == send_result::ok);
    b.advance(501ms);
  }
  CHECK(b.await(m.ask(epoch{})).value() == 100);
}

TEST_CASE("budget: a parent answers for all its children, and fails with the cause") {
  struct parent {
    using accepts = troupe::protocol<>;
    explicit parent(troupe::context& ctx) {
      ctx.spawn<mortal>({.name = "a"});
      ctx.spawn<mortal>({.name = "b"});
    }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto r = b.sys.spawn<parent>({.name = "p", .restart = restart::temporary, .restarts = {1, 5s}});
    p.watch(r);
    b.run();
    REQUIRE(b.sys.at<fail_now>("/p/a").value().tell(fail_now{"first"}) == send_result::ok);
    p.expect_nothing();
    REQUIRE(b.sys.at<fail_now>("/p/b").value().tell(fail_now{"second"}) == send_result::ok);
    const auto d = p.expect<troupe::down>();
    CHECK(d.reason.kind() == exit_kind::restart_limit);
    REQUIRE(d.reason.cause() != nullptr);
    CHECK(d.reason.cause()->to_string().find("second") != std::string::npos);
    CHECK(b.sys.inspect().count() == 2);
  });
}

TEST_CASE("restart: a stop that comes while the parent decides ends the actor once") {
  struct parent {
    using accepts = troupe::protocol<leave>;
    explicit parent(troupe::context& ctx) { ctx.spawn<mortal>({.name = "m", .restarts = {1000, 5s}}); }
    troupe::task<void> handle(leave) { co_await troupe::sleep_for(1ms); }
  };
  for_each_seed(500, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto r = b.sys.spawn<parent>({.name = "p", .restarts = {1000, 5s}});
    b.run();
    const auto m = b.sys.at<leave, fail_now, epoch>("/p/m").value();
    p.watch(m);
    for (int i = 0; i < 3; ++i) (void)m.tell(fail_now{"x"});
    (void)r.tell(leave{});
    for (auto n = b.time.random() % 6; n > 0; --n) b.time.step();
    b.sys.stop(m);
    if (seed % 2 == 0) b.sys.stop(r);
    p.expect<troupe::down>();
    CHECK(m.ended());
    CHECK(r.ended() == (seed % 2 == 0));
    b.run();
    CHECK(b.sys.inspect().count() == (seed % 2 == 0 ? 2 : 3));
  });
}

TEST_CASE("backoff: grows, is capped, stays within its jitter, and starts over after quiet") {
  for_each_seed(20, [](std::uint64_t seed) {
    struct timed {
      using accepts = troupe::protocol<fail_now>;
      timed(troupe::context& ctx, std::vector<troupe::time_point>* t) { t->push_back(ctx.now()); }
      void handle(const fail_now& m) { throw std::runtime_error(m.why); }
    };
    std::vector<troupe::time_point> starts;
    starts.reserve(64);
    test_system b({.seed = seed});
    const auto t = b.sys.spawn<timed>({.backoff = {100ms, 500ms, 0.5}, .restarts = {1000, 1h}}, &starts);
    const auto crash = [&] {
      const auto began = b.sys.now();
      const auto known = starts.size();
      REQUIRE(t.tell(fail_now{"x"}) == send_result::ok);
      b.run();
      CHECK(b.sys.inspect().children[0].state == troupe::actor_state::restarting);
      CHECK(t.tell(fail_now{"y"}) == send_result::ok);  // its mailbox is open
      for (int i = 0; i < 2000 && starts.size() == known; ++i) b.advance(1ms);
      return (starts.at(known) - began) / 1ms;
    };
    // Each start handles the message that was sent meanwhile, and crashes again.
    const auto first = crash();
    CHECK(first >= 50);
    CHECK(first <= 100);
    b.advance(60s);
    for (std::size_t i = 3; i < starts.size(); ++i) CHECK(starts[i] - starts[i - 1] <= 500ms);
    const auto again = crash();  // quiet for long: from the beginning
    CHECK(again >= 50);
    CHECK(again <= 100);
  });
}

TEST_CASE("backoff: a stop during the pause takes effect at once") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto m = b.sys.spawn<mortal>({.backoff = {10s, 10s, 0}});
    REQUIRE(m.tell(fail_now{"x"}) == send_result::ok);
    b.advance(1s);
    const auto began = b.sys.now();
    b.sys.stop(m);
    b.run();
    CHECK(m.ended());
    CHECK(b.sys.now() == began);
  });
}

TEST_CASE("restart: children are stopped, and waited for, before the next incarnation starts") {
  struct slow_child {
    using accepts = troupe::protocol<leave>;
    explicit slow_child(history* h) : log(h) {}
    troupe::task<void> handle(leave) { co_await troupe::sleep_for(2s); }
    ~slow_child() { log->push_back("child gone"); }
    history* log;
  };
  struct parent {
    using accepts = troupe::protocol<fail_now>;
    parent(troupe::context& ctx, history* h) {
      h->push_back("parent starts");
      const auto c =
          ctx.spawn<slow_child>({.name = "c", .mailbox = {.when_stopped = troupe::on_stop::drain}}, h);
      (void)c.tell(leave{});
    }
    void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto p = b.sys.spawn<parent>({.name = "p"}, &log);
      b.run();
      REQUIRE(p.tell(fail_now{"x"}) == send_result::ok);
      b.advance(1s);
      CHECK(log == history{"parent starts"});
      b.advance(2s);
      CHECK(log == history{"parent starts", "child gone", "parent starts"});
    }
  });
}

TEST_CASE("restart: a reply that comes for the old incarnation never reaches the new one") {
  struct asker {
    using accepts = troupe::protocol<leave, fail_now>;
    asker(troupe::ref<get> t, history* h) : to(std::move(t)), log(h) {}
    troupe::task<void> handle(leave) {
      log->push_back("asks");
      const auto r = co_await to.ask(get{});
      log->push_back(r ? "reply" : "none");
    }
    void handle(const fail_now&) {}
    troupe::ref<get> to;
    history* log;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      probe<get> asked(b.sys);
      const auto a = b.sys.spawn<asker>({}, asked.ref(), &log);
      REQUIRE(a.tell(leave{}) == send_result::ok);
      auto r = asked.expect<get>();
      b.crash(a);
      b.run();
      REQUIRE(a.tell(leave{}) == send_result::ok);
      b.run();
      r.reply.send(1);
      b.run();
      CHECK(log == history{"asks", "asks"});
      asked.expect<get>().reply.send(2);
      b.run();
      CHECK(log == history{"asks", "asks", "reply"});
    }
  });
}

TEST_CASE("an actor that cannot be made from copies is never restarted") {
  struct owner {
    using accepts = troupe::protocol<fail_now>;
    explicit owner(std::unique_ptr<int> p) : owned(std::move(p)) {}
    void handle(const fail_now& m) { throw std::runtime_error(m.why); }
    std::unique_ptr<int> owned;
  };
  test_system b;
  const auto o = b.sys.spawn<owner>({.restart = restart::permanent}, std::make_unique<int>(1));
  REQUIRE(o.tell(fail_now{"x"}) == send_result::ok);
  b.run();
  CHECK(o.ended());
}
