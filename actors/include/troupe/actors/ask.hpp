// co_await r.ask(m): a request and its reply; and the two other ends of it,
// pending_reply (asked, not yet awaited) and reply_to (to be answered later).
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/runtime/detail/owned.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// How long ask() waits unless told otherwise.
inline constexpr duration default_ask_deadline = std::chrono::seconds(5);

/// Tells ask() that the work for a reply is given up along with the reply.
struct cancel_on_timeout_t {
  explicit cancel_on_timeout_t() = default;
};
inline constexpr cancel_on_timeout_t cancel_on_timeout{};

template <class R>
class reply_to;

namespace detail {

/// The obligation to answer was dropped. Takes the envelope: its asker learns why there is no answer.
void drop_owed(ask_envelope_base& e) noexcept;
/// What `asker` waits for is over: its edge of the wait-for graph goes. On its strand.
void end_edge(strand& asker, const ask_envelope_base& e) noexcept;

/// When an ask made here with this deadline is given up: not after the request that the
/// present handler works on, if it does on one.
[[nodiscard]] std::int64_t due_of_ask(cell* from, duration deadline) noexcept;

/// What does not depend on the message.
class ask_leaf : public leaf {
 public:
  ask_leaf(const ask_leaf&) = delete;
  ask_leaf& operator=(const ask_leaf&) = delete;

 protected:
  ask_leaf(void (*abandon)(leaf&) noexcept, cell* to, duration deadline, bool cancels) noexcept
      : leaf(abandon), to_(to), deadline_(deadline), cancels_(cancels), forget_(abandon) {}
  ~ask_leaf() = default;

  /// Sends the request and suspends. False when it was refused at once.
  bool start(promise_base& p, ask_envelope_base& e);
  void came() noexcept {
    wake_timer::disarm(timer_);
    complete();
  }
  /// Gives up the reply: the envelope belongs to the receiver.
  void give_up() noexcept;
  /// It is not needed any more: the envelope came back, or was never sent.
  static void forget_canceller(ask_envelope_base& e) noexcept;
  /// The deadline came first: gives up the reply, and resumes.
  void time_out() noexcept {
    forget_(*this);
    complete();
  }

  static void on_reply(leaf& l) noexcept { static_cast<ask_leaf&>(l).came(); }
  static void on_timeout(leaf& l) noexcept;
  [[nodiscard]] error why() noexcept { return why_ ? std::move(*why_) : error(code_); }

  cell* to_;
  duration deadline_;
  ask_envelope_base* sent_ = nullptr;
  wake_timer* timer_ = nullptr;
  errc code_{};
  bool cancels_;

 private:
  friend class cell;
  // Rare, and out of line, so that an ordinary ask saves fewer registers.
  TROUPE_NOINLINE bool comes_too_late(cell* from);
  TROUPE_NOINLINE bool end_at_once(promise_base& p) noexcept;
  bool closes_cycle(ask_envelope_base& e);
  TROUPE_NOINLINE bool closes_cycle_now(cell& from, wait_id id);
  void withdraw_for(error cycle);
  /// It waits, and that closes a cycle after all. False when what it waits for is under way.
  static bool refuse(leaf& l, error cycle);

  void (*forget_)(leaf&) noexcept;
  owned<error> why_;  // what code_ does not say
};

/// Await it at once, in the expression that made it.
template <class M>
class [[nodiscard("an ask does nothing until it is awaited")]] ask_awaiter final : public ask_leaf {
 public:
  using result_type = result<typename M::reply>;

  /// `to` null: closed.
  ask_awaiter(cell* to, M&& m, duration deadline,
              bool cancels = false) noexcept(std::is_nothrow_move_constructible_v<M>)
      : ask_leaf(&abandon, to, deadline, cancels), message_(std::move(m)) {}
  ~ask_awaiter() {
    withdraw();
    if (envelope_ == nullptr) return;
    if (envelope_->cancel != nullptr) forget_canceller(*envelope_);
    slab_delete(envelope_);
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    envelope_ = slab_new<ask_envelope<M>>(std::move(message_));
    envelope_->resume = &ask_leaf::on_reply;
    return start(h.promise(), *envelope_);
  }
  result_type await_resume() {
    if (code_ != errc{}) return std::unexpected(why());
    return std::move(*envelope_->reply);
  }

 private:
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<ask_awaiter&>(l);
    self.envelope_ = nullptr;
    self.give_up();
  }

  M message_;
  ask_envelope<M>* envelope_ = nullptr;
};

}  // namespace detail

/// The obligation to answer a request, to keep for later: a handler of M takes it
/// as `void handle(M, reply_to<M::reply>)`. Move-only; answered once.
/// Errors: dropped unanswered, the asker gets closed; dropped by the end of an actor that has failed,
/// wherever in it, actor_failed with the cause; by a restart of an actor that has not, actor_failed.
/// Threads: any, one at a time.
/// Cancellation: an answer to an asker that has given up is dropped.
template <class R>
class [[nodiscard("dropped, it leaves the asker without an answer")]] reply_to {
 public:
  reply_to() noexcept = default;
  reply_to(reply_to&& o) noexcept : envelope_(std::exchange(o.envelope_, nullptr)), answer_(o.answer_) {}
  reply_to& operator=(reply_to&& o) noexcept {
    reply_to taken(std::move(o));  // takes the former obligation along, to drop it
    std::swap(envelope_, taken.envelope_);
    std::swap(answer_, taken.answer_);
    return *this;
  }
  ~reply_to() {
    if (envelope_ != nullptr) detail::drop_owed(*envelope_);
  }

  /// Returns whether it still has to be answered.
  explicit operator bool() const noexcept { return envelope_ != nullptr; }
  /// Answers the request; without effect when it has been answered.
  /// Errors: what moving the answer throws; it is still owed then.
  void send(result<R> r) noexcept(std::is_nothrow_move_constructible_v<result<R>>) {
    if (envelope_ == nullptr) return;
    answer_(*envelope_, std::move(r));
    envelope_ = nullptr;
  }

  /// Internal.
  [[nodiscard]] detail::ask_envelope_base* envelope() const noexcept { return envelope_; }
  [[nodiscard]] detail::ask_envelope_base* release() noexcept { return std::exchange(envelope_, nullptr); }
  template <class M>
  static reply_to take(detail::ask_envelope<M>& e) noexcept {
    e.hand_on();
    reply_to r;
    r.envelope_ = &e;
    r.answer_ = [](detail::ask_envelope_base& m, result<R>&& value) {
      auto& self = static_cast<detail::ask_envelope<M>&>(m);
      self.answer(std::move(value));
      self.send();
    };
    return r;
  }

 private:
  detail::ask_envelope_base* envelope_ = nullptr;
  void (*answer_)(detail::ask_envelope_base&, result<R>&&) = nullptr;
};

}  // namespace troupe
