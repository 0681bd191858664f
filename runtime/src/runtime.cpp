// The runtime: its construction, its end, and block_on. See runtime.hpp for the contract.
#include "scheduler/blocking_pool.hpp"
#include "task/root_task.hpp"

#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace troupe {

namespace detail {

void add_share(engine& e) noexcept {
  e.share();
}
void drop_share(engine& e) noexcept {
  e.release();
}

}  // namespace detail

runtime::runtime(runtime_options options) : engine_(new detail::engine(std::move(options), nullptr)) {
  engine_->start();
}

runtime::runtime(runtime_options options, simulated how)
    : engine_(new detail::engine(std::move(options),
                                 std::make_unique<detail::simulation>(how.seed, how.max_slice_time))) {}

runtime::runtime(const runtime& whole, std::uint16_t place)
    : engine_(whole.engine_), place_(place), whole_(false) {}

namespace {

// The tasks, threads and calls that the end of a runtime abandons.
struct remains {
  unsigned tasks = 0;
  unsigned threads = 0;
  std::vector<std::string> calls;  // their callers
};

void report(const detail::engine& e, const remains& left) {
  const auto line = [&e](unsigned n, const char* what) {
    if (n != 0) e.log(log_level::error, std::to_string(n) + what);
  };
  line(left.tasks, " tasks of the runtime did not stop by the deadline; they are abandoned");
  line(left.threads, " worker threads did not return from a handler by the deadline; they are abandoned");
  for (const std::string& caller : left.calls)
    e.log(log_level::error,
          caller + ": what it called by blocking() did not return; its thread is abandoned");
}

}  // namespace

runtime::~runtime() {
  if (!whole_) return;
  detail::engine& e = *engine_;
  TROUPE_ASSERT(detail::this_worker() == nullptr || &detail::this_worker()->home() != &e,
                "a runtime is not destroyed on one of its own workers");
  const duration within = e.options().shutdown;
  // A thread that only has to notice the end gets a moment, however long the steps before took.
  const auto a_moment = [&e, within] { return detail::deadline_after(e.now(), within / 8); };
  const std::int64_t deadline =
      std::max(std::min(detail::deadline_after(e.now(), within), end_by_), a_moment());
  e.roots.stop_all();
  remains left;
  if (!(e.has_threads() ? e.roots.wait(deadline) : e.drive([&e] { return e.roots.empty(); }, deadline))) {
    left.tasks = e.roots.leave_behind(e);
  }
  const std::int64_t last = std::max(deadline, a_moment());
  left.threads = e.stop(last);
  try {
    left.calls = e.blocking().stop(last);
    report(e, left);
  } catch (const std::bad_alloc&) {
    e.log(log_level::error,
          "the end of the runtime abandoned tasks, threads or calls; no memory is left to list them");
  }
  if (left.tasks != 0 || left.threads != 0 || !left.calls.empty()) e.silence();
}

void runtime::stop_all() noexcept {
  engine_->roots.stop(place_);
}

result<detail::outcome> runtime::wait(task<void> t) {
  if (detail::this_worker() != nullptr) {
    return std::unexpected(error(make_error_code(errc::on_worker),
                                 "block_on would block a worker thread: co_await the task instead"));
  }
  const detail::root_task_ref root = detail::start_root(*engine_, std::move(t), place_);
  return detail::wait_root(*engine_, *root);
}

void runtime::spawn(task<void> t) {
  detail::start_root(*engine_, std::move(t), place_);
}

time_point runtime::now() const noexcept {
  return time_point(duration(engine_->now()));
}
unsigned runtime::workers() const noexcept {
  return engine_->options().workers;
}
runtime_counters runtime::counters() const {
  return engine_->counters();
}

}  // namespace troupe
