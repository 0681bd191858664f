// The messages that a coroutine actor receives, those it does not, and those it fails on.
#include "actors/common.hpp"
#include "support/becomes_true.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;

namespace {

struct word {
  std::string text;
};
struct quote {
  using reply = int;
  std::string text;
};

/// Cannot be moved more often than told.
template <class Reply = void>
struct fragile {
  explicit fragile(int n) : moves(n) {}
  fragile(fragile&& o) : moves(o.moves - 1) {
    if (o.moves == 0) throw std::runtime_error("not to be moved");
  }
  fragile& operator=(fragile&&) = delete;
  ~fragile() = default;
  int moves;
};
struct fragile_tell : fragile<> {
  using fragile::fragile;
};
struct fragile_request : fragile<> {
  using reply = int;
  using fragile::fragile;
};

}  // namespace

TEST_CASE("inbox: a notice that a coroutine actor does not name is dropped, and ends no wait") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto watched = b.sys.spawn<counter>();
    probe<note> p(b.sys);
    const auto one = b.sys.spawn(
        [](troupe::context& ctx, troupe::inbox<add> in, troupe::any_ref who,
           troupe::ref<note> seen) -> troupe::task<void> {
          ctx.watch(who);
          const auto first = co_await in.receive_for(1h);
          (void)seen.tell(note{1, first ? std::get<0>(*first).by : -1});
          const auto second = co_await in.next();
          (void)seen.tell(note{2, second ? std::get<0>(*second).by : -1});
          const auto third = co_await in.receive();
          (void)seen.tell(note{3, std::get<0>(third).by});
        },
        {}, troupe::any_ref(watched), p.ref());
    b.run();
    b.sys.stop(watched);
    p.expect_nothing_for(1s);
    for (const int i : {1, 2, 3}) {
      REQUIRE(one.tell(add{i}) == send_result::ok);
      CHECK(p.template expect<note>().number == i);
    }
    CHECK(b.sys.counters().crashes == 0);
  });
}

TEST_CASE("inbox: a coroutine actor that names the notice receives it") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    const auto watched = b.sys.spawn<counter>();
    bool same = false;
    b.sys.spawn(
        [](troupe::context& ctx, troupe::inbox<troupe::down> in, troupe::any_ref who,
           bool* out) -> troupe::task<void> {
          ctx.watch(who);
          *out = std::get<0>(co_await in.receive()).who == who;
        },
        {}, troupe::any_ref(watched), &same);
    b.run();
    b.sys.stop(watched);
    b.run();
    CHECK(same);
  });
}

TEST_CASE("inbox: a timer for a message that a coroutine actor does not name is refused with a sentence") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    probe<> p(b.sys);
    const auto one = b.sys.spawn(
        [](troupe::context& ctx, troupe::inbox<add> in) -> troupe::task<void> {
          ctx.after(1ms, word{"no handler takes it, and it is longer than a short string"});
          (void)co_await in.receive();
        },
        {.restart = troupe::restart::temporary});
    p.watch(one);
    const auto d = p.expect<troupe::down>();
    REQUIRE(d.reason.cause() != nullptr);
    CHECK(d.reason.cause()->to_string().find("a timer for a message that the actor does not accept") !=
          std::string::npos);
  });
}

TEST_CASE("inbox: the message that a coroutine actor crashed on is a dead letter, told or asked") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    troupe::testkit::dead_letter_probe lost(b.sys);
    const auto one = b.sys.spawn([](troupe::context&, troupe::inbox<word, quote> in) -> troupe::task<void> {
      for (;;) {
        const auto m = co_await in.receive();
        co_await troupe::sleep_for(1ms);
        if (std::holds_alternative<word>(m) && std::get<word>(m).text.empty()) continue;
        throw std::runtime_error("no");
      }
    });
    REQUIRE(one.tell(word{}) == send_result::ok);
    b.advance(1s);
    CHECK(lost.count() == 0);
    REQUIRE(one.tell(word{"x"}) == send_result::ok);
    b.advance(1s);
    REQUIRE(lost.count() == 1);
    const auto letter = lost.take();
    CHECK(letter->cause == troupe::dead_letter_cause::crashed);
    CHECK(letter->type.find("word") != std::string::npos);
    const auto r = b.await(one.ask(quote{"y"}));
    REQUIRE_FALSE(r);
    REQUIRE(lost.count() == 1);
    CHECK(lost.take()->type.find("quote") != std::string::npos);
  });
}

TEST_CASE("inbox: a message whose move throws is a crash of the coroutine actor, and not of the process") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    for (int moves = 0; moves < 8; ++moves) {  // wherever on the way it breaks
      test_system b({.seed = seed});
      const auto one = b.sys.spawn(
          [](troupe::context&, troupe::inbox<fragile_tell, fragile_request> in) -> troupe::task<void> {
            for (;;) {
              auto m = co_await in.receive();
              if (auto* const r = std::get_if<1>(&m)) r->reply.send(1);
            }
          },
          {.restarts = {.max = 100, .within = 1s}});
      try {
        (void)one.tell(fragile_tell(moves));
      } catch (const std::runtime_error&) {  // on the sender's side
      }
      b.run();
      const auto crashes = b.sys.counters().crashes;
      CHECK(crashes <= 1);
      auto r = b.await([](auto to, int n) -> troupe::task<troupe::result<int>> {
        try {
          co_return co_await to.ask(fragile_request(n));
        } catch (const std::runtime_error&) {
          co_return 0;  // on the asker's side
        }
      }(one, moves));
      if (b.sys.counters().crashes > crashes) {
        REQUIRE_FALSE(r);
        CHECK(r.error() == errc::actor_failed);
        CHECK(r.error().to_string().find("not to be moved") != std::string::npos);
      }
      if (moves == 7) CHECK(r.value() == 1);
    }
  });
}

TEST_CASE("inbox: on threads, notices and failing moves leave the actor at work") {
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  std::atomic<int> received{0};
  const auto one = sys.spawn(
      [](troupe::context& ctx, troupe::inbox<troupe::any_ref, fragile_tell> in,
         std::atomic<int>* n) -> troupe::task<void> {
        for (;;) {
          const auto m = co_await in.receive();
          if (auto* const who = std::get_if<0>(&m)) ctx.watch(*who);
          ++*n;
        }
      },
      {.restarts = {.max = 1'000'000, .within = 1s}}, &received);
  std::vector<std::thread> foreign;
  for (int t = 0; t < 2; ++t) {
    foreign.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto c = sys.spawn<counter>();
        while (one.tell(troupe::any_ref(c)) != send_result::ok) std::this_thread::yield();
        sys.stop(c);
        try {
          (void)one.tell(fragile_tell(i % 6));
        } catch (const std::runtime_error&) {
        }
      }
    });
  }
  for (auto& t : foreign) t.join();
  const int before = received;
  CHECK(one.tell(fragile_tell(100)) == send_result::ok);
  CHECK(troupe_test::becomes_true([&] { return received > before; }));
  CHECK_FALSE(one.ended());
  CHECK(sys.counters().crashes > 0);
}

TEST_CASE("inbox: a second task that receives at the same time gets an error") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    std::string said;
    int received = 0;
    const auto one = b.sys.spawn(
        [](troupe::context&, troupe::inbox<add> in, std::string* text, int* sum) -> troupe::task<void> {
          const auto first = [](troupe::inbox<add> from, int* s) -> troupe::task<void> {
            for (int i = 0; i < 2; ++i) *s += std::get<0>(co_await from.receive()).by;
          };
          const auto second = [](troupe::inbox<add> from, std::string* t) -> troupe::task<void> {
            try {
              (void)co_await from.receive();
            } catch (const troupe::troupe_error& e) {
              *t = e.what();
            }
          };
          co_await troupe::both(first(in, sum), second(in, text));
        },
        {}, &said, &received);
    b.run();
    CHECK(said.find("another task receives from this inbox") != std::string::npos);
    for (const int i : {1, 2}) REQUIRE(one.tell(add{i}) == send_result::ok);
    b.run();
    CHECK(received == 3);
  });
}

TEST_CASE("inbox: an actor that accepts no message can wait, and be stopped") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    int waits = 0;
    int ends = 0;
    const auto one = b.sys.spawn(
        [](troupe::context&, troupe::inbox<> in, int* w, int* e) -> troupe::task<void> {
          for (; *w < 3; ++*w) {
            const auto none = co_await in.receive_for(1s);
            CHECK_FALSE(none);
          }
          const auto last = co_await in.next();
          CHECK_FALSE(last);
          ++*e;
        },
        {.mailbox = {.when_stopped = troupe::on_stop::drain}}, &waits, &ends);
    b.advance(3s);
    CHECK(waits == 3);
    CHECK_FALSE(one.ended());
    b.sys.stop(one);
    b.advance(1ms);
    CHECK(one.ended());
    CHECK(ends == 1);
  });
}
