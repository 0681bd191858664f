// What only some cells need: allocated the first time it is needed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <troupe/actors/cell.hpp>
#include <troupe/runtime/timer.hpp>
#include <vector>

#include "intrusive_index.hpp"
#include "name_index.hpp"
#include "notice.hpp"

namespace troupe::detail {

class actor_timer;
class lossy_mailbox;
struct registered_name;
struct watch_link;

/// A sliding window of restarts.
class restart_window {
 public:
  /// Counts a restart at `now`; false when it is one too many.
  bool admit(const restart_budget& budget, std::int64_t now);
  [[nodiscard]] std::size_t recent(const restart_budget& budget, std::int64_t now) const;

 private:
  std::vector<std::int64_t> times_;  // in order; those before first_ are over
  std::size_t first_ = 0;
};

/// What is wrong with them, naming the option; empty when nothing is.
[[nodiscard]] std::string wrong_options(const spawn_options& o);
/// The cheap first look, for the path of every spawn.
[[nodiscard]] bool options_are_usual(const spawn_options& o) noexcept;

struct cell_extras {
  std::string name;
  // Its children that have a name, and the next in the same chain of its parent's; under the parent's lock.
  name_index named;
  cell* next_named = nullptr;
  std::optional<error> why;  // behind exit_kind_
  // Options that are not the default.
  duration shutdown = std::chrono::seconds(5);
  troupe::backoff backoff;
  restart_budget budget;
  // Restarts.
  restart_window window;  // of its children; for a child of the root, its own; under the cell's lock
  [[nodiscard]] bool admit_restart(cell& of, const restart_budget& b);
  atomic<std::uint32_t> restarts{0};  // read by inspect() from anywhere
  std::uint32_t backoff_step = 0;
  atomic<std::int64_t> up_since{0};  // likewise; 0: not known
  bool waited = false;               // the pause before a restart is over
  // Stopping. deadline: written on the strand, read by children that are told to stop; relaxed, for one that
  // is stopped by another at the same time may miss it: then the parent kills it by that deadline. Broken by:
  // "31 deadlines nest over ten levels" and, under ThreadSanitizer, the conformance suite.
  atomic<std::int64_t> deadline{INT64_MAX};
  class order_timer* kill_timer = nullptr;
  class order_timer* restart_timer = nullptr;
  class order_timer* inspect_timer = nullptr;
  std::int64_t inspect_due = 0;  // when children that were told to end should have reacted
  // quarantined: set by the parent, once, before it unlinks the cell; release, so that who
  // reads true also sees the closed mailbox. Broken by: "30 a wedged handler".
  atomic<bool> quarantined{false};
  // Handled before user mail, and not counted: timers that are due, and ends of watched actors.
  notice_queue notices;
  // System mail met at an inconvenient moment.
  mail_queue late_system;
  // Timers of this incarnation, by number.
  intrusive_index<actor_timer> timers;
  std::uint64_t next_timer = 1;
  // Watches by this cell, by whom it watches; and on it, under the cell's lock, until they are told.
  intrusive_index<watch_link> watching;
  watch_link* watchers = nullptr;
  bool watchers_told = false;
  // Senders that wait for room, oldest first. Under the cell's lock.
  send_wait* first_waiter = nullptr;
  send_wait* last_waiter = nullptr;
  send_wait& pop_waiter() noexcept;
  // What its mailbox may lose; both set before anybody else sees the cell.
  mailbox_policy policy;
  bool bounce_on_restart = false;
  std::unique_ptr<lossy_mailbox> lossy;  // null: user mail hangs from the mailbox's word

  cell_extras();
  ~cell_extras();
  // What it is registered as; under the lock of the registry. has_names: set under that lock before a name
  // is added, read by the end of the actor to see whether it must look. Sequentially consistent with the
  // death of the mailbox (name_registry.cpp). Broken by: "names: on threads, registering races" in name_test.
  registered_name* names = nullptr;
  atomic<bool> has_names{false};
  // Why it stops itself, when it said so.
  std::optional<exit_reason> leaving;
};

/// Tells a cell something at a time.
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
