// The unit of scheduling: something a worker can run for one slice.
#pragma once

namespace troupe::detail {

class worker;

/// A strand is one (strand.hpp). Owned by its creator; while it is in a queue it is in exactly one. `run`
/// ends by requeueing it or by leaving it to the thread that wakes it next, and does not touch it after
/// either.
struct runnable {
  using run_fn = void (*)(runnable&, worker&) noexcept;

  explicit constexpr runnable(run_fn f) noexcept : run(f) {}

  run_fn run;
  // Link in a list: the overflow of a ring, or the queue of foreign threads.
  runnable* next_runnable = nullptr;
};

}  // namespace troupe::detail
