// Asks whose replies race with their deadlines, and watches that race with stops.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using troupe::errc;

namespace {

struct query {
  using reply = int;
  int value;
};
struct go {
  using reply = int;
};

/// Answers at once, after a while, later, or never.
struct oracle {
  using accepts = troupe::protocol<query>;
  void handle(query m, troupe::reply_to<int> r) {
    if (m.value % 4 == 3) {
      kept.push_back(std::move(r));
      if (kept.size() > 8) kept.clear();
    } else {
      r.send(m.value);
    }
  }
  std::vector<troupe::reply_to<int>> kept;
};
struct sleeper {
  using accepts = troupe::protocol<query>;
  troupe::task<int> handle(query m) {
    if (m.value % 2 == 0) co_await troupe::sleep_for(std::chrono::microseconds(m.value % 700));
    co_return m.value;
  }
};

struct asker {
  using accepts = troupe::protocol<go>;
  asker(std::vector<troupe::ref<query>> t, int n) : to(std::move(t)), count(n) {}
  troupe::task<int> handle(go) {
    int wrong = 0;
    for (int i = 0; i < count; ++i) {
      const auto r = co_await to[static_cast<std::size_t>(i) % to.size()].ask(
          query{i}, std::chrono::microseconds(50 + i % 900));
      if (r ? *r != i : r.error() != errc::timeout && r.error() != errc::full && r.error() != errc::closed)
        ++wrong;
    }
    co_return wrong;
  }
  std::vector<troupe::ref<query>> to;
  int count;
};

struct brief {
  using accepts = troupe::protocol<go>;
  int handle(go, troupe::context& ctx) {
    ctx.stop();
    return 1;
  }
};

/// Watches many that end at their own time; counts the notices.
struct guard {
  using accepts = troupe::protocol<go>;
  guard(std::vector<troupe::any_ref> v, std::atomic<int>* n) : all(std::move(v)), notices(n) {}
  void started(troupe::context& ctx) {
    for (const auto& r : all) ctx.watch(r);
    for (std::size_t i = 0; i < all.size(); i += 5) {
      ctx.unwatch(all[i]);
      ctx.watch(all[i]);
    }
  }
  int handle(go) { return 0; }
  void handle(const troupe::down&) { notices->fetch_add(1); }
  std::vector<troupe::any_ref> all;
  std::atomic<int>* notices;
};

}  // namespace

TEST_CASE("ask stress: replies race with deadlines, and leave nothing behind") {
  for (const unsigned workers : {1U, 2U}) {
    const troupe::testkit::leak_guard memory;
    {
      troupe::system sys({.workers = workers});
      std::vector<troupe::ref<query>> to{sys.spawn<oracle>(), sys.spawn<sleeper>(),
                                         sys.spawn<oracle>({.mailbox = {.capacity = 1}})};
      std::vector<std::thread> clients;
      std::atomic<int> wrong{0};
      for (int i = 0; i < 4; ++i) {
        const auto a = sys.spawn<asker>({}, to, 1500);
        clients.emplace_back(
            [&sys, &wrong, a] { wrong += sys.block_on(a.ask(go{}, 1min)).value_or(1'000'000); });
      }
      for (auto& t : clients) t.join();
      CHECK(wrong == 0);
    }
    memory.verify();
  }
}

TEST_CASE("ask stress: askers are stopped while replies are in flight") {
  for (const unsigned workers : {1U, 2U}) {
    const troupe::testkit::leak_guard memory;
    {
      troupe::system sys({.workers = workers});
      const troupe::ref<query> s = sys.spawn<sleeper>();
      for (int round = 0; round < 50; ++round) {
        std::vector<troupe::ref<go>> all;
        for (int i = 0; i < 4; ++i) {
          all.push_back(sys.spawn<asker>({}, std::vector{s}, 1'000'000));
          CHECK(all.back().tell(go{}) == troupe::send_result::ok);
        }
        if (round % 3 == 0) std::this_thread::sleep_for(300us);
        for (const auto& a : all) sys.stop(a);
        for (const auto& a : all) {
          while (!a.ended()) std::this_thread::yield();
        }
      }
    }
    memory.verify();
  }
}

TEST_CASE("watch stress: each of those that end is noticed once by each that watches") {
  for (const unsigned workers : {1U, 2U}) {
    const troupe::testkit::leak_guard memory;
    {
      troupe::system sys({.workers = workers});
      for (int round = 0; round < 10; ++round) {
        std::atomic<int> notices{0};
        std::vector<troupe::any_ref> all;
        std::vector<troupe::ref<go>> doomed;
        for (int i = 0; i < 200; ++i) {
          doomed.push_back(sys.spawn<brief>());
          all.push_back(doomed.back());
        }
        std::thread killer([&] {
          for (const auto& d : doomed) (void)d.tell(go{});
        });
        const auto a = sys.spawn<guard>({}, all, &notices);
        const auto b = sys.spawn<guard>({}, all, &notices);
        killer.join();
        const auto until = std::chrono::steady_clock::now() + 20s;
        while (notices < 400 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
        CHECK(sys.block_on(a.ask(go{})).has_value());
        CHECK(sys.block_on(b.ask(go{})).has_value());
        CHECK(notices == 400);
        sys.stop(a);
        sys.stop(b);
        while (!a.ended() || !b.ended()) std::this_thread::yield();
      }
    }
    memory.verify();
  }
}
