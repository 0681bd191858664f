#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"
#include "inspection.hpp"
#include "supervisor_state.hpp"

namespace troupe {

namespace {

// After the deadline of the tree: what is left of a kill takes this long at most.
constexpr duration grace = std::chrono::milliseconds(500);

runtime_options runtime_part(const system_options& o) {
  runtime_options r;
  r.workers = o.workers;
  r.name = o.name;
  r.blocking_threads = o.blocking_threads;
  r.long_handler = o.long_handler;
  r.log = o.log;
  return r;
}

void list_running(const actor_info& a, std::string& out, unsigned& left) {
  if (a.state != actor_state::ended && a.children.empty() && left > 0) {
    --left;
    out += "\n  " + a.path + " (" + a.type + ", " + std::string(to_string(a.state)) + ")";
  }
  for (const actor_info& c : a.children) list_running(c, out, left);
}

// The last report: whose handlers never returned. False when there are none.
bool report_wedged(detail::system_core& core) {
  const std::vector<std::string> wedged = core.wedged();
  if (wedged.empty()) return false;
  std::string text = "stopped, but for actors whose handlers never returned:";
  for (const std::string& path : wedged) text += "\n  " + path;
  core.home().log(log_level::error, text);
  return true;
}

}  // namespace

struct system::impl {
  impl(system& self, system_options o, runtime* shared)
      : options(std::move(o)),
        own(shared == nullptr ? std::make_unique<runtime>(runtime_part(options)) : nullptr),
        on(shared == nullptr ? *own : *shared) {
    if (options.shutdown.count() <= 0) {
      throw troupe_error(error(make_error_code(errc::invalid_argument),
                               "system_options.shutdown must be a positive duration"));
    }
    core = std::make_unique<detail::system_core>(self, on.engine(), options.shutdown);
  }

  system_options options;
  std::unique_ptr<runtime> own;
  runtime& on;
  std::unique_ptr<detail::system_core> core;
};

system::system(system_options options) : impl_(std::make_unique<impl>(*this, std::move(options), nullptr)) {}
system::system(runtime& on, system_options options)
    : impl_(std::make_unique<impl>(*this, std::move(options), &on)) {}

system::~system() {
  if (!shutdown()) {
    // Something never came back from a handler. What it may still touch is left
    // behind on purpose: freeing it would turn a hang into corruption.
    (void)impl_->core.release();
  }
}

bool system::shutdown() {
  detail::system_core& core = *impl_->core;
  if (core.root_has_ended()) return core.wedged().empty();
  core.root().request(detail::cell::order_stop);
  const std::int64_t now = core.home().now();
  const std::int64_t deadline =
      detail::deadline_after(detail::deadline_after(now, impl_->options.shutdown), grace);
  if (core.wait_for_root(deadline)) return !report_wedged(core);
  std::string text = impl_->options.name + ": did not stop in time; still running:";
  unsigned most = 20;
  list_running(inspect(), text, most);
  core.home().log(log_level::error, text);
  return false;
}

detail::cell& system::root() const noexcept {
  return impl_->core->root();
}
runtime& system::on() const noexcept {
  return impl_->on;
}
detail::system_core& system::core() const noexcept {
  return *impl_->core;
}
const system_options& system::options() const noexcept {
  return impl_->options;
}
time_point system::now() const noexcept {
  return impl_->on.now();
}
runtime_counters system::counters() const {
  return impl_->on.counters();
}
void system::subscribe(dead_letter_sink& sink) {
  impl_->core->subscribe(sink);
}
void system::unsubscribe(dead_letter_sink& sink) noexcept {
  impl_->core->unsubscribe(sink);
}
actor_info system::inspect() const {
  actor_info tree = detail::inspection::look(root());
  for (const std::string& path : impl_->core->wedged()) {
    actor_info lost;
    lost.name = path.substr(path.rfind('/') + 1);
    lost.path = path;
    lost.type = "?";
    lost.state = actor_state::wedged;
    tree.children.push_back(std::move(lost));
  }
  return tree;
}

void system::stop(const any_ref& who) noexcept {
  if (who && !who.ended()) who.cell()->request(detail::cell::order_stop);
}

// -- names ------------------------------------------------------------------------

bool system::register_name(const std::string& name, const any_ref& who) {
  return impl_->core->register_name(name, *who.cell());
}

any_ref system::find_name(std::string_view name) {
  return any_ref(impl_->core->find_name(name));
}
any_ref system::find_path(std::string_view path) {
  return any_ref(impl_->core->find_path(path));
}

error system::lookup_error(const any_ref& found, std::string_view name) {
  if (!found) {
    return {make_error_code(errc::not_found), "no actor is called '" + std::string(name) + "'"};
  }
  return {make_error_code(errc::invalid_argument),
          "the actor called '" + std::string(name) + "' is a " + found.cell()->acts().name +
              ", which does not accept all messages of the ref that was asked for",
          found.path()};
}

// -- trees ------------------------------------------------------------------------

void system::kill(const any_ref& who) noexcept {
  if (!who || who.ended()) return;
  detail::cell& c = *who.cell();
  c.request(detail::cell::order_slay);
  if (c.parent()->acts().supervises != nullptr) c.parent()->request(detail::cell::order_inspect);
}

result<supervisor_ref> system::supervisor_at(std::string_view path) {
  const any_ref found = find_path(path);
  if (!found || found.cell()->acts().supervises == nullptr) {
    return std::unexpected(error(make_error_code(errc::not_found),
                                 found ? "the actor at this path is no supervisor" : "no actor has this path",
                                 std::string(path)));
  }
  found.cell()->share();
  return supervisor_ref(found.cell());
}

result<supervisor_ref> system::start(const supervisor& tree) {
  if (auto checked = tree.check(); !checked) return std::unexpected(checked.error());
  auto spec = std::make_shared<const detail::supervisor_spec>(tree.spec());
  auto report = std::make_shared<detail::start_report>();
  spawn_options o;
  o.name = spec->name;
  o.restart = restart::temporary;  // when the root of the tree gives up, that is the end of it
  o.shutdown = spec->options.shutdown;
  o.restarts = spec->options.restarts;
  if (spec->options.strategy == strategy::dynamic) o.stop_children = stop_order::parallel;
  supervisor_ref root_ref;
  try {
    root_ref = supervisor_ref(detail::start_supervisor(root(), spec, o, report));
  } catch (const troupe_error& e) {
    return std::unexpected(e.why());
  }
  detail::engine& e = impl_->core->home();
  const auto settled = [&] { return report->up || root_ref.ended(); };
  if (e.simulated()) {
    for (;;) {
      {
        const std::scoped_lock guard(report->lock);
        if (settled()) break;
      }
      if (!e.sim_step() && !e.sim_advance(INT64_MAX)) break;
    }
  } else {
    std::unique_lock guard(report->lock);
    while (!report->changed.wait_for(guard, std::chrono::milliseconds(2), settled)) {
    }
  }
  const std::scoped_lock guard(report->lock);
  if (report->up) return root_ref;
  const exit_reason why = root_ref.cell()->reason();
  return std::unexpected(why.why() != nullptr ? *why.why() : error(errc::start_failed));
}

namespace {

// Wakes the thread in run(): by a signal handler, or by the end of the tree.
class wake_pipe {
 public:
  wake_pipe() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~wake_pipe() { ::close(fd_); }
  wake_pipe(const wake_pipe&) = delete;
  wake_pipe& operator=(const wake_pipe&) = delete;
  void signal() const noexcept {
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
  int fd_;
};

// Written by the signal handler, read by run(); a lock-free atomic may be used there.
detail::atomic<const wake_pipe*> signal_target{nullptr};
detail::atomic<int> signals_seen{0};
detail::atomic<int> last_signal{0};

extern "C" void troupe_on_signal(int number) {
  last_signal.store(number, std::memory_order_relaxed);
  signals_seen.fetch_add(1, std::memory_order_relaxed);
  if (const wake_pipe* const p = signal_target.load(std::memory_order_acquire)) p->signal();
}

// SIGINT and SIGTERM belong to run() for as long as this lives.
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

// Tells run() that the tree has ended.
struct end_watcher {
  using accepts = protocol<>;
  end_watcher(any_ref t, std::shared_ptr<wake_pipe> p) : tree(std::move(t)), pipe(std::move(p)) {}
  void started(context& ctx) { ctx.watch(tree); }
  void handle(const down&, context& ctx) {
    pipe->signal();
    ctx.stop();
  }
  any_ref tree;
  std::shared_ptr<wake_pipe> pipe;
};

}  // namespace

int system::run(const supervisor& tree) {
  detail::engine& e = impl_->core->home();
  const auto pipe = std::make_shared<wake_pipe>();
  const signal_guard signals(*pipe);
  const result<supervisor_ref> started = start(tree);
  if (!started) {
    e.log(log_level::error,
          options().name + ": the tree could not be started: " + started.error().to_string());
    return 1;
  }
  const any_ref& top = *started;
  if (e.simulated()) {
    while (!top.ended() && (e.sim_step() || e.sim_advance(INT64_MAX))) {
    }
    return top.ended() && !top.cell()->reason().abnormal() ? 0 : 1;
  }
  spawn<end_watcher>({}, top, pipe);
  int told = 0;
  std::int64_t deadline = INT64_MAX;
  while (!top.ended()) {
    const int seen = signals_seen.load(std::memory_order_relaxed);
    if (seen > told) {
      const char* const name = last_signal.load(std::memory_order_relaxed) == SIGINT ? "SIGINT" : "SIGTERM";
      if (told == 0 && seen == 1) {
        e.log(log_level::info, options().name + ": " + name + ": stopping");
        deadline = detail::deadline_after(detail::deadline_after(e.now(), options().shutdown), grace);
        stop(top);
      } else {
        e.log(log_level::warning, options().name + ": " + name + " again: killing");
        top.cell()->request(detail::cell::order_kill);
        deadline = detail::deadline_after(e.now(), 4 * grace);
      }
      told = seen;
    }
    int timeout_ms = -1;
    if (deadline != INT64_MAX) {
      const std::int64_t left = deadline - e.now();
      if (left <= 0) break;
      timeout_ms = static_cast<int>(left / 1'000'000) + 1;
    }
    (void)pipe->wait(timeout_ms);
  }
  if (!top.ended()) {
    std::string text = options().name + ": did not stop in time; still running:";
    unsigned most = 20;
    list_running(inspect(), text, most);
    e.log(log_level::error, text);
    return 1;
  }
  if (report_wedged(*impl_->core)) return 1;
  const exit_reason why = top.cell()->reason();
  if (why.abnormal()) {
    e.log(log_level::error, options().name + ": the tree ended: " + why.to_string());
    return 1;
  }
  return 0;
}

}  // namespace troupe
