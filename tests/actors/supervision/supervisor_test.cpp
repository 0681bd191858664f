// Supervision trees as values: how they start, fail, restart, and end.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;

namespace {

struct leave {};

struct member {
  using accepts = troupe::protocol<fail_now, leave>;
  member(std::string n, history* h) : name(std::move(n)), log(h) { log->push_back("+" + name); }
  ~member() { log->push_back("-" + name); }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  void handle(leave, troupe::context& ctx) { ctx.stop(); }
  std::string name;
  history* log;
};

struct never {
  using accepts = troupe::protocol<>;
  never() { throw std::runtime_error("no port left"); }
};

troupe::supervisor small_tree(history* h) {
  return troupe::supervisor("app", {.restarts = {.max = 2, .within = 5s}})
      .child<member>("a", {}, std::string("a"), h)
      .child(troupe::supervisor("pool")
                 .child<member>("x", {}, std::string("x"), h)
                 .child<member>("y", {}, std::string("y"), h))
      .child<member>("b", {}, std::string("b"), h);
}

void crash(test_system& b, std::string_view path) {
  REQUIRE(b.sys.at<fail_now>(path).value().tell(fail_now{"crash"}) == send_result::ok);
  b.run();
}

}  // namespace

TEST_CASE("tree: starts left to right, a nested supervisor wholly before what follows; stops in reverse") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto top = b.sys.start(small_tree(&log));
      REQUIRE(top);
      CHECK(top->path() == "/app");
      CHECK(log == history{"+a", "+x", "+y", "+b"});
      log.clear();
      b.sys.stop(*top);
      b.run();
      CHECK(log == history{"-b", "-y", "-x", "-a"});
    }
  });
}

TEST_CASE(
    "tree: a child that cannot start stops its earlier siblings in reverse, and is named with the reason") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto top = b.sys.start(troupe::supervisor("app")
                                       .child<member>("a", {}, std::string("a"), &log)
                                       .child(troupe::supervisor("pool")
                                                  .child<member>("x", {}, std::string("x"), &log)
                                                  .child<never>("broken"))
                                       .child<member>("b", {}, std::string("b"), &log));
      REQUIRE_FALSE(top);
      INFO(top.error().to_string());
      CHECK(top.error() == errc::start_failed);
      CHECK(top.error().to_string().find("broken") != std::string::npos);
      CHECK(top.error().to_string().find("no port left") != std::string::npos);
      CHECK(log == history{"+a", "+x", "-x", "-a"});
      b.run();
      CHECK(b.sys.inspect().count() == 1);
    }
  });
}

TEST_CASE(
    "supervisor_ref: a child that cannot be started again is start_failed, with the cause, and stays known") {
  struct one_start {
    using accepts = troupe::protocol<add>;
    explicit one_start(int* starts) {
      if (++*starts == 2) throw std::runtime_error("no port left");
    }
    void handle(add) {}
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int starts = 0;
    const auto top = b.sys.start(troupe::supervisor("app").child<one_start>("a", {}, &starts)).value();
    REQUIRE(b.await(top.stop_child("a")));
    const auto again = b.await(top.restart_child("a"));
    REQUIRE_FALSE(again);
    INFO(again.error().to_string());
    CHECK(again.error() == errc::start_failed);
    CHECK(again.error().to_string().find("/app") != std::string::npos);
    CHECK(again.error().to_string().find("no port left") != std::string::npos);
    CHECK(b.await(top.restart_child("a")));
    CHECK(starts == 3);
  });
}

TEST_CASE("tree: is checked before anything of it starts") {
  history log;
  test_system b;
  const auto refused = [&](troupe::supervisor tree, std::string_view text) {
    const auto top = b.sys.start(tree);
    REQUIRE_FALSE(top);
    INFO(top.error().to_string());
    CHECK(top.error() == errc::invalid_argument);
    CHECK(top.error().to_string().find(text) != std::string::npos);
  };
  refused(troupe::supervisor("app").child<never>("a").child<never>("a"), "/app/a");
  refused(troupe::supervisor("app").child<never>("a", {.shutdown = 0s}), "/app/a: shutdown");
  refused(troupe::supervisor("app").child(
              troupe::supervisor("p").child<never>("x", {.mailbox = {.capacity = 0}})),
          "/app/p/x: mailbox.capacity");
  refused(troupe::supervisor("app", {.restarts = {1, 0s}}), "/app: restarts.within");
  refused(troupe::supervisor(""), "needs a name");
  CHECK(b.sys.inspect().count() == 1);
}

TEST_CASE("one_for_one: only the child that crashed is restarted, under the same ref") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      REQUIRE(b.sys.start(small_tree(&log)));
      const auto before = b.sys.at<fail_now>("/app/pool/x").value();
      log.clear();
      crash(b, "/app/pool/x");
      CHECK(log == history{"-x", "+x"});
      CHECK((b.sys.at<fail_now>("/app/pool/x").value() == before));
      log.clear();
    }
    CHECK(log == history{"-b", "-y", "-x", "-a"});
  });
}

TEST_CASE("one_for_one: a supervisor that gives up is restarted by its own, with all below it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      REQUIRE(b.sys.start(small_tree(&log)));
      log.clear();
      for (int i = 0; i < 4; ++i) crash(b, "/app/pool/x");  // the pool survives three
      CHECK(log == history{"-x", "+x", "-x", "+x", "-x", "+x", "-x", "-y", "+x", "+y"});
      CHECK(b.sys.at<fail_now>("/app/b").has_value());
    }
  });
}

TEST_CASE("one_for_one: when the root gives up, the tree has failed, and run() says so") {
  struct bomb {
    using accepts = troupe::protocol<leave>;
    explicit bomb(troupe::context& ctx) { ctx.after(1s, leave{}); }
    void handle(leave) { throw std::runtime_error("boom"); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      CHECK(b.sys.run(troupe::supervisor("app", {.restarts = {.max = 2, .within = 10s}})
                          .child<member>("a", {}, std::string("a"), &log)
                          .child<bomb>("bomb")) == 1);
      CHECK(log == history{"+a", "-a"});
      CHECK(b.log.count("gives up") == 1);
      CHECK(b.log.count("boom") >= 1);
    }
  });
}

TEST_CASE("run: 1 when the tree cannot start, 0 when it ends in order") {
  history log;
  {
    test_system b;
    CHECK(b.sys.run(troupe::supervisor("app").child<never>("broken")) == 1);
    CHECK(b.log.count("no port left", troupe::log_level::error) == 1);
    struct closer {
      using accepts = troupe::protocol<leave>;
      explicit closer(troupe::context& ctx) { ctx.after(1s, leave{}); }
      void handle(leave, troupe::context& ctx) { ctx.system().stop(ctx.system().at<>("/app").value()); }
    };
    CHECK(b.sys.run(troupe::supervisor("app").child<closer>("closer")) == 0);
  }
}

TEST_CASE("restart types hold for the children of a supervisor") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      REQUIRE(b.sys.start(
          troupe::supervisor("app")
              .child<member>("p", {.restart = troupe::restart::permanent}, std::string("p"), &log)
              .child<member>("t", {.restart = troupe::restart::transient}, std::string("t"), &log)
              .child<member>("o", {.restart = troupe::restart::temporary}, std::string("o"), &log)));
      for (const auto* path : {"/app/p", "/app/t", "/app/o"}) {
        REQUIRE(b.sys.at<leave>(path).value().tell(leave{}) == send_result::ok);
      }
      b.run();
      CHECK(b.sys.at<leave>("/app/p").has_value());
      CHECK_FALSE(b.sys.at<leave>("/app/t").has_value());
      CHECK_FALSE(b.sys.at<leave>("/app/o").has_value());
    }
  });
}

TEST_CASE("inspect: shows the tree, with states, mailboxes and restarts") {
  history log;
  test_system b;
  REQUIRE(b.sys.start(small_tree(&log)));
  crash(b, "/app/pool/x");
  const auto tree = b.sys.inspect();
  CHECK(tree.count() == 7);
  REQUIRE(tree.children.size() == 1);
  const auto& app = tree.children[0];
  CHECK(app.path == "/app");
  CHECK(app.type == "supervisor");
  REQUIRE(app.children.size() == 3);
  CHECK(app.children[0].name == "a");
  CHECK(app.children[0].type.find("member") != std::string::npos);
  CHECK(app.children[0].capacity == 1024);
  CHECK(app.children[0].state == troupe::actor_state::running);
  CHECK(app.children[1].children[0].restarts == 1);
  CHECK(app.children[1].children[0].epoch == 1);
  const std::string text = to_text(app);
  INFO(text);
  CHECK(text.find("app  [supervisor] running") == 0);
  CHECK(text.find("├─ pool") != std::string::npos);
  CHECK(text.find("│  └─ y") != std::string::npos);
  CHECK(text.find("restarts 1") != std::string::npos);
  CHECK(to_text(app, 1).find("and 2 more") != std::string::npos);
}

TEST_CASE("inspect: counts what is queued, and tells who is suspended") {
  struct slow {
    using accepts = troupe::protocol<leave>;
    troupe::task<void> handle(leave) { co_await troupe::sleep_for(1s); }
  };
  test_system b;
  const auto s = b.sys.spawn<slow>({.name = "s", .mailbox = {.capacity = 8}});
  for (int i = 0; i < 3; ++i) REQUIRE(s.tell(leave{}) == send_result::ok);
  b.run();
  const auto info = b.sys.inspect().children.at(0);
  CHECK(info.depth == 3);
  CHECK(info.capacity == 8);
  CHECK(info.state == troupe::actor_state::suspended);
  b.advance(5s);
  CHECK(b.sys.inspect().children.at(0).depth == 0);
}

TEST_CASE("partitioned: children are started by key, each partition restarts and counts its own") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    {
      test_system b({.seed = seed});
      const auto top = b.sys.start(troupe::supervisor("app").child(troupe::supervisor(
          "parts", {.strategy = troupe::partitioned, .max_children = 2, .partitions = 3})));
      REQUIRE(top);
      const auto parts = b.sys.supervisor_at("/app/parts").value();
      CHECK(b.await(parts.children()).value().size() == 3);
      const troupe::child_options options{.restart = troupe::restart::transient};
      for (std::uint64_t key = 0; key < 6; ++key) {
        const auto made =
            b.await(parts.partition(key).start_child<member>("", options, std::to_string(key), &log));
        REQUIRE(made);
        CHECK(made->path().starts_with("/app/parts/" + std::to_string(key % 3) + "/"));
        if (key == 4) {
          REQUIRE(made->tell(fail_now{"crash"}) == send_result::ok);
          b.run();
        }
      }
      CHECK(log == history{"+0", "+1", "+2", "+3", "+4", "-4", "+4", "+5"});
      const auto full = b.await(parts.partition(7).start_child<member>("", options, std::string("7"), &log));
      REQUIRE_FALSE(full);
      CHECK(full.error() == errc::full);
      const auto direct = b.await(parts.start_child<member>("", options, std::string("8"), &log));
      REQUIRE_FALSE(direct);
      CHECK(direct.error() == errc::invalid_argument);
      b.sys.stop(*top);
      b.run();
      CHECK(top->ended());
    }
  });
}

TEST_CASE("partitioned: a key keeps its partition, also while another one, or its own, does not run") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto top = b.sys.start(troupe::supervisor("p", {.strategy = troupe::partitioned, .partitions = 4}));
    REQUIRE(top);
    const auto parts = b.sys.supervisor_at("/p").value();
    b.sys.stop(*b.sys.supervisor_at("/p/1"));
    b.run();
    for (std::uint64_t key = 0; key < 12; ++key) {
      const auto at = parts.partition(key);
      REQUIRE(static_cast<bool>(at) == (key % 4 != 1));
      if (at) CHECK(at.path() == "/p/" + std::to_string(key % 4));
    }
    history log;
    const auto none = b.await(parts.partition(1).start_child<member>("", {}, std::string("x"), &log));
    REQUIRE_FALSE(none);
    CHECK(none.error() == errc::not_running);
    CHECK_FALSE(b.await(parts.partition(1).start_child(troupe::supervisor("below"))));
    CHECK_FALSE(b.sys.supervisor_at("/p/0").value().partition(0));  // it has none
  });
}

TEST_CASE("partitioned: as many partitions as workers, unless told otherwise") {
  troupe::system sys({.workers = 2});
  const auto top = sys.start(troupe::supervisor("parts", {.strategy = troupe::partitioned}));
  REQUIRE(top);
  CHECK(sys.block_on(top->children()).value().size() == 2);
  CHECK(sys.supervisor_at("/parts/1"));
  CHECK(sys.supervisor_at("/parts/2").error() == errc::not_found);
}

TEST_CASE("a tree can be printed before it runs") {
  history log;
  const std::string text = troupe::to_text(small_tree(&log));
  CHECK(text ==
        "app  one_for_one, at most 2 restarts in 5000 ms\n"
        "├─ a  permanent\n"
        "├─ pool  one_for_one, at most 3 restarts in 5000 ms\n"
        "│  ├─ x  permanent\n"
        "│  └─ y  permanent\n"
        "└─ b  permanent\n");
  CHECK(log.empty());
}

TEST_CASE("a copy of a tree is a tree of its own") {
  history log;
  const troupe::supervisor small = small_tree(&log);
  const troupe::supervisor large = troupe::supervisor(small).child<member>("c", {}, std::string("c"), &log);
  CHECK(to_text(small) == to_text(small_tree(&log)));
  CHECK(to_text(large).find("c  permanent") != std::string::npos);
}
