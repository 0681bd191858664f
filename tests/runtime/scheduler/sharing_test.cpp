// How fast coarse work spreads over many workers, in virtual time. The workers, their slices and the time
// from a wake-up to a search are modelled; rings, parking, bitmap and policy are the runtime's own, called in
// the order of worker.cpp.
#include "support/catch.hpp"

#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/run_queue.hpp>
#include <troupe/runtime/sharing.hpp>
#include <troupe/runtime/worker_set.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using troupe::detail::parking;
using troupe::detail::ring_bit;
using troupe::detail::run_queue;
using troupe::detail::runnable;
using troupe::detail::sharing;
using troupe::detail::worker_set;

constexpr std::int64_t small_slice = 100;    // ns
constexpr std::int64_t job = 500'000;        // ns
constexpr std::int64_t wake_up = 5'000;      // ns, from a wake-up to the search
constexpr std::int64_t search_time = 1'000;  // ns
constexpr std::int64_t watch = 1'000'000;    // ns, the watchdog's period
constexpr std::int64_t hand_off = wake_up + search_time;

struct virtual_worker : parking::place {
  virtual_worker(worker_set& filled, unsigned i) : index(i), bit(filled, i, true) {}
  const unsigned index;
  run_queue<1024> queue;
  sharing known;
  ring_bit bit;
  bool searching = false;
  bool asleep = false;
  unsigned ticks = 1;
  std::int64_t looked_at = 0;
  std::int64_t ran = 0;          // slices since then
  std::int64_t busy_since = -1;  // its first job
};

class world {
 public:
  explicit world(unsigned workers) : lot_(workers), filled_(workers) {
    for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<virtual_worker>(filled_, i));
  }

  /// The first worker makes `jobs` after a phase of small work, while the others sleep. Until all are done.
  void run(unsigned jobs) {
    virtual_worker& first = *workers_[0];
    for (int i = 0; i < 100; ++i) first.known.note(1'000 * small_slice, 1'000, 1'000);
    first.ticks = first.known.interval() / 2;  // it is half-way to its next look
    first.ran = first.known.interval() / 2;
    first.looked_at = -first.ran * small_slice;
    for (auto& w : workers_) {
      if (w.get() != &first) sleep(*w);
    }
    first.bit.set();
    for (unsigned i = 0; i < jobs; ++i) static_cast<void>(first.queue.push(jobs_.emplace_back(nullptr)));
    REQUIRE(first.queue.size() == jobs);
    left_ = jobs;
    at(0, [this, &first] { go_on(first); });
    at(watch, [this] { watch_all(); });
    while (left_ != 0) {
      const auto next = events_.top();
      events_.pop();
      now_ = std::get<0>(next);
      actions_[std::get<1>(next)]();
    }
  }
  /// From the first wake-up until each worker had work.
  [[nodiscard]] std::int64_t ramp() const {
    std::int64_t last = 0;
    for (const auto& w : workers_) {
      if (w->busy_since < 0) return INT64_MAX;
      last = std::max(last, w->busy_since);
    }
    return last - first_call_;
  }
  [[nodiscard]] std::int64_t makespan() const { return now_; }

 private:
  void at(std::int64_t time, std::function<void()> f) {
    events_.emplace(time, actions_.size());
    actions_.push_back(std::move(f));
  }
  void watch_all() {
    for (auto& w : workers_) {
      if (w->queue.size() != 0) w->ticks = 1;
    }
    at(now_ + watch, [this] { watch_all(); });
  }

  void wake(parking::place* p) {
    if (p == nullptr) return;
    if (first_call_ < 0) first_call_ = now_;
    auto& w = *static_cast<virtual_worker*>(p);
    at(now_ + wake_up, [this, &w] {
      if (!std::exchange(w.asleep, false)) return;
      w.searching = lot_.leave(w);
      w.known.forget_interval();
      w.ticks = 1;
      w.looked_at = 0;
      go_on(w);
    });
  }
  void sleep(virtual_worker& w) {
    lot_.enter(w, std::exchange(w.searching, false));
    w.asleep = true;
    if (filled_.find(0, [this](unsigned i) { return workers_[i]->queue.size() != 0; })) {
      w.asleep = false;
      w.searching = lot_.leave(w);
      at(now_ + search_time, [this, &w] { go_on(w); });
    }
  }

  // As worker::loop().
  void go_on(virtual_worker& w) {
    if (--w.ticks == 0) look_around(w);
    if (w.queue.pop() != nullptr) {
      stop_searching(w, nullptr);
      return run_one(w, 0);
    }
    w.bit.clear();
    if (!w.searching) w.searching = lot_.start_searching();
    virtual_worker* victim = w.searching ? steal(w) : nullptr;
    if (victim == nullptr) return sleep(w);
    w.known.take_over(victim->known, false);
    stop_searching(w, victim);
    run_one(w, search_time);
  }
  void look_around(virtual_worker& w) {
    if (w.ran > 0 && w.looked_at != 0) w.known.note(now_ - w.looked_at, w.ran, w.ran);
    w.looked_at = now_;
    w.ran = 0;
    w.ticks = w.known.interval();
    if (w.known.worth_sharing(static_cast<std::int64_t>(w.queue.size()))) wake(lot_.notify());
  }
  void run_one(virtual_worker& w, std::int64_t after) {
    if (w.busy_since < 0) w.busy_since = now_ + after;
    at(now_ + after + job, [this, &w] {
      --left_;
      ++w.ran;
      go_on(w);
    });
  }
  virtual_worker* steal(virtual_worker& w) {
    virtual_worker* from = nullptr;
    filled_.find(static_cast<unsigned>(random_() % workers_.size()), [&](unsigned i) {
      if (i == w.index || workers_[i]->queue.size() == 0) return false;
      w.bit.set();
      if (workers_[i]->queue.steal_into(w.queue) != nullptr) from = workers_[i].get();
      return from != nullptr;
    });
    return from;
  }
  void stop_searching(virtual_worker& w, const virtual_worker* victim) {
    if (!std::exchange(w.searching, false)) return;
    const bool last = lot_.stop_searching();
    const auto left = static_cast<std::int64_t>(victim != nullptr ? victim->queue.size() : 0);
    const auto stolen = static_cast<std::int64_t>(w.queue.size());
    if (const unsigned calls = w.known.cores_for(stolen, left); calls != 0) {
      for (unsigned i = 0; i < calls; ++i) wake(lot_.take());
    } else if (last && w.known.worth_sharing(stolen + left)) {
      wake(lot_.notify());
    }
  }

  parking lot_;
  worker_set filled_;
  std::vector<std::unique_ptr<virtual_worker>> workers_;
  std::deque<runnable> jobs_;
  std::mt19937_64 random_{1};
  using event = std::tuple<std::int64_t, std::size_t>;  // time, and index of the action; sorted by both
  std::priority_queue<event, std::vector<event>, std::greater<>> events_;
  std::deque<std::function<void()>> actions_;
  std::int64_t now_ = 0;
  std::int64_t first_call_ = -1;
  unsigned left_ = 0;
};

}  // namespace

TEST_CASE("sharing: n workers are busy after about log2(n) hand-offs, not n") {
  for (const unsigned n : {4U, 8U, 16U, 32U, 64U}) {
    world w(n);
    w.run(8 * n);
    const auto depth = static_cast<std::int64_t>(std::bit_width(n) - 1);
    CAPTURE(n, w.ramp(), w.makespan());
    CHECK(w.ramp() <= 2 * depth * hand_off);
  }
}

TEST_CASE(
    "sharing: the makespan of coarse jobs behind small work is the ideal and one look of the watchdog") {
  for (const unsigned n : {2U, 4U, 16U, 64U}) {
    world w(n);
    w.run(8 * n);
    CAPTURE(n, w.makespan());
    CHECK(w.makespan() <= 8 * job + watch + 2 * job);
  }
}
