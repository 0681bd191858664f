// A system ends while others use it: threads that tell its actors, workers of another system, and threads
// that answer requests of its actors. TROUPE_SOAK_ROUNDS=10000 makes it long.
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

using troupe::send_result;

namespace {

int rounds() {
  const char* const wanted = std::getenv("TROUPE_SOAK_ROUNDS");
  return wanted != nullptr ? std::atoi(wanted) : troupe_test::sanitized ? 20 : 100;
}

struct add {
  int by;
};
struct counter {
  using accepts = troupe::protocol<add>;
  void handle(add m) { n += m.by; }
  int n = 0;
};
using counter_ref = troupe::ref<add>;

struct go {};
// Tells another system's actor until that one has ended, a message a slice.
struct teller {
  using accepts = troupe::protocol<go>;
  explicit teller(counter_ref r) : other(std::move(r)) {}
  void handle(go, troupe::context& ctx) {
    for (int i = 0; i < 10; ++i) {
      if (other.tell(add{1}) == send_result::closed) ended = true;
    }
    if (ended || ctx.self<teller>().tell(go{}) != send_result::ok) ctx.stop();
  }
  counter_ref other;
  bool ended = false;
};

// A system with `actors` of them ends while four threads tell each until it is closed.
void end_under_fire(const troupe::system_options& o, const troupe::mailbox_options& m, int spare_time) {
  auto sys = std::make_unique<troupe::system>(o);
  std::vector<counter_ref> refs;
  for (int i = 0; i < 3; ++i) refs.push_back(sys->spawn<counter>({.mailbox = m}));
  std::atomic<int> started{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&started, &wrong, refs, t] {
      ++started;
      std::vector<counter_ref> open = refs;
      for (auto i = static_cast<std::size_t>(t); !open.empty(); ++i) {
        const std::size_t at = i % open.size();
        if (open[at].tell(add{1}) != send_result::closed) continue;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      }
      // Closed forever; dead by now, or soon, and its system freed.
      for (int i = 0; i < 100; ++i) {
        if (refs.front().tell(add{1}) != send_result::closed) ++wrong;
      }
    });
  }
  while (started < 4) std::this_thread::yield();
  for (int i = 0; i < spare_time; ++i) std::this_thread::yield();
  sys.reset();
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("end of a system: threads that tell its actors meanwhile find it closed") {
  for (int i = 0; i < rounds(); ++i) end_under_fire({.workers = 1 + static_cast<unsigned>(i % 2)}, {}, i % 7);
}

TEST_CASE("end of a system: threads that fill mailboxes which lose the oldest meanwhile") {
  for (int i = 0; i < rounds(); ++i) {
    end_under_fire({.workers = 2}, {.capacity = 4, .policy = troupe::drop_oldest}, i % 7);
  }
}

TEST_CASE("end of a system: threads that fill mailboxes which lose the newest meanwhile") {
  for (int i = 0; i < rounds(); ++i) {
    end_under_fire({.workers = 2}, {.capacity = 4, .policy = troupe::drop_newest}, i % 7);
  }
}

TEST_CASE("end of a system: one without worker threads") {
  for (int i = 0; i < rounds(); ++i) end_under_fire({.current_thread = true}, {}, i % 7);
}

TEST_CASE("end of a system: actors of another system tell its actors meanwhile") {
  troupe::system other({.workers = 2});
  for (int i = 0; i < rounds(); ++i) {
    auto sys = std::make_unique<troupe::system>(troupe::system_options{.workers = 2});
    const bool lossy = i % 2 == 1;
    const auto c = sys->spawn<counter>(
        {.mailbox = {.capacity = 4, .policy = lossy ? troupe::drop_oldest : troupe::reject}});
    std::vector<troupe::ref<go>> tellers;
    for (int t = 0; t < 4; ++t) {
      tellers.push_back(other.spawn<teller>({}, c));
      REQUIRE(tellers.back().tell(go{}) == send_result::ok);
    }
    for (int n = i % 7; n > 0; --n) std::this_thread::yield();
    sys.reset();
    while (!std::ranges::all_of(tellers, [](const auto& t) { return t.ended(); })) std::this_thread::yield();
  }
}

TEST_CASE("end of a system: on a runtime that another one shares") {
  troupe::runtime shared({.workers = 2});
  troupe::system other(shared);
  for (int i = 0; i < rounds(); ++i) {
    auto sys = std::make_unique<troupe::system>(shared);
    const auto c = sys->spawn<counter>({.mailbox = {.capacity = 4, .policy = troupe::drop_oldest}});
    const auto t = other.spawn<teller>({}, c);
    REQUIRE(t.tell(go{}) == send_result::ok);
    for (int n = i % 7; n > 0; --n) std::this_thread::yield();
    sys.reset();
    while (!t.ended()) std::this_thread::yield();
  }
}

TEST_CASE("end of a system: other threads stop its actors meanwhile") {
  troupe::system other({.workers = 1});
  for (int i = 0; i < rounds(); ++i) {
    auto sys = std::make_unique<troupe::system>(troupe::system_options{.workers = 2});
    std::vector<counter_ref> refs;
    for (int n = 0; n < 8; ++n) refs.push_back(sys->spawn<counter>());
    std::atomic<int> started{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&other, &started, refs] {
        ++started;
        for (const counter_ref& r : refs) other.stop(r);
      });
    }
    while (started < 3) std::this_thread::yield();
    sys.reset();
    for (auto& t : threads) t.join();
  }
}

namespace {

struct question {
  using reply = int;
};
// Requests that other threads may answer.
struct open_questions {
  void put(troupe::reply_to<int> r) {
    const std::scoped_lock guard(lock);
    all.push_back(std::move(r));
  }
  bool answer_one() {
    troupe::reply_to<int> r;
    {
      const std::scoped_lock guard(lock);
      if (all.empty()) return false;
      r = std::move(all.back());
      all.pop_back();
    }
    r.send(1);
    return true;
  }
  std::mutex lock;
  std::vector<troupe::reply_to<int>> all;
};
struct desk {
  using accepts = troupe::protocol<question>;
  explicit desk(open_questions* q) : open(q) {}
  void handle(question, troupe::reply_to<int> r) { open->put(std::move(r)); }
  open_questions* open;
};
struct asker {
  using accepts = troupe::protocol<go>;
  explicit asker(troupe::ref<question> r) : desk(std::move(r)) {}
  troupe::task<void> handle(go) {
    for (;;) {
      const troupe::result<int> answer = co_await desk.ask(question{});
      if (!answer) co_return;
    }
  }
  troupe::ref<question> desk;
};

// A desk, and three threads that answer its requests.
class help_desk {
 public:
  help_desk() {
    for (int t = 0; t < 3; ++t) {
      threads_.emplace_back([this] {
        while (!over_) {
          if (!open_.answer_one()) std::this_thread::yield();
        }
      });
    }
  }
  ~help_desk() {
    over_ = true;
    for (auto& t : threads_) t.join();
    while (open_.answer_one()) {
    }
  }
  help_desk(const help_desk&) = delete;
  help_desk& operator=(const help_desk&) = delete;
  [[nodiscard]] troupe::ref<question> at() const { return at_; }

 private:
  open_questions open_;
  troupe::system sys_{{.workers = 1}};
  troupe::ref<question> at_ = sys_.spawn<desk>({}, &open_);
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("end of a system: other threads answer requests of its actors meanwhile") {
  const help_desk help;
  for (int i = 0; i < rounds(); ++i) {
    auto sys = std::make_unique<troupe::system>(troupe::system_options{.workers = 2});
    for (int a = 0; a < 3; ++a) REQUIRE(sys->spawn<asker>({}, help.at()).tell(go{}) == send_result::ok);
    for (int n = i % 7; n > 0; --n) std::this_thread::yield();
    sys.reset();
  }
}

TEST_CASE(
    "end of a runtime: other threads answer what its tasks asked meanwhile, and ended with the answer") {
  const help_desk help;
  for (int i = 0; i < rounds(); ++i) {
    troupe::runtime rt({.workers = 1 + static_cast<unsigned>(i % 2), .current_thread = false});
    const auto ask = [](troupe::ref<question> at) -> troupe::task<void> {
      (void)co_await at.ask(question{});
    };
    for (int t = 0; t < 3; ++t) rt.spawn(ask(help.at()));
    CHECK(rt.block_on(ask(help.at())).has_value());
  }
}
