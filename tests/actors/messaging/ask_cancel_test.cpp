// Deadlines travel with the ask, and a request that is given up may cancel the work for it.
#include "actors/common.hpp"

#include <atomic>

using namespace actors_test;
using troupe::errc;

namespace {

struct work {
  using reply = int;
  troupe::duration takes;
};
struct go {
  troupe::duration deadline;
  troupe::duration takes;
};

errc code_of(const troupe::result<int>& r) {
  return r ? errc{} : static_cast<errc>(r.error().code().value());
}

/// The counters of the work that the tests check.
struct ledger {
  std::atomic<int> begun{0};
  std::atomic<int> done{0};
  std::atomic<int> undone{0};  // unwound before its end
};

class entry {
 public:
  explicit entry(ledger& l) : ledger_(l) { ++ledger_.begun; }
  entry(const entry&) = delete;
  entry& operator=(const entry&) = delete;
  ~entry() { ++(finished_ ? ledger_.done : ledger_.undone); }
  void finish() { finished_ = true; }

 private:
  ledger& ledger_;
  bool finished_ = false;
};

struct worker {
  using accepts = troupe::protocol<work>;
  explicit worker(ledger* l) : book(l) {}
  troupe::task<int> handle(work m) {
    entry e(*book);
    co_await troupe::sleep_for(m.takes);
    e.finish();
    co_return 1;
  }
  ledger* book;
};

struct outcome {
  errc code;
  troupe::time_point when;
};

/// Asks with `cancel_on_timeout`, and reports.
struct asker {
  using accepts = troupe::protocol<go>;
  asker(troupe::ref<work> t, troupe::ref<outcome> r) : to(std::move(t)), report(std::move(r)) {}
  troupe::task<void> handle(go m, troupe::context& ctx) {
    const auto r = co_await to.ask(work{m.takes}, m.deadline, troupe::cancel_on_timeout);
    (void)report.tell(outcome{code_of(r), ctx.now()});
  }
  troupe::ref<work> to;
  troupe::ref<outcome> report;
};

/// Hands each request on to the next one, with `cancel_on_timeout`.
struct between {
  using accepts = troupe::protocol<work>;
  between(troupe::ref<work> t, ledger* l) : to(std::move(t)), book(l) {}
  troupe::task<int> handle(work m) {
    entry e(*book);
    const auto r = co_await to.ask(m, 1h, troupe::cancel_on_timeout);
    e.finish();
    co_return r.value_or(-1);
  }
  troupe::ref<work> to;
  ledger* book;
};

/// A system with a worker, and a probe for what the askers report. The ledger outlives it.
struct work_system : test_system {
  work_system(std::uint64_t seed, ledger& book)
      : test_system({.seed = seed}), w(sys.spawn<worker>({}, &book)) {}
  [[nodiscard]] troupe::ref<go> spawn_asker(troupe::ref<work> of) {
    return sys.spawn<asker>({}, std::move(of), reports.ref());
  }

  probe<outcome> reports{sys};
  troupe::ref<work> w;
};

}  // namespace

TEST_CASE("deadline: a handler sees when its asker gives up") {
  struct clock {
    using accepts = troupe::protocol<work, get>;
    troupe::task<int> handle(work m, troupe::context& ctx) {
      const auto d = ctx.deadline();
      co_await troupe::sleep_for(m.takes);
      co_return ctx.deadline() == d&& d - ctx.now() == 400ms - m.takes ? 1 : 0;
    }
    int handle(get, troupe::context& ctx) { return ctx.deadline() == troupe::time_point::max() ? 1 : 0; }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<clock>();
    CHECK(b.await(c.ask(work{100ms}, 400ms)).value() == 1);
    CHECK(b.await(c.ask(get{}, troupe::forever)).value() == 1);
  });
}

TEST_CASE("deadline: what a handler asks ends with the request that it works on") {
  struct nested {
    using accepts = troupe::protocol<work, get>;
    nested(troupe::ref<work> t, troupe::ref<outcome> r) : to(std::move(t)), report(std::move(r)) {}
    troupe::task<int> handle(work m, troupe::context& ctx) {
      const auto r = co_await to.ask(m, 1h);
      (void)report.tell(outcome{code_of(r), ctx.now()});
      auto pending = to.request(m, 1h);
      const auto replied = co_await pending;
      (void)report.tell(outcome{code_of(replied), ctx.now()});
      co_return 1;
    }
    troupe::task<int> handle(get, troupe::context& ctx) {  // its own deadline is the shorter one
      const auto r = co_await to.ask(work{10s}, 50ms);
      (void)report.tell(outcome{code_of(r), ctx.now()});
      co_return 1;
    }
    troupe::ref<work> to;
    troupe::ref<outcome> report;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger book;
    work_system b(seed, book);
    const auto middle = b.sys.spawn<nested>({}, b.w, b.reports.ref());
    const auto first = b.sys.spawn<nested>({}, middle, b.reports.ref());
    const auto began = b.sys.now();
    CHECK(code_of(b.await(first.ask(work{10s}, 300ms))) == errc::timeout);
    CHECK(b.sys.now() - began == 300ms);
    for (int i = 0; i < 4; ++i) {
      const auto o = b.reports.expect<outcome>();
      CHECK(o.code == errc::timeout);
      CHECK(o.when - began == 300ms);
    }
    const auto again = b.sys.now();
    CHECK(code_of(b.await(middle.ask(get{}, 1s))) == errc{});
    CHECK(b.sys.now() - again == 50ms);
  });
}

TEST_CASE("cancel_on_timeout: at the deadline the work for the request is unwound, and the actor lives on") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger book;
    work_system b(seed, book);
    const auto a = b.spawn_asker(b.w);
    REQUIRE(a.tell(go{100ms, 1h}) == send_result::ok);
    CHECK(b.reports.expect<outcome>().code == errc::timeout);
    b.run();
    CHECK(book.undone == 1);
    const auto now = b.sys.now();
    CHECK(b.await(b.w.ask(work{1ms})).value() == 1);
    CHECK(b.sys.now() - now == 1ms);
    CHECK(b.sys.counters().restarts == 0);
    // From a task as well.
    CHECK(code_of(b.await(b.w.ask(work{1h}, 10ms, troupe::cancel_on_timeout))) == errc::timeout);
    b.run();
    CHECK(book.undone == 2);
    // And not unless it was asked for.
    CHECK(code_of(b.await(b.w.ask(work{1s}, 10ms))) == errc::timeout);
    b.advance(2s);
    CHECK(book.undone == 2);
    CHECK(book.done == 2);
  });
}

TEST_CASE("cancel_on_timeout: an asker that is stopped, crashes, or is cancelled takes its request along") {
  struct scoped {
    using accepts = troupe::protocol<go>;
    scoped(troupe::ref<work> t, troupe::ref<outcome> r) : to(std::move(t)), report(std::move(r)) {}
    static troupe::task<int> inner(troupe::ref<work> to, troupe::duration takes) {
      co_return (co_await to.ask(work{takes}, 1h, troupe::cancel_on_timeout)).value();
    }
    troupe::task<void> handle(go m, troupe::context& ctx) {
      const auto r = co_await troupe::with_timeout(inner(to, m.takes), m.deadline);
      (void)report.tell(outcome{code_of(r), ctx.now()});
    }
    troupe::ref<work> to;
    troupe::ref<outcome> report;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger book;
    work_system b(seed, book);
    const auto a = b.spawn_asker(b.w);
    REQUIRE(a.tell(go{1h, 1h}) == send_result::ok);
    b.advance(1ms);
    b.crash(a);
    b.run();
    CHECK(book.undone == 1);
    REQUIRE(a.tell(go{1h, 1h}) == send_result::ok);
    b.advance(1ms);
    b.sys.stop(a);
    b.run();
    CHECK(book.undone == 2);
    const auto s = b.sys.spawn<scoped>({}, b.w, b.reports.ref());
    REQUIRE(s.tell(go{10ms, 1h}) == send_result::ok);
    CHECK(b.reports.expect<outcome>().code == errc::timeout);
    b.run();
    CHECK(book.undone == 3);
    CHECK(b.await(b.w.ask(work{1ms})).value() == 1);
  });
}

TEST_CASE("cancel_on_timeout: a request that is still queued is dropped unhandled") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger book;
    work_system b(seed, book);
    const auto a = b.spawn_asker(b.w);
    const auto other = b.spawn_asker(b.w);
    REQUIRE(b.w.tell(work{1s}) == send_result::ok);
    REQUIRE(a.tell(go{100ms, 1s}) == send_result::ok);
    b.advance(10ms);
    REQUIRE(other.tell(go{1h, 1ms}) == send_result::ok);
    CHECK(b.reports.expect<outcome>().code == errc::timeout);
    CHECK(b.reports.expect<outcome>().code == errc{});
    CHECK(book.begun == 2);
    CHECK(book.undone == 0);
    // A coroutine actor is not handed it either.
    const auto session = [](troupe::context&, troupe::inbox<work> in, ledger* l) -> troupe::task<void> {
      for (;;) {
        auto r = std::get<0>(co_await in.receive());
        ++l->begun;
        co_await troupe::sleep_for(r.message.takes);
        r.reply.send(1);
      }
    };
    const auto c = b.sys.spawn(session, {}, &book);
    REQUIRE(c.tell(work{1s}) == send_result::ok);
    b.run();
    CHECK(code_of(b.await(c.ask(work{1s}, 100ms, troupe::cancel_on_timeout))) == errc::timeout);
    b.advance(10s);
    CHECK(book.begun == 3);
    CHECK(b.await(c.ask(work{1ms})).value() == 1);
  });
}

TEST_CASE("cancel_on_timeout: travels down a chain of asks") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger bottom;
    ledger middle;
    work_system b(seed, bottom);
    troupe::ref<work> to = b.w;
    for (int i = 0; i < 5; ++i) to = b.sys.spawn<between>({}, to, &middle);
    const auto a = b.spawn_asker(to);
    REQUIRE(a.tell(go{1h, 30min}) == send_result::ok);
    b.advance(1ms);
    b.sys.stop(a);
    b.run();
    CHECK(bottom.undone == 1);
    CHECK(middle.undone == 5);
    CHECK(b.await(to.ask(work{1ms})).value() == 1);
    CHECK(middle.done == 5);
    CHECK(b.await(b.w.ask(work{1ms})).value() == 1);
  });
}

TEST_CASE("cancel_on_timeout: the answer of a handler that goes on after it was cancelled is dropped") {
  struct stubborn {
    using accepts = troupe::protocol<work, get>;
    troupe::task<int> handle(work m) {
      const auto r = co_await troupe::as_result(troupe::sleep_for(m.takes));
      if (!r && r.error() == errc::cancelled) ++cancelled;
      co_return 1;
    }
    int handle(get) const { return cancelled; }
    int cancelled = 0;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto s = b.sys.spawn<stubborn>();
    for (int i = 1; i <= 3; ++i) {
      CHECK(code_of(b.await(s.ask(work{1h}, 10ms, troupe::cancel_on_timeout))) == errc::timeout);
      CHECK(b.await(s.ask(get{})).value() == i);
    }
  });
}

TEST_CASE("cancel_on_timeout: has no effect on an actor that took the obligation") {
  struct later {
    using accepts = troupe::protocol<work, get>;
    explicit later(ledger* l) : book(l) {}
    troupe::task<void> handle(work m, troupe::reply_to<int> owed) {
      entry e(*book);
      co_await troupe::sleep_for(m.takes);
      e.finish();
      owed.send(1);
    }
    int handle(get) { return 1; }
    ledger* book;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    ledger book;
    test_system b({.seed = seed});
    const auto l = b.sys.spawn<later>({}, &book);
    CHECK(code_of(b.await(l.ask(work{1s}, 10ms, troupe::cancel_on_timeout))) == errc::timeout);
    CHECK(b.await(l.ask(get{})).value() == 1);
    CHECK(book.done == 1);
  });
}

TEST_CASE(
    "cancel_on_timeout: at the very moment of the reply, of a crash, or of a stop there is one outcome") {
  for_each_seed(200, [](std::uint64_t seed) {
    ledger book;
    work_system b(seed, book);
    for (int how = 0; how < 3; ++how) {
      std::vector<troupe::any_ref> askers;
      for (int i = 0; i < 3; ++i) {
        const auto a = b.spawn_asker(b.w);
        askers.push_back(a);
        REQUIRE(a.tell(go{how == 2 ? 3s : 1s, 1s}) == send_result::ok);
      }
      if (how == 1) {
        b.advance(999ms);
        b.crash(b.w);
        b.sys.stop(askers[0]);
      } else if (how == 2) {
        b.advance(500ms);
        b.sys.stop(b.w);
        b.sys.stop(askers[1]);
      }
      b.advance(10s);
      for (const auto& a : askers) b.sys.stop(a);
      b.run();
      int outcomes = 0;
      for (; outcomes < 3; ++outcomes) {
        if (how != 0 && outcomes == 2) break;
        const auto o = b.reports.expect<outcome>();
        CHECK((o.code == errc{} || o.code == errc::timeout || o.code == errc::closed ||
               o.code == errc::actor_failed));
      }
      if (how < 2) {
        CHECK(b.await(b.w.ask(work{1ms})).value() == 1);
        CHECK(book.begun == book.done + book.undone);
      }
    }
  });
}

TEST_CASE(
    "cancel_on_timeout: on threads, deadlines, stops, crashes and replies at once leave nothing behind") {
  const troupe::testkit::leak_guard memory;
  ledger bottom;
  ledger middle;
  {
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = 2, .log = &log});
    probe<outcome> p(sys, {.mailbox = {.capacity = 60'000}});
    const auto w = sys.spawn<worker>({.restarts = {1'000'000, 1s}}, &bottom);
    const troupe::ref<work> mid = sys.spawn<between>({}, w, &middle);
    int asked = 0;
    for (int round = 0; round < 300; ++round) {
      std::vector<troupe::ref<go>> askers;
      for (int i = 0; i < 4; ++i) {
        askers.push_back(sys.spawn<asker>({}, i % 2 == 0 ? mid : troupe::ref<work>(w), p.ref()));
        for (int k = 0; k < 4; ++k) {
          if (askers.back().tell(go{std::chrono::microseconds(100 * (round % 7)), 200us}) == send_result::ok)
            ++asked;
        }
      }
      if (round % 3 == 0) w.cell()->request(troupe::detail::cell::order_crash);
      if (round % 2 == 0) {
        for (const auto& a : askers) sys.stop(a);
      } else {
        for (int i = 0; i < 16; ++i) p.expect<outcome>(30s);
      }
      for (const auto& a : askers) sys.stop(a);
    }
    CHECK(asked == 300 * 16);
    troupe::result<int> r = std::unexpected(troupe::error(errc::full));
    while (!r && (r.error() == errc::full || r.error() == errc::actor_failed)) {
      r = sys.block_on(mid.ask(work{1us}, 30s));
    }
    CHECK(r.value_or(-1) == 1);
  }
  CHECK(bottom.begun == bottom.done + bottom.undone);
  CHECK(middle.begun == middle.done + middle.undone);
  CHECK(bottom.undone > 0);
  memory.verify();
}
