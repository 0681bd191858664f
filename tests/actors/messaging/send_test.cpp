// co_await send: waits for room, in order, within a deadline.
#include "actors/common.hpp"

using namespace actors_test;

namespace {

struct go {};
struct outcome {
  int number;
  troupe::errc code;  // errc{}: sent
};

/// Handles a message a second.
struct slow {
  using accepts = troupe::protocol<note>;
  explicit slow(troupe::ref<note> r) : to(std::move(r)) {}
  troupe::task<void> handle(note m) {
    co_await troupe::sleep_for(1s);
    (void)to.tell(m);
  }
  troupe::ref<note> to;
};

/// Sends a number of notes, one after the other, and reports the outcome of each.
struct sender {
  using accepts = troupe::protocol<go>;
  sender(int n, int c, troupe::duration d, troupe::ref<note> t, troupe::ref<outcome> r)
      : number(n), count(c), deadline(d), to(std::move(t)), report(std::move(r)) {}
  troupe::task<void> handle(go) {
    for (int i = 0; i < count; ++i) {
      const auto sent = co_await to.send(note{number, i}, deadline);
      auto code = troupe::errc{};
      if (!sent) code = static_cast<troupe::errc>(sent.error().code().value());
      (void)report.tell(outcome{number, code});
    }
  }
  int number;
  int count;
  troupe::duration deadline;
  troupe::ref<note> to;
  troupe::ref<outcome> report;
};

/// A system with a slow consumer that has little room, and probes for what the consumer handles and for what
/// the senders report.
struct slow_system : test_system {
  explicit slow_system(std::uint64_t seed = 1, std::uint32_t capacity = 1)
      : test_system({.seed = seed}),
        consumer(sys.spawn<slow>({.mailbox = {.capacity = capacity}}, notes.ref())) {}
  /// Starts a sender of `count` notes, each with the deadline.
  troupe::ref<go> send(int number, int count, troupe::duration deadline) {
    auto started = sys.spawn<sender>({}, number, count, deadline, consumer, reports.ref());
    REQUIRE(started.tell(go{}) == send_result::ok);
    return started;
  }

  probe<note> notes{sys};
  probe<outcome> reports{sys};
  troupe::ref<note> consumer;
};

}  // namespace

TEST_CASE("send: waits for room, and keeps the order of each sender") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    const std::uint32_t capacity = 1 + static_cast<std::uint32_t>(seed % 4);
    slow_system b(seed, capacity);
    constexpr int senders = 3;
    constexpr int each = 10;
    for (int i = 0; i < senders; ++i) b.send(i, each, troupe::forever);
    int next[senders] = {};
    for (int i = 0; i < senders * each; ++i) {
      const note n = b.notes.expect<note>(2s);
      REQUIRE(n.number == next[n.sender]++);
    }
    for (int i = 0; i < senders * each; ++i) REQUIRE(b.reports.expect<outcome>().code == troupe::errc{});
    b.reports.expect_nothing();
  });
}

TEST_CASE("send: a tell does not overtake a sender that waits") {
  slow_system b;
  b.send(1, 2, 10s);
  b.run();
  b.reports.expect<outcome>();
  CHECK(b.consumer.tell(note{9, 9}) == send_result::full);
  CHECK(b.notes.expect<note>().number == 0);
  CHECK(b.notes.expect<note>().number == 1);
  b.notes.expect_nothing_for(10s);
}

TEST_CASE("send: gives up at its deadline, and the message is not delivered") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    slow_system b(seed);
    REQUIRE(b.consumer.tell(note{0, 0}) == send_result::ok);
    b.send(1, 1, 300ms);
    const auto began = b.sys.now();
    CHECK(b.reports.expect<outcome>().code == troupe::errc::timeout);
    CHECK(b.sys.now() - began == 300ms);
    b.notes.expect<note>();
    b.notes.expect_nothing_for(10s);
  });
}

TEST_CASE("send: a deadline at the very moment of the room leaves one outcome") {
  for_each_seed(200, [](std::uint64_t seed) {
    slow_system b(seed);
    REQUIRE(b.consumer.tell(note{0, 0}) == send_result::ok);
    b.send(1, 1, 1s);
    const bool sent = b.reports.expect<outcome>().code == troupe::errc{};
    b.notes.expect<note>();
    if (sent) b.notes.expect<note>();
    b.notes.expect_nothing_for(10s);
  });
}

TEST_CASE("send: to an actor that has ended, or ends meanwhile, is closed") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    slow_system b(seed);
    REQUIRE(b.consumer.tell(note{0, 0}) == send_result::ok);
    b.send(1, 2, 10s);
    b.run();
    b.sys.stop(b.consumer);
    CHECK(b.reports.expect<outcome>().code == troupe::errc::closed);
    CHECK(b.reports.expect<outcome>().code == troupe::errc::closed);
    b.notes.expect_nothing_for(10s);
  });
}

TEST_CASE("send: is taken back when the sender is stopped") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    slow_system b(seed);
    REQUIRE(b.consumer.tell(note{0, 0}) == send_result::ok);
    const auto who = b.send(1, 1, 10s);
    b.run();
    b.sys.stop(who);
    b.run();
    CHECK(who.ended());
    b.notes.expect<note>();
    b.notes.expect_nothing_for(10s);
    b.reports.expect_nothing();
  });
}

TEST_CASE("send: to oneself when the mailbox is full is a deadlock, and refused as one") {
  struct loop {
    using accepts = troupe::protocol<go, note>;
    explicit loop(troupe::ref<outcome> r) : report(std::move(r)) {}
    troupe::task<void> handle(go, troupe::context& ctx) {
      auto self = ctx.self<loop>();
      for (int i = 0; i < 2; ++i) {
        const auto sent = co_await self.send(note{0, i});
        (void)report.tell(
            outcome{i, sent ? troupe::errc{} : static_cast<troupe::errc>(sent.error().code().value())});
      }
    }
    void handle(note) {}
    troupe::ref<outcome> report;
  };
  test_system b;
  probe<outcome> reports(b.sys);
  REQUIRE(b.sys.spawn<loop>({.mailbox = {.capacity = 2}}, reports.ref()).tell(go{}) == send_result::ok);
  CHECK(reports.expect<outcome>().code == troupe::errc{});
  CHECK(reports.expect<outcome>().code == troupe::errc::would_deadlock);
}

TEST_CASE("send: a fast producer and a slow consumer with hardly any room lose nothing") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed, .max_slice_time = 1ms});
    probe<note> p(b.sys, {.mailbox = {.capacity = 60000}});
    struct consumer {
      using accepts = troupe::protocol<note>;
      explicit consumer(troupe::ref<note> r) : to(std::move(r)) {}
      troupe::task<void> handle(note m) {
        if (m.number % 7 == 0) co_await troupe::sleep_for(1ms);
        (void)to.tell(m);
      }
      troupe::ref<note> to;
    };
    probe<outcome> reports(b.sys, {.mailbox = {.capacity = 60000}});
    const auto c =
        b.sys.spawn<consumer>({.mailbox = {.capacity = 1 + static_cast<std::uint32_t>(seed % 3)}}, p.ref());
    for (int i = 0; i < 3; ++i) {
      REQUIRE(
          b.sys.spawn<sender>({}, i, 300, troupe::forever, troupe::ref<note>(c), reports.ref()).tell(go{}) ==
          send_result::ok);
    }
    int next[3] = {};
    for (int i = 0; i < 900; ++i) {
      const note n = p.expect<note>();
      REQUIRE(n.number == next[n.sender]++);
    }
    p.expect_nothing();
  });
}
