// The explorer's memory model: it shows the effects of weak memory, but none that fences and orders forbid.
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace explorer = troupe::explorer;

namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

/// Two threads that each raise their own flag and then look at the other's.
explorer::result both_look_after_raising(std::memory_order order, bool fenced, const explorer::options& how) {
  struct flags {
    explorer::atomic<int> raised[2]{};
    int seen[2]{};
  };
  return explorer::explore(how, [=](explorer::execution& e) {
    auto s = std::make_shared<flags>();
    for (int t = 0; t < 2; ++t) {
      e.thread([=] {
        s->raised[t].store(1, order);
        if (fenced) explorer::fence();
        s->seen[t] = s->raised[1 - t].load(order);
      });
    }
    e.finally([=] { explorer::require(s->seen[0] + s->seen[1] > 0, "at least one sees the other's flag"); });
  });
}

/// One thread writes data and publishes it; the other reads it once it is told.
explorer::result publish(std::memory_order store_order, std::memory_order load_order) {
  struct message {
    explorer::var<int> data{0};
    explorer::atomic<bool> ready{false};
  };
  return explorer::explore({}, [=](explorer::execution& e) {
    auto s = std::make_shared<message>();
    e.thread([=] {
      s->data.write(42);
      s->ready.store(true, store_order);
    });
    e.thread([=] {
      if (s->ready.load(load_order)) explorer::require(s->data.read() == 42, "the data came with the flag");
    });
  });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("explorer memory: a store and a load of another atomic change places without a fence") {
  const auto r = both_look_after_raising(memory_order_relaxed, false, {});
  CHECK_FALSE(r.ok);
  CHECK(contains(r.report, "(old; newest 1)"));
}

TEST_CASE("explorer memory: a fence between the store and the load keeps their places") {
  const auto r = both_look_after_raising(
      memory_order_relaxed, true, {.preemptions = explorer::unbounded, .weak_effects = explorer::unbounded});
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("explorer memory: seq_cst accesses keep their places without a fence") {
  const auto r =
      both_look_after_raising(std::memory_order_seq_cst, false,
                              {.preemptions = explorer::unbounded, .weak_effects = explorer::unbounded});
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("explorer memory: weak_effects of 0 is sequential consistency") {
  CHECK(both_look_after_raising(memory_order_relaxed, false, {.preemptions = 3, .weak_effects = 0}).ok);
}

TEST_CASE("explorer memory: data published by release and acquire arrives; anything weaker is a data race") {
  CHECK(publish(memory_order_release, memory_order_acquire).ok);
  for (const auto& r : {publish(memory_order_relaxed, memory_order_acquire),
                        publish(memory_order_release, memory_order_relaxed)}) {
    CHECK_FALSE(r.ok);
    CHECK(contains(r.failure, "data race"));
  }
}

TEST_CASE("explorer memory: a release sequence passes through another thread's relaxed exchange") {
  const auto chain = [](bool by_exchange) {
    struct state {
      explorer::var<int> data{0};
      explorer::atomic<int> stage{0};
    };
    return explorer::explore({.preemptions = explorer::unbounded}, [=](explorer::execution& e) {
      auto s = std::make_shared<state>();
      e.thread([=] {
        s->data.write(1);
        s->stage.store(1, memory_order_release);
      });
      e.thread([=] {
        int one = 1;
        if (by_exchange) {
          s->stage.compare_exchange_strong(one, 2, memory_order_relaxed);
        } else if (s->stage.load(memory_order_relaxed) == 1) {
          s->stage.store(2, memory_order_relaxed);
        }
      });
      e.thread([=] {
        if (s->stage.load(memory_order_acquire) == 2) (void)s->data.read();
      });
    });
  };
  CHECK(chain(true).ok);
  CHECK_FALSE(chain(false).ok);
}

TEST_CASE("explorer memory: fences publish what relaxed accesses carry") {
  const auto fenced = [](bool release, bool acquire) {
    struct state {
      explorer::var<int> data{0};
      explorer::atomic<int> ready{0};
    };
    return explorer::explore({.preemptions = explorer::unbounded}, [=](explorer::execution& e) {
      auto s = std::make_shared<state>();
      e.thread([=] {
        s->data.write(1);
        if (release) explorer::fence(memory_order_release);
        s->ready.store(1, memory_order_relaxed);
      });
      e.thread([=] {
        const bool told = s->ready.load(memory_order_relaxed) == 1;
        if (acquire) explorer::fence(memory_order_acquire);
        if (told) (void)s->data.read();
      });
    });
  };
  CHECK(fenced(true, true).ok);
  CHECK_FALSE(fenced(true, false).ok);
  CHECK_FALSE(fenced(false, true).ok);
}

TEST_CASE("explorer memory: an atomic must be published before another thread uses it") {
  const auto share = [](std::memory_order order) {
    struct node {
      explorer::atomic<int> value{7};
    };
    struct state {
      std::optional<node> owned;
      explorer::atomic<node*> shared{nullptr};
    };
    return explorer::explore({}, [=](explorer::execution& e) {
      auto s = std::make_shared<state>();
      e.thread([=] { s->shared.store(&s->owned.emplace(), order); });
      e.thread([=] {
        if (auto* n = s->shared.load(memory_order_acquire)) n->value.fetch_add(1);
      });
    });
  };
  CHECK(share(memory_order_release).ok);
  CHECK_FALSE(share(memory_order_relaxed).ok);
}
