// The explorer finds known bugs, accepts correct programs, and counts its schedules exactly.
#include "support/explorer.hpp"

#include "support/catch.hpp"

#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

namespace explorer = troupe::explorer;

namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

std::uint64_t binomial(std::uint64_t n, std::uint64_t k) {
  std::uint64_t out = 1;
  for (std::uint64_t i = 1; i <= k; ++i) out = out * (n - k + i) / i;
  return out;
}

/// Two threads of `steps` operations each, which do not touch each other.
explorer::result two_threads_of(int steps, const explorer::options& how) {
  return explorer::explore(how, [steps](explorer::execution& e) {
    auto counters = std::make_shared<std::array<explorer::atomic<int>, 2>>();
    for (std::size_t t = 0; t < 2; ++t) {
      e.thread([=] {
        for (int i = 0; i < steps; ++i) (*counters)[t].fetch_add(1, memory_order_relaxed);
      });
    }
  });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void lose_an_update(explorer::execution& e) {
  auto n = std::make_shared<explorer::atomic<int>>(0);
  for (int t = 0; t < 2; ++t) {
    e.thread([n] { n->store(n->load() + 1); });
  }
  e.finally([n] { explorer::require(n->load() == 2, "both increments count"); });
}

/// Sets TROUPE_REPLAY for one scope.
class replaying {
 public:
  explicit replaying(const std::string& what) { ::setenv("TROUPE_REPLAY", what.c_str(), 1); }
  ~replaying() { ::unsetenv("TROUPE_REPLAY"); }
  replaying(const replaying&) = delete;
  replaying& operator=(const replaying&) = delete;
};

}  // namespace

TEST_CASE("explorer: two threads of n steps have exactly (2n over n) schedules") {
  for (int n = 1; n <= 6; ++n) {
    const auto r = two_threads_of(n, {.preemptions = explorer::unbounded});
    INFO(r.report);
    REQUIRE(r.ok);
    CHECK(r.exhausted);
    CHECK(r.schedules == binomial(static_cast<std::uint64_t>(2 * n), static_cast<std::uint64_t>(n)));
  }
}

TEST_CASE("explorer: the bound on preemptions counts exactly the schedules within it") {
  // Without one, either thread runs through; with one, it may be cut at n - 1 places.
  CHECK(two_threads_of(5, {.preemptions = 0, .weak_effects = 0}).schedules == 2);
  CHECK(two_threads_of(5, {.preemptions = 1, .weak_effects = 0}).schedules == 2 + 2 * 4);
  CHECK(two_threads_of(5, {.preemptions = 9, .weak_effects = 0}).schedules == binomial(10, 5));
}

TEST_CASE("explorer: a search that stops at max_schedules is not exhausted") {
  const auto r = two_threads_of(6, {.preemptions = explorer::unbounded, .max_schedules = 100});
  CHECK(r.ok);
  CHECK_FALSE(r.exhausted);
  CHECK(r.schedules == 100);
}

TEST_CASE("explorer: an increment of load and store loses an update") {
  const auto r = explorer::explore({}, lose_an_update);
  REQUIRE_FALSE(r.ok);
  CHECK(contains(r.failure, "both increments count"));
  CHECK(contains(r.report, "TROUPE_REPLAY=':" + r.schedule + "'"));
  CHECK(contains(r.report, "explorer_test.cpp:"));
}

TEST_CASE("explorer: random schedules alone find the lost update, in the shortest form") {
  const auto r = explorer::explore({.max_schedules = 0, .random_schedules = 1000}, lose_an_update);
  REQUIRE_FALSE(r.ok);
  CHECK(r.random_schedules < 1000);
  CHECK(contains(r.report, "of seed 1"));
  // One preemption between the load and the store of the first thread.
  CHECK(r.schedule == "p*w*-01");
}

TEST_CASE("explorer: fetch_add loses no update in any schedule of three threads") {
  const auto r = explorer::explore(
      {.preemptions = explorer::unbounded, .random_schedules = 100}, [](explorer::execution& e) {
        auto n = std::make_shared<explorer::atomic<int>>(0);
        for (int t = 0; t < 3; ++t) {
          e.thread([n] {
            n->fetch_add(1, memory_order_relaxed);
            ++*n;
          });
        }
        e.finally([n] { explorer::require(n->load() == 6, "all increments count"); });
      });
  INFO(r.report);
  REQUIRE(r.ok);
  CHECK(r.exhausted);
  CHECK(r.schedules == 90);  // 6! / (2! 2! 2!)
  CHECK(r.random_schedules == 100);
}

TEST_CASE("explorer: a schedule that failed fails again when replayed, and only then") {
  const auto found = explorer::explore({.name = "lost"}, lose_an_update);
  REQUIRE_FALSE(found.ok);
  {
    const replaying env("lost:" + found.schedule);
    const auto again = explorer::explore({.name = "lost"}, lose_an_update);
    CHECK_FALSE(again.ok);
    CHECK(again.schedules == 1);
    CHECK(again.failure == found.failure);
    CHECK(again.schedule == found.schedule);
    CHECK(two_threads_of(3, {.name = "other", .preemptions = explorer::unbounded}).schedules == 20);
  }
  const replaying env("lost:p0w0-");
  CHECK(explorer::explore({.name = "lost"}, lose_an_update).ok);
}

TEST_CASE("explorer: a text that is not a schedule is refused") {
  for (const char* text : {"lost:", "lost:01", "lost:p1w-0", "lost:p1w1-0!", "lost:pw1-0"}) {
    const replaying env(text);
    CHECK_THROWS_AS((void)explorer::explore({.name = "lost"}, lose_an_update), std::invalid_argument);
  }
}

namespace {

struct lock_by_load_and_store {
  explorer::atomic<bool> held{false};
  void lock() {
    while (held.load(memory_order_acquire)) explorer::yield();
    held.store(true, memory_order_relaxed);
  }
  void unlock() { held.store(false, memory_order_release); }
};

template <std::memory_order Release>
struct lock_by_exchange {
  explorer::atomic<bool> held{false};
  void lock() {
    while (held.exchange(true, memory_order_acquire)) explorer::yield();
  }
  void unlock() { held.store(false, Release); }
};

template <class Lock>
explorer::result count_under(int threads) {
  struct state {
    Lock lock;
    explorer::var<int> n{0};
  };
  return explorer::explore({.random_schedules = 200}, [=](explorer::execution& e) {
    auto s = std::make_shared<state>();
    for (int t = 0; t < threads; ++t) {
      e.thread([s] {
        s->lock.lock();
        s->n.write(s->n.read() + 1);
        s->lock.unlock();
      });
    }
    e.finally([=] { explorer::require(s->n.read() == threads, "each thread counted"); });
  });
}

}  // namespace

TEST_CASE("explorer: a spinlock of load and store lets two in") {
  CHECK(contains(count_under<lock_by_load_and_store>(2).failure, "data race"));
}

TEST_CASE("explorer: a spinlock by exchange is right, also for three threads that spin") {
  const auto r = count_under<lock_by_exchange<memory_order_release>>(3);
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("explorer: a spinlock that is unlocked without release is found") {
  CHECK(contains(count_under<lock_by_exchange<memory_order_relaxed>>(2).failure, "data race"));
}

TEST_CASE("explorer: a naive stack pops a node that came back in between") {
  struct node {
    explorer::atomic<node*> next{nullptr};
    explorer::atomic<int> owners{0};
  };
  struct stack {
    explorer::atomic<node*> head{nullptr};
    std::array<node, 2> nodes{};
    void push(node& n) {
      n.owners.fetch_sub(1);
      node* old = head.load();
      do {
        n.next.store(old);
      } while (!head.compare_exchange_strong(old, &n));
    }
    node* pop() {
      node* old = head.load();
      while (old != nullptr && !head.compare_exchange_strong(old, old->next.load())) {
      }
      if (old != nullptr) explorer::require(old->owners.fetch_add(1) == 0, "a node has one owner");
      return old;
    }
  };
  const auto r = explorer::explore({.preemptions = 2, .weak_effects = 0}, [](explorer::execution& e) {
    auto s = std::make_shared<stack>();
    s->nodes[0].next.store(&s->nodes[1]);
    s->head.store(&s->nodes[0]);
    e.thread([s] {
      s->pop();
      s->pop();
    });
    e.thread([s] {
      node* first = s->pop();
      s->pop();
      if (first != nullptr) s->push(*first);
    });
  });
  REQUIRE_FALSE(r.ok);
  CHECK(contains(r.failure, "a node has one owner"));
}

TEST_CASE("explorer: threads that wait for each other are a deadlock") {
  const auto r = explorer::explore({}, [](explorer::execution& e) {
    auto flags = std::make_shared<std::array<explorer::atomic<bool>, 2>>();
    for (std::size_t t = 0; t < 2; ++t) {
      e.thread([=] {
        explorer::wait_until([=] { return (*flags)[1 - t].load(); });
        (*flags)[t].store(true);
      });
    }
  });
  CHECK(contains(r.failure, "deadlock"));
}

TEST_CASE("explorer: a wake-up lost by a missing fence is a deadlock") {
  // The producer leaves work and looks for a sleeper; the worker says that it sleeps and looks for work.
  struct state {
    explorer::atomic<int> work{0};
    explorer::atomic<int> sleeps{0};
    explorer::atomic<int> signal{0};
  };
  const auto park = [](bool fenced) {
    return explorer::explore({.preemptions = 3, .weak_effects = 2}, [=](explorer::execution& e) {
      auto s = std::make_shared<state>();
      e.thread([=] {
        s->work.store(1, memory_order_release);
        if (fenced) explorer::fence();
        if (s->sleeps.load(memory_order_relaxed) == 1) s->signal.store(1);
      });
      e.thread([=] {
        s->sleeps.store(1, memory_order_relaxed);
        if (fenced) explorer::fence();
        if (s->work.load(memory_order_acquire) == 0) {
          explorer::wait_until([=] { return s->signal.load() == 1; });
        }
      });
    });
  };
  CHECK(contains(park(false).failure, "deadlock"));
  const auto r = park(true);
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("explorer: wait_until synchronizes as its condition does") {
  const auto wait = [](std::memory_order order) {
    struct state {
      explorer::var<int> data{0};
      explorer::atomic<bool> ready{false};
    };
    return explorer::explore({}, [=](explorer::execution& e) {
      auto s = std::make_shared<state>();
      e.thread([=] {
        s->data.write(1);
        s->ready.store(true, memory_order_release);
      });
      e.thread([=] {
        explorer::wait_until([=] { return s->ready.load(order); });
        (void)s->data.read();
      });
    });
  };
  CHECK(wait(memory_order_acquire).ok);
  CHECK(contains(wait(memory_order_relaxed).failure, "data race"));
}

TEST_CASE("explorer: a condition that changes an atomic is refused") {
  const auto r = explorer::explore({}, [](explorer::execution& e) {
    auto tokens = std::make_shared<explorer::atomic<int>>(1);
    e.thread([=] { explorer::wait_until([=] { return tokens->fetch_sub(1) > 0; }); });
  });
  CHECK(contains(r.failure, "may only load"));
}

TEST_CASE("explorer: spinning for a value that never comes is a livelock") {
  const auto r = explorer::explore({.max_steps = 200}, [](explorer::execution& e) {
    auto flag = std::make_shared<explorer::atomic<bool>>(false);
    e.thread([flag] {
      while (!flag->load()) explorer::yield();
    });
    e.thread([flag] { flag->store(false); });
  });
  CHECK(contains(r.failure, "livelock"));
}

TEST_CASE("explorer: a weak exchange may fail for no reason, a strong one may not") {
  const auto once = [](bool weak) {
    return explorer::explore({}, [=](explorer::execution& e) {
      auto n = std::make_shared<explorer::atomic<int>>(0);
      e.thread([=] {
        int expected = 0;
        const bool done =
            weak ? n->compare_exchange_weak(expected, 1) : n->compare_exchange_strong(expected, 1);
        explorer::require(done, "no other thread writes n");
      });
    });
  };
  CHECK_FALSE(once(true).ok);
  CHECK(once(false).ok);
}

TEST_CASE("explorer: an exception that leaves a thread is a failure") {
  const auto r = explorer::explore(
      {}, [](explorer::execution& e) { e.thread([] { throw std::runtime_error("out of paper"); }); });
  CHECK(contains(r.failure, "out of paper"));
}

TEST_CASE("explorer: a test that is not deterministic is reported") {
  int calls = 0;
  const auto r = explorer::explore({.preemptions = explorer::unbounded}, [&calls](explorer::execution& e) {
    auto n = std::make_shared<explorer::atomic<int>>(0);
    const int threads = 2 + calls++ % 2;
    for (int t = 0; t < threads; ++t) {
      e.thread([=] {
        ++*n;
        ++*n;
      });
    }
  });
  CHECK(contains(r.failure, "not deterministic"));
}

TEST_CASE("explorer: outside of an exploration an atomic is a plain value") {
  explorer::atomic<int> n{5};
  CHECK(n.fetch_sub(2) == 5);
  CHECK(n.exchange(8) == 3);
  int expected = 1;
  CHECK_FALSE(n.compare_exchange_weak(expected, 2));
  CHECK(expected == 8);
  CHECK(n.compare_exchange_strong(expected, 2));
  n |= 5;
  n ^= 1;
  n &= 6;
  CHECK(n == 6);

  std::array<int, 3> data{};
  explorer::atomic<int*> p{data.data()};
  ++p;
  CHECK(p.fetch_add(1) == &data[1]);
  CHECK(p.load() == &data[2]);

  static constinit explorer::atomic<bool> flag{true};
  CHECK(flag);
}
