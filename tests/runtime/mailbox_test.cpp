// The mailbox against a model of it, and its edges one by one, in each of its forms.
#include "support/catch.hpp"
#include "support/mailbox_forms.hpp"

#include <troupe/runtime/detail/mailbox.hpp>

#include <rapidcheck.h>

#include <deque>
#include <memory>
#include <vector>

namespace {

using troupe::detail::mail;
using troupe::detail::mail_kind;
using troupe::detail::mail_queue;
using troupe::detail::one_word_mailbox;
using troupe::detail::push_result;
using troupe::detail::two_word_mailbox;
using troupe_test::has_short_ways;
using troupe_test::mailbox_forms;

constexpr mail_kind user_kind{nullptr, [](mail&) noexcept {}};
constexpr mail_kind system_kind{[](mail&, troupe::detail::strand&) noexcept {}, [](mail&) noexcept {}};

/// A model of a mailbox, as simple as possible.
struct model {
  std::deque<mail*> user;
  std::deque<mail*> system;
  std::uint32_t out = 0;  // handed out and not yet credited
  bool active = false;    // scheduled or being visited
  bool suspended = false;
  bool closed = false;
  bool waiters = false;

  push_result push(mail& m, std::uint32_t capacity) {
    if (closed) return push_result::closed;
    if (waiters || user.size() + out >= capacity) return push_result::full;
    user.push_back(&m);
    if (active || suspended) return push_result::queued;
    active = true;
    return push_result::wake;
  }
  push_result push_system(mail& m) {
    system.push_back(&m);
    if (active) return push_result::queued;
    active = true;
    suspended = false;
    return push_result::wake;
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("mailbox: behaves as its model under any sequence of calls", "", mailbox_forms) {
  CHECK(rc::check("the mailbox and a deque agree", [](const std::vector<std::uint8_t>& moves) {
    const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 6);
    TestType box;
    model m;
    std::deque<mail> mails;  // stable addresses
    bool visited = false;    // the visit has taken what hangs there at least once
    for (const std::uint8_t move : moves) {
      switch (move % 10) {
        case 0:
        case 1: {
          mails.emplace_back(user_kind);
          RC_ASSERT(box.try_push(mails.back(), capacity) == m.push(mails.back(), capacity));
          break;
        }
        case 2: {
          mails.emplace_back(system_kind);
          RC_ASSERT(box.push_system(mails.back()) == m.push_system(mails.back()));
          break;
        }
        case 3: {
          if (!m.active) break;
          const auto credit = m.out;
          mail_queue user;
          mail_queue system;
          box.detach(credit, nullptr, user, system);
          m.out = static_cast<std::uint32_t>(m.user.size());
          for (mail* const expected : m.user) RC_ASSERT(user.pop_front() == expected);
          for (mail* const expected : m.system) RC_ASSERT(system.pop_front() == expected);
          RC_ASSERT(user.empty());
          RC_ASSERT(system.empty());
          m.user.clear();
          m.system.clear();
          visited = true;
          break;
        }
        case 4: {
          if (!m.active || !visited) break;
          const bool rests = m.user.empty() && m.system.empty() && !m.waiters;
          RC_ASSERT(box.try_idle(m.out, nullptr) == rests);
          if (rests) {
            m.out = 0;
            m.active = false;
            visited = false;
          }
          break;
        }
        case 5: {
          if (!m.active) break;
          const bool rests = m.system.empty();
          RC_ASSERT(box.try_suspend() == rests);
          if (rests && (m.out > 0 || !m.user.empty() || visited)) {
            m.active = false;
            m.suspended = true;
          } else if (rests) {
            return;  // nothing to wait with: not a state that a strand enters
          }
          break;
        }
        case 6: {
          const bool announced = box.announce_waiter(capacity);
          const bool wanted = !m.closed && (m.waiters || m.user.size() + m.out >= capacity);
          RC_ASSERT(announced == wanted);
          m.waiters = m.waiters || announced;
          break;
        }
        case 7: {
          if (!m.active) break;
          box.clear_waiters();
          m.waiters = false;
          break;
        }
        case 8: {
          if (!m.active) break;
          // The only mail since the last visit, which has left no mail here.
          const bool only = has_short_ways<TestType> && m.system.size() == 1 && m.user.empty() && !m.waiters;
          RC_ASSERT(box.take_single_system() == (only ? m.system.front() : nullptr));
          if (only) {
            m.system.clear();
            visited = true;
          }
          break;
        }
        default: {
          if (move == 9) {
            box.close();
            m.closed = true;
          }
          break;
        }
      }
      RC_ASSERT(box.depth() == m.user.size() + m.out);
      RC_ASSERT(box.closed() == m.closed);
      RC_ASSERT(box.urgent() == !m.system.empty());
      RC_ASSERT(box.has_waiters() == m.waiters);
    }
  }));
}

TEMPLATE_LIST_TEST_CASE("mailbox: a single mail is handled in place and unhooked with its credit", "",
                        mailbox_forms) {
  TestType box;
  mail first(user_kind);
  mail second(user_kind);
  CHECK(box.try_push(first, 2) == push_result::wake);
  if (!has_short_ways<TestType>) {
    CHECK(box.peek_single() == nullptr);
    return;
  }
  REQUIRE(box.peek_single() == &first);
  CHECK(box.depth() == 1);
  CHECK(box.try_push(second, 2) == push_result::queued);
  CHECK_FALSE(box.try_idle(1, &first));
  mail_queue user;
  mail_queue system;
  box.detach(1, &first, user, system);
  CHECK(user.pop_front() == &second);
  CHECK(user.empty());
  CHECK(box.depth() == 1);
  CHECK(box.try_idle(1, nullptr));
  CHECK(box.depth() == 0);
}

TEMPLATE_LIST_TEST_CASE("mailbox: held, no push says wake until its consumer has ended a visit", "",
                        mailbox_forms) {
  TestType box;
  box.hold();
  mail m(user_kind);
  mail s(system_kind);
  CHECK(box.try_push(m, 4) == push_result::queued);
  CHECK(box.push_system(s) == push_result::queued);
  CHECK_FALSE(box.try_idle(0, nullptr));
}

TEMPLATE_LIST_TEST_CASE("mailbox: once dead, it refuses everything", "", mailbox_forms) {
  TestType box;
  mail s(system_kind);
  CHECK(box.push_system(s) == push_result::wake);
  CHECK_FALSE(box.try_die());
  mail_queue user;
  mail_queue system;
  box.detach(0, nullptr, user, system);
  CHECK(box.try_die());
  CHECK(box.dead());
  mail m(user_kind);
  CHECK(box.try_push(m, 4) == push_result::closed);
  CHECK(box.push_system(s) == push_result::closed);
  CHECK(box.depth() == 0);
}

TEST_CASE("mailbox: held before it moves, it is held where it lives") {
  one_word_mailbox box;
  two_word_mailbox there;
  box.hold();
  box.live_in(there);
  mail m(user_kind);
  CHECK(box.try_push(m, 4) == push_result::queued);
}

TEST_CASE("mailbox: a bound of a million is exact") {
  constexpr std::uint32_t million = 1'000'000;
  troupe_test::large_mailbox box;
  std::vector<mail> mails(million + 1, mail(user_kind));
  for (std::uint32_t i = 0; i < million; ++i) {
    if (box.try_push(mails[i], million) != (i == 0 ? push_result::wake : push_result::queued)) FAIL(i);
  }
  CHECK(box.try_push(mails[million], million) == push_result::full);
  CHECK(box.depth() == million);
  mail_queue user;
  mail_queue system;
  box.detach(0, nullptr, user, system);
  for (std::uint32_t i = 0; i < million; ++i) {
    if (user.pop_front() != &mails[i]) FAIL(i);
  }
  CHECK(box.try_push(mails[million], million) == push_result::full);  // all are in work
  box.credit(1);
  CHECK(box.try_push(mails[million], million) == push_result::queued);
}
