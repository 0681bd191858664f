// Spawning: options that are refused, and spawns that fail and leave nothing behind.
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;

namespace {

errc refused(test_system& b, const troupe::spawn_options& o, std::string_view text) {
  try {
    b.sys.spawn<counter>(o);
  } catch (const troupe::troupe_error& e) {
    INFO(e.what());
    CHECK(e.error().to_string().find(text) != std::string::npos);
    return static_cast<errc>(e.error().code().value());
  }
  return errc{};
}

struct tick {};

/// Throws in its constructor, after it has started much.
struct hopeless {
  using accepts = troupe::protocol<tick>;
  explicit hopeless(troupe::context& ctx, troupe::any_ref watched) {
    ctx.spawn<counter>({.name = "child"});
    ctx.after(1h, tick{});
    ctx.watch(watched);
    (void)ctx.self<hopeless>().tell(tick{});
    throw std::runtime_error("no hope");
  }
  void handle(tick) {}
};

}  // namespace

TEST_CASE("spawn: bad options are refused with a sentence that names option and place") {
  test_system b;
  CHECK(refused(b, {.mailbox = {.capacity = 0}}, "mailbox.capacity must be 1 to") == errc::invalid_argument);
  CHECK(refused(b, {.mailbox = {.capacity = 0x8000'0000}}, "2147483648") == errc::invalid_argument);
  CHECK(refused(b, {.name = "a/b"}, "must not contain '/'") == errc::invalid_argument);
  CHECK(refused(b, {.name = "~1"}, "must not begin with '~'") == errc::invalid_argument);
  CHECK(refused(b, {.name = "slow", .shutdown = 0s}, "/slow: shutdown must be") == errc::invalid_argument);
  CHECK(refused(b, {.backoff = {2s, 1s}}, "backoff.initial") == errc::invalid_argument);
  CHECK(refused(b, {.backoff = {1s, 2s, 1.5}}, "jitter") == errc::invalid_argument);
  CHECK(refused(b, {.restarts = {3, 0s}}, "restarts.within") == errc::invalid_argument);
  CHECK(b.sys.inspect().children.empty());
}

TEST_CASE("spawn: a name is unique among siblings, and free again after the end") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>({.name = "c"});
    CHECK(refused(b, {.name = "c"}, "'c'") == errc::name_taken);
    b.sys.stop(c);
    b.run();
    CHECK(refused(b, {.name = "c"}, "") == errc{});
    CHECK(b.sys.inspect().children.size() == 1);
  });
}

TEST_CASE("spawn: a constructor that throws leaves nothing behind") {
  struct thrower {
    using accepts = troupe::protocol<tick>;
    explicit thrower(const std::string& why) { throw std::runtime_error(why); }
    void handle(tick) {}
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    CHECK_THROWS_WITH(b.sys.spawn<thrower>({.name = "x"}, std::string("the disk is gone")),
                      "the disk is gone");
    CHECK(b.sys.inspect().children.empty());
    CHECK(refused(b, {.name = "x"}, "") == errc{});
  });
}

TEST_CASE("spawn: a constructor that throws late takes its children, timers and watches along") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto watched = b.sys.spawn<counter>({.name = "watched"});
    CHECK_THROWS_WITH(b.sys.spawn<hopeless>({.name = "x"}, watched), "no hope");
    b.run();
    CHECK(b.sys.inspect().count() == 2);
    CHECK_FALSE(b.time.run_to_end(1s) == false);  // no timer is left
  });
}

TEST_CASE("spawn: a constructor that throws on a restart takes its children along, and costs a restart") {
  struct sometimes {
    using accepts = troupe::protocol<tick>;
    sometimes(troupe::context& ctx, int* attempts) {
      ctx.spawn<counter>({.name = "child"});
      ctx.after(1h, tick{});
      if (++*attempts == 2) throw std::runtime_error("not now");
    }
    void handle(tick) { throw std::runtime_error("crash"); }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    int attempts = 0;
    test_system b({.seed = seed});
    const auto s = b.sys.spawn<sometimes>({.name = "s"}, &attempts);
    REQUIRE(s.tell(tick{}) == send_result::ok);
    b.run();
    CHECK(attempts == 3);
    CHECK_FALSE(s.ended());
    const auto tree = b.sys.inspect();
    REQUIRE(tree.children.size() == 1);
    CHECK(tree.children[0].epoch == 2);
    CHECK(tree.children[0].restarts == 2);
    CHECK(tree.children[0].children.size() == 1);
  });
}

TEST_CASE("spawn: a child ends with its parent") {
  struct parent {
    using accepts = troupe::protocol<tick>;
    explicit parent(troupe::context& ctx) { ctx.spawn<counter>({.name = "child"}); }
    void handle(tick) {}
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto p = b.sys.spawn<parent>({.name = "p"});
    b.run();
    const auto child = b.sys.at<add, get>("/p/child");
    REQUIRE(child);
    b.sys.stop(p);
    b.run();
    CHECK(child->ended());
    CHECK(b.sys.inspect().count() == 1);
  });
}

TEST_CASE("spawn: after the shutdown is refused") {
  test_system b;
  CHECK(b.sys.shutdown());
  CHECK(refused(b, {}, "ending") == errc::closed);
}

TEST_CASE("system: refuses options out of range") {
  CHECK_THROWS_WITH(troupe::system({.workers = 1, .shutdown = 0s}), Catch::Contains("shutdown"));
  CHECK_THROWS_WITH(troupe::system({.workers = 5000}), Catch::Contains("workers"));
  CHECK_THROWS_WITH(troupe::system({.workers = 1, .blocking_threads = 0}),
                    Catch::Contains("blocking_threads"));
}
