// co_await ask: one request, one outcome.
#include "actors/common.hpp"

#include <thread>

using namespace actors_test;
using troupe::errc;

namespace {

struct twice {
  using reply = int;
  int of;
};
struct go {};

template <class T>
errc code_of(const troupe::result<T>& r) {
  return r ? errc{} : static_cast<errc>(r.error().code().value());
}

struct at_once {
  using accepts = troupe::protocol<twice>;
  int handle(twice m) { return 2 * m.of; }
};
struct as_task {
  using accepts = troupe::protocol<twice>;
  troupe::task<int> handle(twice m) {
    co_await troupe::sleep_for(1s);
    co_return 2 * m.of;
  }
};
struct as_error {
  using accepts = troupe::protocol<twice>;
  troupe::result<int> handle(twice) { return std::unexpected(troupe::error(errc::not_found)); }
};
/// Keeps the obligation until told.
struct later {
  using accepts = troupe::protocol<twice, go>;
  explicit later(bool drops = false) : drop(drops) {}
  void handle(twice m, troupe::reply_to<int> r) {
    value = 2 * m.of;
    owed = std::move(r);
  }
  void handle(go) {
    if (drop) {
      owed = {};
      auto gone = std::move(owed);
    } else {
      owed.send(value);
    }
  }
  bool drop;
  int value = 0;
  troupe::reply_to<int> owed;
};

struct result_of {
  errc code;
  int value;
};

/// Asks once, and tells the result.
struct asker {
  using accepts = troupe::protocol<go>;
  asker(troupe::ref<twice> t, troupe::ref<result_of> r, troupe::duration d = 5s)
      : to(std::move(t)), report(std::move(r)), deadline(d) {}
  troupe::task<void> handle(go) {
    const auto r = co_await to.ask(twice{21}, deadline);
    (void)report.tell(result_of{code_of(r), r.value_or(0)});
  }
  troupe::ref<twice> to;
  troupe::ref<result_of> report;
  troupe::duration deadline;
};

}  // namespace

TEST_CASE("ask: a handler answers with a value, a task, or an error") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    CHECK(b.await(b.sys.spawn<at_once>().ask(twice{4})).value() == 8);
    CHECK(b.await(b.sys.spawn<as_task>().ask(twice{4})).value() == 8);
    CHECK(code_of(b.await(b.sys.spawn<as_error>().ask(twice{4}))) == errc::not_found);
    probe<result_of> p(b.sys);
    const auto t = b.sys.spawn<as_task>();
    for (int i = 0; i < 3; ++i) REQUIRE(b.sys.spawn<asker>({}, t, p.ref()).tell(go{}) == send_result::ok);
    for (int i = 0; i < 3; ++i) CHECK(p.expect<result_of>().value == 42);
    p.expect_nothing();
  });
}

TEST_CASE("ask: a handler may answer later") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto l = b.sys.spawn<later>();
    REQUIRE(b.sys.spawn<asker>({}, l, p.ref()).tell(go{}) == send_result::ok);
    p.expect_nothing();
    REQUIRE(l.tell(go{}) == send_result::ok);
    CHECK(p.expect<result_of>().value == 42);
  });
}

TEST_CASE("ask: an obligation that is dropped closes the ask") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto l = b.sys.spawn<later>({}, true);
    REQUIRE(b.sys.spawn<asker>({}, l, p.ref()).tell(go{}) == send_result::ok);
    b.run();
    REQUIRE(l.tell(go{}) == send_result::ok);
    CHECK(p.expect<result_of>().code == errc::closed);
  });
}

TEST_CASE("ask: an obligation may be met from another thread") {
  troupe::system sys({.workers = 1});
  std::thread helper;
  struct threaded {
    using accepts = troupe::protocol<twice>;
    explicit threaded(std::thread* t) : out(t) {}
    void handle(twice m, troupe::reply_to<int> r) {
      *out = std::thread([m, owed = std::move(r)]() mutable { owed.send(2 * m.of); });
    }
    std::thread* out;
  };
  const auto t = sys.spawn<threaded>({}, &helper);
  CHECK(sys.block_on(t.ask(twice{3})).value() == 6);
  helper.join();
}

TEST_CASE("ask: a full mailbox says full at once, an ended actor closed") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto t = b.sys.spawn<as_task>({.mailbox = {.capacity = 1}});
    REQUIRE(b.sys.spawn<asker>({}, t, p.ref()).tell(go{}) == send_result::ok);
    b.run();
    CHECK(code_of(b.await(t.ask(twice{1}))) == errc::full);
    b.sys.stop(t);
    CHECK(p.expect<result_of>().code == errc::closed);
    CHECK(code_of(b.await(t.ask(twice{1}))) == errc::closed);
  });
}

TEST_CASE("ask: times out exactly, and the late reply is dropped without a trace") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto t = b.sys.spawn<as_task>();
    const auto began = b.sys.now();
    REQUIRE(b.sys.spawn<asker>({}, t, p.ref(), 400ms).tell(go{}) == send_result::ok);
    CHECK(p.expect<result_of>().code == errc::timeout);
    CHECK(b.sys.now() - began == 400ms);
    p.expect_nothing_for(5s);
    CHECK(b.await(t.ask(twice{1})).value() == 2);
  });
}

TEST_CASE("ask: a deadline at the very moment of the reply leaves one outcome") {
  for_each_seed(200, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto t = b.sys.spawn<as_task>();
    REQUIRE(b.sys.spawn<asker>({}, t, p.ref(), 1s).tell(go{}) == send_result::ok);
    const auto r = p.expect<result_of>();
    CHECK((r.code == errc::timeout || r.value == 42));
    p.expect_nothing_for(5s);
  });
}

TEST_CASE("ask: a crash fails the ask with the cause") {
  struct crasher {
    using accepts = troupe::protocol<twice>;
    int handle(twice) { throw std::runtime_error("no paper left"); }
  };
  struct late_crasher {
    using accepts = troupe::protocol<twice>;
    troupe::task<int> handle(twice) {
      co_await troupe::sleep_for(1ms);
      throw std::runtime_error("no paper left");
    }
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    for (const troupe::ref<twice>& r : {troupe::ref<twice>(b.sys.spawn<crasher>({.name = "printer"})),
                                        troupe::ref<twice>(b.sys.spawn<late_crasher>())}) {
      const auto got = b.await(r.ask(twice{1}));
      REQUIRE(code_of(got) == errc::actor_failed);
      REQUIRE(got.error().cause() != nullptr);
      CHECK(got.error().cause()->text() == "no paper left");
      CHECK(got.error().path() == r.path());
    }
  });
}

TEST_CASE("ask: an actor that asks itself is refused at once") {
  struct selfish {
    using accepts = troupe::protocol<twice, go>;
    explicit selfish(troupe::ref<result_of> r) : report(std::move(r)) {}
    int handle(twice m) { return 2 * m.of; }
    troupe::task<void> handle(go, troupe::context& ctx) {
      const auto r = co_await ctx.self<selfish>().ask(twice{1});
      (void)report.tell(result_of{code_of(r), 0});
    }
    troupe::ref<result_of> report;
  };
  test_system b;
  probe<result_of> p(b.sys);
  REQUIRE(b.sys.spawn<selfish>({}, p.ref()).tell(go{}) == send_result::ok);
  CHECK(p.expect<result_of>().code == errc::would_deadlock);
}

TEST_CASE("ask: the asker may be stopped while it waits") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<result_of> p(b.sys);
    const auto t = b.sys.spawn<as_task>();
    const auto a = b.sys.spawn<asker>({}, t, p.ref());
    REQUIRE(a.tell(go{}) == send_result::ok);
    b.run();
    b.sys.stop(a);
    b.run();
    CHECK(a.ended());
    b.advance(5s);  // the reply arrives after the end of the asker
    p.expect_nothing();
    CHECK(b.await(t.ask(twice{1})).value() == 2);
  });
}

TEST_CASE("ask: a probe answers, or drops, what it is asked") {
  test_system b;
  probe<twice> asked(b.sys);
  probe<result_of> p(b.sys);
  REQUIRE(b.sys.spawn<asker>({}, asked.ref(), p.ref()).tell(go{}) == send_result::ok);
  auto r = asked.expect<twice>();
  CHECK(r.message.of == 21);
  r.reply.send(7);
  CHECK(p.expect<result_of>().value == 7);
  REQUIRE(b.sys.spawn<asker>({}, asked.ref(), p.ref()).tell(go{}) == send_result::ok);
  {
    auto dropped = asked.expect<twice>();
  }
  CHECK(p.expect<result_of>().code == errc::closed);
}

TEST_CASE("ask: a request may also be told, and its answer goes nowhere") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto t = b.sys.spawn<at_once>();
    CHECK(t.tell(twice{1}) == send_result::ok);
    CHECK(b.await(t.ask(twice{1})).value() == 2);
  });
}

TEST_CASE("block_on: is refused on a worker") {
  struct blocker {
    using accepts = troupe::protocol<go>;
    blocker(troupe::ref<twice> t, troupe::ref<result_of> r) : to(std::move(t)), report(std::move(r)) {}
    void handle(go, troupe::context& ctx) {
      (void)report.tell(result_of{code_of(ctx.system().block_on(to.ask(twice{1}))), 0});
    }
    troupe::ref<twice> to;
    troupe::ref<result_of> report;
  };
  test_system b;
  probe<result_of> p(b.sys);
  REQUIRE(b.sys.spawn<blocker>({}, b.sys.spawn<at_once>(), p.ref()).tell(go{}) == send_result::ok);
  CHECK(p.expect<result_of>().code == errc::on_worker);
}
