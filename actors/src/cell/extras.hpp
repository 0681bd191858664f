// Fields that only some cells need, allocated when the first of them is needed. Owned by the cell, and
// accessed on its strand, except where marked.
#pragma once

#include "cell/intrusive_index.hpp"
#include "cell/notice.hpp"
#include "supervision/restart_policy.hpp"
#include "system/name_index.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/detail/timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::detail {

class actor_timer;
class lossy_mailbox;
struct registered_name;
struct watch_link;
struct end_listener;

/// A sentence that names the invalid option; empty when all are valid.
[[nodiscard]] std::string wrong_options(const spawn_options& o);
/// The cheap first test, which every spawn makes.
[[nodiscard]] bool options_are_usual(const spawn_options& o) noexcept;

struct cell_extras {
  std::string name;
  // named: its children that have a name; under its lock. next_named: the next in the same chain of its
  // parent's index; under the parent's lock.
  name_index named;
  cell* next_named = nullptr;
  std::optional<error> why;  // behind exit_kind_
  // Options that are not the default.
  duration shutdown = std::chrono::seconds(5);
  troupe::backoff backoff;
  restart_budget budget;
  // Restarts.
  restart_window window;      // of its children; under its lock, because inspect() reads it
  restart_window own_window;  // of itself, when it is a child of the root; the root's, on its strand
  [[nodiscard]] bool admit_restart(cell& of);
  // restarts, up_since (0: unknown): written on the strand; relaxed, inspect() reads each on any thread as a
  // snapshot. Broken by: tests/actors/supervision/root_test under ThreadSanitizer.
  atomic<std::uint32_t> restarts{0};
  restart_pauses pauses;
  atomic<std::int64_t> up_since{0};
  bool waited = false;  // the pause before a restart is over
  // A failure between two incarnations: the next one ends with it at once.
  std::optional<exit_reason> failed_meanwhile;
  // Stopping. deadline: only made earlier, on the strand and by stop_by(); read by children that are told to
  // stop. Relaxed: a child that another thread stops at the same time may miss it, and then the parent kills
  // it by that deadline. Broken by: tests/conformance/stop_test, tests/actors/system/run_test.
  atomic<std::int64_t> deadline{INT64_MAX};
  /// Makes it earlier, if `due` is; the deadline then. Any thread.
  std::int64_t end_no_later_than(std::int64_t due) noexcept;
  class order_timer* kill_timer = nullptr;
  class order_timer* restart_timer = nullptr;
  class order_timer* inspect_timer = nullptr;
  std::int64_t inspect_due = 0;    // when inspect_timer fires; 0: it is not armed
  std::int64_t inspect_pause = 0;  // the least time between two checks: the cost of checking all children
  std::uint32_t tasks_ending = 0;  // of an incarnation that keeps its children
  // quarantined: set by the parent, once, before it unlinks the cell. The release pairs with the acquire in
  // reason(). Broken by: tests/actors/cell/quarantine_test under ThreadSanitizer.
  atomic<bool> quarantined{false};
  // Handled before user mail, and not counted: timers that are due, and ends of watched actors.
  notice_queue notices;
  // System mail that was taken in while other work was under way.
  mail_queue late_system;
  // Requests whose reply_to was dropped, until the handler that did so is over.
  mail_queue dropped;
  // Timers of this incarnation, by number.
  intrusive_index<actor_timer> timers;
  std::uint64_t next_timer = 1;
  // Watches by this cell, by the watched cell; and on it, under the cell's lock, until the watchers are told.
  intrusive_index<watch_link> watching;
  watch_link* watchers = nullptr;
  bool watchers_told = false;
  std::shared_ptr<end_listener> listener;  // likewise; of a thread that waits for the end of a tree
  // Senders that wait for room, oldest first. Under the cell's lock.
  send_wait* first_waiter = nullptr;
  send_wait* last_waiter = nullptr;
  send_wait& pop_waiter() noexcept;
  // Which messages its mailbox may lose; both are set before another thread can see the cell.
  mailbox_policy policy;
  bool bounce_on_restart = false;
  std::unique_ptr<two_word_mailbox> large;  // null: the mailbox's word can count to its bound
  std::unique_ptr<lossy_mailbox> lossy;     // null: user mail hangs from the mailbox's word

  cell_extras();
  ~cell_extras();
  // The names it is registered under; under the lock of the registry. has_names: set under that lock before a
  // name is added; read at the end of the actor, which skips the registry when it is false. Sequentially
  // consistent with the death of the mailbox (name_registry.cpp). Broken by:
  // tests/actors/system/name_test.
  registered_name* names = nullptr;
  atomic<bool> has_names{false};
  // The reason it gave for stopping itself, if any.
  std::optional<exit_reason> leaving;
};

/// The shutdown time of a cell with these extras, or with none.
[[nodiscard]] inline duration shutdown_of(const cell_extras* x) noexcept {
  return x != nullptr ? x->shutdown : default_shutdown;
}

/// Gives a cell an order at a given time. Owned by the cell; fires on any worker.
class order_timer final : public timer, public mail {
 public:
  order_timer(cell& c, std::uint32_t order, order_timer** slot) noexcept
      : timer(&fire_it), mail(kind_of), cell_(&c), order_(order), slot_(slot) {}
  static void arm(cell& c, std::uint32_t order, std::int64_t due, order_timer*& slot);
  static void disarm(order_timer*& slot) noexcept;

 private:
  static void fire_it(timer& t) noexcept;
  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose_it};
  cell* cell_;
  std::uint32_t order_;
  order_timer** slot_;  // null once disarmed
};

}  // namespace troupe::detail
