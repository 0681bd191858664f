// The case mailboxes: the mailbox alone, compared with the scheme that it was chosen over.
#include "cases.hpp"

#include <troupe/runtime/detail/mailbox.hpp>

#include <atomic>
#include <memory>
#include <sched.h>
#include <thread>
#include <vector>

namespace troupe_bench {
namespace {

using troupe::detail::mail;
using troupe::detail::mail_kind;
using troupe::detail::mail_queue;
using troupe::detail::push_result;

constexpr mail_kind plain{nullptr, [](mail&) noexcept {}};
constexpr std::uint32_t capacity = 1024;

/// The intrusive queue of D. Vyukov (1024cores, "Intrusive MPSC node-based queue"), with the additions that
/// an actor needs: a count for the bound, and a flag that decides which producer schedules the consumer.
class vyukov_mailbox {
 public:
  bool try_push(mail& m, bool& wake) noexcept {
    if (count_.fetch_add(1, std::memory_order_relaxed) >= capacity) {
      count_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    link(m);
    wake = !scheduled_.exchange(true, std::memory_order_acq_rel);
    return true;
  }
  mail* pop() noexcept {
    mail* tail = tail_;
    mail* next = next_of(*tail).load(std::memory_order_acquire);
    if (tail == &stub_) {
      if (next == nullptr) return nullptr;
      tail_ = tail = next;
      next = next_of(*tail).load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (tail != head_.load(std::memory_order_acquire)) return nullptr;  // a push is in progress
      link(stub_);
      next = next_of(*tail).load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    tail_ = next;
    return tail;
  }
  void credit(std::uint32_t n) noexcept { count_.fetch_sub(n, std::memory_order_release); }
  bool try_idle() noexcept {
    scheduled_.store(false, std::memory_order_seq_cst);
    return count_.load(std::memory_order_seq_cst) == 0 ||
           scheduled_.exchange(true, std::memory_order_acq_rel);
  }

 private:
  static std::atomic_ref<mail*> next_of(mail& m) noexcept { return std::atomic_ref<mail*>(m.next); }
  void link(mail& m) noexcept {
    next_of(m).store(nullptr, std::memory_order_relaxed);
    mail* const before = head_.exchange(&m, std::memory_order_acq_rel);
    next_of(*before).store(&m, std::memory_order_release);
  }

  mail stub_{plain};
  alignas(64) std::atomic<mail*> head_{&stub_};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<bool> scheduled_{false};
  alignas(64) mail* tail_ = &stub_;
};

/// Each producer sends the messages of its own pool in turn; a message may be sent again once it has been
/// taken.
struct owned_mail {
  mail link{plain};
  std::atomic<bool> free{true};
};

template <class Push, class Take>
double run(unsigned producers, std::uint64_t each, std::uint64_t& taken, Push push, Take take) {
  std::vector<std::unique_ptr<owned_mail[]>> pools;
  for (unsigned p = 0; p < producers; ++p) pools.push_back(std::make_unique<owned_mail[]>(2 * capacity));
  const bench::stopwatch timer;
  std::vector<std::thread> threads;
  for (unsigned p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (std::uint64_t i = 0; i < each; ++i) {
        owned_mail& m = pools[p][i % (2 * capacity)];
        while (!m.free.load(std::memory_order_acquire)) sched_yield();
        m.free.store(false, std::memory_order_relaxed);
        while (!push(m.link)) sched_yield();
      }
    });
  }
  while (taken < producers * each) {
    const std::uint64_t n = take();
    taken += n;
    if (n == 0) sched_yield();
  }
  const double seconds = timer.seconds();
  for (std::thread& t : threads) t.join();
  return seconds * 1e9 / static_cast<double>(producers * each);
}

void hand_back(mail& m) noexcept {
  reinterpret_cast<owned_mail&>(m).free.store(true, std::memory_order_release);
}

}  // namespace

bench::outcome mailboxes(unsigned workers, double scale) {
  const std::uint64_t each = bench::workload::scaled(1'000'000, scale);
  std::uint64_t taken_word = 0;
  std::uint64_t taken_vyukov = 0;
  const bench::stopwatch timer;

  troupe::detail::mailbox word;
  mail_queue user;
  mail_queue system;
  std::uint32_t handled = 0;
  const double one_word = run(
      workers, each, taken_word, [&](mail& m) { return word.try_push(m, capacity) < push_result::full; },
      [&] {
        word.detach(std::exchange(handled, 0), nullptr, user, system);
        while (mail* const m = user.pop_front()) {
          hand_back(*m);
          ++handled;
        }
        return handled;
      });

  vyukov_mailbox list;
  const double vyukov = run(
      workers, each, taken_vyukov,
      [&](mail& m) {
        bool wake = false;
        return list.try_push(m, wake);
      },
      [&] {
        std::uint32_t n = 0;
        while (mail* const m = list.pop()) {
          hand_back(*m);
          ++n;
        }
        if (n != 0) list.credit(n);
        list.try_idle();
        return n;
      });

  bench::outcome o;
  o.ops = 2 * workers * each;
  o.seconds = timer.seconds();
  return std::move(o)
      .also("one_word_ns", one_word)
      .also("vyukov_ns", vyukov)
      .expect("mails taken", 2 * workers * each, taken_word + taken_vyukov);
}

}  // namespace troupe_bench
