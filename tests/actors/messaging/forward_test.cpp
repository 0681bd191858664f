// A request that is handed on to another actor keeps what its asker gave it: the deadline, the cancellation,
// and the edge of the wait-for graph.
#include "deadlock.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::context;
using troupe::inbox;
using troupe::reply_to;
using troupe::request;
using troupe::task;

namespace {

struct job {
  using reply = std::string;
  std::string text;
};
struct other_job {
  using reply = std::string;
};
using jobs = troupe::ref<job>;

/// Forwards its requests.
struct front {
  using accepts = troupe::protocol<job>;
  explicit front(jobs t) : to(std::move(t)) {}
  void handle(job m, reply_to<std::string> owed) {
    troupe::forward(request<job>{{m.text + "+"}, std::move(owed)}, to);
  }
  jobs to;
};
/// The same as a coroutine, after a while.
task<void> slow_front(context&, inbox<job> in, jobs to) {
  for (;;) {
    auto m = co_await in.receive();
    co_await troupe::sleep_for(1ms);
    troupe::forward(std::get<0>(std::move(m)), to);
  }
}

/// Works for as long as its asker waits at most, and reports its result.
struct back {
  using accepts = troupe::protocol<job, play>;
  explicit back(std::vector<troupe::time_point>* d, std::atomic<int>* c) : deadlines(d), cancelled(c) {}
  task<std::string> handle(const job& m, context& ctx) {
    struct counts {
      std::atomic<int>* n;
      ~counts() {
        if (n != nullptr) ++*n;
      }
    } unless_done{cancelled};
    deadlines->push_back(ctx.deadline());
    if (m.text.starts_with("slow")) co_await troupe::sleep_for(1h);
    unless_done.n = nullptr;
    co_return m.text + "!";
  }
  task<void> handle(play p, context& ctx) { co_await p.body(ctx); }
  std::vector<troupe::time_point>* deadlines;
  std::atomic<int>* cancelled;
};

struct seen {
  std::vector<troupe::time_point> deadlines;
  std::atomic<int> cancelled{0};
};

/// An actor that works, one before it that hands on after a while, and one that hands on to that at once.
struct chain {
  explicit chain(test_system& b, seen& s)
      : last(b.sys.spawn<back>({}, &s.deadlines, &s.cancelled)),
        middle(b.sys.spawn(slow_front, {}, jobs(last))),
        first(b.sys.spawn<front>({}, middle)) {}
  troupe::ref_of<back> last;
  jobs middle;
  jobs first;
};

task<void> asks_job(jobs to, std::string text, troupe::ref<outcome> report, std::string who) {
  job asked{std::move(text)};
  const auto r = co_await to.ask(std::move(asked), troupe::forever);
  (void)report.tell(outcome{who, r ? errc{} : code_of(r.error()), r ? *r : std::string(r.error().text())});
}

}  // namespace

TEST_CASE("forward: the asker is answered by the last one, by the deadline it gave") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    seen s;
    test_system b({.seed = seed});
    const chain line(b, s);
    const auto began = b.sys.now();
    CHECK(b.await(line.first.ask(job{"x"}, 1s)).value() == "x+!");
    REQUIRE(s.deadlines.size() == 1);
    CHECK(s.deadlines[0] == began + 1s);
    CHECK(b.await(line.first.ask(job{"slow"}, 1s)).error() == errc::timeout);
    CHECK(b.sys.now() == began + 1s + 1ms);
  });
}

TEST_CASE("forward: a request that is given up is not worked on any more, wherever it is") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    seen s;
    test_system b({.seed = seed});
    const chain line(b, s);
    // In work; then behind the next one in the last one's mailbox; then in the middle.
    CHECK(b.await(line.first.ask(job{"slow"}, 10ms, troupe::cancel_on_timeout)).error() == errc::timeout);
    b.run();
    CHECK(s.cancelled == 1);
    const auto sleeps = play{[](context&) -> task<void> { co_await troupe::sleep_for(50ms); }};
    REQUIRE(line.last.tell(sleeps) == send_result::ok);
    CHECK(b.await(line.first.ask(job{"slow"}, 10ms, troupe::cancel_on_timeout)).error() == errc::timeout);
    CHECK(b.await(line.first.ask(job{"slow"}, 500us, troupe::cancel_on_timeout)).error() == errc::timeout);
    b.advance(1s);
    CHECK(s.cancelled == 1);
    CHECK(s.deadlines.size() == 1);
    CHECK(b.await(line.first.ask(job{"x"})).value() == "x+!");
  });
}

TEST_CASE("forward: the wait goes along: a cycle that it closes, or that is closed later, is refused") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    seen s;
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const auto last = b.sys.spawn<back>({.name = "last"}, &s.deadlines, &s.cancelled);
    const auto middle = b.sys.spawn(slow_front, {.name = "middle"}, jobs(last));
    const stage one = b.sys.spawn<player>(named("one"));
    const auto ask_through = [&](const jobs& to) {
      return play{[to, report = p.ref()](context& ctx) -> task<void> {
        const auto who = ctx.path();
        co_await asks_job(to, "x", report, who);
      }};
    };
    const auto ask_one_after = [&](troupe::duration d) {
      return play{[one, d, report = p.ref()](context& ctx) -> task<void> {
        co_await troupe::sleep_for(d);
        const auto r = co_await one.ask(ping{}, troupe::forever);
        (void)report.tell(outcome{ctx.path(), r ? errc{} : code_of(r.error()), {}});
      }};
    };
    // The last one asks the first one, whose request waits in its mailbox by then.
    REQUIRE(one.tell(ask_through(middle)) == send_result::ok);
    REQUIRE(last.tell(ask_one_after(5ms)) == send_result::ok);
    auto o = p.expect<outcome>(1s);
    CHECK(o.who == "/last");
    CHECK(o.code == errc::would_deadlock);
    CHECK(p.expect<outcome>(1s).text == "x!");
    // It asks first, and the request comes when it waits already.
    REQUIRE(one.tell(ask_through(middle)) == send_result::ok);
    REQUIRE(last.tell(ask_one_after(100us)) == send_result::ok);
    o = p.expect<outcome>(1s);
    CHECK(o.who == "/one");
    CHECK(o.code == errc::would_deadlock);
    CHECK(o.text == "waiting would close a cycle: /one asks /last, /last asks /one");
    CHECK(p.expect<outcome>(1s).code == errc{});
    CHECK(b.sys.counters().deadlocks == 2);
    p.expect_nothing_for(10s);
  });
}

TEST_CASE("forward: back to the asker, to the full and to the dead") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    seen s;
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const auto last = b.sys.spawn<back>({.mailbox = {.capacity = 1}}, &s.deadlines, &s.cancelled);
    const auto first = b.sys.spawn<front>({}, jobs(last));
    const auto returning = b.sys.spawn(slow_front, {}, jobs(last));
    REQUIRE(last.tell(play{[returning, report = p.ref()](context&) -> task<void> {
      co_await asks_job(returning, "x", report, "last");
    }}) == send_result::ok);
    CHECK(p.expect<outcome>(1s).code == errc::would_deadlock);
    REQUIRE(last.tell(play{[](context&) -> task<void> { co_await troupe::sleep_for(1s); }}) ==
            send_result::ok);
    CHECK(b.await(first.ask(job{"x"})).error() == errc::full);
    b.sys.stop(last);
    b.run();
    CHECK(b.await(first.ask(job{"x"})).error() == errc::closed);
  });
}

TEST_CASE("forward: a request of another type, or an answered one, is refused with a sentence") {
  struct mixes_up {
    using accepts = troupe::protocol<other_job, job>;
    explicit mixes_up(jobs t) : to(std::move(t)) {}
    void handle(other_job, reply_to<std::string> owed) {
      troupe::forward(request<job>{{"x"}, std::move(owed)}, to);
    }
    void handle(job m, reply_to<std::string> owed) {
      owed.send("done");
      troupe::forward(request<job>{std::move(m), std::move(owed)}, to);
    }
    jobs to;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    seen s;
    test_system b({.seed = seed});
    const auto last = b.sys.spawn<back>({}, &s.deadlines, &s.cancelled);
    const auto m = b.sys.spawn<mixes_up>({}, jobs(last));
    const auto wrong = b.await(m.ask(other_job{}));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error() == errc::actor_failed);
    CHECK(wrong.error().to_string().find("forward: the reply_to is of") != std::string::npos);
    CHECK(b.await(m.ask(job{})).value() == "done");
    b.run();
    CHECK(b.sys.counters().crashes == 2);
    CHECK(s.deadlines.empty());
  });
}

TEST_CASE("forward: on threads, askers give up while their requests are handed on") {
  const troupe::testkit::leak_guard memory;
  {
    struct quick {
      using accepts = troupe::protocol<job>;
      std::string handle(const job& m) { return m.text; }
    };
    troupe::system sys({.workers = 2});
    const auto last = sys.spawn<quick>();
    const auto middle = sys.spawn<front>({}, jobs(last));
    const auto first = sys.spawn<front>({}, jobs(middle));
    probe<outcome> p(sys, {.mailbox = {.capacity = 10'000}});
    std::vector<stage> askers;
    for (int i = 0; i < 4; ++i) askers.push_back(sys.spawn<player>());
    for (const auto& a : askers) {
      REQUIRE(a.tell(play{[first, report = p.ref()](context&) -> task<void> {
        int bad = 0;
        for (int i = 0; i < 500; ++i) {
          const auto limit = troupe::duration(1 + i % 50 * 1000);
          job asked{"x"};
          const auto r = co_await first.ask(std::move(asked), i % 3 == 0 ? troupe::forever : limit,
                                            troupe::cancel_on_timeout);
          if (r ? *r != "x++" : r.error() != errc::timeout) ++bad;
        }
        (void)report.tell(outcome{"", errc{}, std::to_string(bad)});
      }}) == send_result::ok);
    }
    for (int i = 0; i < 4; ++i) CHECK(p.expect<outcome>(60s).text == "0");
    CHECK(sys.counters().deadlocks == 0);
  }
  memory.verify();
}
