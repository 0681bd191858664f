// context_of<T>, and what a plain context checks at run time; ctx.log().
#include "actors/common.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::log_level;

namespace {

struct tick {};

/// Takes its own context in a hook, a handler, a request that is answered later, and a notice.
struct ticker {
  using accepts = troupe::protocol<tick, get, add>;
  explicit ticker(troupe::any_ref w = {}) : watched(std::move(w)) {}

  void started(troupe::context_of<ticker> ctx) {
    ctx.after(1s, add{10});
    ctx.every(1s, tick{});
    ctx->watch(watched);
  }
  void stopping(troupe::context_of<ticker> ctx, const troupe::exit_reason&) {
    ctx->log(log_level::info, "stops after " + std::to_string(ticks));
  }
  void handle(tick, troupe::context_of<ticker> ctx) {
    ++ticks;
    if (ticks == 3) REQUIRE(ctx.self().tell(add{100}) == send_result::ok);
  }
  void handle(get, troupe::reply_to<int> r, troupe::context_of<ticker> ctx) {
    troupe::context& plain = ctx;
    r.send(plain.path() == "/ticker" ? sum : -1);
  }
  void handle(add m) { sum += m.by; }
  void handle(const troupe::down&, troupe::context_of<ticker> ctx) { ctx.after(0s, add{1000}); }

  troupe::any_ref watched;
  int ticks = 0;
  int sum = 0;
};

}  // namespace

TEST_CASE("context_of: handlers and hooks may take the context of their own class") {
  test_system b;
  const auto other = b.sys.spawn<counter>();
  const auto c = b.sys.spawn<ticker>({.name = "ticker"}, other);
  b.advance(3500ms);
  CHECK(b.await(c.ask(get{})).value() == 110);
  b.sys.stop(other);
  b.advance(1ms);
  CHECK(b.await(c.ask(get{})).value() == 1110);
  b.sys.stop(c);
  b.advance(1ms);
  CHECK(b.log.count("/ticker: stops after 3", log_level::info) == 1);
}

TEST_CASE("context: a timer for a message that the actor does not accept is refused where it is made") {
  test_system b;
  struct forgetful {
    using accepts = troupe::protocol<get>;
    int handle(get, troupe::context& ctx) {
      int refused = 0;
      try {
        ctx.after(1s, add{1});
      } catch (const troupe::troupe_error& e) {
        if (e.error() == errc::invalid_argument) ++refused;
      }
      try {
        ctx.every(1s, tick{});
      } catch (const troupe::troupe_error& e) {
        if (e.error() == errc::invalid_argument) ++refused;
      }
      return refused;
    }
  };
  const auto f = b.sys.spawn<forgetful>();
  CHECK(b.await(f.ask(get{})).value() == 2);
  b.advance(10s);
  CHECK(b.sys.counters().crashes == 0);
}

TEST_CASE("context: self() of another class is refused, and names both") {
  test_system b;
  struct impostor {
    using accepts = troupe::protocol<get>;
    int handle(get, troupe::context& ctx) {
      try {
        (void)ctx.self<counter>();
      } catch (const troupe::troupe_error& e) {
        const std::string text(e.error().text());
        return text.find("counter") != std::string::npos && text.find("impostor") != std::string::npos ? 1
                                                                                                       : 0;
      }
      return -1;
    }
  };
  CHECK(b.await(b.sys.spawn<impostor>().ask(get{})).value() == 1);
}

TEST_CASE(
    "crash: it is logged when it happens, as a warning with its cause, and not only after the backoff") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<counter>({.name = "c", .backoff = {10s, 10s, 0}});
    REQUIRE(c.tell(fail_now{"the disk is gone"}) == send_result::ok);
    b.advance(1ms);
    CHECK(b.log.count("/c: crashed: the disk is gone", log_level::warning) == 1);
    CHECK(b.log.count("restarted") == 0);
    b.advance(11s);
    CHECK(b.log.count("/c: restarted (1) after error", log_level::info) == 1);
    CHECK(b.log.count("the disk is gone") == 1);
  });
}
