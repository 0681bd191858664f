// system::start and system::run: starting a tree, and running it until a signal or its own end. Called by
// threads that are not workers.
#include "supervision/supervisor_state.hpp"
#include "system/last_report.hpp"

#include <troupe/actors/supervisor_spec.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace troupe {

namespace {

// A tree that is starting. It comes up, or its root ends; then `reason` says why it did not come up.
struct starting_tree {
  supervisor_ref root;
  std::shared_ptr<detail::start_report> report;

  [[nodiscard]] bool is_up() const {
    const detail::scoped_lock guard(report->lock);
    return report->up;
  }
  /// Its root has ended, or is cut off for good.
  [[nodiscard]] bool is_over() const noexcept { return root.cell()->is_gone(); }
  [[nodiscard]] error reason() const {
    const exit_reason why = root.cell()->reason();
    return why.cause() != nullptr ? *why.cause() : error(errc::start_failed);
  }
};

result<starting_tree> begin(const supervisor& tree, detail::cell& parent,
                            std::function<void()> on_end = nullptr) {
  if (detail::this_worker() != nullptr) {
    return std::unexpected(error(make_error_code(errc::on_worker),
                                 "waiting for a tree would block a worker thread: start it as a child of a "
                                 "supervisor, with start_child"));
  }
  if (auto checked = tree.check(); !checked) return std::unexpected(checked.error());
  auto spec = std::make_shared<const detail::supervisor_spec>(tree.spec());
  auto report = std::make_shared<detail::start_report>();
  report->on_end = std::move(on_end);
  spawn_options o;
  o.name = spec->name;
  o.restart = restart::temporary;  // when the root of the tree gives up, the tree has ended
  o.shutdown = spec->options.shutdown;
  o.restarts = spec->options.restarts;
  if (spec->options.strategy == strategy::dynamic) o.stop_children = stop_order::parallel;
  try {
    starting_tree begun{supervisor_ref(detail::start_supervisor(parent, spec, o, report)), report};
    detail::listen_for_end(*begun.root.cell(), report);
    return begun;
  } catch (const troupe_error& e) {
    return std::unexpected(e.error());
  }
}

}  // namespace

result<supervisor_ref> system::start(const supervisor& tree) {
  const result<starting_tree> begun = begin(tree, root());
  if (!begun) return std::unexpected(begun.error());
  detail::engine& e = core().home();
  if (!e.has_threads()) {
    e.drive([&] { return begun->is_up() || begun->is_over(); });
  } else {
    detail::start_report& report = *begun->report;
    detail::mutex_lock guard(report.lock);
    while (!report.up && !report.over) guard.wait(report.changed);
  }
  if (begun->is_up()) return begun->root;
  return std::unexpected(begun->reason());
}

// -- until a signal ---------------------------------------------------------------

namespace {

// Wakes the thread in run(): written by a signal handler, or at the end of the tree.
class wake_pipe {
 public:
  /// `driver`: where run() waits when it is not in wait(); may be null.
  explicit wake_pipe(detail::reactor* driver)
      : driver_(driver), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~wake_pipe() { ::close(fd_); }
  wake_pipe(const wake_pipe&) = delete;
  wake_pipe& operator=(const wake_pipe&) = delete;
  void signal() const noexcept {
    if (driver_ != nullptr) driver_->wake();  // a write, as below
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
  }
  /// False when the time is up.
  [[nodiscard]] bool wait(int timeout_ms) const noexcept {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, timeout_ms) <= 0) return false;
    std::uint64_t n = 0;
    [[maybe_unused]] const auto got = ::read(fd_, &n, sizeof n);
    return true;
  }

 private:
  detail::reactor* driver_;
  int fd_;
};

// Written by the signal handler, read by run(). Lock-free, so a signal handler may use them. signal_target:
// the release in signal_guard pairs with the acquire in the handler, which then sees a complete wake_pipe.
// The numbers are relaxed: run() reads them after the wake-up that follows. Broken by:
// tests/conformance/signal_test.
detail::atomic<const wake_pipe*> signal_target{nullptr};
detail::atomic<int> signals_seen{0};
detail::atomic<int> last_signal{0};

extern "C" void troupe_on_signal(int number) {
  last_signal.store(number, std::memory_order_relaxed);
  signals_seen.fetch_add(1, std::memory_order_relaxed);
  if (const wake_pipe* const p = signal_target.load(std::memory_order_acquire)) p->signal();
}

// Directs SIGINT and SIGTERM to run() for as long as it lives.
class signal_guard {
 public:
  explicit signal_guard(const wake_pipe& p) {
    signals_seen.store(0, std::memory_order_relaxed);
    signal_target.store(&p, std::memory_order_release);
    struct sigaction action{};
    action.sa_handler = &troupe_on_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &old_int_);
    ::sigaction(SIGTERM, &action, &old_term_);
  }
  ~signal_guard() {
    ::sigaction(SIGINT, &old_int_, nullptr);
    ::sigaction(SIGTERM, &old_term_, nullptr);
    signal_target.store(nullptr, std::memory_order_release);
  }
  signal_guard(const signal_guard&) = delete;
  signal_guard& operator=(const signal_guard&) = delete;

 private:
  struct sigaction old_int_{};
  struct sigaction old_term_{};
};

// How run() handles signals, and until when it waits.
struct stopping {
  system& sys;
  const any_ref& top;
  int told = 0;                   // signals handled
  std::int64_t last = INT64_MAX;  // run() returns then, whatever the state of the tree

  [[nodiscard]] bool is_news() const noexcept { return signals_seen.load(std::memory_order_relaxed) > told; }
  // The first stops the tree, by the shutdown time; the second kills it; none postpones the end.
  void handle_signals() {
    detail::engine& e = sys.core().home();
    const std::string who =
        sys.options().name +
        (last_signal.load(std::memory_order_relaxed) == SIGINT ? ": SIGINT" : ": SIGTERM");
    const int seen = signals_seen.load(std::memory_order_relaxed);
    if (told == 0 && seen == 1) {
      e.log(log_level::info, who + ": stopping");
      top.cell()->stop_by(detail::deadline_after(e.now(), sys.options().shutdown));
      last = std::min(last, detail::last_moment(e.now(), sys.options().shutdown));
    } else if (told <= 1) {
      e.log(log_level::warning, who + " again: killing");
      top.cell()->request(detail::cell::order_kill);
      last = std::min(last, detail::last_moment(e.now(), std::chrono::milliseconds(1500)));
    }
    sys.core().root().look_after_children_soon();
    told = told == 0 && seen > 1 ? 2 : seen;
  }
};

}  // namespace

int system::run(const supervisor& tree) {
  detail::engine& e = core().home();
  const auto not_started = [&](const error& why) {
    e.log(log_level::error, options().name + ": the tree could not be started: " + why.to_string());
    return 1;
  };
  const auto pipe = std::make_shared<wake_pipe>(e.has_threads() ? nullptr : &e.first_worker().io);
  const signal_guard signals(*pipe);
  const result<starting_tree> begun = begin(tree, root(), [pipe] { pipe->signal(); });
  if (!begun) return not_started(begun.error());
  if (e.simulated()) e.drive([&] { return begun->is_over(); });
  // From here on signals are handled, also while the tree is starting.
  stopping on_signal{*this, begun->root};
  while (!begun->is_over() && !e.simulated()) {
    if (on_signal.is_news()) on_signal.handle_signals();
    const std::int64_t left = on_signal.last == INT64_MAX ? INT64_MAX : on_signal.last - e.now();
    if (left <= 0) break;
    if (e.has_threads()) {
      (void)pipe->wait(left == INT64_MAX ? -1 : static_cast<int>(left / 1'000'000) + 1);
    } else {
      const auto concerns_us = [&] { return begun->is_over() || on_signal.is_news(); };
      e.drive(concerns_us, on_signal.last);
    }
  }
  if (!begun->is_over()) {
    (void)detail::report_running(*this);
    return 1;
  }
  if (detail::report_wedged(core())) return 1;
  const exit_reason why = begun->root.cell()->reason();
  if (!why.abnormal()) return 0;
  if (!begun->is_up()) return not_started(begun->reason());
  e.log(log_level::error, options().name + ": the tree ended: " + why.to_string());
  return 1;
}

}  // namespace troupe
