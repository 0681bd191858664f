// An actor whose handler does not return before a gate opens. On real threads only: in a simulation nothing
// else would run.
#pragma once

#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

namespace actors_test {

using troupe_test::becomes_true;

/// Opens at the end of the test at the latest, so that no thread is left behind.
struct gate {
  std::atomic<int> alive = 0;    // instances of hanging
  std::atomic<int> hanging = 0;  // of those, in their handler
  std::atomic<bool> open = false;
};

struct hang {};

struct hanging {
  using accepts = troupe::protocol<hang, get>;
  explicit hanging(gate* g) : at(g) { ++at->alive; }
  hanging(const hanging&) = delete;
  hanging& operator=(const hanging&) = delete;
  ~hanging() { --at->alive; }
  void handle(hang) const {
    ++at->hanging;
    while (!at->open) std::this_thread::sleep_for(1ms);
    --at->hanging;
  }
  int handle(get) const { return 1; }
  gate* at;
};

}  // namespace actors_test
