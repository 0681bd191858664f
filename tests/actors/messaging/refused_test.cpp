// Messages that are refused go back to the sender; refs that are empty, or of another protocol, refuse in
// order.
#include "actors/common.hpp"

#include <troupe/runtime/blocking.hpp>

#include <memory>
#include <thread>

using namespace actors_test;
using troupe::errc;

namespace {

struct parcel {
  std::unique_ptr<int> content;
};
/// Cannot be assigned, but moved.
struct sealed {
  explicit sealed(int n) : content(std::make_unique<int>(n)) {}
  sealed(sealed&&) noexcept = default;
  sealed& operator=(sealed&&) = delete;
  ~sealed() = default;
  std::unique_ptr<int> content;
};
struct open_up {};

/// Moves a message in that is looked at again afterwards: whether it is back is what these tests ask.
template <class M>
M&& offered(M& m) noexcept {
  return static_cast<M&&>(m);
}

/// Takes nothing until it is opened up.
struct shut {
  using accepts = troupe::protocol<parcel, sealed, open_up>;
  explicit shut(int* s) : sum(s) {}
  troupe::task<void> handle(open_up) { co_await troupe::sleep_for(1s); }
  void handle(const parcel& p) const { *sum += *p.content; }
  void handle(const sealed& p) const { *sum += *p.content; }
  int* sum;
};

}  // namespace

TEST_CASE("refused: a message that finds the mailbox full, or its actor gone, is the sender's again") {
  test_system b;
  int sum = 0;
  const auto to = b.sys.spawn<shut>({.mailbox = {.capacity = 1}}, &sum);
  REQUIRE(to.tell(open_up{}) == send_result::ok);
  b.advance(1ms);
  parcel p{std::make_unique<int>(7)};
  sealed s(8);
  CHECK(to.tell(offered(p)) == send_result::full);
  CHECK(to.tell(offered(s)) == send_result::full);
  REQUIRE(p.content != nullptr);
  CHECK(*p.content == 7);
  REQUIRE(s.content != nullptr);
  CHECK(*s.content == 8);

  b.advance(2s);
  CHECK(to.tell(offered(p)) == send_result::ok);
  CHECK(p.content == nullptr);
  b.advance(1ms);
  CHECK(sum == 7);

  b.sys.stop(to);
  b.advance(1ms);
  CHECK(to.tell(offered(s)) == send_result::closed);
  CHECK(s.content != nullptr);
}

TEST_CASE("refused: an lvalue is copied, and stays as it is") {
  test_system b;
  const auto c = b.sys.spawn<counter>();
  const add two{2};
  add three{3};
  CHECK(c.tell(two) == send_result::ok);
  CHECK(c.tell(three) == send_result::ok);
  CHECK(b.await(c.ask(get{})).value() == 5);
}

TEST_CASE("refused: a send that times out, meets an end or is withdrawn gives its message back") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int sum = 0;
    const auto to = b.sys.spawn<shut>({.mailbox = {.capacity = 1}}, &sum);
    REQUIRE(to.tell(open_up{}) == send_result::ok);
    b.advance(1ms);
    const auto send = [](troupe::ref<parcel> r, troupe::duration limit) -> troupe::task<int> {
      parcel p{std::make_unique<int>(5)};
      const troupe::result<void> sent = co_await r.send(offered(p), limit);
      if (sent) co_return p.content == nullptr ? 0 : -1;
      co_return p.content != nullptr ? *p.content : -2;
    };
    CHECK(b.await(send(to, 0s)) == 5);    // at once
    CHECK(b.await(send(to, 10ms)) == 5);  // by its deadline
    CHECK(b.await(send(to, 10s)) == 0);   // it finds room
    b.advance(1ms);
    CHECK(sum == 5);
    REQUIRE(to.tell(open_up{}) == send_result::ok);
    b.advance(1ms);
    auto late = send(to, 10s);
    b.sys.stop(to);
    CHECK(b.await(std::move(late)) == 5);  // the actor ends
    CHECK(b.await(send({}, 1s)) == 5);     // there is none
  });
}

TEST_CASE("refused: on threads, each message is either handled or back with its sender") {
  troupe::system sys({.workers = 2, .name = "refused", .log = &troupe::silent_log()});
  struct sink {
    using accepts = troupe::protocol<parcel>;
    explicit sink(std::atomic<int>* n) : count(n) {}
    void handle(const parcel&) const { count->fetch_add(1, std::memory_order_relaxed); }
    std::atomic<int>* count;
  };
  std::atomic<int> handled = 0;
  std::atomic<int> back = 0;
  constexpr int each = 20'000;
  const auto to = sys.spawn<sink>({.mailbox = {.capacity = 4}}, &handled);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        parcel p{std::make_unique<int>(i)};
        if (to.tell(offered(p)) == send_result::ok) continue;
        if (p.content != nullptr && *p.content == i) back.fetch_add(1);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  REQUIRE(sys.shutdown().has_value());
  CHECK(handled <= 3 * each);
  CHECK(handled + back <= 3 * each);  // what was queued at the end is a dead letter
  CHECK(handled + back >= 3 * each - 4);
}

TEST_CASE("empty ref: everything sent to it is closed, it has ended, and who watches it hears so") {
  test_system b;
  const troupe::ref<add, get> none;
  CHECK(none.ended());
  CHECK(none.path().empty());
  CHECK(none.tell(add{1}) == send_result::closed);
  CHECK(b.await(none.send(add{1})).error() == errc::closed);
  CHECK(b.await(none.ask(get{})).error() == errc::closed);
  CHECK_FALSE(b.sys.register_name("none", none));
  b.sys.stop(none);
  b.sys.kill(none);

  probe<> p(b.sys);
  p.watch(none);
  const auto d = p.expect<troupe::down>();
  CHECK_FALSE(d.who);
  REQUIRE(d.reason.cause() != nullptr);
  CHECK(*d.reason.cause() == errc::closed);

  struct asker {
    using accepts = troupe::protocol<get>;
    troupe::task<int> handle(get) {
      const troupe::ref<add, get> nobody;
      auto later = nobody.request(get{});
      const auto r = co_await later;
      co_return r.error() == errc::closed ? 1 : 0;
    }
  };
  CHECK(b.await(b.sys.spawn<asker>().ask(get{})).value() == 1);

  struct forwarder {
    using accepts = troupe::protocol<get>;
    void handle(get m, troupe::reply_to<int> r) {
      troupe::forward(troupe::request<get>{m, std::move(r)}, troupe::ref<get>());
    }
  };
  CHECK(b.await(b.sys.spawn<forwarder>().ask(get{})).error() == errc::closed);
  CHECK(b.await(troupe::supervisor_ref().children()).error() == errc::closed);
  CHECK_FALSE(troupe::supervisor_ref().partition(1));
}

namespace {

/// A ref that no compiler would make: as of a stale handle, or from another version of the program.
template <class M>
troupe::ref<M> forged(const troupe::any_ref& r) {
  r.cell()->share();
  return troupe::ref<M>(r.cell());
}

}  // namespace

TEST_CASE("unhandled: a message without a handler is a dead letter and no crash; an asker is told") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto c = b.sys.spawn<counter>();
    const auto coroutine =
        b.sys.spawn([](troupe::context&, troupe::inbox<add, get> in) -> troupe::task<void> {
          int sum = 0;
          for (;;) {
            auto m = co_await in.receive();
            if (const auto* const a = std::get_if<add>(&m)) sum += a->by;
            if (auto* const g = std::get_if<troupe::request<get>>(&m)) g->reply.send(sum);
          }
        });
    struct other {
      using reply = int;
    };
    for (const troupe::ref<add, get>& to : {troupe::ref<add, get>(c), troupe::ref<add, get>(coroutine)}) {
      REQUIRE(to.tell(add{2}) == send_result::ok);
      REQUIRE(forged<note>(to).tell(note{1, 2}) == send_result::ok);
      CHECK(b.await(forged<other>(to).ask(other{})).error() == errc::unhandled);
      CHECK(b.await(to.ask(get{})).value() == 2);  // it lives on, with its state
      REQUIRE(lost.count() == 1);
      CHECK(lost.take()->cause == troupe::dead_letter_cause::unhandled);
    }
    CHECK(b.sys.counters().crashes == 0);
  });
}
