// The phases of a stop.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;

namespace {

struct work {
  int number;
};

struct logged {
  using accepts = troupe::protocol<work>;
  logged(std::string n, history* h) : name(std::move(n)), log(h) {}
  ~logged() { log->push_back(name + " state"); }
  void handle(work) {}
  void stopping(troupe::context&, const troupe::exit_reason& why) {
    log->push_back(name + " hook " + std::string(to_string(why.kind())));
  }
  std::string name;
  history* log;
};

struct family {
  using accepts = troupe::protocol<work>;
  family(troupe::context& ctx, history* h) : self("parent", h) {
    ctx.spawn<logged>({.name = "a"}, std::string("a"), h);
    ctx.spawn<logged>({.name = "b"}, std::string("b"), h);
  }
  void handle(work) {}
  void stopping(troupe::context& c, const troupe::exit_reason& why) { self.stopping(c, why); }
  logged self;
};

struct slow {
  using accepts = troupe::protocol<work>;
  explicit slow(history* h) : log(h) {}
  troupe::task<void> handle(work m) {
    co_await troupe::sleep_for(1s);
    log->push_back(std::to_string(m.number));
  }
  history* log;
};

}  // namespace

TEST_CASE("stop: children first, in reverse; then the hook, the state, the watchers") {
  struct last {
    using accepts = troupe::protocol<>;
    last(troupe::any_ref w, history* h) : who(std::move(w)), log(h) {}
    void started(troupe::context& ctx) { ctx.watch(who); }
    void handle(const troupe::down&) { log->push_back("watcher"); }
    troupe::any_ref who;
    history* log;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto f = b.sys.spawn<family>({.name = "f"}, &log);
      b.sys.spawn<last>({}, f, &log);
      b.run();
      b.sys.stop(f);
      b.sys.stop(f);
      b.run();
      CHECK(log == history{"b hook shutdown", "b state", "a hook shutdown", "a state", "parent hook shutdown",
                           "parent state", "watcher"});
    }
  });
}

TEST_CASE("stop: overtakes what is queued, which bounces") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      troupe::testkit::dead_letter_probe lost(b.sys);
      const auto s = b.sys.spawn<slow>({}, &log);
      for (int i = 0; i < 5; ++i) REQUIRE(s.tell(work{i}) == send_result::ok);
      b.run();
      b.sys.stop(s);
      CHECK(lost.count() == 4);
      CHECK(s.ended());
      CHECK(log.empty());
    }
  });
}

TEST_CASE("stop: with drain, what is queued is handled and what is new is refused") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      probe<> p(b.sys);
      const auto s =
          b.sys.spawn<slow>({.mailbox = {.when_stopped = troupe::on_stop::drain}, .shutdown = 1min}, &log);
      p.watch(s);
      for (int i = 0; i < 3; ++i) REQUIRE(s.tell(work{i}) == send_result::ok);
      b.sys.stop(s);
      b.run();
      CHECK(s.tell(work{9}) == send_result::closed);
      CHECK(p.expect<troupe::down>().reason.kind() == exit_kind::shutdown);
      CHECK(log == history{"0", "1", "2"});
    }
  });
}

TEST_CASE("stop: draining ends at the deadline, with a kill that waits for no hook") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      probe<> p(b.sys);
      const auto s =
          b.sys.spawn<slow>({.mailbox = {.when_stopped = troupe::on_stop::drain}, .shutdown = 2500ms}, &log);
      p.watch(s);
      for (int i = 0; i < 5; ++i) REQUIRE(s.tell(work{i}) == send_result::ok);
      b.run();
      const auto began = b.sys.now();
      b.sys.stop(s);
      CHECK(p.expect<troupe::down>().reason.kind() == exit_kind::killed);
      CHECK(b.sys.now() - began == 2500ms);
      CHECK(log == history{"0", "1"});
    }
  });
}

TEST_CASE("stop: deadlines nest: no actor takes longer than those above allow") {
  struct level {
    using accepts = troupe::protocol<work>;
    level(troupe::context& ctx, int depth, history* h) {
      if (depth > 0) {
        ctx.spawn<level>({.name = "l", .shutdown = 1h}, depth - 1, h);
      } else {
        const auto s = ctx.spawn<slow>(
            {.name = "s", .mailbox = {.when_stopped = troupe::on_stop::drain}, .shutdown = 1h}, h);
        for (int i = 0; i < 100; ++i) (void)s.tell(work{i});
      }
    }
    void handle(work) {}
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      probe<> p(b.sys);
      const auto top = b.sys.spawn<level>({.name = "top", .shutdown = 3s}, 10, &log);
      p.watch(top);
      b.run();
      const auto began = b.sys.now();
      b.sys.stop(top);
      CHECK(p.expect<troupe::down>(1min).reason.kind() == exit_kind::killed);
      CHECK(b.sys.now() - began <= 3s);
      CHECK(b.sys.inspect().count() == 2);
    }
  });
}

TEST_CASE("hooks: what they throw is reported and stops nothing") {
  struct rude {
    using accepts = troupe::protocol<work>;
    void handle(work) {}
    void started(troupe::context&) { throw std::runtime_error("rude start"); }
    void stopping(troupe::context&, const troupe::exit_reason&) { throw std::runtime_error("rude stop"); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto r = b.sys.spawn<rude>({.name = "rude"});
    b.run();
    CHECK_FALSE(r.ended());
    CHECK(b.log.count("/rude: its started hook threw: rude start", troupe::log_level::error) == 1);
    b.sys.stop(r);
    b.run();
    CHECK(r.ended());
    CHECK(b.log.count("/rude: its stopping hook threw: rude stop", troupe::log_level::error) == 1);
  });
}

TEST_CASE("shutdown: stops everything, and the destructor does too") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto f = b.sys.spawn<family>({.name = "f"}, &log);
      const auto s = b.sys.spawn<slow>({}, &log);
      REQUIRE(s.tell(work{1}) == send_result::ok);
      if (seed % 2 == 0) {
        CHECK(b.sys.shutdown());
        CHECK(f.ended());
        CHECK(s.ended());
        CHECK(b.sys.shutdown());
      }
    }
    CHECK(log.size() == 6);
  });
}

TEST_CASE("shutdown: ten thousand children of one parent stop in parallel") {
  struct crowd {
    using accepts = troupe::protocol<work>;
    crowd(troupe::context& ctx, history* h) {
      for (int i = 0; i < 10'000; ++i) {
        const auto s = ctx.spawn<slow>({.mailbox = {.when_stopped = troupe::on_stop::drain}}, h);
        (void)s.tell(work{i});
      }
    }
    void handle(work) {}
  };
  history log;
  {
    test_system b;
    const auto c = b.sys.spawn<crowd>({.shutdown = 4s, .stop_children = troupe::stop_order::parallel}, &log);
    b.run();
    const auto began = b.sys.now();
    b.sys.stop(c);
    b.advance(4s);
    CHECK(c.ended());
    CHECK(b.sys.now() - began <= 4s);
    CHECK(log.size() == 10'000);
  }
}
