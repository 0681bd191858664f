// Runs an operation on one direction of a socket: attempt, wait until the socket is ready, attempt again.
//
// Shared by all operations of streams and datagram sockets. It is one coroutine, so that an operation costs
// one frame: an operation brings its attempt as an object, which lives in that frame, and not as a coroutine.
// Runs on the strand that owns the socket.
#pragma once

#include "socket/operation.hpp"
#include "socket/readiness.hpp"
#include "socket/socket_state.hpp"

#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <cstdint>
#include <system_error>
#include <utility>

namespace troupe::detail {

/// An attempt at an operation.
///
///   static constexpr direction side      the direction that it uses
///   bool try_once(socket, why)           one attempt; true when the operation is over, with `why` it failed
///   outcome(socket, why)                 the result that the user sees
///   void prepare(socket)                 optional: called once before the first attempt
///   void timed_out(socket)               optional: called when the deadline has passed
///   static constexpr bool takes_turns    optional: spends the strand's budget before it waits, for an
///   operation
///                                        that a fast peer could otherwise keep going
///
/// try_once() and outcome() are TROUPE_NOINLINE: a temporary of an inlined function may get a place in the
/// frame.
template <class A>
concept socket_attempt = std::same_as<const direction, decltype(A::side)> &&
                         requires(A& a, socket_state& s, const socket_ref& held, std::error_code& why) {
                           { a.try_once(s, why) } -> std::same_as<bool>;
                           a.outcome(held, why);
                         };

/// The deadline of an operation that starts to wait now.
template <direction Side>
[[nodiscard]] std::int64_t operation_deadline(const socket_state& s) noexcept {
  return deadline_in(Side == direction::read ? s.options.read_deadline : s.options.write_deadline);
}

/// Runs `a` on `s`. Memory that `a` refers to outlives the task.
/// Errors: those of try_once(); closed, busy (errc::invalid_argument), timeout, as outcome() words them.
/// Cancellation: ends the wait at once; a partial operation stays partial.
template <socket_attempt Attempt>
auto run_operation(socket_ref s, Attempt a)
    -> task<decltype(a.outcome(std::as_const(s), std::error_code()))> {
  const operation mine(s.get(), Attempt::side);
  std::error_code why = refusal(s, mine);
  std::int64_t deadline = 0;  // set by the first wait: most operations need none
  if constexpr (requires { a.prepare(*s); }) {
    if (!why) a.prepare(*s);
  }
  while (!why && !a.try_once(*s, why)) {
    if (deadline == 0) deadline = operation_deadline<Attempt::side>(*s);
    if constexpr (requires { Attempt::takes_turns; }) {
      if (!consume_budget()) co_await yield();
    }
    why = co_await readiness(*s, Attempt::side, deadline);
    if constexpr (requires { a.timed_out(*s); }) {
      if (why == errc::timeout) a.timed_out(*s);
    }
  }
  co_return a.outcome(s, why);
}

}  // namespace troupe::detail
