// ref.request(m): a request that is on its way, and whose reply is awaited later.
//
//   auto left = a.request(get{});          // both are asked now ...
//   auto right = b.request(get{});
//   const int sum = *co_await left + *co_await right;   // ... and work side by side
//
// The envelope is the same as an ask's. The reply comes back as system mail; what
// it resumes is this object, whether or not a coroutine waits at it by then.
#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/runtime/detail/owned.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {
namespace detail {

/// What does not depend on the message. On the asker's strand only.
class pending_leaf : public leaf {
 public:
  pending_leaf& operator=(const pending_leaf&) = delete;

  /// Whether awaiting it would not wait.
  [[nodiscard]] bool ready() const noexcept { return sent_ == nullptr; }

 protected:
  pending_leaf(void (*abandon)(leaf&) noexcept, duration deadline);
  /// Takes over what `o` waits for; no coroutine awaits `o`.
  pending_leaf(void (*abandon)(leaf&) noexcept, pending_leaf& o) noexcept;
  ~pending_leaf() {
    if (to_ != nullptr) to_->release();
  }

  /// Sends the request. The envelope is the caller's again when it was refused.
  void start(cell* to, ask_envelope_base& e);
  /// False when it was refused.
  bool suspend(promise_base& p);
  /// Gives up the reply: the envelope belongs to the receiver.
  void give_up() noexcept;
  static void on_reply(leaf& l) noexcept;
  [[nodiscard]] error why() noexcept { return why_ ? std::move(*why_) : error(code_); }

  ask_envelope_base* sent_ = nullptr;  // out, and no reply yet
  errc code_{};

 private:
  friend class cell;
  static void on_timeout(leaf& l) noexcept;
  bool closes_cycle(cell& from);
  void withdraw_for(error cycle);
  static bool refuse(leaf& l, error cycle);

  void (*forget_)(leaf&) noexcept;
  cell* to_ = nullptr;  // shared: the ref that this was made from may be gone
  wake_timer* timer_ = nullptr;
  std::int64_t due_;
  owned<error> why_;  // what code_ does not say
};

}  // namespace detail

/// A reply that is awaited at most once; it moves as long as it is not awaited. Yields what ask() yields, by
/// the same deadline, counted from the request. A reply that is there is yielded, however late it is awaited.
/// Errors: those of ask(). Made outside of an actor or task it throws troupe_error, errc::invalid_argument.
/// Threads: the actor or task that asked, only.
/// Cancellation: when it is destroyed, or its wait is stopped, the reply is dropped; the request is handled
/// all the same.
template <class M>
class [[nodiscard("a request whose reply is not awaited is a tell")]] pending_reply final
    : public detail::pending_leaf {
 public:
  using result_type = result<typename M::reply>;

  /// Internal. `to` null: closed.
  pending_reply(detail::cell* to, M&& m, duration deadline)
      : pending_leaf(&abandon, deadline), envelope_(detail::slab_new<detail::ask_envelope<M>>(std::move(m))) {
    envelope_->resume = &pending_leaf::on_reply;
    start(to, *envelope_);
  }
  pending_reply(pending_reply&& o) noexcept
      : pending_leaf(&abandon, o), envelope_(std::exchange(o.envelope_, nullptr)) {}
  ~pending_reply() {
    withdraw();
    give_up_unawaited();
    if (envelope_ != nullptr) detail::slab_delete(envelope_);
  }

  [[nodiscard]] bool await_ready() const noexcept { return ready() && detail::consume_budget(); }
  template <detail::troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    if (!ready()) return suspend(h.promise());
    detail::defer(h.promise());  // the slice's budget of awaits is used up
    return true;
  }
  result_type await_resume() {
    if (code_ != errc{}) return std::unexpected(why());
    return std::move(*envelope_->reply);
  }

 private:
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<pending_reply&>(l);
    self.envelope_ = nullptr;
    self.give_up();
  }
  void give_up_unawaited() noexcept {
    if (sent_ != nullptr) abandon(*this);
  }

  detail::ask_envelope<M>* envelope_;
};

}  // namespace troupe
