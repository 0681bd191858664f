// The mailbox against a model of it, and its edges one by one, in each of its forms.
#include "support/catch.hpp"
#include "support/mail_kinds.hpp"
#include "support/mailbox_forms.hpp"

#include <troupe/runtime/detail/mailbox.hpp>

#include <rapidcheck.h>

#include <deque>
#include <memory>
#include <vector>

namespace {

using troupe::detail::mail;
using troupe::detail::mail_queue;
using troupe::detail::one_word_mailbox;
using troupe::detail::push_result;
using troupe::detail::two_word_mailbox;
using troupe_test::has_short_ways;
using troupe_test::mailbox_forms;
using troupe_test::system_kind;
using troupe_test::user_kind;

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

/// A mailbox and its model: each function makes the same call to both and compares the results.
template <class Box>
class checked_mailbox {
 public:
  explicit checked_mailbox(std::uint32_t capacity) : capacity_(capacity) {}

  void push_user() {
    mails_.emplace_back(user_kind);
    RC_ASSERT(box_.try_push(mails_.back(), capacity_) == m_.push(mails_.back(), capacity_));
  }
  void push_system() {
    mails_.emplace_back(system_kind);
    RC_ASSERT(box_.push_system(mails_.back()) == m_.push_system(mails_.back()));
  }
  void detach() {
    if (!m_.active) return;
    mail_queue user;
    mail_queue system;
    box_.detach(m_.out, nullptr, user, system);
    m_.out = static_cast<std::uint32_t>(m_.user.size());
    for (mail* const expected : m_.user) RC_ASSERT(user.pop_front() == expected);
    for (mail* const expected : m_.system) RC_ASSERT(system.pop_front() == expected);
    RC_ASSERT(user.empty());
    RC_ASSERT(system.empty());
    m_.user.clear();
    m_.system.clear();
    visited_ = true;
  }
  void take_single_system() {
    if (!m_.active) return;
    // The only mail since the last visit, which has left no mail here.
    const bool only = has_short_ways<Box> && m_.system.size() == 1 && m_.user.empty() && !m_.waiters;
    RC_ASSERT(box_.take_single_system() == (only ? m_.system.front() : nullptr));
    if (only) {
      m_.system.clear();
      visited_ = true;
    }
  }
  void try_idle() {
    if (!m_.active || !visited_) return;
    const bool rests = m_.user.empty() && m_.system.empty() && !m_.waiters;
    RC_ASSERT(box_.try_idle(m_.out, nullptr) == rests);
    if (rests) {
      m_.out = 0;
      m_.active = false;
      visited_ = false;
    }
  }
  /// False when there was nothing to wait with: not a state that a strand enters.
  bool try_suspend() {
    if (!m_.active) return true;
    const bool rests = m_.system.empty();
    RC_ASSERT(box_.try_suspend() == rests);
    if (!rests) return true;
    if (m_.out == 0 && m_.user.empty() && !visited_) return false;
    m_.active = false;
    m_.suspended = true;
    return true;
  }
  void announce_waiter() {
    const bool announced = box_.announce_waiter(capacity_);
    RC_ASSERT(announced == (!m_.closed && (m_.waiters || m_.user.size() + m_.out >= capacity_)));
    m_.waiters = m_.waiters || announced;
  }
  void clear_waiters() {
    if (!m_.active) return;
    box_.clear_waiters();
    m_.waiters = false;
  }
  void close() {
    box_.close();
    m_.closed = true;
  }
  void compare() const {
    RC_ASSERT(box_.depth() == m_.user.size() + m_.out);
    RC_ASSERT(box_.closed() == m_.closed);
    RC_ASSERT(box_.urgent() == !m_.system.empty());
    RC_ASSERT(box_.has_waiters() == m_.waiters);
  }

 private:
  const std::uint32_t capacity_;
  Box box_;
  model m_;
  std::deque<mail> mails_;  // stable addresses
  bool visited_ = false;    // the visit has taken the mail at least once
};

/// False when the sequence of calls ends here.
template <class Box>
bool move_on(checked_mailbox<Box>& box, std::uint8_t move) {
  switch (move % 10) {
    case 0:
    case 1:
      box.push_user();
      break;
    case 2:
      box.push_system();
      break;
    case 3:
      box.detach();
      break;
    case 4:
      box.try_idle();
      break;
    case 5:
      return box.try_suspend();
    case 6:
      box.announce_waiter();
      break;
    case 7:
      box.clear_waiters();
      break;
    case 8:
      box.take_single_system();
      break;
    default:
      if (move == 9) box.close();
      break;
  }
  return true;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("mailbox: behaves as its model under any sequence of calls", "", mailbox_forms) {
  CHECK(rc::check("the mailbox and a deque agree", [](const std::vector<std::uint8_t>& moves) {
    checked_mailbox<TestType> box(*rc::gen::inRange<std::uint32_t>(1, 6));
    for (const std::uint8_t move : moves) {
      if (!move_on(box, move)) return;
      box.compare();
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
