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
#include <troupe/actors/detail/dispatch.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/task.hpp>

#include <new>
#include <tuple>
#include <type_traits>

namespace troupe {
namespace detail {

// -- hooks ------------------------------------------------------------------------

// Whether a class has a member of that name at all, of any kind and access: then the name is ambiguous in a
// class that derives from it and from one that has it too. A final class is not looked at.
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
    static_assert(
        !is_task<R>::value,
        "troupe: the started() hook must not be a coroutine: send yourself a message, or spawn_task");
  }
  if constexpr (has_stopping_hook<T>) {
    using R = decltype(std::declval<T&>().stopping(std::declval<context_of<T>>(),
                                                   std::declval<const exit_reason&>()));
    static_assert(!is_task<R>::value, "troupe: the stopping() hook must not be a coroutine: it cannot wait");
  }
  return true;
}

// -- the state behind a cell ------------------------------------------------------

/// The place of a T in the state behind a cell. Constructs and destroys it only when told to.
template <class T>
struct state_box {
  static_assert(alignof(T) <= 16, "troupe: an actor's state must not be over-aligned");

  alignas(T) std::byte storage[sizeof(T)];

  T& state() noexcept { return *std::launder(reinterpret_cast<T*>(storage)); }

  template <class... Args>
  static constexpr bool takes =
      std::constructible_from<T, Args...> || std::constructible_from<T, context&, Args...>;
  /// Constructs it with a context& first, if it can be.
  template <class... Args>
    requires takes<Args...>
  void construct(context& ctx, Args&&... args) {
    if constexpr (std::constructible_from<T, context&, Args...>) {
      ::new (storage) T(ctx, std::forward<Args>(args)...);
    } else {
      ::new (storage) T(std::forward<Args>(args)...);
    }
  }
};

template <class T, class... Args>
struct actor_box : state_box<T> {
  static_assert(((alignof(Args) <= 16) && ...),
                "troupe: an argument of an actor's constructor must not be over-aligned");

  explicit actor_box(Args... a) : arguments(std::move(a)...) {}

  [[no_unique_address]] std::tuple<Args...> arguments;

  static actor_box& of(cell& c) noexcept { return *std::launder(static_cast<actor_box*>(c.state())); }

  // Kept arguments are copied into each incarnation; an actor that cannot be
  // made from copies is made once, by moving them, and is never restarted.
  static constexpr bool copies = state_box<T>::template takes<const Args&...>;
  static constexpr bool moves = state_box<T>::template takes<Args...>;
  static constexpr bool takes_copies =
      !copies && moves && (std::copy_constructible<Args> && ...);  // by rvalue
  static_assert(
      copies || moves,
      "troupe: the actor cannot be constructed from these arguments (with or without a context& first)");

  static void construct(cell& c) {
    auto& self = of(c);
    std::apply(
        [&](auto&... a) {
          if constexpr (copies) {
            self.state_box<T>::construct(c, std::as_const(a)...);
          } else if constexpr (takes_copies) {
            self.state_box<T>::construct(c, Args(std::as_const(a))...);
          } else {
            self.state_box<T>::construct(c, std::move(a)...);
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
      register_child(*child, *o.register_as);
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
