// Messages whose copying, or whose key, throws: their actor fails with the cause, as if its handler had
// thrown.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;

namespace {

/// Cannot be copied more often than told.
struct brittle {
  explicit brittle(int n) : copies(n) {}
  brittle(const brittle& o) : copies(o.copies - 1) {
    if (o.copies == 0) throw std::runtime_error("no copy left");
    o.copies = copies;
  }
  brittle(brittle&&) = default;
  brittle& operator=(const brittle&) = delete;
  brittle& operator=(brittle&&) = delete;
  ~brittle() = default;
  mutable int copies;
};

struct ticker {
  using accepts = troupe::protocol<brittle>;
  ticker(troupe::context& ctx, std::atomic<int>* n) : handled(n) { ctx.every(1ms, brittle(3)); }
  void handle(const brittle&) { ++*handled; }
  std::atomic<int>* handled;
};

struct quote {
  int key;
  int value;
};

int key_of(const quote& q) {
  if (q.key < 0) throw std::runtime_error("no such key");
  return q.key;
}

struct quotes {
  using accepts = troupe::protocol<quote, add, get>;
  void handle(const quote& q) { sum += q.value; }
  troupe::task<void> handle(add) { co_await troupe::sleep_for(1s); }
  int handle(get) { return sum; }
  int sum = 0;
};

const troupe::mailbox_options latest{.capacity = 8, .policy = troupe::coalesce<&key_of>};

}  // namespace

TEST_CASE("throwing messages: a copy for a tick that throws is a crash of the actor, with the cause") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    std::atomic<int> handled{0};
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto t = b.sys.spawn<ticker>({.restart = troupe::restart::temporary}, &handled);
    p.watch(t);
    b.advance(1s);
    const auto d = p.expect<troupe::down>();
    CHECK(d.reason.kind() == troupe::exit_kind::error);
    REQUIRE(d.reason.cause() != nullptr);
    CHECK(d.reason.cause()->text() == "no copy left");
    CHECK(handled == 3);
  });
}

TEST_CASE("throwing messages: an actor that is restarted after a tick could not be copied ticks again") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    std::atomic<int> handled{0};
    test_system b({.seed = seed});
    const auto t = b.sys.spawn<ticker>({.restarts = {.max = 10, .within = 1ms}}, &handled);
    b.advance(100ms);
    CHECK_FALSE(t.ended());
    CHECK(handled > 60);
    CHECK(b.sys.counters().restarts > 20);
  });
}

TEST_CASE("throwing messages: a key that throws is a crash of the receiver when it comes to the message") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto q = b.sys.spawn<quotes>({.mailbox = latest});
    REQUIRE(q.tell(add{1}) == send_result::ok);
    b.run();
    REQUIRE(q.tell(quote{1, 1}) == send_result::ok);
    REQUIRE(q.tell(quote{-1, 1}) == send_result::ok);
    REQUIRE(q.tell(quote{1, 5}) == send_result::ok);  // in the place of the first
    REQUIRE(q.tell(quote{2, 7}) == send_result::ok);
    b.advance(2s);
    CHECK(b.await(q.ask(get{})).value() == 7);  // of the next incarnation
    CHECK(b.log.count("no such key", troupe::log_level::info) == 1);
    CHECK(b.sys.counters().crashes == 1);
    REQUIRE(lost.count() == 2);
    CHECK(lost.take()->cause == troupe::dead_letter_cause::dropped);
    CHECK(lost.take()->cause == troupe::dead_letter_cause::crashed);
  });
}

TEST_CASE(
    "throwing messages: on threads, a key that throws on the sender's thread does not end the process") {
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto q = sys.spawn<quotes>({.mailbox = latest, .restarts = {.max = 1'000'000, .within = 1s}});
  std::atomic<int> accepted{0};
  std::vector<std::thread> tellers;
  for (int t = 0; t < 2; ++t) {
    tellers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        if (q.tell(quote{i % 3 - 1, 1}) == send_result::ok) ++accepted;
      }
    });
  }
  for (auto& t : tellers) t.join();
  CHECK(accepted == 1000);
  CHECK(sys.block_on(q.ask(get{})).has_value());
  CHECK(sys.counters().crashes > 0);
}

TEST_CASE("throwing messages: an exception whose what() says nothing is a crash like any other") {
  struct speechless : std::exception {
    [[nodiscard]] const char* what() const noexcept override { return nullptr; }
  };
  struct mute {
    using accepts = troupe::protocol<get>;
    int handle(get) { throw speechless(); }
  };
  test_system b;
  const auto answer = b.await(b.sys.spawn<mute>().ask(get{}));
  REQUIRE_FALSE(answer);
  CHECK(answer.error() == troupe::errc::actor_failed);
  CHECK(answer.error().to_string().find("without a text") != std::string::npos);
}
