// Chooses the number of active workers for small work, by hill climbing.
//
// Whether a second core makes small messages faster depends on how long a cache line takes from one core to
// another, which is 30 ns on one machine and 250 ns on the next, and on how much the actors share. Both are
// unknown, but the result can be measured: the number of messages handled in a millisecond. So while several
// workers are busy with small messages, half of them stand back for a moment, and the faster setting, if by a
// tenth, stays. The trial is repeated ever less often. Source: the thread pool of .NET (Hellerstein,
// "Optimizing concurrency levels in the .NET ThreadPool", 2009), here with two points.
//
//            busy for a while                     fewer is faster
//   spread -------------------> trying fewer ----------------------> gathered
//     ^ ^                            |                                | ^
//     | +----- it is not ------------+              after a while     | | fewer is faster still
//     |                                                               v |
//     +------------------------- it is not ----------------------- trying more
//
// Work that is coarse, has ended, or is held up by a long handler is spread over all workers at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace troupe::detail {

/// Policy only: pure, and not thread-safe. Owned by the watchdog.
class worker_governor {
 public:
  /// The watchdog's measurements at one of its looks.
  struct sample {
    std::int64_t now = 0;    // ns
    std::uint64_t done = 0;  // messages handled so far, by all
    unsigned awake = 0;      // workers that are neither parked nor standing back
    bool stuck = false;      // a worker has been in one slice since the last look
  };

  explicit worker_governor(unsigned workers) noexcept : workers_(workers), limit_(workers) {}

  /// Called at each look: how many workers may work from now on.
  unsigned observe(const sample& s) noexcept {
    const auto elapsed = static_cast<double>(std::max<std::int64_t>(s.now - last_.now, 1));
    const double rate = static_cast<double>(s.done - last_.done) / elapsed;
    last_ = s;
    const bool small = rate * coarse >= static_cast<double>(std::max(s.awake, 1U));
    if (s.stuck || !small || s.awake == 0 || (phase_ == phase::spread && s.awake < 2)) {
      enter(phase::spread, workers_);
    } else if (++looks_ > wait_) {
      decide(rate, s.awake);
    } else if (phase_ == phase::spread || phase_ == phase::gathered) {
      rate_ = rate;
    }
    return limit_;
  }

 private:
  enum class phase : std::uint8_t { spread, fewer, gathered, more };

  static constexpr double coarse = 1'000;  // ns; a message that takes longer is worth a hand-off anywhere
  static constexpr double better = 1.1;    // ratio of two rates that is not noise
  static constexpr unsigned first_wait = 2;
  static constexpr unsigned longest_wait = 1'000;

  void enter(phase p, unsigned limit) noexcept {
    phase_ = p;
    limit_ = limit;
    looks_ = 0;
    // A trial takes two looks, for in the first the work is still on its way.
    wait_ = p == phase::fewer || p == phase::more ? 1 : patience_;
  }

  void decide(double rate, unsigned awake) noexcept {
    switch (phase_) {
      case phase::spread:
        rate_ = rate;
        fewer_ = std::max(awake / 2, 1U);
        enter(phase::fewer, fewer_);
        break;
      case phase::fewer:
        patience_ = std::min(4 * patience_, longest_wait);
        if (rate > better * rate_) {
          enter(phase::gathered, fewer_);
        } else {
          enter(phase::spread, workers_);
        }
        break;
      case phase::gathered:
        rate_ = rate;
        enter(phase::more, workers_);
        break;
      case phase::more:
        if (rate_ > better * rate) {
          patience_ = std::min(2 * patience_, longest_wait);
          enter(phase::gathered, fewer_);
        } else {
          patience_ = first_wait;
          enter(phase::spread, workers_);
        }
        break;
    }
  }

  const unsigned workers_;
  unsigned limit_;
  unsigned fewer_ = 1;  // the limit of the last trial
  phase phase_ = phase::spread;
  unsigned looks_ = 0;  // in this phase
  unsigned wait_ = first_wait;
  unsigned patience_ = first_wait;  // looks between two trials
  double rate_ = 0;                 // messages per ns in the last look before the trial
  sample last_;
};

}  // namespace troupe::detail
