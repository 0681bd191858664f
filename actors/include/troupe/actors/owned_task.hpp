// A task that belongs to an actor: ctx.spawn_task(f, args...).
#pragma once

#include <troupe/actors/actor.hpp>

namespace troupe {
namespace detail {

/// The state of an owned task: the callable, and its arguments until the task starts.
template <class F, class... Args>
struct owned_task_state {
  explicit owned_task_state(F&& g, Args&&... a) : f(std::move(g)), arguments(std::move(a)...) {}
  F f;
  std::tuple<Args...> arguments;
};

template <class F, class... Args>
struct owned_task_behaviour {
  using state = owned_task_state<F, Args...>;
  using box = actor_box<state, F, Args...>;

  static void started(cell& c) {
    state& s = box::of(c).state();
    begin_life(c, [&s] { return std::apply([&](auto&... a) { return s.f(std::move(a)...); }, s.arguments); });
  }
  static void receive(cell&, mail& m) { m.kind->dispose(m); }

  static constexpr behaviour value = [] {
    behaviour b{
        "task",          sizeof(box),   [](const message_kind*) noexcept { return false; },
        &box::construct, &box::destroy, &box::destroy_arguments,
        &started,        nullptr,       &receive,
        false,
    };
    b.fails_with_owner = true;
    return b;
  }();
};

}  // namespace detail

template <class F, class... Args>
any_ref context::spawn_task(F f, Args... args) {
  using b = detail::owned_task_behaviour<F, Args...>;
  static_assert(std::same_as<std::invoke_result_t<F&, Args&&...>, task<void>>,
                "troupe: spawn_task takes a callable that returns troupe::task<void>");
  return any_ref(detail::spawn_cell<typename b::state>(detail::self_cell(*this), b::value, {}, std::move(f),
                                                       std::move(args)...));
}

}  // namespace troupe
