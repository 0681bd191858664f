// task<T>: a lazy coroutine with three outcomes: a value, an error, stopped.
//
// A task starts when it is awaited (or given to spawn, block_on or a handler's return) and runs on the strand
// of the coroutine that awaits it. It is owned by the task object: destroying the object destroys the frame,
// and with it everything that the frame owns, innermost first. Frames come from the slab.
//
// When its owner is stopped, the await it is suspended on ends, and the chain of awaiting coroutines unwinds:
// destructors run, nothing is thrown, and no line after the co_await is executed. as_result(x) yields
// errc::cancelled instead, and an exception as an error.
#pragma once

#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/error.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe {

template <class T = void>
class task;

namespace detail {

template <class P>
concept troupe_promise = std::derived_from<P, promise_base>;

struct final_awaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) const noexcept {
    promise_base& p = h.promise();
    if (p.parent != nullptr) return hop(*p.parent);
    note_finished(p);
    return std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct task_promise_base : promise_base {
  std::exception_ptr exception;

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept {
    exception = std::current_exception();
    how = outcome::error;
  }
  static void* operator new(std::size_t bytes) { return slab_allocate(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { slab_deallocate(p, bytes); }
};

template <class T>
struct task_promise final : task_promise_base {
  std::optional<T> value;

  task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::constructible_from<T, U&&>
  void return_value(U&& u) {
    value.emplace(std::forward<U>(u));
    how = outcome::value;
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct task_promise<void> final : task_promise_base {
  task<void> get_return_object() noexcept;
  void return_void() noexcept { how = outcome::value; }
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

/// A coroutine that yields a T when awaited. Move-only; awaited at most once.
/// Threads: not thread-safe; it belongs to one strand at a time.
/// Cost: one allocation from the slab for each frame.
template <class T>
class [[nodiscard("a task does nothing until it is awaited or spawned")]] task {
 public:
  static_assert(std::is_void_v<T> || (std::is_object_v<T> && std::move_constructible<T>),
                "task<T>: T must be void or a movable object type; return a pointer instead of a reference");
  using promise_type = detail::task_promise<T>;
  using value_type = T;

  task() noexcept = default;
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task& operator=(task&& other) noexcept {
    task taken(std::move(other));
    std::swap(handle_, taken.handle_);
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  /// Whether there is a coroutine to await.
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  class awaiter {
   public:
    explicit awaiter(std::coroutine_handle<promise_type> h) noexcept : handle_(h) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <detail::troupe_promise P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) const noexcept {
      TROUPE_ASSERT(!handle_.done(), "a task is awaited at most once");
      handle_.promise().parent = &parent.promise();
      return detail::hop(handle_.promise());
    }
    T await_resume() const { return handle_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> handle_;
  };

  awaiter operator co_await() const&& noexcept {
    TROUPE_ASSERT(handle_, "an awaited task is not empty: it has not been moved from");
    return awaiter{handle_};
  }

  /// The frame, no longer owned by this: for a caller that runs the task as a root.
  [[nodiscard]] std::coroutine_handle<promise_type> release() noexcept { return std::exchange(handle_, {}); }
  [[nodiscard]] promise_type& promise() const noexcept { return handle_.promise(); }

 private:
  friend promise_type;
  explicit task(std::coroutine_handle<promise_type> h) noexcept : handle_(h) { h.promise().handle = h; }

  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

// -- the result of an awaitable -----------------------------------------------

template <class A>
decltype(auto) get_awaiter(A&& a) {
  if constexpr (requires { std::forward<A>(a).operator co_await(); }) {
    return std::forward<A>(a).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(a)); }) {
    return operator co_await(std::forward<A>(a));
  } else {
    return std::forward<A>(a);
  }
}

template <class A>
using await_result_t = decltype(get_awaiter(std::declval<A>()).await_resume());

template <class T>
struct as_result_of {
  using type = result<T>;
};
template <class T>
struct as_result_of<result<T>> {
  using type = result<T>;
};

template <class T>
struct is_task : std::false_type {};
template <class T>
struct is_task<task<T>> : std::true_type {};

/// Any awaitable as a task. The awaitable is moved into the frame, or, where it cannot move, is referred to:
/// then the task must be awaited in the same expression.
template <class A>
task<std::decay_t<await_result_t<A&&>>> as_task(A a) {
  co_return co_await std::move(a);
}
template <class A>
task<std::decay_t<await_result_t<A&&>>> as_task_by_reference(A& a) {
  co_return co_await std::move(a);
}

}  // namespace detail

/// The awaitable of as_result(), which yields a result<T>.
template <class T>
class [[nodiscard]] as_result_awaiter {
 public:
  using result_type = typename detail::as_result_of<T>::type;

  explicit as_result_awaiter(task<T> t) noexcept : task_(std::move(t)) {}

  [[nodiscard]] detail::promise_base& promise() const noexcept { return task_.promise(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    auto& child = task_.promise();
    child.parent = &parent.promise();
    child.catches_stop = true;
    return detail::hop(child);
  }
  result_type await_resume() {
    auto& child = task_.promise();
    switch (child.how) {
      case detail::outcome::value:
        if constexpr (std::is_void_v<T>) {
          return {};
        } else {
          return std::move(*child.value);
        }
      case detail::outcome::error:
        return std::unexpected(error::from_exception(child.exception));
      default:
        return std::unexpected(error(errc::cancelled));
    }
  }

 private:
  task<T> task_;
};

/// Awaits `a`, and yields a result for each of the three outcomes.
/// Errors: an exception, as an error; cancelled when the owner is being stopped.
/// Cancellation: unwinding ends here; every further await of the stopped owner ends at once.
template <class A>
auto as_result(A&& a) {
  using awaitable = std::remove_cvref_t<A>;
  if constexpr (detail::is_task<awaitable>::value) {
    return as_result_awaiter<typename awaitable::value_type>(std::forward<A>(a));
  } else if constexpr (std::move_constructible<awaitable>) {
    return as_result_awaiter(detail::as_task<awaitable>(std::forward<A>(a)));
  } else {
    return as_result_awaiter(detail::as_task_by_reference(a));
  }
}

namespace detail {

class yield_awaiter {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) const noexcept {
    defer(h.promise());
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

/// `co_await yield()`: lets all other ready strands of this worker run first.
[[nodiscard]] inline detail::yield_awaiter yield() noexcept {
  return {};
}

}  // namespace troupe
