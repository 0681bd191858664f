// Actors that the system owns: the root of the tree as their supervisor.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;
using troupe::testkit::log_capture;
using troupe_test::becomes_true;

namespace {

struct parent {
  using accepts = troupe::protocol<fail_now, get>;
  explicit parent(troupe::context& ctx) { ctx.spawn<counter>({.name = "k"}); }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  int handle(get, troupe::context& ctx) { return static_cast<int>(ctx.epoch()); }
};

}  // namespace

TEST_CASE("root: an actor's own restarts do not count against its children's, nor the other way round") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto p = b.sys.spawn<parent>({.name = "p", .restarts = {3, 1h}});
    for (int i = 0; i < 3; ++i) {
      REQUIRE(b.sys.at<fail_now>("/p/k")->tell(fail_now{"x"}) == send_result::ok);
      b.run();
    }
    for (int i = 0; i < 3; ++i) {
      REQUIRE(p.tell(fail_now{"x"}) == send_result::ok);
      b.run();
      REQUIRE_FALSE(p.ended());
      for (int k = 0; k < 3; ++k) {  // of the new incarnation: on its own account
        REQUIRE(b.sys.at<fail_now>("/p/k")->tell(fail_now{"x"}) == send_result::ok);
        b.run();
      }
      REQUIRE_FALSE(p.ended());
    }
    probe<> watcher(b.sys);
    watcher.watch(p);
    REQUIRE(p.tell(fail_now{"x"}) == send_result::ok);
    CHECK(watcher.expect<troupe::down>().reason.kind() == exit_kind::restart_limit);
    CHECK(b.log.count("/p: gives up") == 1);
  });
}

TEST_CASE("root: on threads, inspect() while its actors restart") {
  log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto c = sys.spawn<counter>({.name = "c", .restarts = {100'000, 1s}});
  std::atomic<bool> over = false;
  std::jthread looks([&] {
    while (!over) (void)sys.inspect();
  });
  int sent = 0;
  while (sent < 2'000) {
    if (c.tell(fail_now{"x"}) == send_result::ok) ++sent;
  }
  // Behind all that fails, as soon as there is room.
  REQUIRE(becomes_true([&] { return sys.block_on(c.ask(get{})).has_value(); }));
  over = true;
  looks.join();
  CHECK(sys.counters().restarts == 2'000);
}

TEST_CASE("root: is not to be had by its path, so that no actor stops or kills it") {
  test_system b;
  for (const auto* path : {"/", "", "//"}) {
    const auto found = b.sys.at<>(path);
    REQUIRE_FALSE(found);
    CHECK(found.error() == errc::not_found);
    CHECK_FALSE(b.sys.supervisor_at(path));
  }
}

TEST_CASE("root: on threads, constructors that throw while the system ends") {
  struct no_arguments {
    no_arguments() = default;
    no_arguments(const no_arguments&) { throw std::runtime_error("no copy"); }
    no_arguments(no_arguments&&) noexcept {}
  };
  struct stillborn {
    using accepts = troupe::protocol<get>;
    stillborn() { throw std::runtime_error("not today"); }
    explicit stillborn(const no_arguments&) {}
    int handle(get) { return 0; }
  };
  log_capture log;
  for (int round = 0; round < 200; ++round) {
    troupe::system sys({.workers = 2, .shutdown = 20s, .log = &log});
    std::atomic<bool> over = false;
    std::atomic<int> ready = 0;
    std::vector<std::jthread> spawners;
    for (int i = 0; i < 3; ++i) {
      spawners.emplace_back([&, i] {
        const no_arguments none;
        ++ready;
        while (!over) {
          try {
            if (i == 0) {
              sys.spawn<stillborn>({}, none);
            } else {
              sys.spawn<stillborn>();
            }
          } catch (const std::exception&) {
          }
        }
      });
    }
    while (ready < 3) std::this_thread::yield();
    const auto began = std::chrono::steady_clock::now();
    CHECK(sys.shutdown());
    CHECK(std::chrono::steady_clock::now() - began < 15s);
    over = true;
  }
}
