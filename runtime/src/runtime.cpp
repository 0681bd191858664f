#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>

#include "root_task.hpp"

namespace troupe {

namespace {
constexpr duration patience = std::chrono::seconds(5);  // for threads, once nothing is left to run
}

namespace detail {

engine_ref::engine_ref(const engine_ref& o) noexcept : engine_(o.engine_) {
  engine_->share();
}

engine_ref engine_ref::share_of(engine& e) noexcept {
  e.share();
  return engine_ref(&e);
}

engine_ref::~engine_ref() {
  engine_->release();
}

}  // namespace detail

runtime::runtime(runtime_options options) : engine_(new detail::engine(std::move(options), nullptr)) {
  engine_->start();
}

runtime::runtime(runtime_options options, simulated how)
    : engine_(new detail::engine(std::move(options),
                                 std::make_unique<detail::simulation>(how.seed, how.slowest_slice))) {}

runtime::runtime(const runtime& whole, std::uint16_t place)
    : engine_(whole.engine_), place_(place), whole_(false) {}

runtime::~runtime() {
  if (!whole_) return;
  // Stopping posts mail, and so must not hold the lock that the end of a task takes.
  for (;;) {
    detail::root_task* root = nullptr;
    {
      const std::scoped_lock guard(engine_->roots_lock);
      if (engine_->roots.empty()) break;
      root = engine_->roots.front();
      root->share();
    }
    const detail::root_task_ref shared(root);
    root->stop();
    if (!detail::wait_root(*engine_, *root)) break;
  }
  const unsigned stuck = engine_->stop(detail::deadline_after(engine_->now(), patience));
  if (stuck != 0) {
    engine_->log(
        log_level::error,
        std::to_string(stuck) + " worker threads never came back from a handler; they are left behind");
  }
}

void runtime::stop_all() noexcept {
  std::vector<detail::root_task_ref> here;
  {
    const std::scoped_lock guard(engine_->roots_lock);
    for (detail::root_task* const root : engine_->roots) {
      if (root->place() != place_) continue;
      root->share();
      here.emplace_back(root);
    }
  }
  for (const detail::root_task_ref& root : here) root.task->stop();  // without the lock, as above
}

result<detail::outcome> runtime::wait(task<void> t) {
  if (detail::this_worker() != nullptr) {
    return std::unexpected(error(make_error_code(errc::on_worker),
                                 "block_on would block a worker thread: co_await the task instead"));
  }
  const detail::root_task_ref root = detail::start_root(*engine_, std::move(t), place_);
  return detail::wait_root(*engine_, *root.task);
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
