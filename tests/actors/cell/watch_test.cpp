// Watches, dead letters, and names.
#include "actors/cell/hanging.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;

TEST_CASE("watch: the notice comes once, with the reason") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto c = b.sys.spawn<counter>();
    p.watch(c);
    p.watch(c);
    p.expect_nothing_for(1s);
    b.sys.stop(c);
    const auto d = p.expect<troupe::down>();
    CHECK(d.who == c);
    CHECK(d.reason.kind() == exit_kind::shutdown);
    p.expect_nothing_for(1s);
  });
}

TEST_CASE("watch: of an actor that has ended already notifies at once") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto c = b.sys.spawn<counter>({.restart = troupe::restart::temporary});
    REQUIRE(c.tell(fail_now{"for good"}) == send_result::ok);
    b.run();
    REQUIRE(c.ended());
    p.watch(c);
    const auto d = p.expect<troupe::down>();
    CHECK(d.reason.kind() == exit_kind::error);
    REQUIRE(d.reason.cause() != nullptr);
    CHECK(d.reason.cause()->text() == "for good");
    p.expect_nothing();
  });
}

TEST_CASE("watch: on threads, of an actor that was cut off as wedged notifies at once") {
  gate g;
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto top =
      sys.start(troupe::supervisor("app").child<hanging>("stuck", {.shutdown = 10ms}, &g)).value();
  const auto stuck = sys.at<hang>("/app/stuck").value();
  probe<> early(sys);
  early.watch(stuck);
  REQUIRE(stuck.tell(hang{}) == send_result::ok);
  REQUIRE(becomes_true([&] { return g.hanging == 1; }));
  (void)sys.block_on(top.stop_child("stuck"));
  CHECK(early.expect<troupe::down>().reason.kind() == exit_kind::wedged);
  probe<> late(sys);
  late.watch(stuck);
  CHECK(late.expect<troupe::down>().reason.kind() == exit_kind::wedged);
  g.open = true;
  CHECK(becomes_true([&] { return stuck.ended(); }));
  early.expect_nothing_for(1ms);
  late.expect_nothing_for(1ms);
}

TEST_CASE("watch: a restart is not an end") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto c = b.sys.spawn<counter>();
    p.watch(c);
    REQUIRE(c.tell(fail_now{"again"}) == send_result::ok);
    p.expect_nothing_for(1s);
    b.sys.stop(c);
    p.expect<troupe::down>();
  });
}

namespace {
struct drop_both {};
/// Watches two; at the end of the first it unwatches both, and then watches on.
struct fickle {
  using accepts = troupe::protocol<drop_both>;
  fickle(troupe::any_ref x, troupe::any_ref y, troupe::any_ref z, history* h)
      : a(std::move(x)), b(std::move(y)), c(std::move(z)), log(h) {}
  void started(troupe::context& ctx) {
    ctx.watch(a);
    ctx.watch(b);
  }
  troupe::task<void> handle(drop_both, troupe::context& ctx) {
    co_await troupe::sleep_for(1s);  // meanwhile both end, and their notices queue up
    ctx.unwatch(a);
    ctx.unwatch(b);
    ctx.watch(c);
  }
  void handle(const troupe::down& d) { log->push_back(d.who == a ? "a" : d.who == b ? "b" : "c"); }
  troupe::any_ref a, b, c;
  history* log;
};
}  // namespace

TEST_CASE("unwatch: suppresses a notice that is already queued") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto x = b.sys.spawn<counter>();
      const auto y = b.sys.spawn<counter>();
      const auto z = b.sys.spawn<counter>();
      const auto f = b.sys.spawn<fickle>({}, x, y, z, &log);
      b.run();
      REQUIRE(f.tell(drop_both{}) == send_result::ok);
      b.run();
      b.sys.stop(x);
      b.sys.stop(y);
      b.advance(2s);
      CHECK(log.empty());
      b.sys.stop(z);
      b.run();
      CHECK(log == history{"c"});
    }
  });
}

TEST_CASE("unwatch: of a notice that is under way, and a watch after it") {
  struct again {
    using accepts = troupe::protocol<drop_both>;
    again(troupe::any_ref x, troupe::any_ref y, history* h) : a(std::move(x)), b(std::move(y)), log(h) {}
    void started(troupe::context& ctx) { ctx.watch(a); }
    void handle(drop_both, troupe::context& ctx) {
      ctx.system().stop(a);
      ctx.watch(a);  // still alive: the same watch
      ctx.unwatch(a);
      ctx.watch(b);
      ctx.watch(a);
    }
    void handle(const troupe::down& d) { log->push_back(d.who == a ? "a" : "b"); }
    troupe::any_ref a, b;
    history* log;
  };
  for_each_seed(200, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto x = b.sys.spawn<counter>();
      const auto y = b.sys.spawn<counter>();
      const auto g = b.sys.spawn<again>({}, x, y, &log);
      b.run();
      b.sys.stop(x);  // its end races with the message
      REQUIRE(g.tell(drop_both{}) == send_result::ok);
      b.run();
      CHECK((log == history{"a"} || log == history{"a", "a"}));
      b.sys.stop(y);
      b.run();
      CHECK(log.back() == "b");
    }
  });
}

TEST_CASE("watch: two that watch each other may end in any order") {
  struct mutual {
    using accepts = troupe::protocol<add>;
    void handle(add) {}
    void handle(const troupe::down&, troupe::context& ctx) { ctx.stop(); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    probe<> q(b.sys);
    const auto c = b.sys.spawn<mutual>();
    p.watch(c);
    q.watch(c);
    b.sys.stop(c);
    p.expect<troupe::down>();
    q.expect<troupe::down>();
  });
}

TEST_CASE("dead letters: the messages queued when an actor is stopped, and the one it crashed on") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto c = b.sys.spawn<counter>({.name = "c"});
    REQUIRE(c.tell(fail_now{"x"}) == send_result::ok);
    const auto first = lost.take();
    REQUIRE(first);
    CHECK(first->path == "/c");
    CHECK(first->cause == troupe::dead_letter_cause::crashed);
    CHECK(first->type.find("fail_now") != std::string::npos);
    CHECK(lost.count() == 0);
    REQUIRE(c.tell(add{1}) == send_result::ok);
    REQUIRE(c.tell(add{1}) == send_result::ok);
    b.sys.stop(c);
    b.run();
    CHECK(lost.count() <= 2);  // the messages that the stop overtook; a later stop finds none
    while (const auto l = lost.take()) CHECK(l->cause == troupe::dead_letter_cause::closed);
    CHECK(c.tell(add{1}) == send_result::closed);
    CHECK(lost.count() == 0);  // the sender knows
  });
}

TEST_CASE("dead letters: a request whose asker waits is not one, because the asker gets an error") {
  test_system b;
  troupe::testkit::dead_letter_probe lost(b.sys);
  struct stuck {
    using accepts = troupe::protocol<add, get>;
    troupe::task<void> handle(add) { co_await troupe::sleep_for(1h); }
    int handle(get) { return 1; }
  };
  const auto s = b.sys.spawn<stuck>();
  REQUIRE(s.tell(add{1}) == send_result::ok);
  REQUIRE(s.tell(get{}) == send_result::ok);
  struct watcher {
    using accepts = troupe::protocol<add>;
    watcher(troupe::ref<get> t, history* h) : to(std::move(t)), log(h) {}
    troupe::task<void> handle(add) { log->push_back((co_await to.ask(get{})).error().code().message()); }
    troupe::ref<get> to;
    history* log;
  };
  history log;
  REQUIRE(b.sys.spawn<watcher>({}, troupe::ref<get>(s), &log).tell(add{}) == send_result::ok);
  b.run();
  b.sys.stop(s);
  b.run();
  REQUIRE(log.size() == 1);
  CHECK(lost.count() == 1);  // the get that was told
}

TEST_CASE("names: an actor is found by name and by path, with the right protocol only") {
  test_system b;
  const auto c = b.sys.spawn<counter>({.name = "c"});
  CHECK(b.sys.register_name("the counter", c));
  CHECK(b.sys.register_name("the counter", c));
  CHECK_FALSE(b.sys.register_name("the counter", b.sys.spawn<counter>()));
  CHECK((b.sys.find<add, get>("the counter").value() == c));
  CHECK((b.sys.at<add>("/c").value() == c));
  CHECK(b.sys.find<add>("unknown").error() == errc::not_found);
  CHECK(b.sys.at<add>("/c/d").error() == errc::not_found);
  const auto wrong = b.sys.find<note>("the counter");
  CHECK(wrong.error() == errc::invalid_argument);
  CHECK(std::string(wrong.error().text()).find("the counter") != std::string::npos);
}

TEST_CASE("names: outlast a restart, and end with the actor") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>();
    CHECK(b.sys.register_name("x", c));
    REQUIRE(c.tell(fail_now{"x"}) == send_result::ok);
    b.run();
    CHECK(b.sys.find<add>("x").has_value());
    b.sys.stop(c);
    b.run();
    CHECK(b.sys.find<add>("x").error() == errc::not_found);
    CHECK_FALSE(b.sys.register_name("x", c));
    CHECK(b.sys.register_name("x", b.sys.spawn<counter>()));
  });
}
