// What a handler may do beyond its own state: its actor's context.
#pragma once

#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/options.hpp>
#include <troupe/runtime/log.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

class system;
class any_ref;
template <class... Ms>
class ref;

namespace detail {
class cell;
class system_core;
template <class T>
struct ref_for;
}  // namespace detail

/// The notice that a watched actor has ended. An actor that watches others
/// takes it with `void handle(const troupe::down&)`, without naming it in its
/// protocol.
struct down;

/// What ctx.every() does about ticks it could not deliver in time.
enum class missed_tick : std::uint8_t {
  skip,   ///< the next tick comes at the next multiple of the period
  delay,  ///< the next tick comes a period after the late one was handled
  burst,  ///< every tick is delivered, one after the other
};

/// Names a timer, to cancel it. Copyable; of use in its own actor only.
struct timer_id {
  std::uint64_t number = 0;
  friend bool operator==(timer_id, timer_id) = default;
};

/// The context of an actor. Passed to handlers by reference; valid as long as the actor's state.
/// Threads: the actor's strand only; in its constructor, the thread that runs that.
class context {
 public:
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  /// Returns a ref to this actor, which is a T. Checked at run time; context_of<T> checks that when it is
  /// compiled.
  /// Errors: troupe_error, errc::invalid_argument, when this actor does not accept what a T does.
  template <class T>
  [[nodiscard]] typename detail::ref_for<T>::type self();
  /// Returns where this actor is in the tree, e.g. "/bank/accounts/7".
  /// Cost: grows with the depth of the tree.
  [[nodiscard]] std::string path() const;
  /// Returns 0 for the first incarnation, one more after each restart.
  [[nodiscard]] std::uint32_t epoch() const noexcept;
  [[nodiscard]] time_point now() const noexcept;
  /// Returns when the asker of the request in work gives up; time_point::max() when it does not, or
  /// when the handler took the request's reply_to. What the handler asks others ends by then.
  [[nodiscard]] time_point deadline() const noexcept;
  [[nodiscard]] troupe::system& system() const noexcept;

  /// Starts a child: it ends with this actor at the latest, and is restarted or given up by it. Its
  /// constructor runs here.
  /// Errors: what the constructor throws; troupe_error: name_taken, invalid_argument (the options), closed
  /// (this actor is ending).
  template <class T, class... Args>
  typename detail::ref_for<T>::type spawn(spawn_options options = {}, Args&&... args);
  /// Starts a child that is one coroutine, `task<void> f(context&, inbox<Ms...>, args...)`.
  /// Errors: troupe_error, as above.
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  auto spawn(F f, spawn_options options = {}, Args&&... args);

  /// Starts `task<void> f(args...)` as a child of this actor, and returns a ref to stop() or watch it. It
  /// owns `f` and `args`.
  /// Errors: when the task fails, this actor fails with that as the cause. troupe_error, errc::closed, when
  /// this actor is ending.
  /// Threads: the task runs while the actor handles messages, also on another worker, so it must not touch
  /// the actor's state.
  /// Cancellation: it is cancelled with this incarnation, which ends when the task has.
  template <class F, class... Args>
  any_ref spawn_task(F f, Args... args);

  /// Ends this actor after the present handler, as `normal` or for a reason of its own.
  void stop() noexcept;
  void stop(exit_reason why);
  /// Asks a child to end; returns false when `who` is not a child of this actor, or has ended.
  bool stop(const any_ref& who) noexcept;

  /// Watches `who`: a `down` arrives when it ends, exactly once, at once when it has ended already or is
  /// empty, and not on a restart. It may overtake messages that `who` sent before it ended.
  /// Cancellation: ends with this incarnation.
  /// Cost: O(1).
  void watch(const any_ref& who);
  /// Takes that back: no notice arrives any more, not even a queued one. Without effect for an empty ref.
  /// Cost: O(1).
  void unwatch(const any_ref& who);

  /// Sends `m` to this actor once, after `d`.
  /// Errors: troupe_error, errc::invalid_argument, when the actor does not accept an M; context_of<T> finds
  /// that when it is compiled.
  /// Cancellation: ends with this incarnation.
  template <class M>
  timer_id after(duration d, M m);
  /// Sends a copy of `m` every `period`; at most one is pending at a time.
  /// Errors: troupe_error, errc::invalid_argument, also when the period is not positive. When copying `m`
  /// throws later, the actor crashes.
  /// Cancellation: ends with this incarnation.
  template <std::copy_constructible M>
  timer_id every(duration period, M m, missed_tick how = missed_tick::skip);
  /// Cancels a timer: its message does not arrive any more, even if it is due. Returns false when there is
  /// no such timer (any more).
  bool cancel(timer_id id) noexcept;

  /// Writes a line to the system's log, behind this actor's path.
  void log(log_level level, std::string_view text) const noexcept;

 protected:
  context() = default;
  ~context() = default;

 private:
  timer_id start_timer(duration first, duration period, missed_tick how, detail::mail& first_mail,
                       detail::mail* (*copy)(const detail::mail&));
};

/// The context of an actor that is a T: as a context&, which it converts to, and its calls that depend on the
/// class are checked when they are compiled. A handler or hook may take it, by value, in the place of a
/// context&: `void started(troupe::context_of<counter> ctx) { ctx.every(1s, tick{}); ctx->watch(other); }`
template <class T>
class context_of {
 public:
  /// Internal: `c` is the context of a T.
  explicit context_of(context& c) noexcept : context_(&c) {}

  operator context&() const noexcept { return *context_; }  // implicit: it is one
  context& operator*() const noexcept { return *context_; }
  context* operator->() const noexcept { return context_; }

  /// Returns a ref to this actor.
  [[nodiscard]] typename detail::ref_for<T>::type self() const;
  /// Sends as context::after() and every(); a message that T does not accept is refused by the compiler.
  template <class M>
  timer_id after(duration d, M m) const;
  template <std::copy_constructible M>
  timer_id every(duration period, M m, missed_tick how = missed_tick::skip) const;

 private:
  context* context_;
};

}  // namespace troupe
