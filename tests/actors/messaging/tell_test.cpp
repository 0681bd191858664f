// tell: the outcome for a message, the order, and the bound.
#include "actors/common.hpp"

using namespace actors_test;

namespace {

struct relay {
  using accepts = troupe::protocol<note>;
  explicit relay(troupe::ref<note> r) : to(std::move(r)) {}
  void handle(note m) const { REQUIRE(to.tell(m) == send_result::ok); }
  troupe::ref<note> to;
};

struct talk {
  int count;
};
struct talker {
  using accepts = troupe::protocol<talk>;
  talker(int n, troupe::ref<note> r) : number(n), to(std::move(r)) {}
  void handle(talk m) const {
    for (int i = 0; i < m.count; ++i) REQUIRE(to.tell(note{number, i}) == send_result::ok);
  }
  int number;
  troupe::ref<note> to;
};

/// Does nothing until it is released, so that its mailbox can be filled.
struct sleeper {
  using accepts = troupe::protocol<add, get>;
  troupe::task<void> handle(add m) {
    co_await troupe::sleep_for(1s);
    sum += m.by;
  }
  int handle(get) const { return sum; }
  int sum = 0;
};

}  // namespace

TEST_CASE("tell: an accepted message is handled") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>({.name = "c"});
    CHECK(c.tell(add{2}) == send_result::ok);
    CHECK(c.tell(add{3}) == send_result::ok);
    CHECK(b.await(c.ask(get{})).value() == 5);
  });
}

TEST_CASE("tell: messages of one sender arrive in order") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<note> p(b.sys);
    const auto r = b.sys.spawn<relay>({}, p.ref());
    constexpr int senders = 4;
    constexpr int each = 100;
    for (int s = 0; s < senders; ++s) {
      const auto t = b.sys.spawn<talker>({}, s, r);
      REQUIRE(t.tell(talk{each}) == send_result::ok);
    }
    int next[senders] = {};
    for (int i = 0; i < senders * each; ++i) {
      const note n = p.expect<note>();
      REQUIRE(n.number == next[n.sender]++);
    }
    p.expect_nothing();
  });
}

TEST_CASE("tell: exactly as many messages fit as the capacity says") {
  for_each_seed(10, [](std::uint64_t seed) {
    const auto capacity = GENERATE(1U, 2U, 3U, 64U, 65U, 1000U);
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<sleeper>({.mailbox = {.capacity = capacity}});
    for (std::uint32_t i = 0; i < capacity; ++i) REQUIRE(c.tell(add{1}) == send_result::ok);
    CHECK(c.tell(add{1}) == send_result::full);
    b.run();  // the first is being handled, and still takes its place
    CHECK(c.tell(add{1}) == send_result::full);
    b.advance(1s);
    CHECK(c.tell(add{1}) == send_result::ok);
    CHECK(c.tell(add{1}) == send_result::full);
    CHECK(b.sys.counters().full == 3);
  });
}

TEST_CASE("tell: an ended actor is closed") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>();
    b.run();
    b.sys.stop(c);
    b.run();
    CHECK(c.ended());
    CHECK(c.tell(add{1}) == send_result::closed);
  });
}

TEST_CASE("tell: a ref outlives its system") {
  troupe::ref<add, get> c;
  troupe::any_ref grandchild;
  struct parent {
    using accepts = troupe::protocol<>;
    parent(troupe::context& ctx, troupe::any_ref* out) { *out = ctx.spawn<counter>({.name = "grandchild"}); }
  };
  {
    test_system b;
    c = b.sys.spawn<counter>({.name = "c"});
    b.sys.spawn<parent>({.name = "parent"}, &grandchild);
    b.run();
  }
  CHECK(c.ended());
  CHECK(c.tell(add{1}) == send_result::closed);
  CHECK(c.path() == "/c");
  CHECK(grandchild.path() == "/parent/grandchild");
}

TEST_CASE("tell: with one place in every mailbox, talking actors lose nothing that was accepted") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed, .capacity_one = true});
    const auto c = b.sys.spawn<counter>({.mailbox = {.capacity = 100}});
    int accepted = 0;
    for (int i = 0; i < 200; ++i) {
      if (c.tell(add{1}) == send_result::ok) ++accepted;
      if (b.time.random() % 2 == 0) b.run();
    }
    b.run();
    CHECK(accepted > 1);
    CHECK(accepted < 200);
    CHECK(b.await(c.ask(get{})).value() == accepted);
  });
}

TEST_CASE("ref: narrows to fewer messages, compares and hashes by actor") {
  test_system b;
  const auto c = b.sys.spawn<counter>();
  const auto d = b.sys.spawn<counter>();
  const troupe::ref<add> narrow = c;
  CHECK(narrow == c);
  CHECK(c != d);
  CHECK(std::hash<troupe::ref<add>>{}(narrow) == std::hash<troupe::any_ref>{}(c));
  CHECK_FALSE(troupe::any_ref{});
  CHECK(narrow.tell(add{1}) == send_result::ok);
}
