// State that is kept from one incarnation to the next, and state that ends with the old one.
#include "cast.hpp"

using namespace conformance;

namespace {

struct go {};
struct question {
  using reply = int;
};

/// Starts a child that takes long to stop.
struct parent : member {
  parent(troupe::context& ctx, record* h, bool once, troupe::duration last_nap) : member(ctx, h) {
    if (once && ctx.epoch() > 0) return;
    const auto c = ctx.spawn<member>({.name = "child", .mailbox = draining, .shutdown = 1h}, h);
    if (last_nap.count() > 0) (void)c.tell(nap{last_nap});
  }
};

}  // namespace

TEST_CASE("19 a restart stops the children, and waits for a slow one") {
  everywhere([](world& w) {
    const troupe::duration length = w.time(2s);
    (void)w.start(troupe::supervisor("app").child<parent>("p", {}, &w.history, false, length));
    w.settle();
    const auto began = w.now();
    crash(w, "/app/p");
    REQUIRE(w.eventually([&] { return w.history.size() == 6; }));
    if (w.simulated()) REQUIRE(w.now() - began == length);
    REQUIRE(w.history.all() == lines{"+p", "+child", "-child", "-p", "+p", "+child"});
  });
}

TEST_CASE("21 keep_children: they live on when their parent is restarted, and end when it ends") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app").child<parent>("p", {.keep_children = true}, &w.history, true, 0s));
    const auto child = member_at(w, "/app/p/child");
    crash_and_wait(w, "/app/p");
    w.settle();
    REQUIRE_FALSE(child.ended());
    REQUIRE(w.epoch("/app/p/child") == 0);
    REQUIRE(w.await(child.ask(epoch_now{})).value() == 0);
    crash_and_wait(w, "/app/p/child");  // its parent still answers for it
    REQUIRE(w.await(top.stop_child("p")));
    REQUIRE(w.eventually([&] { return child.ended(); }));
    REQUIRE(w.eventually([&] { return w.population() == 1; }));
    REQUIRE(w.history.all() == lines{"+p", "+child", "-p", "+p", "-child", "+child", "-child", "-p"});
  });
}

TEST_CASE("23 the timer of an old incarnation never fires") {
  struct clock {
    using accepts = troupe::protocol<go, boom>;
    clock(troupe::context& ctx, record* h, troupe::duration d) : history(h) { ctx.after(d, go{}); }
    void handle(go, troupe::context& ctx) { history->put("tick " + std::to_string(ctx.epoch())); }
    void handle(const boom& m) { throw std::runtime_error(m.why); }
    record* history;
  };
  everywhere([](world& w) {
    (void)w.start(troupe::supervisor("app").child<clock>("c", {}, &w.history, w.simulated() ? 1s : 10ms));
    const auto c = w.sys.at<go, boom>("/app/c").value();
    if (w.simulated()) w.pass(500ms);
    w.tell(c, boom{});
    REQUIRE(w.eventually([&] { return w.history.count("tick 1") == 1; }));
    w.pass(w.simulated() ? 1min : 5ms);
    REQUIRE(w.history.count("tick 1") == 1);
    // On real threads the first tick may have come before the crash.
    if (w.simulated()) REQUIRE(w.history.all() == lines{"tick 1"});
  });
}

TEST_CASE("23 the reply to an old incarnation never arrives") {
  struct asker {
    using accepts = troupe::protocol<go, boom>;
    asker(troupe::ref<question> t, record* h) : to(std::move(t)), history(h) {}
    troupe::task<void> handle(go, troupe::context& ctx) {
      const auto answer = co_await to.ask(question{});
      history->put(std::to_string(ctx.epoch()) + ": " + (answer ? std::to_string(*answer) : "none"));
    }
    void handle(const boom&) {}
    troupe::ref<question> to;
    record* history;
  };
  everywhere([](world& w) {
    probe<question> asked(w.sys);
    (void)w.start(troupe::supervisor("app").child<asker>("a", {}, asked.ref(), &w.history));
    const auto a = w.sys.at<go, boom>("/app/a").value();
    w.tell(a, go{});
    auto old = asked.expect<question>();
    w.sys.kill(a);
    REQUIRE(w.eventually([&] { return w.epoch("/app/a") == 1; }));
    w.tell(a, go{});
    auto fresh = asked.expect<question>();
    old.reply.send(1);
    w.settle();
    REQUIRE(w.history.size() == 0);
    fresh.reply.send(2);
    REQUIRE(w.eventually([&] { return w.history.size() == 1; }));
    REQUIRE(w.history.all() == lines{"1: 2"});
  });
}

TEST_CASE("24 unwatch suppresses a notice that is already queued; watching an ended actor notifies at once") {
  // Watches two that end while it waits; then it wants to know of neither, but of a third, and of one again.
  struct fickle {
    using accepts = troupe::protocol<go>;
    fickle(troupe::any_ref x, troupe::any_ref y, troupe::any_ref z, troupe::ref<question> t, record* h)
        : a(std::move(x)), b(std::move(y)), c(std::move(z)), to(std::move(t)), history(h) {}
    troupe::task<void> handle(go, troupe::context& ctx) {
      ctx.watch(a);
      ctx.watch(b);
      (void)co_await to.ask(question{}, 1h);
      ctx.unwatch(a);
      ctx.unwatch(b);
      ctx.watch(c);
      (void)co_await to.ask(question{}, 1h);
      ctx.watch(a);  // dead by now
    }
    void handle(const troupe::down& d) { history->put(d.who == a ? "a" : d.who == b ? "b" : "c"); }
    troupe::any_ref a, b, c;
    troupe::ref<question> to;
    record* history;
  };
  everywhere([](world& w) {
    record lives;
    probe<question> gate(w.sys);
    const auto top = w.start(troupe::supervisor("app")
                                 .child<member>("a", {}, &w.history)
                                 .child<member>("b", {}, &w.history)
                                 .child<member>("c", {}, &w.history));
    const auto a = member_at(w, "/app/a");
    const auto b = member_at(w, "/app/b");
    const auto c = member_at(w, "/app/c");
    auto* const notices = &lives;
    {
      const auto f = w.sys.spawn<fickle>({}, a, b, c, gate.ref(), notices);
      w.tell(f, go{});
      auto first = gate.expect<question>();
      REQUIRE(w.await(top.stop_child("a")));
      REQUIRE(w.await(top.stop_child("b")));
      w.settle();
      first.reply.send(1);
      auto second = gate.expect<question>();
      REQUIRE(w.await(top.stop_child("c")));
      w.settle();
      second.reply.send(1);
      REQUIRE(w.eventually([&] { return lives.size() == 2; }));
      w.settle();
      REQUIRE(lives.sorted() == lines{"a", "c"});
    }
  });
}

TEST_CASE("25 system messages survive a crash in the handler of a notice") {
  struct fragile {
    using accepts = troupe::protocol<go>;
    fragile(troupe::any_ref x, troupe::any_ref y, record* h) : a(std::move(x)), b(std::move(y)), history(h) {}
    void started(troupe::context& ctx) {
      ctx.watch(a);
      ctx.watch(b);
      history->put("watches " + std::to_string(ctx.epoch()));
    }
    void handle(go) {}
    void handle(const troupe::down& d, troupe::context& ctx) {
      if (ctx.epoch() == 0) throw std::runtime_error("cannot bear it");
      history->put(d.who == a ? "a" : "b");
    }
    troupe::any_ref a, b;
    record* history;
  };
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app")
                                 .child<member>("a", {.restart = restart::temporary}, &w.history)
                                 .child<member>("b", {.restart = restart::temporary}, &w.history));
    record notices;
    {
      const auto f = w.await(
          top.start_child<fragile>("f", {}, member_at(w, "/app/a"), member_at(w, "/app/b"), &notices));
      REQUIRE(f);
      REQUIRE(w.eventually([&] { return notices.size() == 1; }));
      w.sys.stop(member_at(w, "/app/a"));
      w.sys.stop(member_at(w, "/app/b"));
      REQUIRE(w.eventually([&] { return notices.size() == 4; }));
      w.settle();
      REQUIRE(notices.sorted() == lines{"a", "b", "watches 0", "watches 1"});
      REQUIRE(w.epoch("/app/f") == 1);
    }
    REQUIRE(w.await(top.stop_child("f")));
  });
}

TEST_CASE("25 a stop that meets a crash is not lost, and ends the actor once") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app", {.restarts = {100, 1h}}).child<member>("a", {}, &w.history));
    probe<> p(w.sys);
    const auto a = member_at(w, "/app/a");
    p.watch(a);
    w.settle();
    crash(w, "/app/a");
    w.sys.stop(a);
    p.expect<troupe::down>();
    REQUIRE(a.ended());
    REQUIRE(w.eventually([&] { return w.state(top, "a") == troupe::child_state::not_running; }));
    REQUIRE(w.history.count("+a") == w.history.count("-a"));
  });
}

TEST_CASE("25 a hook that throws is reported, and blocks neither restart nor stop") {
  struct rude : member {
    using member::member;
    void started(troupe::context&) { throw std::runtime_error("rude start"); }
    void stopping(troupe::context&, const troupe::exit_reason&) { throw std::runtime_error("rude stop"); }
  };
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app").child<rude>("r", {}, &w.history));
    crash_and_wait(w, "/app/r");
    REQUIRE(w.await(top.stop_child("r")));
    REQUIRE(w.log.count("rude start", troupe::log_level::error) == 2);
    REQUIRE(w.log.count("rude stop", troupe::log_level::error) == 2);
    REQUIRE(w.history.all() == lines{"+r", "-r", "+r", "-r"});
  });
}

TEST_CASE("26 when the budget is exhausted, asks bounce and tells become dead letters") {
  struct asker {
    using accepts = troupe::protocol<go>;
    asker(member_ref t, record* h) : to(std::move(t)), history(h) {}
    troupe::task<void> handle(go) {
      const auto answer = co_await to.ask(epoch_now{}, 1h);
      history->put(answer                           ? "answered"
                   : answer.error() == errc::closed ? "closed"
                                                    : answer.error().to_string());
    }
    member_ref to;
    record* history;
  };
  everywhere([](world& w) {
    const troupe::duration pause = w.time(1s);
    probe<> p(w.sys);
    const auto top = w.start(troupe::supervisor("app", {.restarts = {1, 1h}})
                                 .child<faulty>("a", {.backoff = {pause, pause, 0}}, &w.history, 1U, 100U));
    troupe::testkit::dead_letter_probe lost(w.sys);
    p.watch(top);
    const auto a = member_at(w, "/app/a");
    const auto asks = w.sys.spawn<asker>({}, a, &w.history);
    w.settle();
    crash(w, "/app/a");
    REQUIRE(w.eventually([&] { return w.history.count("-a") == 1 && w.look("/app/a")->depth == 0; }));
    w.tell(asks, go{});
    w.settle();  // asked during the pause, in which the mailbox is open
    std::size_t queued = 0;
    for (int i = 0; i < 3; ++i) {
      if (a.tell(boom{}) == send_result::ok) ++queued;
    }
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::restart_limit);
    REQUIRE(w.eventually([&] { return w.history.size() == 4; }));
    REQUIRE(w.history.sorted() == lines{"!a", "+a", "-a", "closed"});
    REQUIRE(w.eventually([&] { return lost.count() == queued + 1; }));
    REQUIRE(lost.take()->cause == troupe::dead_letter_cause::crashed);
    while (const auto letter = lost.take()) REQUIRE(letter->cause == troupe::dead_letter_cause::closed);
  });
}
