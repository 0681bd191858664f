// The sinks that a system shows its dead letters to.
//
// A sink is called without a lock: it may send, subscribe other sinks, and unsubscribe itself. Messages that
// a sink's own calls lose in the same system are counted, but not shown: the sink would be called without
// end.
#pragma once

#include <troupe/actors/dead_letter.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <condition_variable>
#include <memory>
#include <vector>

namespace troupe::detail {

/// Owned by system_core. Any thread.
class sink_list {
 public:
  /// Whether show() would reach a sink. Cheap: called before a letter is made.
  [[nodiscard]] bool wants_letters() const noexcept {
    return any_.load(std::memory_order_relaxed) && !is_showing();
  }
  void show(const dead_letter& letter) noexcept;
  void add(dead_letter_sink& s);
  /// Returns once no thread shows `s` a letter; from within a sink's write(), at once.
  void remove(dead_letter_sink& s) noexcept;
  /// Removes all sinks; none is added afterwards.
  void end() noexcept;

 private:
  struct entry {
    dead_letter_sink* sink;
    unsigned inside = 0;  // threads that show it a letter
    bool removed = false;
  };
  using entries = std::vector<std::shared_ptr<entry>>;

  /// A call of show() on this thread's stack: which list, and the next call outwards.
  struct showing {
    const sink_list* of;
    const showing* outer;
  };
  static thread_local const showing* innermost;
  [[nodiscard]] bool is_showing() const noexcept;

  // Whether a thread shows a letter to one of these.
  static bool is_busy(const entries& all) noexcept;

  mutex lock_;  // guards what the entries hold as well
  std::condition_variable left_;
  // Replaced, never changed.
  std::shared_ptr<const entries> all_ TROUPE_GUARDED_BY(lock_) = std::make_shared<const entries>();
  // any_: whether there are sinks. Relaxed: a thread that loses a message after subscribe() has returned sees
  // it; one that does so at the same time may or may not. The list itself is read under lock_, which both
  // take. Broken by: tests/actors/system/sink_test.
  atomic<bool> any_{false};
};

}  // namespace troupe::detail
