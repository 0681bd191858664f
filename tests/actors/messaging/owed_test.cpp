// Requests that a handler has taken with a reply_to: how long their message lives, and what their asker is
// told when the actor that owes the answer fails, is stopped, or lets it drop.
#include "actors/common.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;
using troupe::reply_to;
using troupe::task;

namespace {

const std::string long_text(100, 'x');

struct ask_length {
  using reply = int;
  std::string text;
};
int length_of(const ask_length& m) {
  return static_cast<int>(m.text.size());
}

/// Each form that takes a message by reference, looking at it after an await and after its own answer.
struct by_const_reference {
  using accepts = troupe::protocol<ask_length>;
  explicit by_const_reference(int* n) : after(n) {}
  task<void> handle(const ask_length& m, reply_to<int> r) {
    co_await troupe::sleep_for(1ms);
    r.send(length_of(m));
    co_await troupe::sleep_for(1ms);
    *after = length_of(m);
  }
  int* after;
};
struct by_move {
  using accepts = troupe::protocol<ask_length>;
  explicit by_move(int* n) : after(n) {}
  task<void> handle(ask_length&& m, reply_to<int>&& r, troupe::context&) {
    co_await troupe::sleep_for(1ms);
    r.send(length_of(m));
    co_await troupe::sleep_for(1ms);
    *after = length_of(m);
  }
  int* after;
};
struct at_once {
  using accepts = troupe::protocol<ask_length>;
  explicit at_once(int* n) : after(n) {}
  void handle(const ask_length& m, reply_to<int>&& r) const {
    r.send(length_of(m));
    *after = length_of(m);
  }
  int* after;
};
struct awaited {
  using accepts = troupe::protocol<ask_length>;
  explicit awaited(int* n) : after(n) {}
  task<int> handle(const ask_length& m) {
    co_await troupe::sleep_for(1ms);
    *after = length_of(m);
    co_return length_of(m);
  }
  int* after;
};

template <class A>
void message_lives_as_long_as_its_handler() {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int after = 0;
    const auto a = b.sys.spawn<A>({}, &after);
    CHECK(b.await(a.ask(ask_length{long_text})).value() == 100);
    b.advance(1s);
    CHECK(after == 100);
  });
}

enum class way : std::uint8_t { plain, coroutine, local, state, owned_task, first_frame };

struct owe {
  using reply = int;
  way how;
};

/// Takes requests, and fails on them or afterwards.
struct debtor {
  using accepts = troupe::protocol<owe, fail_now>;
  task<void> handle(owe m, reply_to<int> r, troupe::context& ctx) {
    switch (m.how) {
      case way::plain:
      case way::coroutine:
        co_await troupe::sleep_for(1ms);
        throw std::runtime_error("in debt");
      case way::local: {
        const reply_to<int> mine = std::move(r);
        co_await troupe::sleep_for(1ms);
        throw std::runtime_error("in debt");
      }
      case way::first_frame:
        throw std::runtime_error("in debt");
      case way::state:
        kept.push_back(std::move(r));
        break;
      case way::owned_task:
        ctx.spawn_task(
            [](reply_to<int> mine) -> task<void> {
              const reply_to<int> here = std::move(mine);
              co_await troupe::sleep_for(1ms);
              throw std::runtime_error("in debt");
            },
            std::move(r));
        break;
    }
  }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  std::vector<reply_to<int>> kept;
};

struct plain_debtor {
  using accepts = troupe::protocol<owe>;
  void handle(const owe&, reply_to<int> r) {
    const reply_to<int> mine = std::move(r);
    throw std::runtime_error("in debt");
  }
};

task<void> debtor_coroutine(troupe::context&, troupe::inbox<owe, fail_now> in) {
  std::vector<troupe::request<owe>> kept;
  for (;;) {
    auto m = co_await in.receive();
    if (std::holds_alternative<fail_now>(m)) throw std::runtime_error(std::get<fail_now>(m).why);
    kept.push_back(std::move(std::get<0>(m)));
    if (kept.back().message.how != way::state) throw std::runtime_error("in debt");
  }
}

void check_failed(const troupe::result<int>& r, const char* cause) {
  REQUIRE_FALSE(r);
  CHECK(r.error() == errc::actor_failed);
  CHECK(r.error().to_string().find(cause) != std::string::npos);
  CHECK(std::string(r.error().path()).find("/debtor") == 0);
}

/// Asks, lets it fail, and yields the outcome for the asker.
template <class To>
troupe::result<int> ask_and_fail(test_system& b, const To& to, way how) {
  return b.await([](To d, way w) -> task<troupe::result<int>> {
    auto pending = d.request(owe{w}, 1h);
    co_await troupe::sleep_for(1s);
    if (w == way::state) (void)d.tell(fail_now{"in debt, later"});
    co_return co_await pending;
  }(to, how));
}

/// Its replies cannot be moved more often than told.
struct coin {
  explicit coin(int n) : moves(n) {}
  coin(coin&& o) : moves(o.moves - 1) {
    if (o.moves == 0) throw std::runtime_error("stuck");
  }
  coin& operator=(coin&&) = delete;
  ~coin() = default;
  int moves;
};
struct pay {
  using reply = coin;
  int moves;
};
struct pay_later : pay {
  using reply = coin;
};
/// Converts to the reply, but always throws: implicitly, as the library converts the result of a task.
struct forged {
  operator std::string() const { throw std::runtime_error("forged"); }
};
struct pay_forged {
  using reply = std::string;
};
struct payer {
  using accepts = troupe::protocol<pay, pay_later, pay_forged>;
  task<coin> handle(pay m) {
    co_await troupe::sleep_for(1us);
    co_return coin(m.moves);
  }
  void handle(pay_later m, reply_to<coin> r) { r.send(coin(m.moves)); }
  task<forged> handle(pay_forged) {
    co_await troupe::sleep_for(1us);
    co_return forged();
  }
};

}  // namespace

TEST_CASE("owed: a message that a handler takes by reference lives until the handler is over") {
  message_lives_as_long_as_its_handler<by_const_reference>();
  message_lives_as_long_as_its_handler<by_move>();
  message_lives_as_long_as_its_handler<at_once>();
  message_lives_as_long_as_its_handler<awaited>();
}

TEST_CASE(
    "owed: a crash answers the requests that the incarnation had taken with actor_failed and the cause") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    for (const auto how : {way::coroutine, way::local, way::first_frame, way::state, way::owned_task}) {
      test_system b({.seed = seed});
      const auto d = b.sys.spawn<debtor>({.name = "debtor"});
      check_failed(ask_and_fail(b, d, how), "in debt");
      b.run();
      check_failed(ask_and_fail(b, d, how), "in debt");  // the next incarnation as well
    }
    test_system b({.seed = seed});
    const auto plain = b.sys.spawn<plain_debtor>({.name = "debtor"});
    check_failed(b.await(plain.ask(owe{way::plain})), "in debt");
    const auto c = b.sys.spawn(debtor_coroutine, {.name = "debtors"});
    check_failed(ask_and_fail(b, c, way::coroutine), "in debt");
    check_failed(ask_and_fail(b, c, way::state), "in debt, later");
  });
}

TEST_CASE("owed: the askers of an actor that is not restarted are told the cause, too") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    for (const auto how : {way::coroutine, way::local, way::state}) {
      const auto d = b.sys.spawn<debtor>({.name = "debtor", .restart = troupe::restart::temporary});
      check_failed(ask_and_fail(b, d, how), "in debt");
      b.run();
      CHECK(d.ended());
    }
  });
}

TEST_CASE("owed: a request that a handler took and then crashed on is a dead letter, once") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto d = b.sys.spawn<debtor>({.name = "debtor"});
    const auto plain = b.sys.spawn<plain_debtor>();
    for (const auto how : {way::coroutine, way::local, way::first_frame}) {
      (void)ask_and_fail(b, d, how);
      REQUIRE(lost.count() == 1);
      const auto letter = lost.take();
      CHECK(letter->cause == troupe::dead_letter_cause::crashed);
      CHECK(letter->type.find("owe") != std::string::npos);
    }
    (void)b.await(plain.ask(owe{way::plain}));
    REQUIRE(lost.count() == 1);
    (void)lost.take();
    (void)ask_and_fail(b, d, way::state);  // it is the other message that it crashed on
    REQUIRE(lost.count() == 1);
    CHECK(lost.take()->type.find("fail_now") != std::string::npos);
  });
}

TEST_CASE("owed: a reply_to that is dropped by an actor that lives on, or is stopped, is closed") {
  struct careless {
    using accepts = troupe::protocol<owe>;
    void handle(const owe& m, reply_to<int> r) {
      if (m.how == way::state) {
        kept.push_back(std::move(r));
        return;
      }
      try {
        const reply_to<int> mine = std::move(r);
        throw std::runtime_error("caught");
      } catch (const std::runtime_error&) {
      }
    }
    std::vector<reply_to<int>> kept;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<careless>();
    CHECK(b.await(c.ask(owe{way::plain})).error() == errc::closed);
    const auto kept = b.await([](auto to, troupe::system* sys) -> task<troupe::result<int>> {
      auto pending = to.request(owe{way::state}, 1h);
      co_await troupe::sleep_for(1s);
      sys->stop(to);
      co_return co_await pending;
    }(c, &b.sys));
    CHECK(kept.error() == errc::closed);
    CHECK(b.sys.counters().crashes == 0);
  });
}

TEST_CASE("owed: a reply_to that is replaced by another leaves its asker with closed at once") {
  struct keeps_the_last {
    using accepts = troupe::protocol<owe>;
    void handle(const owe&, reply_to<int> r) {
      last = std::move(r);
      replaced = std::move(r);  // empty: moving it changes nothing
    }
    reply_to<int> last;
    reply_to<int> replaced;
  };
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto c = b.sys.spawn<keeps_the_last>();
    const auto first = b.await([](auto to) -> task<troupe::result<int>> {
      auto one = to.request(owe{way::state}, 1h);
      auto two = to.request(owe{way::state}, 1h);
      co_return co_await one;
    }(c));
    CHECK(first.error() == errc::closed);
  });
}

TEST_CASE("owed: a reply that cannot be moved or converted is a crash of the actor that gives it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto p = b.sys.spawn<payer>({.restarts = {.max = 100, .within = 1s}});
    unsigned stuck = 0;
    const auto count = [&](const auto& r) {
      if (r) return;
      CHECK(r.error() == errc::actor_failed);
      CHECK(r.error().to_string().find("stuck") != std::string::npos);
      ++stuck;
    };
    for (int moves = 0; moves < 8; ++moves) {
      const auto ask = [&](auto m) {
        return b.await([](auto to, auto what) -> task<troupe::result<int>> {
          try {
            const auto r = co_await to.ask(what);
            if (!r) co_return std::unexpected(r.error());
          } catch (const std::runtime_error&) {  // on the asker's side
          }
          co_return 1;
        }(p, m));
      };
      count(ask(pay{moves}));
      count(ask(pay_later{{moves}}));
    }
    CHECK(stuck > 0);
    CHECK(b.sys.counters().crashes == stuck);
    const auto f = b.await(p.ask(pay_forged{}));
    REQUIRE_FALSE(f);
    CHECK(f.error().to_string().find("forged") != std::string::npos);
  });
}

TEST_CASE("owed: on threads, every asker of an actor that keeps crashing is answered or told of the crash") {
  struct banker {
    using accepts = troupe::protocol<owe>;
    task<void> handle(const owe& m, reply_to<int> r) {
      if (m.how == way::state) {
        kept.push_back(std::move(r));
        if (kept.size() == 3) kept.front().send(1);
        co_return;
      }
      co_await troupe::yield();
      throw std::runtime_error("in debt");
    }
    std::vector<reply_to<int>> kept;
  };
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto d = sys.spawn<banker>({.restarts = {.max = 1'000'000, .within = 1s}});
  std::atomic<int> heard{0};
  std::atomic<int> other{0};
  std::atomic<int> at_work{3};
  const auto ask = [&](way how) {
    const auto r = sys.block_on(d.ask(owe{how}, troupe::forever));
    const bool crashed =
        !r && r.error() == errc::actor_failed && r.error().to_string().find("in debt") != std::string::npos;
    ++(r || crashed ? heard : other);
  };
  std::vector<std::thread> askers;
  for (int t = 0; t < 3; ++t) {
    askers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) ask(way::state);
      --at_work;
    });
  }
  int crashes = 0;
  for (; at_work > 0; ++crashes) ask(way::coroutine);  // their requests end by a crash
  for (auto& t : askers) t.join();
  CHECK(heard == 300 + crashes);
  CHECK(other == 0);
}
