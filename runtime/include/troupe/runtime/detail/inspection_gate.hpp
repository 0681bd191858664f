// Lets the watchdog look at a strand that another thread runs, at no cost for that thread: a thread that
// frees a strand waits while another one looks.
//
//   watchdog:  raises the gate, process-wide barrier, loads worker.running,
//              looks at the strand if it is not null, lowers the gate
//   worker:    running = null (clear_running), gives the strand away
//   freer:     got the strand from the worker, loads the gate, frees
//
// A freer that loaded the gate before the barrier had the strand from the worker by then, so the watchdog's
// load, behind the barrier, finds null. One that loads it later sees it raised, and waits. The barrier makes
// the watchdog pay for both sides: the others need no fence.
//
// A thread that follows the edges of the wait-for graph raises it too, with a fence, and then reads edges; an
// edge that leads to a strand is cleared before the strand gives back its last share, which is a
// read-modify-write, and so before the gate is loaded.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe::detail {

// inspections: threads that look at a strand now. Its decrement (release) pairs with the acquire load in
// wait_for_inspection: a look ends before the free. Broken by: tests/runtime/scheduler/watchdog_test under
// TSan.
extern constinit atomic<std::uint32_t> inspections;

/// While one exists, no strand is freed. Its owner follows it with the barrier, or a fence.
class [[nodiscard]] held_gate {
 public:
  held_gate() noexcept { inspections.fetch_add(1, std::memory_order_seq_cst); }
  ~held_gate() { inspections.fetch_sub(1, std::memory_order_release); }
  held_gate(const held_gate&) = delete;
  held_gate& operator=(const held_gate&) = delete;
};

/// Before a strand's memory is freed. Any thread; nearly always one load.
inline void wait_for_inspection() noexcept {
  fence_after_rmw();  // the read-modify-write that gave back the last share
  while (inspections.load(std::memory_order_acquire) != 0) spin_pause();
}

}  // namespace troupe::detail
