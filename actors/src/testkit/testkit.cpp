// The test kit: seeds, leak checks, captured log lines and dead letters, and the simulated system.
#include "testkit/test_hooks.hpp"

#include <troupe/actors/system_core.hpp>
#include <troupe/actors/testkit.hpp>

#include <cstdio>
#include <cstdlib>
#include <errno.h>

namespace troupe::testkit {

namespace {

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 0);
}

std::string replay_line(std::uint64_t seed) {
  return "repeat it with  TROUPE_SEED=" + std::to_string(seed) + " " + program_invocation_name;
}

}  // namespace

std::uint64_t seed_or(std::uint64_t otherwise) {
  return number_from_environment("TROUPE_SEED").value_or(otherwise);
}

void for_each_seed(unsigned n, const std::function<void(std::uint64_t)>& f) {
  std::uint64_t first = 1;
  std::uint64_t count = number_from_environment("TROUPE_SEEDS").value_or(n);
  if (const auto only = number_from_environment("TROUPE_SEED")) {
    first = *only;
    count = 1;
  }
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    try {
      const leak_guard memory;
      f(seed);
      memory.verify();
    } catch (...) {
      std::fprintf(stderr, "failed with seed %llu; %s\n", static_cast<unsigned long long>(seed),
                   replay_line(seed).c_str());
      throw;
    }
  }
}

leak_guard::leak_guard() noexcept {
  const slab_stats now = troupe::detail::slab_statistics();
  objects_ = now.live_objects;
  large_ = now.large_objects;
}

void leak_guard::verify() const {
  const slab_stats now = troupe::detail::slab_statistics();
  if (now.live_objects == objects_ && now.large_objects == large_) return;
  throw failure("slab objects leaked: " + std::to_string(now.live_objects) + " live, of them large " +
                std::to_string(now.large_objects) + "; there were " + std::to_string(objects_) + " and " +
                std::to_string(large_));
}

// -- the log ------------------------------------------------------------------

void log_capture::write(log_level level, std::string_view line) noexcept {
  const troupe::detail::scoped_lock guard(lock_);
  entries_.push_back({level, std::string(line)});
}

std::size_t log_capture::count(std::string_view text, log_level least) const {
  const troupe::detail::scoped_lock guard(lock_);
  std::size_t n = 0;
  for (const entry& e : entries_) {
    if (e.level >= least && e.line.find(text) != std::string::npos) ++n;
  }
  return n;
}

std::vector<std::string> log_capture::lines() const {
  const troupe::detail::scoped_lock guard(lock_);
  std::vector<std::string> all;
  for (const entry& e : entries_) all.push_back(e.line);
  return all;
}

void log_capture::clear() {
  const troupe::detail::scoped_lock guard(lock_);
  entries_.clear();
}

// -- dead letters -------------------------------------------------------------

dead_letter_probe::dead_letter_probe(system& s) : system_(s) {
  s.subscribe(*this);
}
dead_letter_probe::~dead_letter_probe() {
  system_.unsubscribe(*this);
}

void dead_letter_probe::write(const dead_letter& letter) noexcept {
  const troupe::detail::scoped_lock guard(lock_);
  letters_.push_back({letter.path(), letter.cause(), letter.type()});
}

std::optional<lost_message> dead_letter_probe::take() {
  detail::run_ready(system_);
  const troupe::detail::scoped_lock guard(lock_);
  if (letters_.empty()) return std::nullopt;
  lost_message first = std::move(letters_.front());
  letters_.pop_front();
  return first;
}

std::size_t dead_letter_probe::count() {
  detail::run_ready(system_);
  const troupe::detail::scoped_lock guard(lock_);
  return letters_.size();
}

// -- the test system ----------------------------------------------------------------

namespace detail {

bool is_simulated(const system& s) {
  return s.core().home().simulated();
}

void run_ready(system& s) {
  if (!is_simulated(s)) return;
  while (s.core().home().sim_step()) {
  }
}

bool next_timer(system& s, std::int64_t until) {
  return s.core().home().sim_advance(until);
}

void fail(const system& s, const std::string& text) {
  if (!is_simulated(s)) throw failure(text);
  const std::uint64_t seed = s.core().home().sim().seed;
  throw failure(text + " (seed " + std::to_string(seed) + "; " + replay_line(seed) + ")");
}

}  // namespace detail

namespace {

sim::options simulated(const bench_options& o, log_sink& log) {
  sim::options s;
  s.seed = seed_or(o.seed);
  s.log = &log;
  s.max_slice_time = o.max_slice_time;
  return s;
}

}  // namespace

test_system::test_system(bench_options o)
    : faults_(std::make_unique<detail::faults>(o.capacity_one)),
      time(simulated(o, log)),
      sys(time, std::move(o.system)) {
  sys.core().set_hooks(faults_.get());
}

test_system::~test_system() = default;

void test_system::crash(const any_ref& who) noexcept {
  who.cell()->request(troupe::detail::cell::order_crash);
}

void test_system::crash_on(const any_ref& who, unsigned nth) {
  faults_->crash_on(*who.cell(), nth);
}

}  // namespace troupe::testkit
