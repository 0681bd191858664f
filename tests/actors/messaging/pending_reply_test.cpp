// ref.request: asked now, awaited later.
#include "actors/common.hpp"

#include <optional>

using namespace actors_test;
using troupe::errc;

namespace {

struct twice {
  using reply = int;
  int of;
};
struct go {};
struct outcome {
  errc code;
  int value;
};

outcome outcome_of(const troupe::result<int>& r) {
  return {r ? errc{} : static_cast<errc>(r.error().code().value()), r.value_or(0)};
}

/// Takes a second, or fails on a negative number.
struct slow {
  using accepts = troupe::protocol<twice>;
  explicit slow(int* n = nullptr) : handled(n) {}
  troupe::task<int> handle(twice m) {
    if (handled != nullptr) ++*handled;
    if (m.of < 0) throw std::runtime_error("negative");
    co_await troupe::sleep_for(1s);
    co_return 2 * m.of;
  }
  int* handled;
};

/// Runs a coroutine of the test in an actor.
struct script {
  using accepts = troupe::protocol<go>;
  using body = troupe::task<void> (*)(troupe::context&, troupe::ref<twice>, troupe::ref<outcome>);
  script(body b, troupe::ref<twice> t, troupe::ref<outcome> r)
      : run(b), to(std::move(t)), report(std::move(r)) {}
  troupe::task<void> handle(go, troupe::context& ctx) { return run(ctx, to, report); }
  body run;
  troupe::ref<twice> to;
  troupe::ref<outcome> report;
};

void run_script(test_system& b, script::body body, const troupe::ref<twice>& to, probe<outcome>& p) {
  REQUIRE(b.sys.spawn<script>({}, body, to, p.ref()).tell(go{}) == send_result::ok);
}

}  // namespace

TEST_CASE("request: several are out at a time, and come in any order") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const troupe::time_point start = b.sys.now();
    const auto sum = [](std::vector<troupe::ref<twice>> actors) -> troupe::task<int> {
      std::vector<troupe::pending_reply<twice>> asked;
      for (int i = 0; i < 4; ++i) asked.push_back(actors[static_cast<std::size_t>(i)].request(twice{i}));
      int total = 0;
      for (auto at = asked.rbegin(); at != asked.rend(); ++at) total += (co_await *at).value();
      co_return total;
    };
    std::vector<troupe::ref<twice>> actors;
    for (int i = 0; i < 4; ++i) actors.push_back(b.sys.spawn<slow>());
    CHECK(b.await(sum(actors)) == 12);
    CHECK(b.sys.now() - start < 2s);  // one after the other they would take 4 s
  });
}

TEST_CASE("request: a reply that is there already is not waited for") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    run_script(
        b,
        [](troupe::context&, troupe::ref<twice> to, troupe::ref<outcome> report) -> troupe::task<void> {
          auto pending = to.request(twice{21});
          co_await troupe::sleep_for(3s);
          const bool ready = pending.ready();
          outcome o = outcome_of(co_await pending);
          if (!ready) o.value = -1;
          (void)report.tell(o);
        },
        b.sys.spawn<slow>(), p);
    CHECK(p.expect<outcome>(5s).value == 42);
  });
}

TEST_CASE("request: the deadline counts from the request") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const troupe::time_point start = b.sys.now();
    run_script(
        b,
        [](troupe::context&, troupe::ref<twice> to, troupe::ref<outcome> report) -> troupe::task<void> {
          auto pending = to.request(twice{21}, 900ms);
          co_await troupe::sleep_for(500ms);
          const auto reply = co_await pending;
          (void)report.tell(outcome_of(reply));
        },
        b.sys.spawn<slow>(), p);
    CHECK(p.expect<outcome>().code == errc::timeout);
    CHECK(b.sys.now() - start < 1s);
    b.advance(1s);  // the late reply is dropped
    p.expect_nothing();
  });
}

TEST_CASE("request: full, closed, a crash, and oneself, are answers too") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto ask = [](troupe::ref<twice> to, int of) -> troupe::task<int> {
      auto pending = to.request(twice{of});
      const auto r = co_await pending;
      co_return static_cast<int>(outcome_of(r).code);
    };
    const auto narrow = b.sys.spawn<slow>({.mailbox = {.capacity = 1}});
    const auto both = [](troupe::ref<twice> to) -> troupe::task<int> {
      auto first = to.request(twice{1});
      auto second = to.request(twice{2});
      const auto refused = co_await second;
      (void)co_await first;
      co_return static_cast<int>(outcome_of(refused).code);
    };
    CHECK(b.await(both(narrow)) == static_cast<int>(errc::full));
    CHECK(b.await(ask(b.sys.spawn<slow>(), -1)) == static_cast<int>(errc::actor_failed));
    const auto gone = b.sys.spawn<slow>();
    b.sys.stop(gone);
    b.run();
    CHECK(b.await(ask(gone, 1)) == static_cast<int>(errc::closed));

    struct narcissus {
      using accepts = troupe::protocol<twice>;
      troupe::task<int> handle(twice, troupe::context& ctx) {
        auto pending = ctx.self<narcissus>().request(twice{1});
        co_return static_cast<int>(outcome_of(co_await pending).code);
      }
    };
    CHECK(b.await(b.sys.spawn<narcissus>().ask(twice{1})) == static_cast<int>(errc::would_deadlock));
  });
}

TEST_CASE("request: one whose reply is never awaited is handled all the same") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int handled = 0;
    const auto to = b.sys.spawn<slow>({}, &handled);
    const auto drop = [](troupe::ref<twice> r) -> troupe::task<int> {
      auto pending = r.request(twice{1});
      auto moved = std::move(pending);
      co_return 0;
    };
    CHECK(b.await(drop(to)) == 0);
    b.advance(2s);
    CHECK(handled == 1);
  });
}

TEST_CASE("request: an asker that is stopped gives up what it waits for and what it does not yet") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<outcome> p(b.sys);
    const auto asker =
        b.sys.spawn<script>({},
                            script::body([](troupe::context&, troupe::ref<twice> to,
                                            troupe::ref<outcome> report) -> troupe::task<void> {
                              auto first = to.request(twice{1});
                              auto second = to.request(twice{2});
                              const auto reply_to_second = co_await second;
                              (void)report.tell(outcome_of(reply_to_second));
                              const auto reply_to_first = co_await first;
                              (void)report.tell(outcome_of(reply_to_first));
                            }),
                            troupe::ref<twice>(b.sys.spawn<slow>()), p.ref());
    REQUIRE(asker.tell(go{}) == send_result::ok);
    b.run();
    b.sys.stop(asker);
    b.advance(5s);
    CHECK(asker.ended());
    p.expect_nothing();
  });
}

TEST_CASE("request: outside of an actor or a task it throws") {
  test_system b;
  const auto to = b.sys.spawn<slow>();
  CHECK_THROWS_AS((void)to.request(twice{1}), troupe::troupe_error);
}
