// The mailbox, in its one-word and its two-word form, under all interleavings of a few senders and two
// workers.
//
// A worker may visit the strand only when a push said `wake`, as in the scheduler; each visit writes plain
// data of the strand. So a second schedule, a lost one, and a visit that does not see the writes of the last
// one are found as a data race or a deadlock, in whichever order they happen.
#include "support/catch.hpp"
#include "support/explorer.hpp"
#include "support/mail_kinds.hpp"
#include "support/sanitized.hpp"

#include <troupe/runtime/detail/mailbox.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace explorer = troupe::explorer;

namespace {

using mailbox_forms = std::tuple<troupe::detail::one_word_mailbox, troupe::detail::two_word_mailbox>;

using troupe::detail::mail;
using troupe::detail::mail_kind;
using troupe::detail::mail_queue;
using troupe::detail::push_result;
using troupe_test::system_kind;
using troupe_test::user_kind;

struct test_mail : mail {
  explicit test_mail(const mail_kind& k) : mail(k) {}
  std::size_t sender = 0;
  int number = 0;
  explorer::var<bool> written{false};
  int times_handled = 0;
};

/// How a visit ends when all is handled.
enum class rest { idle, suspended };

/// A strand, its mails, and the workers' run queue as a counter.
template <class Mailbox>
struct model_of {
  model_of() {
    for (std::size_t i = 0; i < user.size(); ++i) user[i].sender = i / per_sender;
    ready.name("ready");
  }

  static constexpr std::size_t per_sender = 2;
  Mailbox box;
  std::array<test_mail, 4> user{test_mail(user_kind), test_mail(user_kind), test_mail(user_kind),
                                test_mail(user_kind)};
  std::array<test_mail, 2> system{test_mail(system_kind), test_mail(system_kind)};
  troupe::detail::atomic<int> ready{0};    // how often the strand is scheduled and not yet visited
  troupe::detail::atomic<int> senders{0};  // senders that have not ended
  troupe::detail::atomic<int> handled{0};
  troupe::detail::atomic<int> accepted{0};  // counted by senders, after the push
  explorer::var<int> visits{0};             // the strand's own state
  std::array<int, 2> next_number{};
  int user_handled = 0;
  int system_handled = 0;

  void pushed(push_result r) {
    if (r == push_result::wake) explorer::require(ready.fetch_add(1) == 0, "the strand is scheduled once");
    if (r == push_result::wake || r == push_result::queued) accepted.fetch_add(1);
  }
  push_result tell(std::size_t which, int number, std::uint32_t capacity) {
    auto& m = user[which];
    m.number = number;
    m.written.write(true);
    const auto r = box.try_push(m, capacity);
    pushed(r);
    return r;
  }
  void post(std::size_t which) {
    system[which].written.write(true);
    pushed(box.push_system(system[which]));
  }

  void handle(mail& base) {
    auto& m = static_cast<test_mail&>(base);
    visits.write(visits.read() + 1);
    explorer::require(m.written.read(), "what the sender wrote came with the mail");
    explorer::require(m.times_handled++ == 0, "a mail is handled once");
    if (m.is_system()) {
      ++system_handled;
    } else {
      ++user_handled;
      explorer::require(m.number == next_number[m.sender]++, "a sender's mails come in order");
    }
    handled.fetch_add(1);
  }

  /// One visit, from a schedule to idle or suspended.
  void visit(rest how) {
    visits.write(visits.read() + 1);
    std::uint32_t credits = 0;
    const mail* in_place = nullptr;
    if (how == rest::suspended) {
      if (mail* const only = box.take_single_system()) {
        handle(*only);
        visits.write(visits.read() + 1);
        if (box.try_suspend()) return;
      }
    }
    if (mail* const only = box.peek_single()) {
      handle(*only);
      in_place = only;
      credits = 1;
      if (how == rest::idle && box.try_idle(credits, in_place)) return;
    }
    for (;;) {
      mail_queue users;
      mail_queue systems;
      box.detach(credits, in_place, users, systems);
      credits = 0;
      in_place = nullptr;
      while (mail* const m = systems.pop_front()) handle(*m);
      while (mail* const m = users.pop_front()) {
        handle(*m);
        ++credits;
      }
      visits.write(visits.read() + 1);
      if (how == rest::idle ? box.try_idle(credits, nullptr) : box.try_suspend()) return;
    }
  }

  [[nodiscard]] bool over() const { return senders.load() == 0 && handled.load() >= accepted.load(); }

  /// A worker: visits whenever the strand is scheduled, until the senders ended and all is handled.
  void work(rest how) {
    for (;;) {
      explorer::wait_until([this] { return ready.load() > 0 || over(); });
      int n = ready.load();
      if (n == 0) return;
      if (ready.compare_exchange_strong(n, n - 1)) visit(how);
    }
  }
};

template <class Model>
using body_of = std::function<void(Model&)>;

template <class Model>
explorer::result explore_model(const explorer::options& how, rest rests,
                               const std::vector<std::type_identity_t<body_of<Model>>>& senders,
                               const std::type_identity_t<body_of<Model>>& check) {
  return explorer::explore(how, [&](explorer::execution& e) {
    auto s = std::make_shared<Model>();
    s->senders.store(static_cast<int>(senders.size()));
    for (const auto& sender : senders) {
      e.thread([s, &sender] {
        sender(*s);
        s->senders.fetch_sub(1);
      });
    }
    for (int w = 0; w < 2; ++w) {
      e.thread([s, rests] { s->work(rests); });
    }
    e.finally([s, &check] { check(*s); });
  });
}

explorer::options bounded(const char* name) {
  // A sanitizer looks at memory, not at schedules: the build without one explores them all.
  const bool brief = troupe_test::sanitized;
  return {.name = name,
          .preemptions = brief ? 1U : 2U,
          .weak_effects = 1,
          .max_schedules = 600'000,
          .random_schedules = brief ? 300U : 3'000U};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: two senders' mails are handled once, in order, by one worker at a time", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  const auto r = explore_model<model>(
      bounded("mailbox senders"), rest::idle,
      {[](model& s) {
         explorer::require(s.tell(0, 0, 8) != push_result::full, "there is room");
         explorer::require(s.tell(1, 1, 8) != push_result::full, "there is room");
       },
       [](model& s) { explorer::require(s.tell(2, 0, 8) != push_result::full, "there is room"); }},
      [](model& s) {
        explorer::require(s.user_handled == 3, "nothing is lost");
        explorer::require(s.box.depth() == 0, "all credits came back");
      });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: system mail that comes while system mail is handled does not schedule again", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  for (const rest how : {rest::idle, rest::suspended}) {
    const auto r = explore_model<model>(
        bounded("mailbox system"), how, {[](model& s) { s.post(0); }, [](model& s) { s.post(1); }},
        [](model& s) { explorer::require(s.system_handled == 2, "no system mail is lost"); });
    INFO(r.report);
    CHECK(r.ok);
  }
}

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: system mail is never refused or lost while user mail is at its bound", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  const auto r =
      explore_model<model>(bounded("mailbox mixed"), rest::idle,
                           {[](model& s) {
                              s.tell(0, 0, 1);
                              explorer::require(s.box.depth() <= 1, "the bound holds");
                            },
                            [](model& s) {
                              s.post(0);
                              explorer::require(s.box.depth() <= 1, "system mail is not counted");
                            }},
                           [](model& s) {
                             explorer::require(s.system_handled == 1, "the system mail is handled");
                             explorer::require(s.user_handled == 1, "the user mail is handled");
                             explorer::require(s.box.depth() == 0, "all credits came back");
                           });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: the bound is never exceeded, and a push is refused only at the bound", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  const auto r =
      explore_model<model>(bounded("mailbox bound"), rest::idle,
                           {[](model& s) {
                              s.tell(0, 0, 1);
                              explorer::require(s.box.depth() <= 1, "the bound holds");
                            },
                            [](model& s) {
                              s.tell(2, 0, 1);
                              explorer::require(s.box.depth() <= 1, "the bound holds");
                            }},
                           [](model& s) {
                             explorer::require(s.user_handled == s.accepted.load(),
                                               "what was accepted is handled, no more and no less");
                             explorer::require(s.user_handled >= 1, "an empty mailbox refuses nothing");
                             explorer::require(s.box.depth() == 0, "all credits came back");
                           });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: a suspended strand is woken by system mail only, and user mail waits for it", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  const auto r = explore_model<model>(
      bounded("mailbox suspended"), rest::suspended,
      {[](model& s) { s.post(0); },
       [](model& s) {
         s.tell(0, 0, 8);
         s.post(1);
       }},
      [](model& s) {
        explorer::require(s.system_handled == 2, "no system mail is lost");
        explorer::require(s.user_handled == 1,
                          "the user mail is handled with the system mail that came after it");
      });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEMPLATE_LIST_TEST_CASE(
    "mailbox explored: a sender that announced itself is not overtaken, and gets the room it waits for", "",
    mailbox_forms) {
  using model = model_of<TestType>;
  // A minimal owner's side of waiting: one waiting sender, whose mail the visit admits.
  struct waiting {
    troupe::detail::atomic<bool> locked{false};
    mail* first = nullptr;  // guarded by locked
    void lock() {
      while (locked.exchange(true, std::memory_order_acquire)) explorer::yield();
    }
    void unlock() { locked.store(false, std::memory_order_release); }
  };
  struct state {
    model m;
    waiting waiters;
  };
  const auto r = explorer::explore(bounded("mailbox waiters"), [](explorer::execution& e) {
    auto s = std::make_shared<state>();
    s->m.tell(0, 0, 1);  // full from the start, and scheduled
    e.thread([s] {
      while (s->m.tell(2, 0, 1) == push_result::full) {
        s->waiters.lock();
        const bool waits = s->m.box.announce_waiter(1);
        if (waits) {
          s->waiters.first = &s->m.user[2];
          explorer::require(s->m.box.try_push(s->m.user[3], 1) == push_result::full,
                            "a sender does not overtake a waiter");
        }
        s->waiters.unlock();
        if (waits) break;
      }
    });
    e.thread([s] {
      auto& m = s->m;
      for (int left = 2; left > 0;) {
        explorer::wait_until([s] { return s->m.ready.load() > 0; });
        m.ready.fetch_sub(1);
        std::uint32_t credits = 0;
        for (;;) {
          mail_queue users;
          mail_queue systems;
          m.box.detach(credits, nullptr, users, systems);
          credits = 0;
          if (m.box.has_waiters()) {
            s->waiters.lock();
            m.box.admit(1);
            users.push_back(*std::exchange(s->waiters.first, nullptr));
            m.box.clear_waiters();
            s->waiters.unlock();
          }
          while (mail* const each = users.pop_front()) {
            m.handle(*each);
            ++credits;
            --left;
          }
          if (m.box.try_idle(credits, nullptr)) break;
        }
      }
    });
    e.finally([s] {
      explorer::require(s->m.user_handled == 2, "the waiting sender's mail is handled");
      explorer::require(s->m.box.depth() == 0 && !s->m.box.has_waiters(), "no sender waits at the end");
    });
  });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEMPLATE_LIST_TEST_CASE("mailbox explored: after close nothing is accepted, and what was accepted is handled",
                        "", mailbox_forms) {
  using model = model_of<TestType>;
  const auto r = explore_model<model>(
      bounded("mailbox close"), rest::idle,
      {[](model& s) { s.tell(0, 0, 8); },
       [](model& s) {
         s.box.close();
         explorer::require(s.tell(2, 0, 8) == push_result::closed, "a closed mailbox refuses");
       }},
      [](model& s) {
        explorer::require(s.user_handled == s.accepted.load(), "what was accepted is handled");
      });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}
