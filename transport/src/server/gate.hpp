// A gate that one coroutine waits at and another one on the same strand opens.
#pragma once

#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe::detail {

/// The mail that tells the strand that its gate was opened. In the slab.
struct gate_wake final : completion {
  gate_wake() noexcept : completion(kind_of) {}
  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose};
};

/// Open or shut; `co_await gate.opened()` waits while it is shut, one at a time. Outlives the wait. Strand
/// only.
class gate {
 public:
  class [[nodiscard]] awaiter final : public leaf {
   public:
    explicit awaiter(gate& g) noexcept : leaf(&abandon), gate_(g) {}
    ~awaiter() { withdraw(); }
    [[nodiscard]] bool await_ready() const noexcept { return gate_.open_; }
    template <troupe_promise P>
    void await_suspend(std::coroutine_handle<P> h) {
      if (begin(h.promise())) start();
    }
    void await_resume() const noexcept {}

   private:
    friend struct gate_wake;
    friend class gate;
    void start();
    static void abandon(leaf& l) noexcept;
    void woken() noexcept;

    gate& gate_;
    gate_wake* wake_ = nullptr;
    bool known_ready_ = false;  // the wake is on its way
  };

  /// Also after it has been shut again by the time the waiter runs: look once more.
  [[nodiscard]] awaiter opened() noexcept { return awaiter(*this); }
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  void shut() noexcept { open_ = false; }
  void open() noexcept;

 private:
  bool open_ = false;
  awaiter* waiting_ = nullptr;
};

}  // namespace troupe::detail
