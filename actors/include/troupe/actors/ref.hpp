// ref<Ms...>: the address of an actor that accepts exactly Ms.
#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/pending_reply.hpp>
#include <troupe/actors/send.hpp>
#include <troupe/runtime/detail/shared_ref.hpp>

#include <compare>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe {

/// The address of an actor, without its protocol: to compare, watch and stop. Small, copyable. It names the
/// logical actor, so it stays valid across restarts; and it keeps the address valid, not the actor alive. An
/// empty one behaves like that of an actor that has ended: what is sent is refused as `closed`.
/// Threads: any. Copies are independent; an object that is assigned to is used by one thread at a time.
class any_ref {
 public:
  any_ref() noexcept = default;
  explicit operator bool() const noexcept { return cell_.get() != nullptr; }
  /// Returns whether the actor has ended for good, or there is none.
  [[nodiscard]] bool ended() const noexcept { return !cell_ || cell_->box().dead(); }
  /// Returns where the actor is in the tree; empty when there is none.
  /// Cost: grows with the depth of the tree.
  [[nodiscard]] std::string path() const { return cell_ ? cell_->path() : std::string(); }

  friend bool operator==(const any_ref& a, const any_ref& b) noexcept { return a.cell() == b.cell(); }
  friend std::strong_ordering operator<=>(const any_ref& a, const any_ref& b) noexcept {
    return std::compare_three_way{}(a.cell(), b.cell());
  }

  /// Internal: takes over a share of `c`.
  explicit any_ref(detail::cell* c) noexcept : cell_(c) {}
  [[nodiscard]] detail::cell* cell() const noexcept { return cell_.get(); }

 private:
  detail::shared_ref<detail::cell> cell_;
};

namespace detail {

/// Moves a refused message back to where it was moved from. One that can neither be assigned nor moved
/// without throwing stays where it is.
template <class M>
void give_back(M& to, M& from) {
  if constexpr (std::is_nothrow_move_constructible_v<M> && !std::is_nothrow_move_assignable_v<M>) {
    to.~M();
    ::new (static_cast<void*>(&to)) M(std::move(from));
  } else if constexpr (std::is_move_assignable_v<M>) {
    to = std::move(from);
  }
}

/// Whether give_back() does so for an M.
template <class M>
inline constexpr bool can_be_given_back =
    std::is_nothrow_move_constructible_v<M> || std::is_move_assignable_v<M>;

/// Whether the argument of type M&& is moved from, so that a refused message goes back there.
template <class M>
inline constexpr bool is_moved_in = !std::is_lvalue_reference_v<M> && !std::is_const_v<M>;

/// An envelope around a copy of `m`, or around `m` moved.
template <class M>
envelope<std::remove_cvref_t<M>>* envelope_of(M&& m) {
  using message = std::remove_cvref_t<M>;
  return slab_new<envelope<message>>(message(std::forward<M>(m)));
}

/// Owns an envelope that was refused.
template <class E>
struct refused_envelope {
  E* e;
  ~refused_envelope() { slab_delete(e); }
};

}  // namespace detail

namespace detail {
template <class M>
class send_awaiter_of;
}  // namespace detail

/// The address of an actor that accepts each of Ms. Narrows implicitly to a
/// ref of fewer messages.
template <class... Ms>
class ref : public any_ref {
 public:
  using accepts = protocol<Ms...>;

  ref() noexcept = default;
  /// Narrowing: the other ref accepts all that this one does.
  template <class... Others>
    requires(!std::same_as<ref, ref<Others...>> && (detail::one_of<Ms, Others...> && ...))
  ref(const ref<Others...>& o) noexcept : any_ref(o) {}  // implicit: narrowing is safe

  /// Sends a message without waiting. A mailbox with a lossy policy also accepts one that it drops.
  /// Errors: returns full or closed. A message that is moved in and refused is moved back into `m`: only an
  /// accepted one is gone (or one whose move may throw and that cannot be assigned).
  /// Threads: any.
  /// Cost: one allocation from the slab and one compare-and-swap.
  template <class M>
  [[nodiscard("a full mailbox refuses messages: handle it, or use co_await send()")]] send_result tell(
      M&& m) const {
    check<std::remove_cvref_t<M>>();
    if (cell() == nullptr) [[unlikely]]
      return send_result::closed;
    auto* const e = detail::envelope_of(std::forward<M>(m));
    const detail::push_result r = detail::deliver(*cell(), *e);
    if (r == detail::push_result::queued || r == detail::push_result::wake) [[likely]]
      return send_result::ok;
    if (r == detail::push_result::full && detail::lose_newest(*cell(), *e)) return send_result::ok;
    const detail::refused_envelope refused{e};
    if constexpr (detail::is_moved_in<M>) detail::give_back(m, e->message);
    return r == detail::push_result::full ? send_result::full : send_result::closed;
  }

  /// `co_await r.send(m)`: sends, and waits for room for up to `deadline`. Await it at once, in the
  /// expression that made it. Order is kept per sender.
  /// Errors: timeout, closed, would_deadlock (as ask()). A message that is moved in and not accepted is moved
  /// back into `m`.
  /// Threads: in an actor or a task; from outside use system::block_on.
  /// Cancellation: a message that still waits for room is not sent, and destroyed. One that got its place at
  /// that moment is delivered.
  template <class M>
  detail::send_awaiter_of<M> send(M&& m, duration deadline = default_send_deadline) const {
    check<std::remove_cvref_t<M>>();
    return {cell(), std::forward<M>(m), deadline};
  }

  /// `co_await r.ask(m, deadline)`: sends a request and waits for its reply. Await it at once, in the
  /// expression that made it. A handler that works on a request waits no longer than until that one's
  /// deadline.
  /// Errors: full at once; closed, at once or when the actor stops before it answers; timeout; actor_failed
  /// with the cause. would_deadlock, and the request is not handled, when the wait would close a cycle of
  /// actors whose handlers wait for each other; the text tells the cycle. The actor's handler may answer with
  /// an error of its own.
  /// Threads: in an actor or a task; from outside use system::block_on.
  /// Cancellation: the request is handled all the same, also after a timeout; its reply is dropped.
  template <class M>
  detail::ask_awaiter<M> ask(M m, duration deadline = default_ask_deadline) const {
    check<M>();
    static_assert(request_message<M>,
                  "troupe: this message has no reply; name it in the message: using reply = ...");
    return {cell(), std::move(m), deadline};
  }

  /// Does the same, and gives up the work along with the reply.
  /// Cancellation: also at the deadline: a request that waits in the mailbox is not handled any more, and a
  /// coroutine handler that works on it is stopped at its present await, as if its actor were stopped; the
  /// actor lives on. Without effect once a handler has taken the request's reply_to.
  template <class M>
  detail::ask_awaiter<M> ask(M m, duration deadline, cancel_on_timeout_t) const {
    check<M>();
    static_assert(request_message<M>,
                  "troupe: this message has no reply; name it in the message: using reply = ...");
    return {cell(), std::move(m), deadline, true};
  }

  /// `auto p = r.request(m, deadline)`, and `co_await p` later: as ask(), but the request is on its way at
  /// once, so that several can be out at a time.
  /// Errors: those of ask(), when it is awaited. troupe_error, errc::invalid_argument, at once when called
  /// outside of an actor or a task.
  /// Threads: in an actor or a task only.
  /// Cancellation: when the pending_reply is destroyed or given up, the request is handled all the same, and
  /// its reply is dropped.
  template <class M>
  pending_reply<M> request(M m, duration deadline = default_ask_deadline) const {
    check<M>();
    static_assert(request_message<M>,
                  "troupe: this message has no reply; name it in the message: using reply = ...");
    return {cell(), std::move(m), deadline};
  }

  /// Internal: takes over a share of `c`, whose protocol was checked.
  explicit ref(detail::cell* c) noexcept : any_ref(c) {}

 private:
  template <class M>
  static constexpr void check() {
    static_assert(detail::is_movable_message<M>, "troupe: a message must be movable");
    static_assert(detail::is_accepted_by_protocol<M, Ms...>,
                  "troupe: the actor behind this ref does not accept this message");
  }
};

namespace detail {

template <class P>
struct ref_of_protocol;
template <class... Ms>
struct ref_of_protocol<protocol<Ms...>> {
  using type = ref<Ms...>;
};

/// The ref of an actor class: of what it accepts.
template <class T>
struct ref_for {
  static_assert(
      requires { typename T::accepts; },
      "troupe: an actor class says what it accepts: using accepts = troupe::protocol<...>");
  using type = typename ref_of_protocol<typename T::accepts>::type;
};

}  // namespace detail

template <class T>
using ref_of = typename detail::ref_for<T>::type;

namespace detail {

/// A send of an M&&, which takes back what was moved in when that is refused.
template <class M>
class [[nodiscard("a send does nothing until it is awaited")]] send_awaiter_of final : public send_awaiter {
 public:
  using message = std::remove_cvref_t<M>;

  send_awaiter_of(cell* to, M&& m, duration deadline)
      : send_awaiter(to, *envelope_of(std::forward<M>(m)), deadline) {
    if constexpr (is_moved_in<M>) from_ = &m;
  }
  result<void> await_resume() {
    if constexpr (is_moved_in<M>) {
      if (mail* const refused = take_refused()) {
        const refused_envelope e{static_cast<envelope<message>*>(refused)};
        give_back(*from_, e.e->message);
      }
    }
    return send_awaiter::await_resume();
  }

 private:
  struct nowhere {};
  [[no_unique_address]] std::conditional_t<is_moved_in<M>, message*, nowhere> from_{};
};

}  // namespace detail

/// The notice that a watched actor has ended.
struct TROUPE_SHARED down {
  any_ref who;
  exit_reason reason;
};

}  // namespace troupe

template <>
struct std::hash<troupe::any_ref> {
  std::size_t operator()(const troupe::any_ref& r) const noexcept { return std::hash<void*>{}(r.cell()); }
};
template <class... Ms>
struct std::hash<troupe::ref<Ms...>> : std::hash<troupe::any_ref> {};
