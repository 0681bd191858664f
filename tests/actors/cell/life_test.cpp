// The lives of one actor: the state that one incarnation leaves to the next, and failures between them.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;
using troupe::exit_reason;
using troupe::task;

namespace {

struct leave_and_crash {};
struct leave {};
struct begin {
  int which;
};

task<void> throws_at_once() {  // no coroutine
  throw std::runtime_error("no frame");
}

task<void> is_empty() {
  return {};
}

struct owner {
  using accepts = troupe::protocol<begin>;
  void handle(begin m, troupe::context& ctx) {
    if (m.which == 0) {
      ctx.spawn_task([] { return throws_at_once(); });
    } else {
      ctx.spawn_task([] { return is_empty(); });
    }
  }
};

}  // namespace

TEST_CASE("life: a task that fails before its first frame exists fails its owner") {
  for (const int which : {0, 1}) {
    for_each_seed(seeds, [which](std::uint64_t seed) {
      test_system b({.seed = seed});
      probe<> watcher(b.sys);
      const auto o = b.sys.spawn<owner>({.name = "o", .restart = troupe::restart::temporary});
      watcher.watch(o);
      REQUIRE(o.tell(begin{which}) == send_result::ok);
      const auto notice = watcher.expect<troupe::down>();
      CHECK(notice.reason.kind() == exit_kind::error);
      const std::string text = notice.reason.to_string();
      INFO(text);
      CHECK(text.find(which == 0 ? "no frame" : "empty task") != std::string::npos);
      b.run();
      CHECK(b.sys.inspect().count() == 2);  // the root and the probe
    });
  }
}

TEST_CASE("life: a coroutine actor that fails before its first frame exists has crashed") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> watcher(b.sys);
    const auto thrower = b.sys.spawn([](troupe::context&, troupe::inbox<add>) { return throws_at_once(); },
                                     {.name = "t", .restarts = {2, 1h}});
    const auto empty = b.sys.spawn([](troupe::context&, troupe::inbox<add>) { return is_empty(); },
                                   {.name = "e", .restarts = {0, 1h}});
    watcher.watch(thrower);
    watcher.watch(empty);
    for (int i = 0; i < 2; ++i) {
      CHECK(watcher.expect<troupe::down>().reason.kind() == exit_kind::restart_limit);
    }
    CHECK(b.sys.counters().restarts == 2);
    CHECK(b.log.count("no frame") >= 1);
    CHECK(b.log.count("empty task") >= 1);
  });
}

TEST_CASE("life: a stop for a reason, overtaken by a crash, is forgotten with the incarnation") {
  struct fickle {
    using accepts = troupe::protocol<leave_and_crash, leave>;
    void handle(leave_and_crash, troupe::context& ctx) {
      ctx.stop(exit_reason(exit_kind::error));
      throw std::runtime_error("first");
    }
    void handle(leave, troupe::context& ctx) { ctx.stop(); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> watcher(b.sys);
    const auto f = b.sys.spawn<fickle>({.restarts = {10, 1h}});
    watcher.watch(f);
    REQUIRE(f.tell(leave_and_crash{}) == send_result::ok);
    b.run();
    REQUIRE(f.tell(leave{}) == send_result::ok);
    CHECK(watcher.expect<troupe::down>().reason.kind() == exit_kind::normal);
  });
}

TEST_CASE("life: with keep_children the children live on, but the tasks end with the incarnation") {
  struct keeper {
    using accepts = troupe::protocol<fail_now>;
    keeper(troupe::context& ctx, int* t, int* k) : ticks(t) {
      if (ctx.epoch() != 0) return;
      ctx.spawn(
          [](troupe::context&, troupe::inbox<add>, int* kept) -> task<void> {
            ++*kept;
            co_await troupe::sleep_for(24h);
          },
          {.name = "kept"}, k);
    }
    void started(troupe::context& ctx) {
      for (int i = 0; i < 2; ++i) {
        ctx.spawn_task(
            [](int* n) -> task<void> {
              for (;;) {
                co_await troupe::sleep_for(1s);
                ++*n;
              }
            },
            ticks);
      }
    }
    void handle(const fail_now& m) { throw std::runtime_error(m.why); }
    int* ticks;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int ticks = 0;
    int kept = 0;
    const auto k =
        b.sys.spawn<keeper>({.name = "k", .restarts = {5, 1h}, .keep_children = true}, &ticks, &kept);
    b.advance(500ms);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(k.tell(fail_now{"x"}) == send_result::ok);
      b.run();
    }
    b.advance(10s);
    CHECK(ticks == 20);
    CHECK(kept == 1);
    CHECK(b.sys.at<>("/k/kept"));
    b.sys.stop(k);
    b.run();
    CHECK(k.ended());
    CHECK(b.sys.inspect().count() == 1);
  });
}

TEST_CASE("life: with keep_children, a budget that runs out between two incarnations fails the next one") {
  struct keeper {
    using accepts = troupe::protocol<fail_now>;
    explicit keeper(troupe::context& ctx) {
      if (ctx.epoch() == 0) ctx.spawn<counter>({.name = "kept"});
    }
    void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> watcher(b.sys);
    const auto k = b.sys.spawn<keeper>(
        {.name = "k", .backoff = {10s, 10s, 0}, .restarts = {1, 1h}, .keep_children = true});
    watcher.watch(k);
    REQUIRE(k.tell(fail_now{"first"}) == send_result::ok);
    b.advance(1s);
    for (int i = 0; i < 2; ++i) {
      REQUIRE(b.sys.at<fail_now>("/k/kept")->tell(fail_now{"child"}) == send_result::ok);
      b.run();
    }
    const auto notice = watcher.expect<troupe::down>(1min);
    CHECK(notice.reason.kind() == exit_kind::restart_limit);
    CHECK(notice.reason.to_string().find("/k/kept") != std::string::npos);
  });
}

TEST_CASE("life: 70 000 children of one actor leave nothing behind") {
  struct crowd {
    using accepts = troupe::protocol<leave>;
    explicit crowd(troupe::context& ctx) {
      for (int i = 0; i < 70'000; ++i) ctx.spawn<counter>();
    }
    void handle(leave, troupe::context& ctx) { ctx.stop(); }
  };
  const troupe::testkit::leak_guard memory;
  {
    test_system b;
    const auto c = b.sys.spawn<crowd>({.stop_children = troupe::stop_order::parallel});
    b.run();
    REQUIRE(c.tell(leave{}) == send_result::ok);
    b.run();
    CHECK(c.ended());
  }
  memory.verify();
}

TEST_CASE("life: a pause without an upper bound doubles each time, and one above its bound is refused") {
  test_system b;
  CHECK_THROWS_AS(b.sys.spawn<counter>({.backoff = {.initial = 100ms}}), troupe::troupe_error);
  const auto c =
      b.sys.spawn<counter>({.name = "c", .backoff = {1s, troupe::forever, 0}, .restarts = {100, 1000h}});
  std::vector<int> pauses;
  for (int i = 0; i < 6; ++i) {
    REQUIRE(c.tell(fail_now{"x"}) == send_result::ok);
    b.run();
    int waited = 0;
    while (b.sys.counters().restarts == static_cast<std::uint64_t>(i) && waited < 1000) {
      b.advance(1s);
      ++waited;
    }
    pauses.push_back(waited);
  }
  CHECK(pauses == std::vector<int>{1, 2, 4, 8, 16, 32});
}
