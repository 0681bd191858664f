// Names of actors: which actors may have one, and when it is free again.
#include "actors/cell/hanging.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;

namespace {

/// On the end of the one it watches it gives the name to a fresh actor.
struct heir {
  using accepts = troupe::protocol<add>;
  heir(troupe::any_ref w, std::string n, std::atomic<int>* o)
      : who(std::move(w)), name(std::move(n)), out(o) {}
  void started(troupe::context& ctx) { ctx.watch(who); }
  void handle(add) {}
  void handle(const troupe::down&, troupe::context& ctx) {
    const bool free = !ctx.system().find<add>(name).has_value();
    *out = free && ctx.system().register_name(name, ctx.self<heir>()) ? 1 : -1;
  }
  troupe::any_ref who;
  std::string name;
  std::atomic<int>* out;
};

}  // namespace

TEST_CASE("names: free by the time a watcher is told of the end") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>();
    REQUIRE(b.sys.register_name("db", c));
    std::atomic<int> out{0};
    const auto h = b.sys.spawn<heir>({}, c, "db", &out);
    b.run();
    b.sys.stop(c);
    b.run();
    CHECK(out == 1);
    CHECK((b.sys.find<add>("db").value() == h));
  });
}

TEST_CASE("names: on threads, free once ended() is true and by the time a watcher is told") {
  troupe::system sys({.workers = 2});
  const auto crowd = sys.spawn<counter>();  // many names, which are in the way of a search
  for (int i = 0; i < 20'000; ++i) REQUIRE(sys.register_name("other " + std::to_string(i), crowd));
  for (int round = 0; round < 300; ++round) {
    const auto c = sys.spawn<counter>();
    REQUIRE(sys.register_name("db", c));
    std::atomic<int> out{0};
    const bool watched = round % 2 == 0;
    troupe::any_ref h;
    if (watched) {
      h = sys.spawn<heir>({}, c, "db", &out);
      std::this_thread::sleep_for(50us);
    }
    sys.stop(c);
    while (!c.ended()) std::this_thread::yield();
    if (watched) {
      REQUIRE(becomes_true([&] { return out != 0; }));
      REQUIRE(out == 1);
    } else {
      REQUIRE(sys.find<add>("db").error() == errc::not_found);
      h = sys.spawn<counter>();
      REQUIRE(sys.register_name("db", h));
    }
    sys.stop(h);
    REQUIRE(becomes_true([&] { return h.ended(); }));
  }
}

TEST_CASE("names: an actor of another system gets none") {
  test_system a;
  test_system b;
  {
    const auto x = b.sys.spawn<counter>();
    CHECK_FALSE(a.sys.register_name("x", x));
    CHECK(b.sys.register_name("x", x));
    b.sys.stop(x);
    b.run();
  }
  CHECK(a.sys.find<add>("x").error() == errc::not_found);
  CHECK(b.sys.find<add>("x").error() == errc::not_found);
  CHECK_FALSE(a.sys.register_name("x", troupe::any_ref{}));
}

TEST_CASE("names: one actor may have several, and loses all of them with its end") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>();
    const auto d = b.sys.spawn<counter>();
    for (int i = 0; i < 10; ++i) {
      CHECK(b.sys.register_name("c" + std::to_string(i), c));
      CHECK(b.sys.register_name("d" + std::to_string(i), d));
    }
    b.sys.stop(c);
    b.run();
    for (int i = 0; i < 10; ++i) {
      CHECK(b.sys.find<add>("c" + std::to_string(i)).error() == errc::not_found);
      CHECK((b.sys.find<add>("d" + std::to_string(i)).value() == d));
    }
    CHECK(b.sys.register_name("c3", d));
    CHECK((b.sys.find<add>("c3").value() == d));
  });
}

TEST_CASE("names: an actor that was quarantined has none, and gets none") {
  gate g;
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto top =
      sys.start(troupe::supervisor("app").child<hanging>("stuck", {.shutdown = 10ms}, &g)).value();
  const auto stuck = sys.at<hang>("/app/stuck").value();
  REQUIRE(sys.register_name("early", stuck));
  REQUIRE(stuck.tell(hang{}) == send_result::ok);
  REQUIRE(becomes_true([&] { return g.hanging == 1; }));
  (void)sys.block_on(top.stop_child("stuck"));
  REQUIRE(becomes_true([&] { return sys.counters().wedged == 1; }));
  CHECK(becomes_true([&] { return !sys.find<hang>("early").has_value(); }));
  CHECK_FALSE(sys.register_name("late", stuck));
  CHECK(sys.register_name("early", sys.spawn<counter>()));
  g.open = true;
  CHECK(becomes_true([&] { return stuck.ended(); }));
}

TEST_CASE("names: on threads, registering races with the end and leaves nothing behind") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2});
    for (int round = 0; round < 500; ++round) {
      const auto c = sys.spawn<counter>({.name = round % 2 == 0 ? "" : "c"});
      std::thread registrar([&] {
        for (int i = 0; i < 5; ++i) (void)sys.register_name("n" + std::to_string(i), c);
      });
      sys.stop(c);
      while (!c.ended()) std::this_thread::yield();
      registrar.join();
      for (int i = 0; i < 5; ++i) CHECK_FALSE(sys.find<add>("n" + std::to_string(i)).has_value());
      if (round % 2 != 0) CHECK(becomes_true([&] { return !sys.at<add>("/c").has_value(); }));
    }
  }
  memory.verify();
}
