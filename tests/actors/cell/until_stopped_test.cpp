// until_stopped: an actor that drains ends its idle waits at once, and finishes its work.
#include "actors/common.hpp"

#include <troupe/actors/until_stopped.hpp>

using namespace actors_test;
using troupe::errc;

namespace {

struct go {};
struct said {
  int what;
};

/// Waits for long, idly; then works for a second, which a stop does not cut.
struct worker {
  using accepts = troupe::protocol<go>;
  explicit worker(troupe::ref<said> r) : report(std::move(r)) {}
  troupe::task<void> handle(go, troupe::context& ctx) {
    const auto waited = co_await troupe::until_stopped(ctx, troupe::sleep_for(1h));
    (void)report.tell(said{waited ? 1 : waited.error() == errc::cancelled ? 2 : 3});
    co_await troupe::sleep_for(1s);
    (void)report.tell(said{4});
  }
  troupe::ref<said> report;
};

constexpr troupe::mailbox_options draining{.when_stopped = troupe::on_stop::drain};

}  // namespace

TEST_CASE("until_stopped: a stop ends the wait, and what follows is finished") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<said> p(b.sys);
    const auto w = b.sys.spawn<worker>({.mailbox = draining}, p.ref());
    REQUIRE(w.tell(go{}) == send_result::ok);
    b.run();
    p.expect_nothing();
    b.sys.stop(w);
    CHECK(p.expect<said>().what == 2);
    CHECK(p.expect<said>(2s).what == 4);
    b.run();
    CHECK(w.ended());
  });
}

TEST_CASE("until_stopped: what is done first is a value, and the stop that follows finds no wait") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<said> p(b.sys);
    const auto w = b.sys.spawn<worker>({.mailbox = draining}, p.ref());
    REQUIRE(w.tell(go{}) == send_result::ok);
    b.advance(1h + 500ms);
    CHECK(p.expect<said>().what == 1);
    b.sys.stop(w);
    CHECK(p.expect<said>(2s).what == 4);
  });
}

TEST_CASE("until_stopped: after the stop a wait is not begun") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<said> p(b.sys);
    const auto w = b.sys.spawn<worker>({.mailbox = draining}, p.ref());
    REQUIRE(w.tell(go{}) == send_result::ok);
    REQUIRE(w.tell(go{}) == send_result::ok);  // still queued when it is stopped
    b.run();
    b.sys.stop(w);
    for (const int expected : {2, 4, 2, 4}) CHECK(p.expect<said>(3s).what == expected);
    b.run();
    CHECK(w.ended());
  });
}

TEST_CASE("until_stopped: an actor that does not drain is cancelled as a whole") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<said> p(b.sys);
    const auto w = b.sys.spawn<worker>({}, p.ref());
    REQUIRE(w.tell(go{}) == send_result::ok);
    b.run();
    b.sys.stop(w);
    CHECK(p.expect<said>().what == 2);
    b.advance(2s);
    p.expect_nothing();
    CHECK(w.ended());
  });
}
