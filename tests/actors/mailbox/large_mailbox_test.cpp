// Actors whose mailbox has a bound that its word cannot count: the two-word form, as seen from outside.
#include "actors/common.hpp"

#include <atomic>
#include <thread>
#include <vector>

using namespace actors_test;
using troupe::task;

namespace {

constexpr std::uint32_t large = 65'535;
constexpr std::uint32_t million = 1'000'000;

struct nap {
  troupe::duration for_;
};

/// Records the order of its messages, and may be asleep in a handler meanwhile.
struct recorder {
  using accepts = troupe::protocol<note, nap, get, fail_now>;
  explicit recorder(std::vector<int>* seen) : into(seen) {}
  void handle(note n) { into->push_back(n.number); }
  task<void> handle(nap n) { co_await troupe::sleep_for(n.for_); }
  task<int> handle(get) {
    co_await troupe::sleep_for(1ms);
    co_return static_cast<int>(into->size());
  }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  std::vector<int>* into;
};

std::vector<int> up_to(int n) {
  std::vector<int> all;
  for (int i = 0; i < n; ++i) all.push_back(i);
  return all;
}

}  // namespace

TEST_CASE("large mailbox: takes a million messages, refuses the next, and handles each in order") {
  std::vector<int> seen;
  test_system b;
  const auto r = b.sys.spawn<recorder>({.name = "r", .mailbox = {.capacity = million}}, &seen);
  REQUIRE(r.tell(nap{1h}) == send_result::ok);
  b.run();
  for (int i = 0; i < static_cast<int>(million) - 1; ++i) {  // the one that sleeps is counted, too
    if (r.tell(note{0, i}) != send_result::ok) FAIL(i);
  }
  CHECK(r.tell(note{0, -1}) == send_result::full);
  const auto tree = b.sys.inspect();
  REQUIRE(tree.children.size() == 1);
  CHECK(tree.children.front().depth == million);
  CHECK(tree.children.front().capacity == million);
  b.advance(2h);
  CHECK(seen == up_to(million - 1));
  CHECK(r.tell(note{0, -1}) == send_result::ok);
}

TEST_CASE("large mailbox: a request, a handler that waits, a crash and a restart keep the order") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    std::vector<int> seen;
    test_system b({.seed = seed});
    const auto r = b.sys.spawn<recorder>({.mailbox = {.capacity = large}}, &seen);
    (void)r.tell(note{0, 0});
    (void)r.tell(nap{1s});
    (void)r.tell(note{0, 1});
    (void)r.tell(fail_now{"once"});
    (void)r.tell(note{0, 2});
    const auto asked = b.await(r.ask(get{}));
    REQUIRE(asked);
    CHECK(*asked == 3);
    CHECK(seen == up_to(3));
  });
}

TEST_CASE("large mailbox: what is queued at a stop bounces, or is drained") {
  for (const auto when : {troupe::on_stop::bounce, troupe::on_stop::drain}) {
    for_each_seed(seeds, [when](std::uint64_t seed) {
      std::vector<int> seen;
      test_system b({.seed = seed});
      const auto r = b.sys.spawn<recorder>({.mailbox = {.capacity = large, .when_stopped = when}}, &seen);
      (void)r.tell(nap{1s});
      for (int i = 0; i < 100; ++i) (void)r.tell(note{0, i});
      b.run();
      b.sys.stop(r);
      b.advance(2s);
      CHECK(r.ended());
      CHECK(r.tell(note{0, 0}) == send_result::closed);
      CHECK(seen.size() == (when == troupe::on_stop::drain ? 100U : 0U));
    });
  }
}

TEST_CASE("large mailbox: a sender waits for room, and is not overtaken") {
  std::vector<int> seen;
  bool sent = false;
  test_system b;
  const auto r = b.sys.spawn<recorder>({.mailbox = {.capacity = large}}, &seen);
  (void)r.tell(nap{1s});
  b.run();
  const int room = static_cast<int>(large) - 1;
  for (int i = 0; i < room; ++i) REQUIRE(r.tell(note{0, i}) == send_result::ok);
  b.sys.spawn([](troupe::context&, troupe::inbox<get>, troupe::ref<note> to, int number,
                 bool* done) -> task<void> { *done = (co_await to.send(note{0, number})).has_value(); },
              {}, troupe::ref<note>(r), room, &sent);
  b.run();
  CHECK_FALSE(sent);
  CHECK(r.tell(note{0, -1}) == send_result::full);
  b.advance(2s);
  CHECK(sent);
  CHECK(seen == up_to(room + 1));
}

TEST_CASE("large mailbox: on threads, senders from outside lose nothing and keep their order") {
  constexpr int senders = 3;
  constexpr int each = 20'000;
  struct checker {
    using accepts = troupe::protocol<note, get>;
    void handle(note n) {
      auto& last = next[static_cast<std::size_t>(n.sender)];
      in_order = in_order && n.number == last++;
      ++count;
    }
    int handle(get) const { return in_order ? count : -1; }
    std::vector<int> next = std::vector<int>(senders);
    int count = 0;
    bool in_order = true;
  };
  troupe::system sys({.workers = 2});
  const auto c = sys.spawn<checker>({.mailbox = {.capacity = large}});
  std::vector<std::thread> crew;
  std::atomic<bool> refused{false};
  for (int s = 0; s < senders; ++s) {
    crew.emplace_back([&, s] {
      for (int i = 0; i < each; ++i) {
        if (c.tell(note{s, i}) != send_result::ok) refused = true;
      }
    });
  }
  for (auto& t : crew) t.join();
  CHECK_FALSE(refused);
  const auto all = sys.block_on(c.ask(get{}));
  REQUIRE(all);
  CHECK(*all == senders * each);
}
