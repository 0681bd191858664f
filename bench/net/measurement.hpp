// The measurement of one run: decides when the warm-up and the run end, and what the server used in between.
// One thread.
#pragma once

#include "histogram.hpp"
#include "load.hpp"

#include <cstdint>
#include <string>

namespace netload {

class measurement {
 public:
  explicit measurement(const options& o);
  /// True when the run is over.
  [[nodiscard]] bool over(std::uint64_t now);
  /// Records the echo of a message that was sent at `sent`.
  void note(std::uint64_t sent, std::uint64_t now) noexcept {
    if (measuring_) latencies_.note(now - sent);
  }
  [[nodiscard]] bool measuring() const noexcept { return measuring_; }
  /// The measurements as JSON fields. Throws `failed` when nothing was echoed.
  [[nodiscard]] std::string fields() const;

 private:
  const options& options_;
  std::uint64_t begins_;
  std::uint64_t ends_;
  bool measuring_ = false;
  std::uint64_t began_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t cpu_then_ = 0;
  std::uint64_t cpu_now_ = 0;
  histogram latencies_;
};

}  // namespace netload
