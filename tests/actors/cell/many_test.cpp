// Many timers, watches, names and levels: none of them is searched in a list for each event.
#include "actors/common.hpp"
#include "support/grows_linearly.hpp"
#include "support/sanitized.hpp"

#include <algorithm>
#include <functional>
#include <random>

using namespace actors_test;
using troupe_test::grows_linearly;
using troupe_test::processor_time;

namespace {

constexpr unsigned some = troupe_test::sanitized ? 200 : 400;

/// Runs a function of the test in its handler.
struct act {
  std::function<void(troupe::context&)> what;
};
struct tick {};
struct nap {};
struct doer {
  using accepts = troupe::protocol<act, tick, nap>;
  void handle(const act& m, troupe::context& ctx) { m.what(ctx); }
  void handle(tick) {}
  void handle(const troupe::down&) {}
  troupe::task<void> handle(nap) { co_await troupe::sleep_for(1h); }
};

/// The time that an actor needs for `what`, and for all that follows from it at once.
double time_of(test_system& b, const troupe::ref_of<doer>& d, std::function<void(troupe::context&)> what) {
  const double began = processor_time();
  REQUIRE(d.tell(act{std::move(what)}) == send_result::ok);
  b.run();
  return processor_time() - began;
}

enum class order { oldest_first, newest_first, random };

double cancel_timers(unsigned n, order o) {
  test_system b;
  const auto d = b.sys.spawn<doer>();
  std::vector<troupe::timer_id> all;
  time_of(b, d, [&](troupe::context& ctx) {
    for (unsigned i = 0; i < n; ++i) all.push_back(ctx.after(1h, tick{}));
  });
  if (o == order::newest_first) std::ranges::reverse(all);
  if (o == order::random) std::ranges::shuffle(all, std::mt19937_64(1));
  return time_of(b, d, [&](troupe::context& ctx) {
    bool good = true;
    for (const troupe::timer_id t : all) good = ctx.cancel(t) && good;
    if (!good) throw std::logic_error("a timer is gone");
  });
}

/// A test_system with an actor that watches n others.
struct watched {
  explicit watched(unsigned n) : d(b.sys.spawn<doer>()) {
    for (unsigned i = 0; i < n; ++i) all.push_back(b.sys.spawn<counter>());
    b.run();
  }
  double watch() {
    return time_of(b, d, [this](troupe::context& ctx) {
      for (const auto& a : all) ctx.watch(a);
    });
  }
  test_system b;
  troupe::ref_of<doer> d;
  std::vector<troupe::any_ref> all;
};

/// Has one child below it, which has a name and options, and so on.
struct level {
  using accepts = troupe::protocol<tick>;
  level(unsigned n, troupe::any_ref* d) : left(n), deepest(d) {}
  void started(troupe::context& ctx) {
    if (left == 0) {
      *deepest = ctx.self<level>();
    } else {
      ctx.spawn<level>({.name = "n", .shutdown = 1min}, left - 1, deepest);
    }
  }
  void handle(tick) {}
  unsigned left;
  troupe::any_ref* deepest;
};

}  // namespace

TEST_CASE("many timers: cancelling all takes linear time in any order") {
  for (const order o : {order::oldest_first, order::newest_first, order::random}) {
    INFO("order " << static_cast<int>(o));
    grows_linearly(some, [o](unsigned n) { return cancel_timers(n, o); });
  }
}

TEST_CASE("many timers: a stop takes linear time, armed or due") {
  for (const bool due : {false, true}) {
    INFO((due ? "due" : "armed"));
    grows_linearly(some, [due](unsigned n) {
      test_system b;
      const auto d = b.sys.spawn<doer>();
      time_of(b, d, [n](troupe::context& ctx) {
        for (unsigned i = 0; i < n; ++i) ctx.every(1s, tick{});
      });
      REQUIRE(d.tell(nap{}) == send_result::ok);
      b.advance(due ? 2s : 500ms);
      const double began = processor_time();
      b.sys.stop(d);
      b.run();
      const double took = processor_time() - began;
      REQUIRE(d.ended());
      return took;
    });
  }
}

TEST_CASE("many timers: cancelling what is due takes linear time, oldest and newest first") {
  struct canceller {
    using accepts = troupe::protocol<nap, tick>;
    canceller(unsigned c, bool r, double* t) : n(c), reversed(r), took(t) {}
    void handle(tick) {}
    troupe::task<void> handle(nap, troupe::context& ctx) {
      std::vector<troupe::timer_id> all;
      for (unsigned i = 0; i < n; ++i) all.push_back(ctx.after(1s, tick{}));
      co_await troupe::sleep_for(2s);
      if (reversed) std::ranges::reverse(all);
      const double began = processor_time();
      for (const troupe::timer_id t : all) CHECK(ctx.cancel(t));
      *took = processor_time() - began;
    }
    unsigned n;
    bool reversed;
    double* took;
  };
  for (const bool reversed : {false, true}) {
    grows_linearly(some, [reversed](unsigned n) {
      test_system b;
      double took = 0;
      REQUIRE(b.sys.spawn<canceller>({}, n, reversed, &took).tell(nap{}) == send_result::ok);
      b.advance(3s);
      return took;
    });
  }
}

TEST_CASE("many watches: watching, unwatching and the notices take linear time") {
  grows_linearly(some, [](unsigned n) {
    watched w(n);
    return w.watch();
  });
  grows_linearly(some, [](unsigned n) {
    watched w(n);
    w.watch();
    return time_of(w.b, w.d, [&w](troupe::context& ctx) {
      for (const auto& a : w.all) ctx.unwatch(a);
    });
  });
  grows_linearly(some, [](unsigned n) {
    watched w(n);
    w.watch();
    const double began = processor_time();
    for (const auto& a : w.all) w.b.sys.stop(a);
    w.b.run();
    return processor_time() - began;
  });
}

TEST_CASE("many watches: unwatching those that have ended, and a stop, take linear time") {
  for (const bool unwatch : {true, false}) {
    grows_linearly(some, [unwatch](unsigned n) {
      watched w(n);
      w.watch();
      REQUIRE(w.d.tell(nap{}) == send_result::ok);
      w.b.run();
      for (const auto& a : w.all) w.b.sys.stop(a);
      w.b.run();  // the notices wait
      const double began = processor_time();
      if (unwatch) {
        w.b.advance(1h);
      } else {
        w.b.sys.stop(w.d);
        w.b.run();
      }
      return processor_time() - began;
    });
  }
}

TEST_CASE("many watchers of one actor: its end takes linear time") {
  grows_linearly(some, [](unsigned n) {
    test_system b;
    const auto target = b.sys.spawn<counter>();
    std::vector<troupe::ref_of<doer>> watchers;
    for (unsigned i = 0; i < n; ++i) {
      watchers.push_back(b.sys.spawn<doer>());
      REQUIRE(watchers.back().tell(act{[&](troupe::context& ctx) { ctx.watch(target); }}) == send_result::ok);
    }
    b.run();
    const double began = processor_time();
    b.sys.stop(target);
    b.run();
    return processor_time() - began;
  });
}

TEST_CASE("many names: the end of those who have them takes n log n, of one or of many actors") {
  grows_linearly(some, [](unsigned n) {
    test_system b;
    for (unsigned i = 0; i < n; ++i) {
      REQUIRE(b.sys.register_name("name " + std::to_string(i), b.sys.spawn<counter>()));
    }
    b.run();
    const double began = processor_time();
    REQUIRE(b.sys.shutdown());
    return processor_time() - began;
  });
  grows_linearly(some, [](unsigned n) {
    test_system b;
    const auto c = b.sys.spawn<counter>();
    for (unsigned i = 0; i < n; ++i) REQUIRE(b.sys.register_name("name " + std::to_string(i), c));
    const double began = processor_time();
    b.sys.stop(c);
    b.run();
    return processor_time() - began;
  });
}

TEST_CASE("many levels: spawning with options, path() and inspect() take linear time") {
  const auto with_levels = [](auto what) {
    grows_linearly(some / 2, [what](unsigned n) {
      test_system b;
      troupe::any_ref deepest;
      const double began = processor_time();
      b.sys.spawn<level>({}, n, &deepest);
      b.run();
      const double spawned = processor_time() - began;
      REQUIRE(deepest);
      return what(b, deepest, spawned);
    });
  };
  with_levels([](test_system&, const troupe::any_ref&, double spawned) { return spawned; });
  with_levels([](test_system&, const troupe::any_ref& deepest, double) {
    const double began = processor_time();
    std::size_t length = 0;
    for (int i = 0; i < 20; ++i) length += deepest.path().size();
    REQUIRE(length > 0);
    return processor_time() - began;
  });
  with_levels([](test_system& b, const troupe::any_ref&, double) {
    const double began = processor_time();
    REQUIRE(b.sys.inspect().count() > 100);
    return processor_time() - began;
  });
  with_levels([](test_system& b, const troupe::any_ref&, double) {
    const double began = processor_time();
    REQUIRE(b.sys.shutdown());
    return processor_time() - began;
  });
}

TEST_CASE("many children of one supervisor: starting, finding and stopping them takes linear time") {
  grows_linearly(some, [](unsigned n) {
    test_system b;
    troupe::supervisor tree("app");
    for (unsigned i = 0; i < n; ++i) std::move(tree).child<counter>(std::to_string(i));
    const double began = processor_time();
    const auto top = b.sys.start(tree);
    REQUIRE(top);
    for (unsigned i = 0; i < n; ++i) REQUIRE(b.sys.at<add>("/app/" + std::to_string(i)));
    REQUIRE(b.sys.shutdown());
    return processor_time() - began;
  });
}

TEST_CASE("many children of one group: a restart of all takes linear time") {
  for (const auto how : {troupe::one_for_all, troupe::rest_for_one}) {
    grows_linearly(some, [how](unsigned n) {
      test_system b;
      troupe::supervisor tree("app", {.strategy = how});
      for (unsigned i = 0; i < n; ++i) std::move(tree).child<counter>(std::to_string(i));
      REQUIRE(b.sys.start(tree));
      // Half of them are before the group of rest_for_one, and are not restarted.
      const std::string first = how == troupe::one_for_all ? "/app/0" : "/app/" + std::to_string(n / 2);
      REQUIRE(b.sys.at<fail_now>(first)->tell(fail_now{"x"}) == send_result::ok);
      const double began = processor_time();
      b.run();
      const double took = processor_time() - began;
      REQUIRE(b.sys.counters().restarts >= n / 2);
      return took;
    });
  }
}
