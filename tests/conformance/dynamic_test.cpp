// Many children that come and go.
#include "cast.hpp"

#include <ctime>

using namespace conformance;
using child_state = troupe::child_state;

namespace {

std::int64_t processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// How often a state was made, and is still there; cheaper than a record.
struct counted {
  using accepts = troupe::protocol<nap>;
  explicit counted(std::atomic<int>* n) : alive(n) { ++*alive; }
  ~counted() { --*alive; }
  troupe::task<void> handle(nap m) { co_await troupe::sleep_for(m.length); }
  std::atomic<int>* alive;
};

}  // namespace

TEST_CASE("13 dynamic: many children stop in parallel, bounded by one deadline") {
  std::atomic<int> alive{0};
  everywhere(
      [&](world& w) {
        const troupe::duration limit = w.time(3s);
        probe<> p(w.sys);
        const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::dynamic, .shutdown = limit}));
        p.watch(top);
        for (int i = 0; i < crowd; ++i) {
          const auto c = w.await(top.start_child<counted>(
              "", {.restart = restart::temporary, .shutdown = 1h, .mailbox = draining}, &alive));
          REQUIRE(c);
          w.tell(*c, nap{1h});
        }
        w.settle();
        REQUIRE(alive == crowd);
        const auto began = w.now();
        w.sys.stop(top);
        REQUIRE(p.expect<troupe::down>(1min).reason.kind() == exit_kind::killed);
        if (w.simulated()) REQUIRE(w.now() - began == limit);
        REQUIRE(alive == 0);
      },
      1);
}

TEST_CASE("15 temporary children that come and go give their memory back, in linear time") {
  std::atomic<int> alive{0};
  for (const auto how : {troupe::one_for_one, troupe::dynamic}) {
    everywhere(
        [&](world& w) {
          const auto top = w.start(troupe::supervisor("app", {.strategy = how}));
          const auto add = [&](int i) {
            REQUIRE(w.await(
                top.start_child<counted>(std::to_string(i), {.restart = restart::temporary}, &alive)));
          };
          const auto remove = [&](int i) { REQUIRE(w.await(top.stop_child(std::to_string(i)))); };
          const auto one_after_the_other = [&](int n) {
            const std::int64_t began = processor_time();
            for (int i = 0; i < n; ++i) {
              add(i);
              remove(i);
            }
            w.settle();
            return processor_time() - began;
          };
          const auto few = one_after_the_other(crowd / 5);
          const auto before = troupe::detail::slab_statistics();
          const auto many = one_after_the_other(crowd);
          if (w.alone()) REQUIRE(many < 15 * few);  // five times as many; quadratic would be 25 times as long
          for (int i = 0; i < crowd / 10; ++i) add(i);
          REQUIRE(alive == crowd / 10);
          for (int i = 0; i < crowd / 10; ++i) remove(i);
          w.settle();
          REQUIRE(alive == 0);
          REQUIRE(w.eventually([&] { return w.population() == 1; }));
          if (!w.simulated()) return;  // where only this thread allocates
          const auto after = troupe::detail::slab_statistics();
          REQUIRE(after.live_objects == before.live_objects);
          REQUIRE(after.large_objects == before.large_objects);
        },
        1);
  }
}

TEST_CASE("15 many named children at a time cost linear time") {
  everywhere(
      [&](world& w) {
        const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::dynamic}));
        std::atomic<int> alive{0};
        const auto come_and_go = [&](int n) {
          const std::int64_t began = processor_time();
          const auto id = [](int i) { return std::to_string(i); };
          for (int i = 0; i < n; ++i) REQUIRE(w.await(top.start_child<counted>(id(i), {}, &alive)));
          REQUIRE(alive == n);
          for (int i = 0; i < n; ++i) {
            REQUIRE(w.await(top.start_child<counted>(id(i), {}, &alive)).error() == errc::already_running);
          }
          for (int i = 0; i < n; ++i) REQUIRE(w.await(top.stop_child(id(i))));
          return processor_time() - began;
        };
        const auto few = come_and_go(crowd / 5);
        const auto many = come_and_go(crowd);
        if (w.alone()) REQUIRE(many < 15 * few);  // five times as many; quadratic would be 25 times as long
      },
      1);
}

TEST_CASE("17 dynamic: max_children refuses with an error; a child that is ignored on restart makes room") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::dynamic, .max_children = 1}));
    REQUIRE(w.await(top.start_child<needless>("a", {}, &w.history, 1U)));
    const auto b = w.await(top.start_child<member>("b", {}, &w.history));
    REQUIRE_FALSE(b);
    REQUIRE(b.error() == errc::full);
    crash(w, "/app/a");
    REQUIRE(w.eventually([&] { return !w.look("/app/a"); }));
    REQUIRE(w.eventually([&] { return w.await(top.start_child<member>("b", {}, &w.history)).has_value(); }));
    REQUIRE_FALSE(top.ended());
    REQUIRE(w.history.all() == lines{"+a", "-a", "+b"});
    const auto c = w.await(top.start_child<needless>("c", {}, &w.history, 0U));
    REQUIRE(c.error() == errc::full);
    REQUIRE(w.await(top.stop_child("b")));
    REQUIRE(w.await(top.start_child<needless>("c", {}, &w.history, 0U)).error() == errc::ignored);
    REQUIRE(w.await(top.start_child<member>("b", {}, &w.history)));
  });
}

TEST_CASE("18 inspect: a child that waits for its restart is restarting, and counts") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app")
                    .child<member>("a", {.backoff = {1min, 1min, 0}}, &w.history)
                    .child<member>("b", {}, &w.history)
                    .child(troupe::supervisor("d", {.strategy = troupe::dynamic, .max_children = 1})));
    const auto d = w.sys.supervisor_at("/app/d").value();
    REQUIRE(w.await(d.start_child<member>("x", {.backoff = {1min, 1min, 0}}, &w.history)));
    REQUIRE(w.population() == 5);
    crash(w, "/app/a");
    crash(w, "/app/d/x");
    const auto restarting = [&](std::string_view path) {
      return w.look(path).value().state == troupe::actor_state::restarting;
    };
    REQUIRE(w.eventually([&] { return restarting("/app/a") && restarting("/app/d/x"); }));
    w.settle();
    REQUIRE(w.state(top, "a") == child_state::restarting);
    REQUIRE(w.state(top, "b") == child_state::running);
    REQUIRE(w.population() == 5);
    REQUIRE(w.await(d.start_child<member>("y", {}, &w.history)).error() == errc::full);
    REQUIRE(w.await(d.start_child<member>("x", {}, &w.history)).error() != errc::not_found);
    REQUIRE(w.await(top.start_child<member>("a", {}, &w.history)).error() == errc::already_running);
    if (!w.simulated()) return;
    w.pass(1min);
    REQUIRE(w.epoch("/app/a") == 1);
    REQUIRE(w.epoch("/app/d/x") == 1);
    REQUIRE(w.state(top, "a") == child_state::running);
  });
}
