// Endings: a handler that hangs, a tree that is stopped, two actors that wait for each other.
#include "supervision/scenario.hpp"

#include <algorithm>
#include <atomic>

using namespace std::chrono_literals;

namespace demo {

namespace {

std::uint64_t milliseconds_since(std::chrono::steady_clock::time_point t) {
  return static_cast<std::uint64_t>(
      std::chrono::round<std::chrono::milliseconds>(std::chrono::steady_clock::now() - t).count());
}

struct hang {};

/// Its handler of `hang` returns only after the scenario is over.
struct hanging {
  using accepts = troupe::protocol<hang, which>;
  hanging(troupe::context& ctx, std::atomic<bool>* o) : over(o), epoch(ctx.epoch()) {}
  void handle(hang) const { over->wait(false); }
  std::uint32_t handle(which) const { return epoch; }
  std::atomic<bool>* over;
  std::uint32_t epoch;
};

/// Releases the hanging handlers at the end of the scenario, however it ends.
struct release {
  explicit release(std::atomic<bool>& o) : over(o) {}
  ~release() {
    over = true;
    over.notify_all();
  }
  release(const release&) = delete;
  release& operator=(const release&) = delete;
  std::atomic<bool>& over;
};

}  // namespace

findings wedged(view& v) {
  constexpr auto deadline = 3s;
  findings found;
  std::atomic<bool> over = false;
  // Two workers, because the hanging handler keeps one of them.
  troupe::system sys(
      {.workers = 2, .name = "supervision", .shutdown = deadline, .long_handler = 500ms, .log = &v});
  const auto guard = v.show(sys);
  const release at_the_end(over);
  const auto top = sys.start(troupe::supervisor("app")
                                 .child<worker>("fine", {}, &v)
                                 .child<hanging>("stuck", {.shutdown = 500ms}, &over));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  const auto stuck = sys.at<hang, which>("/app/stuck").value();
  found.expect(stuck.tell(hang{}) == troupe::send_result::ok, "stuck can be told to hang");
  v.say("stuck is in a handler that never returns. The watchdog reports it; fine works on another thread.");
  v.hold(2s);
  const auto fine = sys.at<crash, which>("/app/fine").value();
  found.expect(sys.block_on(fine.ask(which{})).value_or(99) == 0, "fine answers meanwhile");

  v.say(
      "stuck is killed and does not react. After 500 ms it is quarantined, its memory is kept, and it is "
      "replaced.");
  sys.kill(stuck);
  const bool replaced = v.until(
      [&](const troupe::actor_info&) {
        const auto fresh = sys.at<hang, which>("/app/stuck");
        return fresh && *fresh != stuck;
      },
      5s);
  found.expect(replaced, "stuck is replaced");
  const auto fresh = sys.at<hang, which>("/app/stuck");
  found.expect(fresh && sys.block_on(fresh->ask(which{})).has_value(), "its successor answers");
  found.expect(sys.counters().wedged == 1, "one actor is counted as wedged");
  v.say("A new stuck runs under the same path, with a new address.");
  v.hold(1500ms);

  v.say("Now the system stops. It meets its deadline, and the report names the handler that never returned.");
  const auto start = std::chrono::steady_clock::now();
  const bool clean = v.during([&] { return sys.shutdown().has_value(); });
  const std::uint64_t took = milliseconds_since(start);
  v.hold(1s);
  found.fact("wedged", sys.counters().wedged);
  found.fact("shutdown_ms", took);
  found.expect(!clean, "shutdown reports that a handler never returned");
  found.expect(took < 3500, "shutdown meets its deadline");
  const std::vector<std::string> notes = v.notes();
  const auto named = std::ranges::find_if(
      notes, [](const std::string& n) { return n.contains("never returned") && n.contains("/app/stuck"); });
  found.expect(named != notes.end(), "the report names /app/stuck");
  if (named != notes.end()) found.fact("reported", "/app/stuck");
  return found;
}

namespace {

struct job {};

/// Takes 60 ms for a job, and finishes its queued jobs before it stops.
struct clerk {
  using accepts = troupe::protocol<job>;
  clerk(troupe::context& ctx, view* v, std::atomic<unsigned>* n) : shown(v), path(ctx.path()), done(n) {
    shown->note(path + " started");
  }
  troupe::task<void> handle(job) {
    co_await troupe::sleep_for(60ms);
    ++*done;
  }
  void stopping(troupe::context& /*ctx*/, const troupe::exit_reason& why) {
    shown->note(path + " stopping: " + std::string(to_string(why.kind())));
  }
  view* shown;
  std::string path;
  std::atomic<unsigned>* done;
};

}  // namespace

findings shutdown(view& v) {
  constexpr unsigned jobs_each = 8;
  findings found;
  std::atomic<unsigned> done = 0;
  troupe::system sys({.workers = 2, .name = "supervision", .shutdown = 8s, .log = &v});
  const auto guard = v.show(sys);
  const troupe::child_options draining{.mailbox = {.when_stopped = troupe::on_stop::drain}};
  const auto top = sys.start(troupe::supervisor("app")
                                 .child<clerk>("store", draining, &v, &done)
                                 .child(troupe::supervisor("back")
                                            .child<clerk>("1", draining, &v, &done)
                                            .child<clerk>("2", draining, &v, &done))
                                 .child(troupe::supervisor("front")
                                            .child<clerk>("listener", draining, &v, &done)
                                            .child<clerk>("session", draining, &v, &done)));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  const std::vector<std::string> started{"/app/store", "/app/back/1", "/app/back/2", "/app/front/listener",
                                         "/app/front/session"};
  v.say("Started from the top down. All actors are idle.");
  v.hold(1s);
  unsigned told = 0;
  for (const std::string& path : started) {
    const auto clerk = sys.at<job>(path).value();
    for (unsigned i = 0; i < jobs_each; ++i)
      if (clerk.tell(job{}) == troupe::send_result::ok) ++told;
  }
  v.say(
      "Each has 8 jobs of 60 ms, and the system stops: from the bottom up, each actor emptying its queue "
      "first.");
  const auto start = std::chrono::steady_clock::now();
  const bool in_time = v.during([&] { return sys.shutdown().has_value(); });
  const std::uint64_t took = milliseconds_since(start);
  v.say("All have ended, in the reverse order of their start.");
  v.hold(500ms);

  std::vector<std::string> backwards;
  for (const std::string& path : started) backwards.insert(backwards.begin(), path + " stopping: shutdown");
  std::vector<std::string> forwards;
  for (const std::string& path : started) forwards.push_back(path + " started");
  found.fact("jobs_told", told);
  found.fact("jobs_done", done.load());
  found.fact("shutdown_ms", took);
  found.fact("still_running", sys.inspect().count() - 1);
  found.expect(in_time && took < 8000, "it stops within its deadline");
  found.expect(told == jobs_each * started.size(), "all jobs were accepted");
  found.expect(done == told, "all jobs that were accepted were done");
  found.expect(in_order(v.notes(), forwards), "they started in order");
  found.expect(in_order(v.notes(), backwards), "they stopped in reverse");
  found.expect(top->ended() && sys.inspect().count() == 1, "nothing is left");
  return found;
}

namespace {

struct advise {
  using reply = std::string;
};
struct meet {
  troupe::ref<advise> other;
};

/// Answers by asking the other adviser, which does the same.
struct adviser {
  using accepts = troupe::protocol<advise, meet, which>;
  void handle(meet m) { other = std::move(m.other); }
  std::uint32_t handle(which, troupe::context& ctx) const { return ctx.epoch(); }
  troupe::task<troupe::result<std::string>> handle(advise) {
    const troupe::result<std::string> advice = co_await other.ask(advise{}, 2s);
    if (!advice) co_return std::unexpected(advice.error());
    co_return "as the other says: " + *advice;
  }
  troupe::ref<advise> other;
};

}  // namespace

findings deadlock(view& v) {
  findings found;
  troupe::system sys({.workers = 2, .name = "supervision", .log = &v});
  const auto guard = v.show(sys);
  const auto top = sys.start(troupe::supervisor("app").child<adviser>("left").child<adviser>("right"));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  const auto left = sys.at<advise, meet, which>("/app/left").value();
  const auto right = sys.at<advise, meet, which>("/app/right").value();
  found.expect(left.tell(meet{right}) == troupe::send_result::ok, "left is told of right");
  found.expect(right.tell(meet{left}) == troupe::send_result::ok, "right is told of left");
  v.say("left and right know each other.");
  v.hold(1s);
  v.say("left is asked for advice. It asks right, which asks left, which waits for right.");
  const auto start = std::chrono::steady_clock::now();
  const auto advice =
      v.during([&]() -> troupe::result<std::string> { return sys.block_on(left.ask(advise{}, 5s)); });
  const std::uint64_t took = milliseconds_since(start);
  const std::string text = advice ? "advice: " + *advice : advice.error().to_string();
  v.note("left was answered after " + std::to_string(took) + " ms: " + text);
  v.say("The ask that would have closed the cycle failed; both actors are free again.");
  v.hold(2s);
  found.expect(!advice && advice.error() == troupe::errc::would_deadlock,
               "the error is would_deadlock (it was: " + text + ")");
  found.expect(text.contains("/app/left") && text.contains("/app/right"), "its text names both");
  found.expect(took < 1500, "it comes before any deadline");
  for (const auto& who : {left, right})
    found.expect(sys.block_on(who.ask(which{})).value_or(99) == 0, who.path() + " answers afterwards");
  found.fact("answered_ms", took);
  found.expect(v.during([&] { return sys.shutdown().has_value(); }), "it stops in time");
  return found;
}

}  // namespace demo
