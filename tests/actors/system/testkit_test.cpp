// The test kit itself: that it fails when it should, and says why.
#include "actors/common.hpp"

using namespace actors_test;
using Catch::Contains;

TEST_CASE("testkit: expect fails with what was there instead, and with the seed") {
  test_system b({.seed = 42});
  probe<add, note> p(b.sys, {.name = "p"});
  CHECK_THROWS_WITH(p.expect<add>(), Contains("/p: expected") && Contains("add") &&
                                         Contains("nothing came") && Contains("TROUPE_SEED="));
  REQUIRE(p.ref().tell(note{1, 2}) == send_result::ok);
  CHECK_THROWS_WITH(p.expect<add>(), Contains("add") && Contains("note came"));
  REQUIRE(p.ref().tell(note{1, 2}) == send_result::ok);
  CHECK_THROWS_WITH(p.expect_nothing(), Contains("expected nothing") && Contains("note came"));
  p.expect_nothing();
}

TEST_CASE("testkit: expect_nothing does not move the clock, expect does when it has to") {
  test_system b;
  struct late {
    using accepts = troupe::protocol<add>;
    late(troupe::context& ctx, troupe::ref<add> r) : to(std::move(r)) { ctx.after(3s, add{1}); }
    void handle(add m) const { (void)to.tell(m); }
    troupe::ref<add> to;
  };
  probe<add> p(b.sys);
  b.sys.spawn<late>({}, p.ref());
  const auto began = b.sys.now();
  p.expect_nothing();
  CHECK(b.sys.now() == began);
  p.expect_nothing_for(2s);
  CHECK(b.sys.now() - began == 2s);
  p.expect<add>();
  CHECK(b.sys.now() - began == 3s);
}

TEST_CASE("testkit: crash_on makes the nth message crash its actor") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto c = b.sys.spawn<counter>();
    b.crash_on(c, 3);
    for (int i = 0; i < 5; ++i) REQUIRE(c.tell(add{1 << i}) == send_result::ok);
    CHECK(lost.count() == 1);
    CHECK(b.await(c.ask(get{})).value() == 8 + 16);
  });
}

TEST_CASE("testkit: the same seed gives the same run, another one another") {
  const auto trace = [](std::uint64_t seed) {
    std::vector<int> order;
    test_system b({.seed = seed, .max_slice_time = 1ms});
    probe<note> p(b.sys);
    struct talker {
      using accepts = troupe::protocol<add>;
      talker(int n, troupe::ref<note> r) : number(n), to(std::move(r)) {}
      void handle(add) const { (void)to.tell(note{number, 0}); }
      int number;
      troupe::ref<note> to;
    };
    for (int i = 0; i < 20; ++i) (void)b.sys.spawn<talker>({}, i, p.ref()).tell(add{1});
    for (int i = 0; i < 20; ++i) order.push_back(p.expect<note>().sender);
    order.push_back(static_cast<int>(b.sys.now().time_since_epoch().count() % 1'000'000'007));
    return order;
  };
  CHECK(trace(1) == trace(1));
  CHECK(trace(1) != trace(2));
}

TEST_CASE("testkit: a leak is found") {
  const troupe::testkit::leak_guard memory;
  memory.verify();
  auto* const leaked = troupe::detail::slab_new<int>(1);
  CHECK_THROWS_WITH(memory.verify(), Contains("leaked"));
  troupe::detail::slab_delete(leaked);
  memory.verify();
}

TEST_CASE("testkit: a probe works on real threads too") {
  troupe::system sys({.workers = 1});
  probe<add> p(sys);
  REQUIRE(p.ref().tell(add{1}) == send_result::ok);
  CHECK(p.expect<add>().by == 1);
  CHECK_THROWS_WITH(p.expect_nothing(), Contains("expect_nothing_for"));
}
