// An actor as one coroutine: for a sequential protocol.
//
//   troupe::task<void> session(troupe::context& ctx, troupe::inbox<open, data> in) {
//     auto first = co_await in.receive();            // std::variant<open, data>
//     ...
//   }                                                // returning ends the actor
//
// An actor that drains (on_stop::drain) and has work to do after its last message uses next():
//
//   while (auto m = co_await in.next()) ...
//   ...
//
// A request arrives as request<M>: the message, and the reply_to that it has to be answered with.
#pragma once

#include <troupe/actors/actor.hpp>

#include <optional>
#include <variant>

namespace troupe {

/// A request as an inbox yields it.
template <class M>
struct request {
  M message;
  reply_to<typename M::reply> reply;
};

template <class... Ms>
class inbox;

namespace detail {

template <class M>
struct received_as {
  using type = M;
};
template <request_message M>
struct received_as<M> {
  using type = request<M>;
};

/// What receive() yields. An actor that accepts no message receives none.
template <class... Ms>
struct received_message {
  using type = std::variant<typename received_as<Ms>::type...>;
};
template <>
struct received_message<> {
  using type = std::variant<std::monostate>;
};

/// For a second coroutine that receives from an inbox while another waits.
[[noreturn]] void throw_two_receives();

template <class... Ms>
class [[nodiscard]] receive_awaiter final : public leaf {
 public:
  using message = typename received_message<Ms...>::type;

  /// `until_drained`: the wait also ends, without a message, when there will be no further one.
  receive_awaiter(cell::receiver& r, duration limit, bool until_drained = false) noexcept
      : leaf(&abandon), receiver_(&r), limit_(limit), until_drained_(until_drained) {}
  ~receive_awaiter() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) {
    if (receiver_->waiting != nullptr) throw_two_receives();
    if (!begin(h.promise())) return;
    receiver_->waiting = this;
    receiver_->taken = nullptr;  // it is done with the last one
    receiver_->drained = until_drained_ ? &drained : nullptr;
    if (limit_ != forever) timer_ = wake_timer::arm(*this, limit_, &timed_out);
  }
  std::optional<message> await_resume() { return std::move(message_); }

  static bool take_mail(leaf& l, mail& m) {
    auto& self = static_cast<receive_awaiter&>(l);
    return ((m.kind == message_id<Ms>() ? (self.template take<Ms>(m), true) : false) || ...);
  }
  static void received(leaf& l) noexcept {
    auto& self = static_cast<receive_awaiter&>(l);
    wake_timer::disarm(self.timer_);
    self.complete();
  }

 private:
  // The mail is freed last: when moving the message throws, the mail still owns it.
  template <class M>
  void take(mail& m) {
    auto& e = static_cast<envelope<M>&>(m);
    if constexpr (request_message<M>) {
      using owed = reply_to<typename M::reply>;
      message_.emplace(std::in_place_type<request<M>>, std::move(e.message), owed());
      std::get<request<M>>(*message_).reply = owed::take(e);
    } else {
      message_.emplace(std::in_place_type<M>, std::move(e.message));
      slab_delete(&e);
    }
  }
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<receive_awaiter&>(l);
    wake_timer::disarm(self.timer_);
    self.receiver_->waiting = nullptr;
  }
  static void drained(leaf& l) noexcept { static_cast<receive_awaiter&>(l).complete(); }
  static void timed_out(leaf& l) noexcept {
    auto& self = static_cast<receive_awaiter&>(l);
    wake_timer::fired(self.timer_);
    self.receiver_->waiting = nullptr;
    self.complete();
  }

  cell::receiver* receiver_;
  duration limit_;
  bool until_drained_;
  wake_timer* timer_ = nullptr;
  std::optional<message> message_;
};

/// The awaiter of receive(), which always yields a message.
template <class... Ms>
class [[nodiscard]] receive_always final {
 public:
  explicit receive_always(cell::receiver& r) noexcept : inner_(r, forever) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) {
    inner_.await_suspend(h);
  }
  typename receive_awaiter<Ms...>::message await_resume() { return *inner_.await_resume(); }

 private:
  receive_awaiter<Ms...> inner_;
};

}  // namespace detail

/// Receives the messages of a coroutine actor. Copyable. A notice (`down`) that Ms does not contain is
/// dropped; to start a timer for a message that it does not contain is an error of context::after().
/// Errors: when two tasks of the actor (both, either) receive at the same time, the second gets troupe_error
/// with errc::invalid_argument.
/// Threads: the actor's coroutine only.
template <class... Ms>
class inbox {
 public:
  using accepts = protocol<Ms...>;
  using message = typename detail::receive_awaiter<Ms...>::message;

  /// `co_await in.receive()`: waits for the next message.
  /// Cancellation: stopping the actor ends the wait.
  [[nodiscard]] detail::receive_always<Ms...> receive() const noexcept {
    return detail::receive_always<Ms...>(*receiver_);
  }
  /// `co_await in.receive_for(d)`: waits for the next message; yields nothing when none comes within `d`.
  /// Cancellation: stopping the actor ends the wait.
  [[nodiscard]] detail::receive_awaiter<Ms...> receive_for(duration d) const noexcept {
    return {*receiver_, d};
  }
  /// `co_await in.next()`: waits for the next message; yields nothing once the actor has been told to stop
  /// and has drained its mailbox. The coroutine then goes on, within the shutdown time.
  /// Cancellation: in an actor that does not drain, stopping it ends the wait.
  [[nodiscard]] detail::receive_awaiter<Ms...> next() const noexcept { return {*receiver_, forever, true}; }
  /// Returns the ref that other actors send to.
  [[nodiscard]] ref<Ms...> self() const noexcept {
    cell_->share();
    return ref<Ms...>(cell_);
  }

  /// Internal.
  inbox(detail::cell& c, detail::cell::receiver& r) noexcept : cell_(&c), receiver_(&r) {}

 private:
  detail::cell* cell_;
  detail::cell::receiver* receiver_;
};

namespace detail {

template <class F>
struct coroutine_signature : coroutine_signature<decltype(&F::operator())> {};
template <class R, class... Ms, class... Rest>
struct coroutine_signature<R (*)(context&, inbox<Ms...>, Rest...)> {
  using result = R;
  using accepts = protocol<Ms...>;
  using in = inbox<Ms...>;
  using awaiter = receive_awaiter<Ms...>;
};
template <class R, class C, class... Ms, class... Rest>
struct coroutine_signature<R (C::*)(context&, inbox<Ms...>, Rest...) const>
    : coroutine_signature<R (*)(context&, inbox<Ms...>, Rest...)> {};
template <class R, class C, class... Ms, class... Rest>
struct coroutine_signature<R (C::*)(context&, inbox<Ms...>, Rest...)>
    : coroutine_signature<R (*)(context&, inbox<Ms...>, Rest...)> {};

template <class P>
struct accepts_of;
template <class... Ms>
struct accepts_of<protocol<Ms...>> {
  static bool accepts([[maybe_unused]] const message_kind* k) noexcept {
    return ((k == message_id<Ms>()) || ...);
  }
};

/// The state of a coroutine actor: the callable, its arguments, the receiver.
template <class F, class... Args>
struct coroutine_state {
  using signature = coroutine_signature<F>;
  static_assert(std::same_as<typename signature::result, task<void>>,
                "troupe: a coroutine actor returns troupe::task<void>");

  explicit coroutine_state(const F& g, const Args&... a) : f(g), arguments(a...) {}

  F f;
  std::tuple<Args...> arguments;
  cell::receiver receiver{&signature::awaiter::take_mail, &signature::awaiter::received};
};

template <class F, class... Args>
struct coroutine_behaviour {
  using state = coroutine_state<F, Args...>;
  using box = actor_box<state, F, Args...>;

  static void started(cell& c) {
    state& s = box::of(c).state();
    c.wait_for_mail(&s.receiver);
    begin_life(c, [&] {
      return std::apply(
          [&](auto&... a) {
            return s.f(static_cast<context&>(c), typename state::signature::in(c, s.receiver), a...);
          },
          s.arguments);
    });
  }
  static void destroy(cell& c) noexcept {
    c.wait_for_mail(nullptr);
    box::destroy(c);
  }
  static void receive(cell&, mail& m) { m.kind->dispose(m); }  // not reached: the receiver takes the mail

  static constexpr behaviour value{
      type_name<F>(),
      sizeof(box),
      &accepts_of<typename state::signature::accepts>::accepts,
      &box::construct,
      &destroy,
      &box::destroy_arguments,
      &started,
      nullptr,
      &receive,
      true,
  };
};

template <class F, class... Args>
auto spawn_coroutine(cell& parent, F f, const spawn_options& o, Args&&... args) {
  using b = coroutine_behaviour<F, std::decay_t<Args>...>;
  using ref_type = typename ref_of_protocol<typename b::state::signature::accepts>::type;
  return ref_type(
      spawn_cell<typename b::state>(parent, b::value, o, std::move(f), std::forward<Args>(args)...));
}

}  // namespace detail

template <class F, class... Args>
  requires(!std::is_class_v<F> || requires { &F::operator(); })
auto context::spawn(F f, spawn_options options, Args&&... args) {
  return detail::spawn_coroutine(detail::self_cell(*this), std::move(f), options,
                                 std::forward<Args>(args)...);
}

}  // namespace troupe
