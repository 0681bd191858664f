// The mailbox, and the spinlock, under real threads: nothing is lost, doubled or reordered, the bound holds,
// and the consumer is scheduled exactly once for each time it became idle. Run under ThreadSanitizer, too.
#include "support/catch.hpp"
#include "support/mail_kinds.hpp"
#include "support/mailbox_forms.hpp"

#include <troupe/runtime/detail/mailbox.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace {

using troupe::detail::mail;
using troupe::detail::mail_kind;
using troupe::detail::mail_queue;
using troupe::detail::push_result;
using troupe_test::system_kind;
using troupe_test::user_kind;

struct numbered : mail {
  numbered(const mail_kind& k, int s, int n) : mail(k), sender(s), number(n) {}
  int sender;
  int number;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("mailbox stress: many senders, one consumer that rests, suspends and works in place",
                        "", troupe_test::mailbox_forms) {
  constexpr int senders = 3;
  constexpr int each = 30'000;
  constexpr std::uint32_t capacity = 8;
  TestType box;
  std::atomic<int> scheduled{0};  // times the consumer was woken and has not yet come
  std::atomic<bool> twice{false};
  std::vector<std::thread> crew;
  std::vector<std::deque<numbered>> mails(senders + 1);
  const auto pushed = [&](push_result r) {
    if (r == push_result::wake && scheduled.fetch_add(1, std::memory_order_acq_rel) != 0) twice = true;
    return r == push_result::wake || r == push_result::queued;
  };
  for (int s = 0; s <= senders; ++s) {
    for (int i = 0; i < each; ++i)
      mails[static_cast<std::size_t>(s)].emplace_back(s < senders ? user_kind : system_kind, s, i);
  }
  for (int s = 0; s < senders; ++s) {
    crew.emplace_back([&, s] {
      for (auto& m : mails[static_cast<std::size_t>(s)]) {
        while (!pushed(box.try_push(m, capacity))) std::this_thread::yield();
      }
    });
  }
  crew.emplace_back([&] {
    for (auto& m : mails[senders]) pushed(box.push_system(m));
  });

  std::vector<int> next(senders + 1, 0);
  bool in_order = true;
  bool bounded = true;
  int handled = 0;
  unsigned visits = 0;
  const auto handle = [&](const mail& m) {
    const auto& n = static_cast<const numbered&>(m);
    in_order = in_order && next[static_cast<std::size_t>(n.sender)]++ == n.number;
    ++handled;
  };
  while (handled < (senders + 1) * each) {
    if (scheduled.load(std::memory_order_acquire) == 0) {
      std::this_thread::yield();
      continue;
    }
    scheduled.fetch_sub(1, std::memory_order_acq_rel);
    // One visit.
    for (++visits;;) {
      bounded = bounded && box.depth() <= capacity;
      if (mail* const m = box.peek_single()) {
        handle(*m);
        if (box.try_idle(1, m)) break;
        mail_queue user;
        mail_queue system;
        box.detach(1, m, user, system);
        std::uint32_t n = 0;
        while (mail* const s = system.pop_front()) handle(*s);
        for (; mail* const u = user.pop_front(); ++n) handle(*u);
        if (visits % 3 == 0 && n != 0) {
          box.credit(n);
          n = 0;
        }
        if (box.try_idle(n, nullptr)) break;
        if (n != 0) box.credit(n);
        continue;
      }
      mail_queue user;
      mail_queue system;
      box.detach(0, nullptr, user, system);
      while (mail* const s = system.pop_front()) handle(*s);
      std::uint32_t n = 0;
      for (; mail* const u = user.pop_front(); ++n) handle(*u);
      if (box.try_idle(n, nullptr)) break;
      box.credit(n);
    }
  }
  for (auto& t : crew) t.join();
  CHECK(in_order);
  CHECK(bounded);
  CHECK_FALSE(twice);
  CHECK(box.depth() == 0);
}

TEST_CASE("spinlock stress: guarded data is used by one thread at a time") {
  troupe::detail::spinlock lock;
  std::uint64_t plain = 0;
  std::vector<std::thread> crew;
  for (int t = 0; t < 4; ++t) {
    crew.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const troupe::detail::scoped_lock guard(lock);
        ++plain;
      }
    });
  }
  for (auto& t : crew) t.join();
  CHECK(plain == 80'000);
}
