// Awaits that are over at once spend the turn of their actor as others do: it gives way, and can be stopped.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>

using namespace actors_test;
using troupe::task;

namespace {

struct go {};

constexpr int too_many = 100'000;

/// Repeats a wait that ends at once, until another actor says that it is enough.
template <class Wait>
struct restless {
  using accepts = troupe::protocol<go>;
  restless(Wait w, std::atomic<bool>* e, std::atomic<int>* n) : wait(std::move(w)), enough(e), turns(n) {}
  task<void> handle(go, troupe::context& ctx) {
    while (!*enough && *turns < too_many) {
      ++*turns;
      co_await wait(ctx);
    }
  }
  Wait wait;
  std::atomic<bool>* enough;
  std::atomic<int>* turns;
};

struct says_enough {
  using accepts = troupe::protocol<go>;
  explicit says_enough(std::atomic<bool>* e) : enough(e) {}
  void handle(go) const { *enough = true; }
  std::atomic<bool>* enough;
};

task<void> nothing() {
  co_return;
}

// `how` makes the wait, of an actor that has ended. The waiting actor drains, and is told to stop.
template <class How>
void gives_way(How how, bool stopped) {
  for_each_seed(5, [&](std::uint64_t seed) {
    std::atomic<bool> enough{false};
    std::atomic<int> turns{0};
    test_system b({.seed = seed});
    const auto gone = b.sys.spawn<counter>();
    b.sys.stop(gone);
    b.run();
    const troupe::ref<get> to = gone;
    const auto wait = [to, how](troupe::context& ctx) { return how(ctx, to); };
    const auto r = b.sys.spawn<restless<decltype(wait)>>(
        {.mailbox = {.when_stopped = troupe::on_stop::drain}}, wait, &enough, &turns);
    const auto other = b.sys.spawn<says_enough>({}, &enough);
    b.run();
    REQUIRE(r.tell(go{}) == send_result::ok);
    if (stopped) b.sys.stop(r);
    REQUIRE(other.tell(go{}) == send_result::ok);
    b.run();
    CHECK(enough);
    CHECK(turns < too_many);
  });
}

}  // namespace

TEST_CASE("giving way: an ask that is refused at once") {
  gives_way([](troupe::context&, const troupe::ref<get>& to) { return to.ask(get{}); }, false);
}

TEST_CASE("giving way: two tasks side by side that have nothing to wait for") {
  gives_way([](troupe::context&, const troupe::ref<get>&) { return troupe::both(nothing(), nothing()); },
            false);
}

TEST_CASE("giving way: a wait that yields to a stop that has come") {
  gives_way([](troupe::context& ctx,
               const troupe::ref<get>&) { return troupe::until_stopped(ctx, troupe::sleep_for(1h)); },
            true);
}

TEST_CASE("giving way: an actor that asks the dead without end can be stopped") {
  struct stubborn {
    using accepts = troupe::protocol<go>;
    explicit stubborn(troupe::ref<get> t) : to(std::move(t)) {}
    task<void> handle(go) {
      for (;;) (void)co_await to.ask(get{});
    }
    troupe::ref<get> to;
  };
  troupe::system sys({.workers = 1});
  const auto gone = sys.spawn<counter>();
  sys.stop(gone);
  REQUIRE(troupe_test::becomes_true([&] { return gone.ended(); }));
  const auto s = sys.spawn<stubborn>({}, troupe::ref<get>(gone));
  REQUIRE(s.tell(go{}) == send_result::ok);
  const auto c = sys.spawn<counter>();
  CHECK(sys.block_on(c.ask(get{}, troupe::forever)).value() == 0);  // on the same worker
  sys.stop(s);
  CHECK(troupe_test::becomes_true([&] { return s.ended(); }));
}
