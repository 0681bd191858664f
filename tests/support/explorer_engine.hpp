// The explorer's engine: runs one execution of a test under the choices of a search.
//
// The decision which thread runs next is taken on the stack of the thread that arrives at a point, so a
// thread that keeps running costs no switch. A failure leaves its execution where it is: code under test is
// full of noexcept, so nothing is unwound; the stacks of a failed execution are kept forever, with all that
// they own.
//
// Owned by explore() in explorer.cpp, which alone includes this file; one thread.
#pragma once

#include "support/explorer.hpp"
#include "support/explorer_fiber.hpp"
#include "support/explorer_memory.hpp"
#include "support/explorer_search.hpp"
#include "support/explorer_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::explorer {

namespace detail {

inline constexpr thread_index no_thread = max_threads;

/// Thrown where no thread of the test runs: while it is set up and in its final checks.
struct check_failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Outlives every exploration: fibers are reused, and the stacks of a failed execution stay reachable.
struct stacks {
  fiber main;
  std::vector<std::unique_ptr<fiber>> idle;
  std::vector<std::unique_ptr<fiber>> abandoned;
  std::vector<std::function<void()>> abandoned_bodies;
};
inline stacks& all_stacks() {
  static auto& forever = *new stacks;
  return forever;
}

}  // namespace detail

class engine {
  using access = detail::access;
  using fiber = detail::fiber;
  using store_index = detail::store_index;
  using thread_index = detail::thread_index;
  static constexpr thread_index no_thread = detail::no_thread;

 public:
  engine(const options& how, const std::function<void(execution&)>& test) : how_(how), test_(test) {}

  static inline engine* current = nullptr;

  /// Runs the test once; returns the failure, or an empty string.
  std::string run(detail::search& choices, std::vector<std::string>* trace = nullptr) {
    choices_ = &choices;
    trace_ = trace;
    std::string().swap(failure_);  // with no storage that a failing thread's string would get in exchange
    names_.clear();
    threads_.clear();
    steps_ = 0;
    changes_ = 0;
    preemptions_ = weak_effects_ = 0;
    running_ = no_thread;
    static std::uint64_t executions = 0;
    memory_.reset(++executions);
    choices.begin();

    execution plan;
    try {
      test_(plan);
      if (plan.threads_.size() > detail::max_threads)
        throw detail::check_failed("a test may have 8 threads at most");
      run_threads(plan.threads_);
      if (failure_.empty()) {
        for (const auto& check : plan.checks_) check();
      }
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
    if (choices.diverged())
      failure_ = "the test is not deterministic: repeating its choices met other ways on";
    return failure_;
  }

  [[nodiscard]] std::uint32_t steps() const noexcept { return steps_; }

  // -- called by the atomics, on the stack of a thread of the test --

  void construct(const access& at) {
    if (mode_ == mode::running) memory_.construct(running_, at);
  }

  void load(const access& at, std::memory_order order, void* out) {
    if (mode_ == mode::looking) {
      std::memcpy(out, at.newest, at.size);
      return;
    }
    if (mode_ == mode::running) point();
    const auto location = locate(at);
    const auto newest = memory_.newest(location);
    const auto oldest = memory_.oldest_visible(running_, location, order);
    const auto seen = newest - (mode_ == mode::running ? effect(newest - oldest + 1) : 0);
    memory_.read(running_, location, seen, order);
    std::memcpy(out, memory_.value(location, seen), at.size);
    if (trace_ != nullptr) {
      note(at, "load " + detail::to_text(out, at.size) + stale(location, seen, at.size), order);
    }
  }

  void store(const access& at, std::memory_order order, const void* value) {
    if (!begin_write()) return;
    const auto location = locate(at);
    write(location, at, order, value, false);
    if (trace_ != nullptr) note(at, "store " + detail::to_text(value, at.size), order);
  }

  void update(const access& at, std::memory_order order, detail::transform change, void* old_value) {
    if (!begin_write()) return;
    const auto location = locate(at);
    memory_.read(running_, location, memory_.newest(location), order);
    detail::value_bytes next{};
    std::memcpy(old_value, at.newest, at.size);
    change.apply(change.argument, old_value, next.data());
    write(location, at, order, next.data(), true);
    if (trace_ != nullptr) {
      note(at,
           "update " + detail::to_text(old_value, at.size) + " -> " + detail::to_text(next.data(), at.size),
           order);
    }
  }

  bool compare_exchange(const access& at, std::memory_order success, std::memory_order failure, bool weak,
                        void* expected, const void* desired) {
    if (!begin_write()) return false;
    const auto location = locate(at);
    const auto newest = memory_.newest(location);
    const auto matches = [&](store_index store) {
      return std::memcmp(memory_.value(location, store), expected, at.size) == 0;
    };
    // The ways on: the newest store, then a failure for no reason, then failures by older stores.
    seen_.assign(1, newest);
    if (weak && matches(newest)) seen_.push_back(newest);
    for (auto store = newest; store-- > memory_.oldest_visible(running_, location, failure);) {
      if (!matches(store)) seen_.push_back(store);
    }
    const auto way = effect(static_cast<std::uint32_t>(seen_.size()));
    const auto seen = seen_[way];
    if (way == 0 && matches(newest)) {
      memory_.read(running_, location, newest, success);
      write(location, at, success, desired, true);
      if (trace_ != nullptr) {
        note(at,
             "exchange " + detail::to_text(expected, at.size) + " -> " + detail::to_text(desired, at.size),
             success);
      }
      return true;
    }
    const bool for_no_reason = matches(seen);
    memory_.read(running_, location, seen, failure);
    if (trace_ != nullptr) {
      note(at,
           "exchange fails, expected " + detail::to_text(expected, at.size) + ", saw " +
               detail::to_text(memory_.value(location, seen), at.size) +
               (for_no_reason ? " (weak)" : stale(location, seen, at.size)),
           failure);
    }
    std::memcpy(expected, memory_.value(location, seen), at.size);
    return false;
  }

  void plain_access(detail::cell& where, bool writes, const std::source_location& from) {
    if (mode_ != mode::running) return;
    const auto* other = memory_.plain_access(running_, where, writes, from);
    if (trace_ != nullptr) {
      trace_->push_back("      T" + std::to_string(running_) +
                        (writes ? "  plain write  " : "  plain read  ") + detail::to_text(from));
    }
    if (other != nullptr) {
      std::string text = "data race: the " + std::string(writes ? "write" : "read") + " at " +
                         detail::to_text(from) + " is not ordered after the access at " +
                         detail::to_text(*other);
      fail(std::move(text));
    }
  }

  void set_name(const detail::cell& where, const char* name) { names_.emplace_back(&where, name); }

  void fence(std::memory_order order) {
    if (mode_ != mode::running) return;
    point();
    memory_.fence(running_, order);
    if (trace_ != nullptr) {
      trace_->push_back(step_text() + "fence " + std::string(detail::to_string(order)));
    }
  }

  void yield() {
    if (mode_ != mode::running) return;
    auto& self = threads_[running_];
    if (self.yielded) point();  // a spin that looks at nothing must not hold the processor
    self.yielded = true;
    self.may_see_more = std::exchange(self.saw_old, false);
    self.changes_at_yield = changes_;
  }

  void wait_until(const std::function<bool()>& holds) {
    if (mode_ != mode::running) {
      require(holds(), "wait_until outside a thread would wait forever", std::source_location::current());
      return;
    }
    threads_[running_].waits_for = &holds;
    point();
    threads_[running_].waits_for = nullptr;
    if (trace_ != nullptr) trace_->push_back(step_text() + "is woken; its condition reads:");
    mode_ = mode::waking;
    holds();
    mode_ = mode::running;
  }

  void require(bool holds, std::string_view text, const std::source_location& from) {
    if (holds) return;
    std::string failure = "required at " + detail::to_text(from) + ": " + std::string(text);
    fail(std::move(failure));
  }

 private:
  enum class mode {
    outside,  // no thread of the test runs
    running,  // a thread of the test runs
    looking,  // a condition of wait_until is looked at, without effect
    waking,   // the same, and its loads synchronize
  };

  struct thread {
    std::function<void()> body{};
    fiber* on = nullptr;
    const std::function<bool()>* waits_for = nullptr;
    std::uint64_t changes_at_yield = 0;
    std::uint32_t last_step = 0;
    bool done = false;
    bool yielded = false;
    bool saw_old = false;       // a load since the last yield saw an older store
    bool may_see_more = false;  // so spinning once more may see another value, with no change by others
  };

  void run_threads(std::vector<std::function<void()>>& bodies) {
    auto& stacks = detail::all_stacks();
    std::vector<std::unique_ptr<fiber>> mine;
    threads_.resize(bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      if (stacks.idle.empty()) {
        stacks.idle.push_back(std::make_unique<fiber>(&engine::thread_main, nullptr, stacks.main));
      }
      mine.push_back(std::move(stacks.idle.back()));
      stacks.idle.pop_back();
      threads_[i].body = std::move(bodies[i]);
      threads_[i].on = mine.back().get();
    }

    mode_ = mode::running;
    detail::exploring = true;
    // Each thread first runs up to its first operation: from there on every step is one operation.
    starting_ = true;
    for (running_ = 0; running_ < threads_.size() && failure_.empty(); ++running_) enter(running_);
    starting_ = false;
    running_ = no_thread;
    if (failure_.empty()) {
      if (const auto first = decide(); first != no_thread) {
        running_ = first;
        enter(first);
      }
    }
    detail::exploring = false;
    mode_ = mode::outside;

    for (std::size_t i = 0; i < mine.size(); ++i) {
      (threads_[i].done ? stacks.idle : stacks.abandoned).push_back(std::move(mine[i]));
      if (!threads_[i].done) stacks.abandoned_bodies.push_back(std::move(threads_[i].body));
      // Only here: the end of the shared state is not an action of the last thread that held it.
      threads_[i].body = nullptr;
    }
  }

  void enter(thread_index next) { fiber::switch_to(detail::all_stacks().main, *threads_[next].on); }

  [[noreturn]] static void thread_main(void*) {
    for (;;) {
      auto& self = *current;
      const auto index = self.running_;
      std::string error;
      try {
        self.threads_[index].body();
      } catch (const std::exception& thrown) {
        error = std::string("a thread ended by an exception: ") + thrown.what();
      } catch (...) {
        error = "a thread ended by an exception of unknown type";
      }
      if (!error.empty()) self.fail(std::move(error));
      auto& own = *self.threads_[index].on;
      self.threads_[index].done = true;
      auto* next = &detail::all_stacks().main;
      if (!self.starting_) {
        if (const auto chosen = self.decide(); chosen != no_thread) {
          self.running_ = chosen;
          next = self.threads_[chosen].on;
        }
      }
      fiber::switch_to(own, *next);
    }
  }

  /// The point before a write; false where a condition of wait_until tries one.
  bool begin_write() {
    if (mode_ == mode::running) {
      point();
      return true;
    }
    if (mode_ == mode::waking) fail(only_loads);
    if (failure_.empty()) failure_ = only_loads;
    return false;
  }

  /// A point of the running thread at which the explorer may switch to another one.
  void point() {
    const auto self = running_;
    auto& own = *threads_[self].on;
    if (starting_) {
      fiber::switch_to(own, detail::all_stacks().main);
    } else if (const auto next = decide(); next == no_thread) {
      leave();
    } else if (next != self) {
      running_ = next;
      fiber::switch_to(own, *threads_[next].on);
    }
    if (++steps_ > how_.max_steps) {
      std::string text =
          "livelock: no end after " + std::to_string(how_.max_steps) + " steps (options.max_steps)";
      fail(std::move(text));
    }
    threads_[self].last_step = steps_;
    threads_[self].yielded = false;
  }

  /// The thread that runs next; no_thread when all are done or none can.
  thread_index decide() {
    ready_.clear();
    thread_index rested = no_thread;
    bool all_done = true;
    const auto consider = [&](thread_index index) {
      const auto& each = threads_[index];
      if (each.done) return;
      all_done = false;
      if (each.waits_for != nullptr && !look(*each.waits_for)) return;
      if (each.yielded && each.changes_at_yield == changes_ && !each.may_see_more) {
        if (rested == no_thread || each.last_step < threads_[rested].last_step) rested = index;
        return;
      }
      ready_.push_back(index);
    };
    if (running_ != no_thread) consider(running_);
    for (thread_index i = 0; i < threads_.size(); ++i) {
      if (i != running_) consider(i);
    }
    if (all_done || !failure_.empty()) return no_thread;
    if (ready_.empty()) {
      if (rested == no_thread && failure_.empty()) {
        failure_ = "deadlock: every thread that is not done waits in wait_until";
      }
      return rested;
    }
    const bool may_stay = ready_.front() == running_;
    if (may_stay && preemptions_ >= choices_->within().preemptions) return running_;
    const auto taken = choices_->pick_thread(ready_, steps_);
    if (may_stay && taken != 0) ++preemptions_;
    return ready_[taken];
  }

  bool look(const std::function<bool()>& holds) {
    const auto before = std::exchange(mode_, mode::looking);
    const bool result = holds();
    mode_ = before;
    return result;
  }

  /// Which of `ways` effects of weak memory the running thread sees; 0 is none.
  std::uint32_t effect(std::uint32_t ways) {
    if (ways <= 1 || weak_effects_ >= choices_->within().weak_effects) return 0;
    const auto taken = choices_->pick_effect(ways);
    if (taken != 0) {
      ++weak_effects_;
      threads_[running_].saw_old = true;
    }
    return taken;
  }

  std::uint32_t locate(const access& at) {
    const auto location = memory_.locate(at);
    if (!memory_.knows_of(running_, location)) {
      std::string text = "the atomic used at " + detail::to_text(at.from) +
                         " was constructed by a thread that did not release it to this one";
      fail(std::move(text));
    }
    return location;
  }

  void write(std::uint32_t location, const access& at, std::memory_order order, const void* value,
             bool continues) {
    memory_.write(running_, location, value, at.size, order, continues);
    // Only a change lets a thread that spins hope; two that spin by exchange must not wake each other.
    if (std::memcmp(at.newest, value, at.size) != 0) ++changes_;
    std::memcpy(at.newest, value, at.size);
  }

  /// Ends the execution: a thread of the test never returns from here, so its callers hold no other string.
  [[noreturn]] void fail(std::string&& text) {
    if (mode_ == mode::outside) throw detail::check_failed(text);
    failure_ = std::move(text);
    leave();
  }
  [[noreturn]] void leave() {
    fiber::switch_to(*threads_[running_].on, detail::all_stacks().main);
    std::abort();
  }

  std::string step_text() const {
    auto number = std::to_string(steps_);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, ' ');
    return number + "  T" + std::to_string(running_) + "  ";
  }
  std::string stale(std::uint32_t location, store_index seen, std::size_t size) const {
    const auto newest = memory_.newest(location);
    return seen == newest ? ""
                          : " (old; newest " + detail::to_text(memory_.value(location, newest), size) + ")";
  }
  void note(const access& at, const std::string& what, std::memory_order order) {
    std::string name = "a" + std::to_string(at.where->index);
    for (const auto& [where, text] : names_) {
      if (where == at.where) name = text;
    }
    trace_->push_back(step_text() + name + "  " + what + "  " + std::string(detail::to_string(order)) + "  " +
                      detail::to_text(at.from));
  }

  static constexpr const char* only_loads = "a condition of wait_until may only load";

  const options& how_;
  const std::function<void(execution&)>& test_;
  detail::search* choices_ = nullptr;
  std::vector<std::string>* trace_ = nullptr;
  std::string failure_;
  detail::memory memory_;
  std::vector<std::pair<const detail::cell*, const char*>> names_;
  std::vector<thread> threads_;
  std::vector<thread_index> ready_;
  std::vector<store_index> seen_;
  mode mode_ = mode::outside;
  bool starting_ = false;
  thread_index running_ = no_thread;
  std::uint32_t steps_ = 0;
  std::uint64_t changes_ = 0;  // writes that changed a value
  unsigned preemptions_ = 0;
  unsigned weak_effects_ = 0;
};

}  // namespace troupe::explorer
