// The messages that a full mailbox loses: drop_newest, drop_oldest, coalesce.
#include "actors/common.hpp"

#include <thread>

using namespace actors_test;
using troupe::errc;
using troupe::testkit::dead_letter_probe;

namespace {

struct price {
  int symbol;
  int value;
};
struct hold {};  // the receiver is busy for a second
struct total {
  using reply = int;
};

/// Records its messages.
struct slow {
  using accepts = troupe::protocol<price, hold, total>;
  explicit slow(history* h) : log(h) {}
  void handle(const price& p) { log->push_back(std::to_string(p.symbol) + "=" + std::to_string(p.value)); }
  troupe::task<void> handle(hold) { co_await troupe::sleep_for(1s); }
  int handle(total) const { return static_cast<int>(log->size()); }
  history* log;
};

troupe::ref<price, hold, total> busy(test_system& b, history* log, troupe::mailbox_options m) {
  const auto r = b.sys.spawn<slow>({.name = "slow", .mailbox = m}, log);
  REQUIRE(r.tell(hold{}) == send_result::ok);
  b.run();
  return r;
}

send_result quote(const troupe::ref<price, hold, total>& r, int symbol, int value) {
  return r.tell(price{symbol, value});
}

}  // namespace

TEST_CASE(
    "drop_newest: tell returns ok and a message without room is a dead letter; ask gets full, send waits") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    dead_letter_probe lost(b.sys);
    // One of the three is the message in work.
    const auto r = busy(b, &log, {.capacity = 3, .policy = troupe::drop_newest});
    for (int i = 0; i < 4; ++i) CHECK(quote(r, i, i) == send_result::ok);
    CHECK(lost.count() == 2);
    CHECK(b.await(r.ask(total{})).error() == errc::full);
    CHECK(b.await(r.send(price{9, 9})).has_value());
    b.advance(2s);
    CHECK(log == history{"0=0", "1=1", "9=9"});
    const auto letter = lost.take();
    REQUIRE(letter);
    CHECK(letter->cause == troupe::dead_letter_cause::dropped);
    CHECK(letter->path == "/slow");
    CHECK(b.sys.counters().dead_letters == 2);
  });
}

TEST_CASE("drop_oldest: the newest are kept, in order, and no sender waits") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    dead_letter_probe lost(b.sys);
    const auto r = busy(b, &log, {.capacity = 3, .policy = troupe::drop_oldest});
    for (int i = 0; i < 10; ++i) CHECK(quote(r, i, i) == send_result::ok);
    CHECK(b.await(r.send(price{10, 10}, 0s)).has_value());
    CHECK(lost.count() == 8);
    const auto info = b.sys.inspect();
    CHECK(info.children[0].depth == 3);
    CHECK(info.children[0].capacity == 3);
    b.advance(2s);
    CHECK(log == history{"8=8", "9=9", "10=10"});
    CHECK(quote(r, 11, 11) == send_result::ok);  // at rest again, and woken again
    b.run();
    CHECK(log.back() == "11=11");
  });
}

TEST_CASE("drop_oldest: a request that is lost is answered with full, and is not a dead letter") {
  history log;
  test_system b;
  dead_letter_probe lost(b.sys);
  const auto r = busy(b, &log, {.capacity = 1, .policy = troupe::drop_oldest});
  const auto answer = b.await([](troupe::ref<price, hold, total> to) -> troupe::task<troupe::result<int>> {
    auto reply = to.request(total{});
    CHECK(quote(to, 1, 1) == send_result::ok);
    co_return co_await reply;
  }(r));
  REQUIRE_FALSE(answer);
  CHECK(answer.error() == errc::full);
  CHECK(lost.count() == 0);
}

TEST_CASE("coalesce: the last value of each key, in the place of the first; other messages are left alone") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    dead_letter_probe lost(b.sys);
    const auto r = busy(b, &log, {.capacity = 8, .policy = troupe::coalesce<&price::symbol>});
    for (int round = 0; round < 5; ++round) {
      for (int symbol = 0; symbol < 3; ++symbol) CHECK(quote(r, symbol, round) == send_result::ok);
    }
    CHECK(lost.count() == 12);
    b.advance(2s);
    CHECK(log == history{"0=4", "1=4", "2=4"});
    CHECK(b.await(r.ask(total{})).value() == 3);
    CHECK(quote(r, 1, 7) == send_result::ok);  // its key is free again
    b.run();
    CHECK(log.back() == "1=7");
  });
}

TEST_CASE("coalesce: with more keys than room the oldest goes; the key may be a text or computed") {
  struct named {
    std::string name;
    int value;
  };
  struct reader {
    using accepts = troupe::protocol<named, hold>;
    explicit reader(history* h) : log(h) {}
    void handle(const named& m) { log->push_back(m.name + std::to_string(m.value)); }
    troupe::task<void> handle(hold) { co_await troupe::sleep_for(1s); }
    history* log;
  };
  history log;
  test_system b;
  dead_letter_probe lost(b.sys);
  const auto policy = GENERATE(0, 1) == 0
                          ? troupe::coalesce<&named::name>
                          : troupe::coalesce<[](const named& n) { return std::string_view(n.name); }>;
  const auto r = b.sys.spawn<reader>({.mailbox = {.capacity = 2, .policy = policy}}, &log);
  REQUIRE(r.tell(hold{}) == send_result::ok);
  b.run();
  for (const char* const name : {"a", "b", "c", "b"}) CHECK(r.tell(named{name, 1}) == send_result::ok);
  CHECK(lost.count() == 2);  // a, and the first b
  b.advance(2s);
  CHECK(log == history{"b1", "c1"});
}

TEST_CASE(
    "drop_oldest: what is queued survives a restart, bounces at a stop, and is drained when asked for") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    history log;
    test_system b({.seed = seed});
    dead_letter_probe lost(b.sys);
    const auto drain = seed % 2 == 0 ? troupe::on_stop::drain : troupe::on_stop::bounce;
    const auto r = busy(b, &log, {.capacity = 3, .when_stopped = drain, .policy = troupe::drop_oldest});
    for (int i = 0; i < 3; ++i) CHECK(quote(r, i, i) == send_result::ok);
    b.crash(r);
    b.run();
    CHECK(log == history{"0=0", "1=1", "2=2"});
    REQUIRE(r.tell(hold{}) == send_result::ok);
    b.run();
    for (int i = 3; i < 6; ++i) CHECK(quote(r, i, i) == send_result::ok);
    const auto before = lost.count();
    b.sys.stop(r);
    b.advance(2s);
    CHECK(r.ended());
    CHECK(quote(r, 7, 7) == send_result::closed);
    if (drain == troupe::on_stop::drain) {
      CHECK(log == history{"0=0", "1=1", "2=2", "3=3", "4=4", "5=5"});
      CHECK(lost.count() == before);
    } else {
      CHECK(log.size() == 3);
      CHECK(lost.count() == before + 3);
    }
  });
}

TEST_CASE("drop_oldest on threads: every message is handled or lost, once, and order is kept") {
  struct numbered {
    unsigned sender;
    unsigned number;
  };
  struct sink {
    using accepts = troupe::protocol<numbered>;
    sink(std::atomic<unsigned>* h, std::atomic<unsigned>* w) : handled(h), wrong(w) {}
    void handle(numbered m) {
      if (m.number < next[m.sender]) ++*wrong;
      next[m.sender] = m.number + 1;
      ++*handled;
    }
    unsigned next[2] = {0, 0};
    std::atomic<unsigned>* handled;
    std::atomic<unsigned>* wrong;
  };
  constexpr unsigned each = 20'000;
  std::atomic<unsigned> handled = 0;
  std::atomic<unsigned> wrong = 0;
  {
    troupe::system sys({.workers = 2});
    const auto r =
        sys.spawn<sink>({.mailbox = {.capacity = 16, .policy = troupe::drop_oldest}}, &handled, &wrong);
    std::vector<std::thread> senders;
    for (unsigned s = 0; s < 2; ++s) {
      senders.emplace_back([&, s] {
        for (unsigned i = 0; i < each; ++i) {
          if (r.tell(numbered{s, i}) != send_result::ok) ++wrong;
        }
      });
    }
    for (auto& t : senders) t.join();
    while (handled + sys.counters().dead_letters < 2 * each) std::this_thread::yield();
    CHECK(handled + sys.counters().dead_letters == 2 * each);
  }
  CHECK(wrong == 0);
}
