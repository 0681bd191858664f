// For tests of actors: a system on the simulated runtime, probes that receive an actor's messages, captured
// log lines and dead letters, and faults on demand.
//
//   troupe::testkit::test_system b{{.seed = 7}};
//   troupe::testkit::probe<pong> p(b.sys);
//   const auto player = b.sys.spawn<pinger>({}, p.ref());
//   CHECK(player.tell(ping{}) == troupe::send_result::ok);
//   p.expect<pong>();
//   p.expect_nothing();                         // exact: no other message is under way
//
// Independent of any test framework: an expectation that is not met throws testkit::failure, whose text says
// what was there instead, with which seed, and how to repeat it.
#pragma once

#include <troupe/actors/inbox.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/sim.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::testkit {

/// Thrown when an expectation is not met; what() says which, and how to repeat the run.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Returns the seed in the environment variable TROUPE_SEED, or `otherwise` when it is not set.
[[nodiscard]] std::uint64_t seed_or(std::uint64_t otherwise);

/// Calls f(seed) for the seeds 1 to n: with TROUPE_SEEDS set, for that many; with TROUPE_SEED set, for that
/// one only. Each call must free the slab memory that it has allocated.
/// Errors: when f throws, prints the seed and the command that repeats it, and throws on; a leak throws
/// failure.
void for_each_seed(unsigned n, const std::function<void(std::uint64_t seed)>& f);

/// Counts the live slab objects (envelopes, frames, actors) on construction and again in verify().
/// Errors: verify() throws failure when the counts differ.
/// Threads: exact while no other thread allocates or frees.
class leak_guard {
 public:
  leak_guard() noexcept;
  void verify() const;

 private:
  std::size_t objects_;
  std::size_t large_;
};

/// Keeps every log line.
/// Threads: any.
class log_capture final : public log_sink {
 public:
  void write(log_level level, std::string_view line) noexcept override;
  /// Returns how many lines of at least `least` contain `text`.
  [[nodiscard]] std::size_t count(std::string_view text, log_level least = log_level::debug) const;
  [[nodiscard]] std::vector<std::string> lines() const;
  void clear();

 private:
  struct entry {
    log_level level;
    std::string line;
  };
  mutable troupe::detail::mutex lock_;
  std::vector<entry> entries_ TROUPE_GUARDED_BY(lock_);
};

/// A copy of the facts of a dead letter.
struct lost_message {
  std::string path;
  dead_letter_cause cause;
  std::string type;
};

/// Collects the dead letters of a system for as long as the probe lives.
/// Threads: any.
class dead_letter_probe final : public dead_letter_sink {
 public:
  explicit dead_letter_probe(system& s);
  ~dead_letter_probe() override;
  void write(const dead_letter& letter) noexcept override;

  /// Takes the oldest letter that was not yet taken, or nothing. Runs all ready actors first.
  std::optional<lost_message> take();
  /// Returns how many are not yet taken. Runs all ready actors first.
  [[nodiscard]] std::size_t count();

 private:
  system& system_;
  troupe::detail::mutex lock_;
  std::deque<lost_message> letters_ TROUPE_GUARDED_BY(lock_);
};

struct bench_options {
  std::uint64_t seed = 1;
  /// Every mailbox holds one message, whatever the actor asks for.
  bool capacity_one = false;
  /// The most virtual time that a slice takes, chosen at random; 0: none.
  duration max_slice_time{};
  system_options system = {};
};

namespace detail {
class faults;
/// Runs all ready actors of a simulated system. Does nothing for a system on threads, which runs by itself.
void run_ready(system& s);
/// Moves the virtual clock to the next timer, at most to `until`; false when there is none.
bool next_timer(system& s, std::int64_t until);
[[nodiscard]] bool is_simulated(const system& s);
/// Throws failure: `text`, and how to repeat it when `s` is simulated.
[[noreturn]] void fail(const system& s, const std::string& text);
}  // namespace detail

/// A simulated runtime with a system on it, its clock and its log. The seed is that of TROUPE_SEED when set.
/// Threads: one.
class test_system {
  // In order: the log outlives the runtime, the faults outlive the system.
  std::unique_ptr<detail::faults> faults_;

 public:
  explicit test_system(bench_options o = {});
  ~test_system();
  test_system(const test_system&) = delete;
  test_system& operator=(const test_system&) = delete;

  log_capture log;
  sim::runtime time;
  system sys;

  /// Runs all ready actors; the clock stands still.
  void run() { time.run_until_idle(); }
  /// Runs, and moves the clock by `d`, through every timer on the way.
  void advance(duration d) { time.advance(d); }
  /// Runs a task from outside the system, as block_on does, and returns its result.
  template <class A>
  auto await(A&& a) {
    return sys.block_on(std::forward<A>(a));
  }

  /// Makes an actor fail now, as if a handler had thrown.
  void crash(const any_ref& who) noexcept;
  /// Makes the handler of the nth message that `who` handles from now on throw; 1 is the next. Notices and
  /// timers count too. For actors with handlers, not for coroutine actors.
  void crash_on(const any_ref& who, unsigned nth);
};

namespace detail {

/// The messages that a probe has received: shared by its actor and the test. Any thread.
template <class... Ms>
struct probe_box {
  using item = std::variant<typename troupe::detail::received_as<Ms>::type..., down>;
  troupe::detail::mutex lock;
  std::condition_variable changed;  // an item was added
  std::deque<item> items TROUPE_GUARDED_BY(lock);

  void put(item i) {
    const troupe::detail::scoped_lock guard(lock);
    items.push_back(std::move(i));
    changed.notify_all();
  }
  std::optional<item> pop() TROUPE_REQUIRES(lock) {
    if (items.empty()) return std::nullopt;
    std::optional<item> first(std::move(items.front()));
    items.pop_front();
    return first;
  }
  std::optional<item> pop_if_any() TROUPE_EXCLUDES(lock) {
    const troupe::detail::scoped_lock guard(lock);
    return pop();
  }
  /// The next item; waits for it, `limit` at most.
  std::optional<item> wait_and_pop(duration limit) TROUPE_EXCLUDES(lock) {
    using clock = std::chrono::steady_clock;
    const std::int64_t now = clock::now().time_since_epoch().count();
    const clock::time_point end(duration(troupe::detail::deadline_after(now, limit)));
    troupe::detail::mutex_lock guard(lock);
    while (items.empty() && guard.wait_until(changed, end)) {
    }
    return pop();
  }
};

struct probe_watch {
  any_ref who;
};
struct probe_unwatch {
  any_ref who;
};

template <class... Ms>
struct probe_actor {
  using accepts = protocol<Ms..., probe_watch, probe_unwatch>;

  explicit probe_actor(std::shared_ptr<probe_box<Ms...>> b) : box(std::move(b)) {}

  template <class M>
    requires(troupe::detail::one_of<M, Ms...> && !request_message<M>)
  void handle(M m) {
    box->put(std::move(m));
  }
  template <class M>
    requires(troupe::detail::one_of<M, Ms...> && request_message<M>)
  void handle(M m, reply_to<typename M::reply> r) {
    box->put(request<M>{std::move(m), std::move(r)});
  }
  void handle(down d) { box->put(std::move(d)); }
  void handle(probe_watch m, context& ctx) { ctx.watch(m.who); }
  void handle(probe_unwatch m, context& ctx) { ctx.unwatch(m.who); }

  std::shared_ptr<probe_box<Ms...>> box;
};

template <class T>
struct asked_as {
  using type = T;
  static constexpr const char* name = troupe::detail::type_name<T>();
};
template <class M>
struct asked_as<request<M>> {
  using type = M;
  static constexpr const char* name = troupe::detail::type_name<M>();
};

}  // namespace detail

/// An actor whose messages the test takes. A request comes as request<M>, which the test answers or drops.
/// Threads: one.
template <class... Ms>
class probe {
 public:
  explicit probe(system& s, spawn_options o = {}) : system_(s), box_(std::make_shared<box>()) {
    actor_ = s.template spawn<detail::probe_actor<Ms...>>(std::move(o), box_);
  }
  ~probe() { system_.stop(actor_); }
  probe(const probe&) = delete;
  probe& operator=(const probe&) = delete;

  [[nodiscard]] troupe::ref<Ms...> ref() const { return actor_; }

  /// Takes the next message, which must be an M (`down` for a notice) and come within `limit`. On a simulated
  /// runtime that is virtual time, and the clock moves only when no actor is ready.
  /// Errors: throws failure when another message comes, or none.
  /// Blocks: on a system on threads, for `limit` at most.
  template <class M>
  auto expect(duration limit = std::chrono::seconds(10)) {
    using kept = typename kept_as<M>::type;
    std::optional<typename box::item> i = next(limit);
    if (!i) {
      detail::fail(system_,
                   actor_.path() + ": expected " + troupe::detail::type_name<M>() + ", but nothing came");
    }
    if (auto* const m = std::get_if<kept>(&*i)) return kept(std::move(*m));
    detail::fail(system_, actor_.path() + ": expected " + troupe::detail::type_name<M>() + ", but " +
                              name_of(*i) + " came");
  }
  /// Checks that no message has come and none is under way.
  /// Errors: throws failure when a message has come, or on a system on threads, where this would not be
  /// exact.
  void expect_nothing() {
    if (!detail::is_simulated(system_)) {
      detail::fail(system_,
                   "expect_nothing() is exact and needs a simulated runtime: use expect_nothing_for()");
    }
    expect_nothing_for(duration::zero());
  }
  /// Checks that no message comes within `d`: virtual time on a simulated runtime.
  /// Errors: throws failure when one comes.
  /// Blocks: on a system on threads, for `d`.
  void expect_nothing_for(duration d) {
    if (const auto i = next(d)) {
      detail::fail(system_, actor_.path() + ": expected nothing, but " + name_of(*i) + " came");
    }
  }

  /// Makes the probe watch `who`: it receives a `down` when `who` ends.
  void watch(const any_ref& who) { order(detail::probe_watch{who}); }
  void unwatch(const any_ref& who) { order(detail::probe_unwatch{who}); }

 private:
  using box = detail::probe_box<Ms...>;
  template <class M>
  struct kept_as : troupe::detail::received_as<M> {};

  template <class M>
  void order(M m) {
    if (actor_.tell(std::move(m)) != send_result::ok)
      detail::fail(
          system_,
          actor_.path() +
              ": the probe does not accept watch() and unwatch(): its mailbox is full or it has ended");
    detail::run_ready(system_);
  }
  static std::string name_of(const typename box::item& i) {
    return std::visit(
        [](const auto& m) { return std::string(detail::asked_as<std::decay_t<decltype(m)>>::name); }, i);
  }
  std::optional<typename box::item> next(duration limit) {
    if (!detail::is_simulated(system_)) return box_->wait_and_pop(limit);
    const std::int64_t until =
        troupe::detail::deadline_after(system_.now().time_since_epoch().count(), limit);
    for (;;) {
      detail::run_ready(system_);
      if (auto i = box_->pop_if_any()) return i;
      if (!detail::next_timer(system_, until)) return std::nullopt;
    }
  }

  system& system_;
  std::shared_ptr<box> box_;
  typename troupe::ref_of<detail::probe_actor<Ms...>> actor_;
};

}  // namespace troupe::testkit
