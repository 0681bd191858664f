// Waiting for a condition that other threads or processes make true.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace troupe_test {

/// Waits until `holds`, which must come to hold; a minute is long for any machine.
inline bool becomes_true(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace troupe_test
