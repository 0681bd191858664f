// Repeated failures: a supervisor that gives up, and a child whose restarts are delayed longer each time.
#include "supervision/scenario.hpp"

#include <algorithm>
#include <cmath>

using namespace std::chrono_literals;

namespace demo {

findings escalation(view& v) {
  findings found;
  troupe::system sys({.workers = 2, .name = "supervision", .log = &v});
  const auto guard = v.show(sys);
  const auto top = sys.start(
      troupe::supervisor("app")
          .child<worker>("other", {}, &v)
          .child(troupe::supervisor("team", {.restarts = {.max = 2, .within = 30s}, .backoff = {1s, 1s, 0}})
                     .child<worker>("steady", {}, &v)
                     .child<worker>("fragile", {}, &v)));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  v.say("team may restart its children twice within 30 s.");
  v.hold(1s);
  const auto fragile = sys.at<crash, which>("/app/team/fragile").value();
  for (std::uint32_t n = 1; n <= 2; ++n) {
    found.expect(fragile.tell(crash{}) == troupe::send_result::ok, "fragile can be told to crash");
    v.say("fragile crashes, for the " + std::string(n == 1 ? "first" : "second") +
          " time: within the budget, so team restarts it.");
    found.expect(v.until([&](const troupe::actor_info& t) { return runs(t, "/app/team/fragile", n); }, 5s),
                 "fragile is restarted");
    v.hold(1s);
  }
  found.expect(fragile.tell(crash{}) == troupe::send_result::ok, "fragile can be told to crash");
  v.say(
      "The third crash exceeds the budget: team stops its children and fails. app restarts team after a "
      "second.");
  const bool restarting = v.until(
      [](const troupe::actor_info& t) {
        const auto* const team = find(t, "/app/team");
        return team != nullptr && team->state == troupe::actor_state::restarting;
      },
      5s);
  found.expect(restarting, "team is seen restarting");
  const bool back = v.until(
      [](const troupe::actor_info& t) {
        return runs(t, "/app/team", 1) && runs(t, "/app/team/steady", 0) && runs(t, "/app/team/fragile", 0);
      },
      5s);
  found.expect(back, "team and its children are back");
  found.expect(fragile.ended(), "the old fragile has ended");
  const auto fresh = sys.at<crash, which>("/app/team/fragile");
  found.expect(fresh && sys.block_on(fresh->ask(which{})).value_or(99) == 0, "a new fragile answers");
  found.expect(runs(sys.inspect(), "/app/other", 0), "other did not notice");

  const std::vector<std::string> notes = v.notes();
  const auto why =
      std::ranges::find_if(notes, [](const std::string& n) { return n.contains("/app/team: restarted"); });
  std::string causes = why == notes.end() ? "" : *why;
  found.expect(causes.contains("restart_limit") || causes.contains("more than 2 restarts"),
               "the restart of team names the restart limit");
  found.expect(causes.contains("crashed on purpose"), "it names the crash that caused it");
  v.say("team runs again, with new children. The chain of causes: " +
        causes.substr(std::min(causes.size(), causes.find("after") + 6)));
  v.hold(2s);
  found.fact("team.epoch", look(sys, "/app/team").epoch);
  found.fact("other.epoch", look(sys, "/app/other").epoch);
  found.fact("crashes", sys.counters().crashes);
  found.fact("restarts", sys.counters().restarts);
  found.expect(v.during([&] { return sys.shutdown().has_value(); }), "it stops in time");
  return found;
}

namespace {

/// The times at which incarnations started and crashed; outlives the actors.
struct diary {
  using clock = std::chrono::steady_clock;
  std::mutex lock;  // guards the members below
  std::vector<clock::time_point> begun;
  std::vector<clock::time_point> crashed;

  void add(std::vector<clock::time_point> diary::* to) {
    const std::scoped_lock guard(lock);
    (this->*to).push_back(clock::now());
  }
};

struct diarist {
  using accepts = troupe::protocol<crash>;
  explicit diarist(diary* d) : book(d) { book->add(&diary::begun); }
  void handle(crash) {
    book->add(&diary::crashed);
    throw std::runtime_error("crashed on purpose");
  }
  diary* book;
};

}  // namespace

findings backoff(view& v) {
  constexpr std::uint32_t crashes = 5;
  findings found;
  diary book;
  troupe::system sys({.workers = 2, .name = "supervision", .log = &v});
  const auto guard = v.show(sys);
  const auto top = sys.start(troupe::supervisor("app", {.restarts = {.max = 10, .within = 60s}})
                                 .child<worker>("other", {}, &v)
                                 .child<diarist>("hasty", {.backoff = {150ms, 1200ms, 0}}, &book));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  v.say(
      "hasty crashes after every restart. The delay starts at 150 ms and doubles each time, up to 1200 ms.");
  v.hold(1s);
  const auto hasty = sys.at<crash>("/app/hasty").value();
  unsigned seen_restarting = 0;
  for (std::uint32_t n = 1; n <= crashes; ++n) {
    found.expect(hasty.tell(crash{}) == troupe::send_result::ok, "hasty can be told to crash");
    bool waited = false;
    const bool back = v.until(
        [&](const troupe::actor_info& t) {
          const auto* const a = find(t, "/app/hasty");
          waited = waited || (a != nullptr && a->state == troupe::actor_state::restarting);
          return runs(t, "/app/hasty", n);
        },
        5s);
    if (waited) ++seen_restarting;
    found.expect(back, "hasty is restarted after crash " + std::to_string(n));
    if (!back) break;
    const std::scoped_lock lock(book.lock);
    const auto pause = std::chrono::round<std::chrono::milliseconds>(book.begun.back() - book.crashed.back());
    v.note("hasty was down for " + std::to_string(pause.count()) + " ms");
  }
  v.say("The delays grew up to 1200 ms; other kept running.");
  v.hold(1s);
  {
    const std::scoped_lock lock(book.lock);
    found.expect(book.crashed.size() == crashes && book.begun.size() == crashes + 1,
                 "each crash is followed by one start");
    auto planned = 150ms;
    std::string pauses;
    for (std::size_t i = 0; i < book.crashed.size() && i + 1 < book.begun.size(); ++i) {
      const auto pause = std::chrono::round<std::chrono::milliseconds>(book.begun[i + 1] - book.crashed[i]);
      pauses += (i == 0 ? "" : ",") + std::to_string(pause.count());
      found.expect(pause >= planned, "pause " + std::to_string(i + 1) + " is long enough");
      found.expect(pause < planned + 500ms, "pause " + std::to_string(i + 1) + " is not longer than planned");
      planned = std::min(2 * planned, 1200ms);
    }
    found.fact("pauses_ms", pauses);
  }
  found.fact("seen_restarting", seen_restarting);
  found.expect(seen_restarting == crashes, "it is seen restarting each time");
  found.expect(runs(sys.inspect(), "/app/other", 0), "other did not notice");
  found.expect(v.during([&] { return sys.shutdown().has_value(); }), "it stops in time");
  return found;
}

}  // namespace demo
