// Sinks of dead letters: calls that they may make while they are shown one.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;

namespace {

/// Sleeps on each message, so that its mailbox fills.
struct logger {
  using accepts = troupe::protocol<note>;
  troupe::task<void> handle(note) { co_await troupe::sleep_for(1s); }
};

/// Keeps its messages waiting until it is stopped, which makes them dead letters.
struct sleeper {
  using accepts = troupe::protocol<add>;
  troupe::task<void> handle(add) { co_await troupe::sleep_for(1h); }
};

struct forwarder final : troupe::dead_letter_sink {
  void write(const troupe::dead_letter& letter) noexcept override {
    ++seen;
    (void)letter;
    (void)to.tell(note{0, 0});
  }
  troupe::ref<note> to;
  std::atomic<int> seen{0};
};

struct once final : troupe::dead_letter_sink {
  explicit once(troupe::system& s) : sys(s) { sys.subscribe(*this); }
  void write(const troupe::dead_letter&) noexcept override {
    ++seen;
    sys.unsubscribe(*this);
  }
  troupe::system& sys;
  std::atomic<int> seen{0};
};

/// Makes `n` dead letters at once.
void lose_some(troupe::system& sys, int n) {
  const auto v = sys.spawn<sleeper>();
  for (int i = 0; i <= n; ++i) (void)v.tell(add{1});
  sys.stop(v);
}

}  // namespace

TEST_CASE("dead-letter sinks: one that tells an actor whose mailbox loses messages is not shown those") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    forwarder f;
    f.to = b.sys.spawn<logger>({.mailbox = {.capacity = 1, .policy = troupe::drop_oldest}});
    b.sys.subscribe(f);
    const auto v = b.sys.spawn<sleeper>();
    for (int i = 0; i < 5; ++i) REQUIRE(v.tell(add{1}) == send_result::ok);
    b.run();
    b.sys.stop(v);
    b.run();
    CHECK(f.seen == 4);
    CHECK(b.sys.counters().dead_letters > 4);  // counted all the same
    b.sys.unsubscribe(f);
    f.to = {};
  });
}

TEST_CASE("dead-letter sinks: one may unsubscribe itself while it is shown a letter") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    once o(b.sys);
    troupe::testkit::dead_letter_probe other(b.sys);
    lose_some(b.sys, 3);
    b.run();
    CHECK(o.seen == 1);
    CHECK(other.count() >= 3);
  });
}

TEST_CASE("dead-letter sinks: a message that one loses in another system is shown there") {
  test_system a;
  test_system b;
  troupe::testkit::dead_letter_probe there(b.sys);
  forwarder f;
  f.to = b.sys.spawn<logger>({.mailbox = {.capacity = 1, .policy = troupe::drop_newest}});
  a.sys.subscribe(f);
  const auto v = a.sys.spawn<sleeper>();
  for (int i = 0; i < 4; ++i) REQUIRE(v.tell(add{1}) == send_result::ok);
  a.run();
  a.sys.stop(v);
  a.run();
  CHECK(f.seen == 3);
  CHECK(there.count() == 2);
  a.sys.unsubscribe(f);
  f.to = {};
}

TEST_CASE(
    "dead-letter sinks: on threads, one that was taken back is not shown any more, and may be destroyed") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2});
    std::atomic<bool> over{false};
    std::thread loser([&] {
      while (!over) lose_some(sys, 5);
    });
    struct guarded final : troupe::dead_letter_sink {
      void write(const troupe::dead_letter&) noexcept override {
        ++inside;
        std::this_thread::yield();
        if (gone) wrong = true;
        --inside;
      }
      std::atomic<int> inside{0};
      std::atomic<bool> gone{false};
      std::atomic<bool> wrong{false};
    };
    for (int i = 0; i < 200; ++i) {
      auto sink = std::make_unique<guarded>();
      sys.subscribe(*sink);
      std::this_thread::sleep_for(std::chrono::microseconds(i % 10 * 20));
      sys.unsubscribe(*sink);
      CHECK(sink->inside == 0);
      sink->gone = true;
      CHECK_FALSE(sink->wrong);
    }
    over = true;
    loser.join();
  }
  memory.verify();
}

TEST_CASE(
    "dead-letter sinks: on threads, sinks that forward and take themselves back do not block each other") {
  troupe::system sys({.workers = 2});
  forwarder f;
  f.to = sys.spawn<logger>({.mailbox = {.capacity = 1, .policy = troupe::drop_oldest}});
  sys.subscribe(f);
  std::atomic<int> heard{0};
  std::vector<std::thread> losers;
  for (int t = 0; t < 2; ++t) {
    losers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        once o(sys);
        lose_some(sys, 2);
        if (troupe_test::becomes_true([&] { return o.seen > 0; })) ++heard;
        sys.unsubscribe(o);
      }
    });
  }
  for (auto& t : losers) t.join();
  sys.unsubscribe(f);
  CHECK(heard == 100);
  CHECK(f.seen > 0);
}
