// co_await blocking(f): runs f on a thread that may block. On a strand.
#pragma once

#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <stop_token>
#include <type_traits>

namespace troupe {
namespace detail {

/// A call on its way through the pool, which runs it and then finishes it.
struct blocking_call : completion {
  explicit blocking_call(const mail_kind& k, void (*r)(blocking_call&) noexcept) noexcept
      : completion(k), run(r) {}
  void (*run)(blocking_call&) noexcept;  // stores the outcome
  std::stop_source stop{std::nostopstate};
  std::exception_ptr failure;
};

/// Submits `call` to the pool of the runtime whose worker calls.
void submit_blocking(blocking_call& call);

template <class F>
struct blocking_call_of final : blocking_call {
  static constexpr bool takes_token = std::invocable<F&, std::stop_token>;
  static auto invoke(F& f, [[maybe_unused]] const std::stop_source& s) {
    if constexpr (takes_token) {
      return f(s.get_token());
    } else {
      return f();
    }
  }
  using value_type = decltype(invoke(std::declval<F&>(), std::declval<std::stop_source&>()));

  explicit blocking_call_of(F&& g) : blocking_call(kind_of, &run_it), f(std::move(g)) {
    if constexpr (takes_token) stop = std::stop_source();
  }

  static void run_it(blocking_call& base) noexcept {
    auto& self = static_cast<blocking_call_of&>(base);
    try {
      if constexpr (std::is_void_v<value_type>) {
        invoke(self.f, self.stop);
        self.value.emplace();
      } else {
        self.value.emplace(invoke(self.f, self.stop));
      }
    } catch (...) {
      self.failure = std::current_exception();
    }
  }
  static void act(mail& m, strand&) noexcept {
    auto& self = static_cast<blocking_call_of&>(m);
    if (still_wanted(self)) self.resume(*self.target);
  }
  static void dispose(mail& m) noexcept { dispose_late(static_cast<blocking_call_of&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};

  F f;
  void (*resume)(leaf&) noexcept = nullptr;
  struct nothing {};
  std::optional<std::conditional_t<std::is_void_v<value_type>, nothing, value_type>> value;
};

template <class F>
class [[nodiscard]] blocking_awaiter final : public leaf {
 public:
  using call = blocking_call_of<F>;
  explicit blocking_awaiter(F f) : leaf(&abandon), call_(slab_new<call>(std::move(f))) {}
  ~blocking_awaiter() {
    withdraw();
    if (call_ != nullptr) slab_delete(call_);
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) {
    if (!begin(h.promise())) return;
    call_->wait_on(*this, owner());
    call_->resume = [](leaf& l) noexcept { static_cast<blocking_awaiter&>(l).complete(); };
    submit_blocking(*call_);
  }
  typename call::value_type await_resume() {
    if (call_->failure) std::rethrow_exception(call_->failure);
    if constexpr (!std::is_void_v<typename call::value_type>) return std::move(*call_->value);
  }

 private:
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<blocking_awaiter&>(l);
    call* const c = std::exchange(self.call_, nullptr);
    c->stop.request_stop();
    c->abandon();
  }

  call* call_;
};

}  // namespace detail

/// Runs `f` on the runtime's pool for blocking calls and yields its result. `f` and its captures belong to
/// the call; `f` may take a std::stop_token.
/// Errors: an exception of `f` is rethrown; troupe_error with errc::cancelled when the runtime ends before
/// `f` begins.
/// Threads: on a strand; `f` runs on a thread of the pool, on the simulated runtime at once on the calling
/// thread.
/// Cancellation: the await ends at once, the stop token is triggered, and the result of `f` is dropped. The
/// end of the runtime waits for running calls until runtime_options::shutdown has passed.
/// Blocks: never the worker. The call waits while runtime_options::blocking_threads others run.
template <class F>
auto blocking(F f) {
  return detail::blocking_awaiter<F>(std::move(f));
}

}  // namespace troupe
