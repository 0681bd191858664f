// From a plain class to a behaviour: how messages find their handlers.
//
//   struct counter {
//     using accepts = troupe::protocol<add, get>;
//     void handle(add m);                         // or task<void> handle(add)
//     int handle(get);                            // a request: R, task<R>, or
//     void handle(get, troupe::reply_to<int>);    // answered later
//   };
//
// A handler may take a context&, or a context_of<counter>, after the message. Optional hooks:
// started(context&), stopping(context&, const exit_reason&), handle(const down&).
#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/task.hpp>

#include <new>
#include <tuple>
#include <type_traits>

namespace troupe {
namespace detail {

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

/// A notice that nobody else sees may be taken by value, but not to be changed.
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
  // Stopped: whoever stopped it deals with the mail.
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

// -- hooks ------------------------------------------------------------------------

// Whether a class has a member of that name at all, whatever it is and whoever may use it: then the name is
// ambiguous in a class derived from it and from one that has it too. A final class is not looked at.
struct hook_names {
  int started;
  int stopping;
};
template <class T>
struct hook_clash : T, hook_names {};
template <class T>
concept can_be_derived_from = std::is_class_v<T> && !std::is_final_v<T>;
template <class T>
concept names_started = can_be_derived_from<T> && !requires { &hook_clash<T>::started; };
template <class T>
concept names_stopping = can_be_derived_from<T> && !requires { &hook_clash<T>::stopping; };
// A data member of that name is none of our business.
template <class T>
concept has_started_data = requires { requires std::is_member_object_pointer_v<decltype(&T::started)>; };
template <class T>
concept has_stopping_data = requires { requires std::is_member_object_pointer_v<decltype(&T::stopping)>; };

template <class T>
concept has_started_hook = requires(T& t, context_of<T> x) { t.started(x); };
template <class T>
concept has_stopping_hook = requires(T& t, context_of<T> x, const exit_reason& why) { t.stopping(x, why); };

template <class T>
constexpr bool hooks_fit() {
  static_assert(has_started_hook<T> || has_started_data<T> || !names_started<T>,
                "troupe: the actor's started() is never called as it is: make it public, and "
                "void started(troupe::context&)");
  static_assert(has_stopping_hook<T> || has_stopping_data<T> || !names_stopping<T>,
                "troupe: the actor's stopping() is never called as it is: make it public, and "
                "void stopping(troupe::context&, const troupe::exit_reason&)");
  if constexpr (has_started_hook<T>) {
    using R = decltype(std::declval<T&>().started(std::declval<context_of<T>>()));
    static_assert(!is_task<R>::value,
                  "troupe: the started() hook is no coroutine: send yourself a message, or spawn_task");
  }
  if constexpr (has_stopping_hook<T>) {
    using R = decltype(std::declval<T&>().stopping(std::declval<context_of<T>>(),
                                                   std::declval<const exit_reason&>()));
    static_assert(!is_task<R>::value, "troupe: the stopping() hook is no coroutine: it must not wait");
  }
  return true;
}

// -- the state behind a cell ------------------------------------------------------

template <class T, class... Args>
struct actor_box {
  static_assert(alignof(T) <= 16, "troupe: an actor's state must not be over-aligned");
  static_assert(((alignof(Args) <= 16) && ...),
                "troupe: an argument of an actor's constructor must not be over-aligned");

  explicit actor_box(Args... a) : arguments(std::move(a)...) {}

  [[no_unique_address]] std::tuple<Args...> arguments;
  alignas(T) std::byte storage[sizeof(T)];

  static actor_box& of(cell& c) noexcept { return *std::launder(static_cast<actor_box*>(c.state())); }
  T& state() noexcept { return *std::launder(reinterpret_cast<T*>(storage)); }

  // Kept arguments are copied into each incarnation; an actor that cannot be
  // made from copies is made once, by moving them, and is never restarted.
  static constexpr bool copies =
      std::constructible_from<T, const Args&...> || std::constructible_from<T, context&, const Args&...>;
  static constexpr bool takes_copies =  // by rvalue
      !copies && (std::copy_constructible<Args> && ...) &&
      (std::constructible_from<T, Args&&...> || std::constructible_from<T, context&, Args&&...>);
  static constexpr bool moves =
      std::constructible_from<T, Args&&...> || std::constructible_from<T, context&, Args&&...>;
  static_assert(
      copies || moves,
      "troupe: the actor cannot be constructed from these arguments (with or without a context& first)");

  static void construct(cell& c) {
    auto& self = of(c);
    std::apply(
        [&](auto&... a) {
          if constexpr (std::constructible_from<T, context&, const Args&...>) {
            ::new (self.storage) T(static_cast<context&>(c), std::as_const(a)...);
          } else if constexpr (copies) {
            if constexpr (sizeof...(Args) == 0) {
              ::new (self.storage) T();
            } else {
              ::new (self.storage) T(std::as_const(a)...);
            }
          } else if constexpr (takes_copies) {
            if constexpr (std::constructible_from<T, context&, Args&&...>) {
              ::new (self.storage) T(static_cast<context&>(c), Args(std::as_const(a))...);
            } else {
              ::new (self.storage) T(Args(std::as_const(a))...);
            }
          } else if constexpr (std::constructible_from<T, context&, Args&&...>) {
            ::new (self.storage) T(static_cast<context&>(c), std::move(a)...);
          } else {
            ::new (self.storage) T(std::move(a)...);
          }
        },
        self.arguments);
  }
  static void destroy(cell& c) noexcept { of(c).state().~T(); }
  static void destroy_arguments(cell& c) noexcept { of(c).~actor_box(); }
};

template <class T, class... Args>
struct class_behaviour {
  static_assert(hooks_fit<T>());
  using box = actor_box<T, Args...>;

  static void receive(cell& c, mail& m) {
    dispatcher<T, typename T::accepts>::receive(c, box::of(c).state(), m);
  }
  static void started(cell& c) {
    if constexpr (has_started_hook<T>) box::of(c).state().started(context_of<T>(c));
  }
  static void stopping(cell& c, const exit_reason& why) {
    if constexpr (has_stopping_hook<T>) box::of(c).state().stopping(context_of<T>(c), why);
  }

  static constexpr behaviour value{
      type_name<T>(),
      sizeof(box),
      &dispatcher<T, typename T::accepts>::accepts,
      &box::construct,
      &box::destroy,
      &box::destroy_arguments,
      has_started_hook<T> ? &started : nullptr,
      has_stopping_hook<T> ? &stopping : nullptr,
      &receive,
      box::copies || box::takes_copies,
  };
};

/// Throws errc::name_taken when another has it.
void register_child(cell& child, const std::string& name);

/// Makes a child of `parent`, constructs its state here, and starts it.
template <class T, class... Args>
cell* spawn_cell(cell& parent, const behaviour& b, const spawn_options& o, Args&&... args) {
  using box = actor_box<T, std::decay_t<Args>...>;
  cell* const child = parent.make_child(b, o);
  try {
    ::new (child->state()) box(std::forward<Args>(args)...);
  } catch (...) {
    parent.discard_raw_child(*child);
    throw;
  }
  try {
    b.construct(*child);
    if (!o.register_as.empty()) [[unlikely]]
      register_child(*child, o.register_as);
  } catch (...) {
    parent.discard_child(*child);
    throw;
  }
  cell::launch(*child);
  return child;
}

template <class T, class... Args>
ref_of<T> spawn_actor(cell& parent, const spawn_options& o, Args&&... args) {
  constexpr const behaviour& b = class_behaviour<T, std::decay_t<Args>...>::value;
  return ref_of<T>(spawn_cell<T>(parent, b, o, std::forward<Args>(args)...));
}

}  // namespace detail

namespace detail {

/// Throws unless the actor accepts all that a T, whose name is given, does.
void check_self(const cell& c, bool accepts_all, const char* type);

template <class... Ms>
bool accepts_all(const cell& c, std::type_identity<protocol<Ms...>>) noexcept {
  return (c.acts().accepts(message_id<Ms>()) && ...);
}
template <class M, class... Ms>
constexpr bool is_in_protocol(std::type_identity<protocol<Ms...>>) noexcept {
  return one_of<M, Ms...>;
}
template <class T, class M>
inline constexpr bool accepts_message = is_in_protocol<M>(std::type_identity<typename T::accepts>());

}  // namespace detail

template <class T>
typename detail::ref_for<T>::type context::self() {
  detail::cell& c = detail::self_cell(*this);
  detail::check_self(c, detail::accepts_all(c, std::type_identity<typename T::accepts>()),
                     detail::type_name<T>());
  c.share();
  return ref_of<T>(&c);
}

template <class T>
typename detail::ref_for<T>::type context_of<T>::self() const {
  detail::cell& c = detail::self_cell(*context_);
  c.share();
  return ref_of<T>(&c);
}

template <class T>
template <class M>
timer_id context_of<T>::after(duration d, M m) const {
  static_assert(detail::accepts_message<T, M>,
                "troupe: a timer sends the actor a message that it does not accept: name it in its protocol");
  return context_->after(d, std::move(m));
}

template <class T>
template <std::copy_constructible M>
timer_id context_of<T>::every(duration period, M m, missed_tick how) const {
  static_assert(detail::accepts_message<T, M>,
                "troupe: a timer sends the actor a message that it does not accept: name it in its protocol");
  return context_->every(period, std::move(m), how);
}

template <class T, class... Args>
typename detail::ref_for<T>::type context::spawn(spawn_options options, Args&&... args) {
  return detail::spawn_actor<T>(detail::self_cell(*this), options, std::forward<Args>(args)...);
}

template <class M>
timer_id context::after(duration d, M m) {
  auto* const e = detail::slab_new<detail::envelope<M>>(std::move(m));
  return start_timer(d, duration::zero(), missed_tick::skip, *e, nullptr);
}

template <std::copy_constructible M>
timer_id context::every(duration period, M m, missed_tick how) {
  if (period.count() <= 0) {
    throw troupe_error(
        error(make_error_code(errc::invalid_argument), "every: the period must be positive", path()));
  }
  auto* const e = detail::slab_new<detail::envelope<M>>(std::move(m));
  return start_timer(period, period, how, *e, [](const detail::mail& from) -> detail::mail* {
    return detail::slab_new<detail::envelope<M>>(M(static_cast<const detail::envelope<M>&>(from).message));
  });
}

}  // namespace troupe
