// An event that one coroutine waits for and another coroutine on the same strand sets.
//
// Owned by an object of that strand, which outlives every wait. Strand only.
#pragma once

#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe::detail {

/// The mail that tells the strand that its event was set. In the slab.
struct async_event_wake final : completion {
  async_event_wake() noexcept : completion(kind_of) {}
  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose};
};

/// Set or not; `co_await event.wait()` suspends while it is not. At most one coroutine waits at a time.
class async_event {
 public:
  class [[nodiscard]] awaiter final : public leaf {
   public:
    explicit awaiter(async_event& e) noexcept : leaf(&abandon), event_(e) {}
    ~awaiter() { withdraw(); }
    [[nodiscard]] bool await_ready() const noexcept { return event_.set_; }
    template <troupe_promise P>
    void await_suspend(std::coroutine_handle<P> h) {
      if (begin(h.promise())) start();
    }
    void await_resume() const noexcept {}

   private:
    friend struct async_event_wake;
    friend class async_event;
    void start();
    static void abandon(leaf& l) noexcept;
    void woken() noexcept;

    async_event& event_;
    async_event_wake* wake_ = nullptr;
    bool known_ready_ = false;  // the wake is on its way
  };

  /// The event may have been reset by the time the waiter runs: call it in a loop that tests is_set().
  [[nodiscard]] awaiter wait() noexcept { return awaiter(*this); }
  [[nodiscard]] bool is_set() const noexcept { return set_; }
  void set() noexcept;
  void reset() noexcept { set_ = false; }

 private:
  bool set_ = false;
  awaiter* waiting_ = nullptr;
};

}  // namespace troupe::detail
