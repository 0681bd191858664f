// The essentials again, on real threads: with one worker and with two.
#include "actors/common.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;

namespace {

struct step {
  using reply = int;
  int value;
};

struct doubler {
  using accepts = troupe::protocol<step>;
  troupe::task<int> handle(step m) {
    co_await troupe::sleep_for(100us);
    co_return 2 * m.value;
  }
};

struct go {
  using reply = int;
};

/// Asks one after the other, and answers with the sum.
struct summer {
  using accepts = troupe::protocol<go>;
  summer(troupe::ref<step> t, int n) : to(std::move(t)), count(n) {}
  troupe::task<int> handle(go) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += (co_await to.ask(step{i})).value();
    co_return sum;
  }
  troupe::ref<step> to;
  int count;
};

/// Sends all it has with `send`.
struct pump {
  using accepts = troupe::protocol<go>;
  pump(int n, int c, troupe::ref<note> t) : number(n), count(c), to(std::move(t)) {}
  troupe::task<int> handle(go) {
    int sent = 0;
    for (int i = 0; i < count; ++i) {
      if (co_await to.send(note{number, i}, 1min)) ++sent;
    }
    co_return sent;
  }
  int number;
  int count;
  troupe::ref<note> to;
};

struct sink {
  using accepts = troupe::protocol<note, get>;
  void handle(note m) {
    if (next.size() <= static_cast<std::size_t>(m.sender))
      next.resize(static_cast<std::size_t>(m.sender) + 1);
    in_order = in_order && next[static_cast<std::size_t>(m.sender)]++ == m.number;
    ++count;
  }
  int handle(get) const { return in_order ? count : -1; }
  std::vector<int> next;
  bool in_order = true;
  int count = 0;
};

template <class F>
void on_threads(F f) {
  for (const unsigned workers : {1U, 2U}) {
    INFO("workers: " << workers);
    const troupe::testkit::leak_guard memory;
    f(workers);
    memory.verify();
  }
}

}  // namespace

TEST_CASE("threads: asks are answered, in sequence and side by side") {
  on_threads([](unsigned workers) {
    troupe::system sys({.workers = workers});
    const auto d = sys.spawn<doubler>();
    std::vector<troupe::ref<go>> all;
    for (int i = 0; i < 4; ++i) all.push_back(sys.spawn<summer>({}, d, 10));
    std::vector<std::thread> clients;
    std::atomic<int> right{0};
    for (const auto& s : all) {
      clients.emplace_back([&] {
        if (sys.block_on(s.ask(go{}, 1min)).value_or(0) == 90) ++right;
      });
    }
    for (auto& t : clients) t.join();
    CHECK(right == 4);
  });
}

TEST_CASE("threads: send waits for room and keeps the order of each sender") {
  on_threads([](unsigned workers) {
    for (const std::uint32_t capacity : {1U, 3U, 64U}) {
      troupe::system sys({.workers = workers});
      const auto s = sys.spawn<sink>({.mailbox = {.capacity = capacity}});
      std::vector<std::thread> clients;
      std::atomic<int> sent{0};
      for (int i = 0; i < 4; ++i) {
        const auto p = sys.spawn<pump>({}, i, 2000, troupe::ref<note>(s));
        clients.emplace_back([&sys, &sent, p] { sent += sys.block_on(p.ask(go{}, 1min)).value_or(0); });
      }
      for (auto& t : clients) t.join();
      CHECK(sent == 8000);
      troupe::result<int> n = std::unexpected(troupe::error(errc::full));
      while (!n && n.error() == errc::full) n = sys.block_on(s.ask(get{}));
      CHECK(n.value() == 8000);
    }
  });
}

TEST_CASE("threads: tell from foreign threads is bounded and loses nothing") {
  on_threads([](unsigned workers) {
    troupe::system sys({.workers = workers});
    const auto c = sys.spawn<counter>({.mailbox = {.capacity = 16}});
    std::vector<std::thread> tellers;
    for (int t = 0; t < 2; ++t) {
      tellers.emplace_back([&] {
        for (int i = 0; i < 20'000;) {
          if (c.tell(add{1}) == send_result::ok) ++i;
        }
      });
    }
    for (auto& t : tellers) t.join();
    troupe::result<int> n = std::unexpected(troupe::error(errc::full));
    while (!n && n.error() == errc::full) n = sys.block_on(c.ask(get{}));
    CHECK(n.value() == 40'000);
  });
}

TEST_CASE("threads: crashes, restarts and stops under fire leave no hang and no leak") {
  on_threads([](unsigned workers) {
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = workers, .log = &log});
    for (int round = 0; round < 20; ++round) {
      const auto c = sys.spawn<counter>({.name = "c", .restarts = {100'000, 1s}});
      std::thread crasher([&] {
        for (int i = 0; i < 50; ++i) (void)c.tell(fail_now{"x"});
      });
      std::thread teller([&] {
        for (int i = 0; i < 500; ++i) (void)c.tell(add{1});
      });
      std::thread asker([&] {
        for (int i = 0; i < 20; ++i) (void)sys.block_on(c.ask(get{}));
      });
      std::thread stopper([&] {
        if (round % 2 == 0) sys.stop(c);
      });
      for (auto* t : {&crasher, &teller, &asker, &stopper}) t->join();
      sys.stop(c);
      while (!c.ended()) std::this_thread::yield();
    }
  });
}

TEST_CASE("threads: actors are spawned from many threads while the system shuts down") {
  on_threads([](unsigned workers) {
    for (int round = 0; round < 20; ++round) {
      troupe::system sys({.workers = workers});
      std::atomic<bool> closed{false};
      std::vector<std::thread> spawners;
      for (int t = 0; t < 2; ++t) {
        spawners.emplace_back([&] {
          try {
            for (;;) {
              const auto c = sys.spawn<counter>();
              (void)c.tell(add{1});
            }
          } catch (const troupe::troupe_error& e) {
            if (e.error() == errc::closed) closed = true;
          }
        });
      }
      std::this_thread::yield();
      CHECK(sys.shutdown());
      for (auto& t : spawners) t.join();
      CHECK(closed);
    }
  });
}

TEST_CASE("threads: a tree starts, survives crashes, and stops") {
  struct quiet {
    using accepts = troupe::protocol<fail_now, get>;
    void handle(const fail_now& m) { throw std::runtime_error(m.why); }
    int handle(get) { return 1; }
  };
  on_threads([](unsigned workers) {
    troupe::testkit::log_capture log;
    troupe::system sys({.workers = workers, .log = &log});
    const auto top =
        sys.start(troupe::supervisor("app", {.restarts = {.max = 1000, .within = 1s}})
                      .child<quiet>("a")
                      .child(troupe::supervisor("pool", {.restarts = {.max = 1000, .within = 1s}})
                                 .child<quiet>("x")
                                 .child<quiet>("y"))
                      .child<quiet>("b"));
    REQUIRE(top);
    for (int i = 0; i < 100; ++i) {
      for (const auto* path : {"/app/a", "/app/pool/x", "/app/pool/y", "/app/b"}) {
        const auto r = sys.at<fail_now, get>(path);
        REQUIRE(r);
        CHECK(r->tell(fail_now{"x"}) == send_result::ok);
      }
      (void)sys.inspect();
    }
    for (const auto* path : {"/app/a", "/app/pool/x", "/app/pool/y", "/app/b"}) {
      CHECK(sys.block_on(sys.at<get>(path).value().ask(get{})).value() == 1);
    }
    CHECK(sys.counters().restarts == 400);
    sys.stop(*top);
    while (!top->ended()) std::this_thread::yield();
  });
}
