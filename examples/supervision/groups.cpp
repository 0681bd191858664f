// One of three children crashes, under each strategy.
#include "supervision/scenario.hpp"

using namespace std::chrono_literals;

namespace demo {

namespace {

struct expected {
  troupe::strategy strategy;
  const char* after;                 // the sentence after the crash
  std::uint32_t a, b, c;             // the incarnations after it
  std::vector<std::string> history;  // from the crash on
};

/// b crashes. Each child waits half a second before it is restarted, so that the states are visible.
findings crash_b(view& v, const expected& e) {
  constexpr auto limit = 10s;
  findings found;
  troupe::system sys({.workers = 2, .name = "supervision", .log = &v});
  const auto guard = v.show(sys);
  const troupe::child_options slow_to_return{.backoff = {500ms, 500ms, 0}};
  const auto top = sys.start(troupe::supervisor("app", {.strategy = e.strategy})
                                 .child<worker>("a", slow_to_return, &v)
                                 .child<worker>("b", slow_to_return, &v)
                                 .child<worker>("c", slow_to_return, &v));
  if (!top) {
    found.expect(false, "the tree starts: " + top.error().to_string());
    return found;
  }
  v.say("Three children run, each in its first incarnation, epoch 0.");
  v.hold(1s);
  const auto b = sys.at<crash, which>("/app/b").value();
  v.say(e.after);
  found.expect(b.tell(crash{}) == troupe::send_result::ok, "b can be told to crash");
  const bool settled = v.until(
      [&](const troupe::actor_info& tree) {
        return runs(tree, "/app/a", e.a) && runs(tree, "/app/b", e.b) && runs(tree, "/app/c", e.c);
      },
      limit);
  found.expect(settled, "the expected incarnations run");
  v.say("All run again. b has kept its address: the new incarnation answers there.");
  const auto answer = sys.block_on(b.ask(which{}));
  found.expect(answer && *answer == e.b, "b answers at its old address");
  v.hold(1s);

  const troupe::actor_info now = look(sys, "/app");
  for (const troupe::actor_info& child : now.children) found.fact(child.name + ".epoch", child.epoch);
  const troupe::runtime_counters counted = sys.counters();
  found.fact("crashes", counted.crashes);
  found.fact("restarts", counted.restarts);
  found.expect(counted.crashes == 1, "there was one crash");
  found.expect(counted.restarts == e.a + e.b + e.c, "nothing else was restarted");
  found.expect(in_order(v.notes(), e.history), "children ended in reverse and started in order");
  found.expect(v.during([&] { return sys.shutdown().has_value(); }), "it stops in time");
  return found;
}

}  // namespace

findings one_for_one(view& v) {
  return crash_b(v, {troupe::one_for_one,
                     "b crashes. Its supervisor restarts b, and b alone: a and c keep their epoch.",
                     0,
                     1,
                     0,
                     {"/app/b stopping: error", "/app/b started, incarnation 1"}});
}

findings one_for_all(view& v) {
  return crash_b(v, {troupe::one_for_all,
                     "b crashes. The others cannot do without it: c and a stop, then a, b and c start.",
                     1,
                     1,
                     1,
                     {"/app/b stopping: error", "/app/c stopping", "/app/a stopping", "/app/a started",
                      "/app/b started", "/app/c started"}});
}

findings rest_for_one(view& v) {
  return crash_b(v, {troupe::rest_for_one,
                     "b crashes. c, started after it, builds on it: c stops, then b and c start. a stays.",
                     0,
                     1,
                     1,
                     {"/app/b stopping: error", "/app/c stopping", "/app/b started", "/app/c started"}});
}

}  // namespace demo
