// Requests of an actor that is told to stop to one above it that waits for its end.
#include "actors/cell/hanging.hpp"

#include <atomic>

using namespace actors_test;
using troupe::errc;
using troupe::task;

namespace {

struct ask_me {
  using reply = int;
};
struct begin {
  troupe::duration nap;  // before it asks
  bool twice = false;
};
struct doze {
  troupe::duration length;
};

struct record {
  std::atomic<int> answers = 0;
  std::atomic<int> closed = 0;
  std::atomic<int> made = 0;
  std::atomic<int> asking = 0;
};

struct below {
  using accepts = troupe::protocol<begin>;
  below(troupe::ref<ask_me> a, record* r) : above(std::move(a)), seen(r) {}
  task<void> handle(begin m) {
    co_await troupe::sleep_for(m.nap);
    for (int i = 0; i < (m.twice ? 2 : 1); ++i) {
      ++seen->asking;
      const auto r = co_await above.ask(ask_me{}, troupe::forever);
      ++(r ? seen->answers : seen->closed);
      if (!r) CHECK(r.error() == errc::closed);
    }
  }
  troupe::ref<ask_me> above;
  record* seen;
};

/// Its child drains, and may take an hour to stop.
struct above {
  using accepts = troupe::protocol<ask_me, doze>;
  above(troupe::context& ctx, record* r) {
    ++r->made;
    ctx.spawn<middle>({.name = "m", .shutdown = 1h}, ctx.self<above>(), r);
  }
  struct middle {
    using accepts = troupe::protocol<>;
    middle(troupe::context& ctx, troupe::ref<ask_me> a, record* r) {
      ctx.spawn<below>({.name = "b", .mailbox = {.when_stopped = troupe::on_stop::drain}, .shutdown = 1h},
                       std::move(a), r);
    }
  };
  int handle(ask_me) { return 7; }
  task<void> handle(doze m) { co_await troupe::sleep_for(m.length); }
};

}  // namespace

TEST_CASE("ask above: a descendant that drains gets closed at once from an actor that restarts") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    record r;
    test_system b({.seed = seed});
    const auto a = b.sys.spawn<above>({.name = "a"}, &r);
    const auto other = b.sys.spawn<below>({}, a, &r);  // requests of others wait for the next incarnation
    REQUIRE(b.sys.at<begin>("/a/m/b")->tell(begin{.nap = 1s}) == send_result::ok);
    b.advance(500ms);
    b.crash(a);
    REQUIRE(other.tell(begin{.nap = 0s}) == send_result::ok);
    b.advance(400ms);
    CHECK(r.made == 1);
    b.advance(200ms);
    CHECK(r.closed == 1);
    CHECK(r.made == 2);
    CHECK(r.answers == 1);
  });
}

TEST_CASE("ask above: also for a request sent before it was told to stop") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    record r;
    test_system b({.seed = seed});
    const auto a = b.sys.spawn<above>({.name = "a"}, &r);
    REQUIRE(a.tell(doze{1h}) == send_result::ok);
    b.run();
    const auto other = b.sys.spawn<below>({}, a, &r);
    REQUIRE(other.tell(begin{.nap = 0s}) == send_result::ok);
    REQUIRE(b.sys.at<begin>("/a/m/b")->tell(begin{.nap = 0s, .twice = true}) == send_result::ok);
    b.advance(1s);
    CHECK(r.asking == 2);
    b.crash(a);
    b.advance(1s);
    CHECK(r.closed == 2);
    CHECK(r.made == 2);
    CHECK(r.answers == 1);
  });
}

TEST_CASE("ask above: a descendant that is stopped by hand still has its answer") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    record r;
    test_system b({.seed = seed});
    (void)b.sys.spawn<above>({.name = "a"}, &r);
    const auto low = b.sys.at<begin>("/a/m/b").value();
    REQUIRE(low.tell(begin{.nap = 1s}) == send_result::ok);
    b.run();
    b.sys.stop(low);
    b.advance(2s);
    CHECK(r.answers == 1);
    CHECK(low.ended());
  });
}

TEST_CASE("ask above: on threads") {
  for (int round = 0; round < 50; ++round) {
    record r;
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = 2, .log = &log});
    const auto a = sys.spawn<above>({.name = "a"}, &r);
    REQUIRE(a.tell(doze{1h}) == send_result::ok);
    REQUIRE(sys.at<begin>("/a/m/b")->tell(begin{.nap = 0s, .twice = true}) == send_result::ok);
    if (round % 2 == 0) {
      REQUIRE(becomes_true([&] { return r.asking == 1; }));
    }
    a.cell()->request(troupe::detail::cell::order_crash);
    REQUIRE(becomes_true([&] { return r.made == 2; }));
    REQUIRE(becomes_true([&] { return round % 2 != 0 || r.closed == 2; }));
  }
}
