// How a message finds its handler: which forms of handle() a class may have, and what runs around a call of
// it.
//
// For actor.hpp. On the actor's strand only.
#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/context.hpp>
#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

namespace troupe::detail {

// -- which handler ------------------------------------------------------------

template <class T, class M>
concept handles_plain = requires(T& t, M&& m) { t.handle(std::move(m)); };
template <class T, class M>
concept handles_with_context = requires(T& t, M&& m, context& c) { t.handle(std::move(m), c); };
template <class T, class M>
concept handles_with_own_context = requires(T& t, M&& m, context_of<T> c) { t.handle(std::move(m), c); };

template <class M>
struct reply_of {
  using type = void;
};
template <request_message M>
struct reply_of<M> {
  using type = typename M::reply;
};

template <class T, class M>
concept handles_later = request_message<M> && requires(T& t, M&& m, reply_to<typename M::reply> r) {
  t.handle(std::move(m), std::move(r));
};
template <class T, class M>
concept handles_later_with_context =
    request_message<M> && requires(T& t, M&& m, reply_to<typename M::reply> r, context& c) {
      t.handle(std::move(m), std::move(r), c);
    };
template <class T, class M>
concept handles_later_with_own_context =
    request_message<M> && requires(T& t, M&& m, reply_to<typename M::reply> r, context_of<T> c) {
      t.handle(std::move(m), std::move(r), c);
    };
template <class T, class M>
concept takes_obligation =
    handles_later<T, M> || handles_later_with_context<T, M> || handles_later_with_own_context<T, M>;

/// Named so that a failed assertion reads as a sentence.
template <class T, class M>
inline constexpr bool has_handler_for = handles_plain<T, M> || handles_with_context<T, M> ||
                                        handles_with_own_context<T, M> || takes_obligation<T, M>;

/// Only this actor sees the notice, so it may be taken by value; but not to be changed in place.
template <class T>
concept takes_changeable_down = requires(T& t, down& d) { t.handle(d); };

/// Whether what a handler returns is the reply; nothing, for a request that is
/// only acknowledged (using reply = void).
template <class M, class R>
constexpr bool is_reply() {
  if constexpr (std::is_void_v<R>) {
    return std::is_void_v<typename M::reply>;
  } else {
    return std::constructible_from<result<typename M::reply>, R&&>;
  }
}
template <class M, class R>
inline constexpr bool yields_reply = is_reply<M, R>();

template <class T, class M>
decltype(auto) call_handler(T& t, M& m, context& c) {
  if constexpr (handles_with_context<T, M>) {
    return t.handle(std::move(m), c);
  } else if constexpr (handles_with_own_context<T, M>) {
    return t.handle(std::move(m), context_of<T>(c));
  } else {
    return t.handle(std::move(m));
  }
}

// -- the end of a coroutine handler ----------------------------------------------

template <class M, class T>
void coroutine_finished(promise_base& base, strand& s) noexcept {
  auto& p = static_cast<task_promise<T>&>(base);
  auto& c = static_cast<cell&>(s);
  c.handler_done();
  outcome how = p.how;
  std::exception_ptr failure = std::move(p.exception);
  if constexpr (request_message<M>) {
    if (how == outcome::value && c.handling() != nullptr) {
      auto& e = static_cast<ask_envelope<M>&>(*c.handling());
      try {
        if constexpr (std::is_void_v<T>) {
          e.answer({});
        } else {
          e.answer(std::move(*p.value));
        }
      } catch (...) {  // the reply cannot be moved, or made of what the task yields
        how = outcome::error;
        failure = std::current_exception();
      }
    }
  }
  p.handle.destroy();
  if (how == outcome::error) c.crash(failure_of(c, failure));
  // Stopped: the code that stopped it deals with the mail.
}

/// Throws when there is no coroutine.
void check_handler_task(bool there);

template <class M, class T>
void start_coroutine(cell& c, task<T> t) {
  check_handler_task(static_cast<bool>(t));
  auto& p = t.promise();
  p.finished = &coroutine_finished<M, T>;
  (void)t.release();
  c.run_handler(p);
}

/// Runs `t` as all that the actor does: it ends as `t` does, and fails with it. On the strand.
void run_as_life(cell& c, task<void> t) noexcept;
/// The same for the task that `make` returns; what `make` throws is a crash.
template <class F>
void begin_life(cell& c, F make) noexcept {
  try {
    run_as_life(c, make());
  } catch (...) {
    c.crash(failure_of(c, std::current_exception()));
  }
}

// -- a request that is answered later ---------------------------------------------

/// What the handler's parameters may refer to, for as long as it runs, be it a coroutine: also after the
/// answer, with which the envelope travels back.
template <class M>
struct taken_request {
  explicit taken_request(M&& m) noexcept(std::is_nothrow_move_constructible_v<M>) : message(std::move(m)) {}
  M message;
  reply_to<typename M::reply> answer;
};

template <class T, class M>
decltype(auto) call_later(T& t, taken_request<M>& k, context& c) {
  if constexpr (handles_later_with_context<T, M>) {
    return t.handle(std::move(k.message), std::move(k.answer), c);
  } else if constexpr (handles_later_with_own_context<T, M>) {
    return t.handle(std::move(k.message), std::move(k.answer), context_of<T>(c));
  } else {
    return t.handle(std::move(k.message), std::move(k.answer));
  }
}

template <class M, class T>
void taken_finished(promise_base& base, strand& s) noexcept {
  auto& p = static_cast<task_promise<T>&>(base);
  auto& c = static_cast<cell&>(s);
  c.handler_done();
  const outcome how = p.how;
  const std::exception_ptr failure = std::move(p.exception);
  auto* const k = static_cast<taken_request<M>*>(p.context);
  p.handle.destroy();
  if (how == outcome::error) c.lose_taken(*message_id<M>(), &k->message);
  slab_delete(k);
  if (how == outcome::error) c.crash(failure_of(c, failure));
}

template <class T, class M>
void handle_later(cell& c, T& t, ask_envelope<M>& e) {
  using owed = reply_to<typename M::reply>;
  using R = decltype(call_later(t, std::declval<taken_request<M>&>(), static_cast<context&>(c)));
  const auto take = [&c](taken_request<M>& k) {
    k.answer = owed::take(static_cast<ask_envelope<M>&>(c.take_handling()));
  };
  if constexpr (is_task<R>::value) {
    auto* const k = slab_new<taken_request<M>>(std::move(e.message));
    take(*k);
    R coroutine;
    try {
      coroutine = call_later(t, *k, static_cast<context&>(c));
      check_handler_task(static_cast<bool>(coroutine));
    } catch (...) {
      c.lose_taken(*message_id<M>(), &k->message);
      slab_delete(k);
      throw;
    }
    auto& p = coroutine.promise();
    p.finished = &taken_finished<M, typename R::value_type>;
    p.context = k;
    (void)coroutine.release();
    c.run_handler(p);
  } else {
    taken_request<M> k(std::move(e.message));
    take(k);
    try {
      call_later(t, k, static_cast<context&>(c));
    } catch (...) {
      c.lose_taken(*message_id<M>(), &k.message);
      throw;
    }
  }
}

// -- one message ------------------------------------------------------------------

template <class T, class M>
void handle_message(cell& c, T& t, mail& m) {
  auto& e = static_cast<envelope<M>&>(m);
  if constexpr (takes_obligation<T, M>) {
    handle_later<T, M>(c, t, e);
  } else {
    using R = decltype(call_handler(t, e.message, static_cast<context&>(c)));
    if constexpr (is_task<R>::value) {
      if constexpr (request_message<M>) {
        static_assert(yields_reply<M, typename R::value_type>,
                      "troupe: the handler's task yields something else than the message's reply");
      }
      start_coroutine<M>(c, call_handler(t, e.message, static_cast<context&>(c)));
    } else if constexpr (request_message<M>) {
      static_assert(yields_reply<M, R>, "troupe: the handler of a request must return the message's reply");
      if constexpr (std::is_void_v<R>) {
        call_handler(t, e.message, static_cast<context&>(c));
        e.answer({});
      } else {
        e.answer(call_handler(t, e.message, static_cast<context&>(c)));
      }
    } else {
      call_handler(t, e.message, static_cast<context&>(c));
    }
  }
}

/// What the actor works on is a message that it has no handler for: a dead letter; an asker is told.
void leave_unhandled(cell& c) noexcept;

template <class T, class P>
struct dispatcher;

template <class T, class... Ms>
struct dispatcher<T, protocol<Ms...>> {
  static_assert((is_movable_message<Ms> && ...), "troupe: every message of a protocol must be movable");

  template <class M>
  static constexpr bool check() {
    static_assert(has_handler_for<T, M>,
                  "troupe: the actor accepts a message that it has no handler for: add a handle() for it, "
                  "public, that takes the message by value, const& or &&");
    return true;
  }
  static_assert((check<Ms>() && ...));
  static_assert(!takes_changeable_down<T> || handles_plain<T, down>,
                "troupe: handle(down&) is never called: take the notice by value or const&");

  static void receive(cell& c, T& t, mail& m) {
    const bool found = ((m.kind == message_id<Ms>() ? (handle_message<T, Ms>(c, t, m), true) : false) || ...);
    if (found) return;
    if (m.kind == message_id<down>()) {
      if constexpr (has_handler_for<T, down>) handle_message<T, down>(c, t, m);
      return;
    }
    leave_unhandled(c);
  }

  static bool accepts([[maybe_unused]] const message_kind* k) noexcept {
    return ((k == message_id<Ms>()) || ...);
  }
};

}  // namespace troupe::detail
