// Tasks that belong to an actor: cancelled and awaited with it; their failure is its own.
#include "actors/common.hpp"

#include <troupe/runtime/blocking.hpp>

#include <stop_token>
#include <thread>

using namespace actors_test;
using troupe::context;
using troupe::exit_kind;
using troupe::task;

namespace {

struct begin {
  int kind;
};

/// Notes when it is destroyed.
struct trace {
  trace(history* h, std::string n) : log(h), name(std::move(n)) { log->push_back("+" + name); }
  trace(trace&& o) noexcept : log(std::exchange(o.log, nullptr)), name(std::move(o.name)) {}
  ~trace() {
    if (log != nullptr) log->push_back("-" + name);
  }
  history* log;
  std::string name;
};

task<void> worker(history* log, int kind, std::unique_ptr<int> owned) {
  const trace t(log, "task");
  if (kind == 0) {
    co_await troupe::sleep_for(10ms);
    log->push_back("done " + std::to_string(*owned));
  } else if (kind == 1) {
    co_await troupe::sleep_for(10ms);
    throw std::runtime_error("the disk is gone");
  } else {
    co_await troupe::sleep_for(1h);
  }
}

struct owner {
  using accepts = troupe::protocol<begin, get>;
  explicit owner(history* h) : log(h) { log->push_back("+owner"); }
  ~owner() { log->push_back("-owner"); }
  void handle(begin m, context& ctx) {
    running = ctx.spawn_task(&worker, log, m.kind, std::make_unique<int>(7));
  }
  int handle(get) const { return 1; }
  void stopping(context&, const troupe::exit_reason&) { log->push_back("stopping"); }
  history* log;
  troupe::any_ref running;
};

}  // namespace

TEST_CASE("an owned task runs concurrently with its actor, owns its arguments, and ends by itself") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    const auto o = b.sys.spawn<owner>({}, &log);
    REQUIRE(o.tell(begin{0}) == send_result::ok);
    CHECK(b.await(o.ask(get{})).value() == 1);  // the actor answers meanwhile
    b.run();
    CHECK(b.sys.inspect().count() == 3);
    b.advance(20ms);
    CHECK(log == history{"+owner", "+task", "done 7", "-task"});
    CHECK(b.sys.inspect().count() == 2);
  });
}

TEST_CASE("an owned task is cancelled with its actor, which waits for it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    const auto o = b.sys.spawn<owner>({}, &log);
    REQUIRE(o.tell(begin{2}) == send_result::ok);
    b.run();
    b.sys.stop(o);
    b.run();
    CHECK(o.ended());
    CHECK(log == history{"+owner", "+task", "-task", "stopping", "-owner"});
  });
}

TEST_CASE("an owned task that fails is its actor's failure, with the cause") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    const auto o = b.sys.spawn<owner>({.restart = troupe::restart::temporary}, &log);
    probe<> p(b.sys);
    p.watch(o);
    REQUIRE(o.tell(begin{1}) == send_result::ok);
    const auto notice = p.expect<troupe::down>();
    CHECK(notice.reason.kind() == exit_kind::error);
    CHECK(notice.reason.to_string().find("the disk is gone") != std::string::npos);
    CHECK(log == history{"+owner", "+task", "-task", "stopping", "-owner"});
  });
}

TEST_CASE("an owned task ends with its incarnation: the next one has none of it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    const auto o = b.sys.spawn<owner>({}, &log);
    REQUIRE(o.tell(begin{2}) == send_result::ok);
    REQUIRE(o.tell(begin{1}) == send_result::ok);
    b.advance(20ms);
    CHECK(b.sys.inspect().count() == 2);
    CHECK(b.await(o.ask(get{})).value() == 1);
    CHECK(b.sys.counters().restarts == 1);
    CHECK(std::ranges::count(log, "-task") == 2);
  });
}

TEST_CASE("stopping an actor asks what its task runs on the blocking pool to end") {
  struct sleeper {
    using accepts = troupe::protocol<begin>;
    explicit sleeper(std::atomic<int>* s) : seen(s) {}
    void handle(begin, context& ctx) {
      ctx.spawn_task(
          [](std::atomic<int>* s) -> task<void> {
            co_await troupe::blocking([s](std::stop_token stop) {
              *s = 1;
              while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
              *s = 2;
            });
          },
          seen);
    }
    std::atomic<int>* seen;
  };
  std::atomic<int> seen = 0;
  troupe::system sys({.workers = 2});
  const auto s = sys.spawn<sleeper>({}, &seen);
  REQUIRE(s.tell(begin{0}) == send_result::ok);
  while (seen == 0) std::this_thread::sleep_for(1ms);
  sys.stop(s);
  for (int i = 0; i < 20'000 && seen != 2; ++i) std::this_thread::sleep_for(1ms);
  CHECK(seen == 2);
}
