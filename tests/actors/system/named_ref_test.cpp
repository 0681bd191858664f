// Names that a child's specification registers, and refs that find the actor that has the name now.
#include "actors/common.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;
using troupe::named_ref;

namespace {

troupe::supervisor tree_of(troupe::restart_budget budget) {
  troupe::supervisor cells("cells", {.restarts = budget});
  cells.child<counter>("cache", {.register_as = "the cache"});
  return troupe::supervisor("app", {.restarts = {.max = 100, .within = 1h}}).child(std::move(cells));
}

}  // namespace

TEST_CASE("register_as: a child has its name before it handles anything, and so has its successor") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    REQUIRE(b.sys.start(tree_of({.max = 0})));
    const auto first = b.sys.find<add, get, fail_now>("the cache");
    REQUIRE(first);
    REQUIRE(first->tell(fail_now{"no budget for that"}) == send_result::ok);  // the supervisor gives up
    b.advance(1ms);
    CHECK(first->ended());
    const auto second = b.sys.find<add, get>("the cache");
    REQUIRE(second);
    CHECK(troupe::any_ref(*second) != troupe::any_ref(*first));
    CHECK(second->path() == "/app/cells/cache");
  });
}

TEST_CASE("register_as: a name that is taken is an error that says so, and nothing is started") {
  test_system b;
  const auto first = b.sys.spawn<counter>({.name = "a", .register_as = "x"});
  try {
    b.sys.spawn<counter>({.name = "b", .register_as = "x"});
    FAIL("it was started");
  } catch (const troupe::troupe_error& e) {
    CHECK(e.error() == errc::name_taken);
    CHECK(e.error().to_string().find("registered as 'x'") != std::string::npos);
  }
  CHECK(b.sys.at<>("/b").error() == errc::not_found);
  CHECK(b.sys.find<>("x").value() == first);

  auto tree = troupe::supervisor("app").child<counter>("c", {.register_as = "x"});
  const auto started = b.sys.start(tree);
  REQUIRE_FALSE(started);
  CHECK(started.error().to_string().find("registered as 'x'") != std::string::npos);
}

TEST_CASE("named_ref: a sibling that holds one is not stranded when a supervisor is restarted") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    REQUIRE(b.sys.start(tree_of({.max = 0})));
    const auto name = GENERATE(as<std::string>(), "the cache", "/app/cells/cache");
    named_ref<add, get, fail_now> cache(b.sys, name);
    REQUIRE(cache.tell(add{1}) == send_result::ok);
    const auto stale = cache.get().value();
    REQUIRE(cache.tell(fail_now{"once"}) == send_result::ok);
    b.advance(1ms);
    CHECK(stale.tell(add{1}) == send_result::closed);
    CHECK(cache.tell(add{5}) == send_result::ok);
    CHECK(b.await(cache.ask(get{})).value() == 5);
    CHECK(b.await(cache.send(add{1})).has_value());
    CHECK(b.await(cache.ask(get{})).value() == 6);
  });
}

TEST_CASE("named_ref: without an actor of that name, or with one that accepts something else, it is closed") {
  test_system b;
  named_ref<add> none(b.sys, "nobody");
  CHECK(none.get().error() == errc::not_found);
  CHECK(none.tell(add{1}) == send_result::closed);
  const auto c = b.sys.spawn<counter>({.register_as = "nobody"});
  CHECK(none.tell(add{1}) == send_result::ok);  // it need not exist from the beginning
  named_ref<note> wrong(b.sys, "nobody");
  CHECK(wrong.get().error() == errc::invalid_argument);
  CHECK(wrong.tell(note{}) == send_result::closed);
}

TEST_CASE("named_ref: on threads, asked while its actor is replaced again and again") {
  troupe::system sys({.workers = 2, .name = "named", .log = &troupe::silent_log()});
  REQUIRE(sys.start(tree_of({.max = 0})));
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&sys, &answered] {
      named_ref<add, get, fail_now> cache(sys, "the cache");
      for (int i = 0; i < 300; ++i) {
        if (i % 10 == 0) (void)cache.tell(fail_now{"again"});
        if (sys.block_on(cache.ask(get{}, 5s))) answered.fetch_add(1);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(answered > 0);
  CHECK(sys.shutdown().has_value());
}

TEST_CASE("supervisor: a tree is built in a loop, and its children have refs") {
  test_system b;
  troupe::supervisor tree("app");
  for (int i = 0; i < 3; ++i) tree.child<counter>(std::to_string(i));
  tree.child(troupe::supervisor("below"));
  const auto s = b.sys.start(tree);
  REQUIRE(s);
  const auto children = b.await(s->children());
  REQUIRE(children);
  REQUIRE(children->size() == 4);
  for (const troupe::child_info& c : *children) {
    CHECK(c.ref.path() == "/app/" + c.id);
    CHECK(c.state == troupe::child_state::running);
  }
  REQUIRE(b.await(s->stop_child("1")));
  CHECK_FALSE(b.await(s->children()).value()[1].ref);
}
