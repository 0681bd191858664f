// The cell: one actor as the runtime sees it. A strand with a mailbox, a place in the tree, a life, and the
// actor's state behind it in the same memory.
//
// Internal: users hold a ref, handlers get a context. A cell is shared by its refs, by its parent, and by
// itself while it lives; the last one to release it frees it.
//
//             crash                      restart (the parent agrees)
//   running ---------> ending ------> crashed -------------------> running
//      |   stop          |                \ (the parent gives up)
//      +---------------->+ ending -> dead <+
//
// ending: children are stopped first, then the state is destroyed. The effect of an order to end in each of
// these is one table, in src/cell/stop_table.hpp. A cell's own fields are accessed on its strand only, except
// where marked.
#pragma once

#include <troupe/actors/context.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/detail/child_list.hpp>
#include <troupe/actors/detail/wait_edge.hpp>
#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/options.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/strand.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::detail {

class system_core;
struct cell_extras;
struct send_wait;
enum class stage : std::uint8_t;
enum class step : std::uint8_t;
enum class visit_state : std::uint8_t;

enum class life : std::uint8_t { running, ending, crashed, dead };

/// A supervisor's reactions to events of its children, called while it runs itself; static storage.
struct supervising {
  /// A child has come up. Several of them may be reported by one call.
  void (*child_up)(cell&) noexcept;
  /// The incarnation of a child has ended; it waits for order_restart or order_give_up.
  void (*child_crashed)(cell&, cell& child) noexcept;
  /// A child is gone for good, and out of the list.
  void (*child_ended)(cell&, cell& child) noexcept;
};

/// The functions of an actor type; static storage. They act on the state that lies behind the cell, and run
/// on its strand, except `construct` in a spawn, which runs on the spawning thread.
struct behaviour {
  const char* name;
  std::size_t size;  // of the memory behind the cell
  bool (*accepts)(const message_kind*) noexcept;
  void (*construct)(cell&);         // the state, from the kept arguments
  void (*destroy)(cell&) noexcept;  // the state
  void (*destroy_arguments)(cell&) noexcept;
  void (*started)(cell&);                             // null: no hook
  void (*stopping)(cell&, const exit_reason&);        // likewise
  void (*receive)(cell&, mail&);                      // handles one user mail
  bool restartable;                                   // the arguments were kept
  const supervising* supervises = nullptr;            // of a supervisor; null: one_for_one
  bool fails_with_owner = false;                      // its crash is its parent's
  duration (*stop_within)(cell&) noexcept = nullptr;  // instead of its options' shutdown
};

/// The strand's pointer to a mail, which another thread may compare. Relaxed: as cheap as a plain pointer.
class shown_mail {
 public:
  shown_mail() noexcept = default;
  shown_mail(const shown_mail& o) noexcept : at_(o.get()) {}
  shown_mail& operator=(const shown_mail&) = delete;
  shown_mail& operator=(mail* m) noexcept {
    at_.store(m, std::memory_order_relaxed);
    return *this;
  }
  ~shown_mail() = default;
  operator mail*() const noexcept { return get(); }  // implicit: it is one
  [[nodiscard]] mail* get() const noexcept { return at_.load(std::memory_order_relaxed); }

 private:
  atomic<mail*> at_{nullptr};
};

/// When a parent checks whether a child has obeyed its order to end. Belongs to the parent, on its strand.
class stop_plan {
 public:
  [[nodiscard]] bool known() const noexcept { return bits_ != 0; }
  [[nodiscard]] std::int64_t due() const noexcept { return static_cast<std::int64_t>(bits_ >> 2); }
  /// The child has been told to end at once.
  [[nodiscard]] bool at_once() const noexcept { return (bits_ & 1) != 0; }
  /// At the last check it was in a handler and had not read its orders.
  [[nodiscard]] bool suspect() const noexcept { return (bits_ & 2) != 0; }
  void set(std::int64_t due, bool at_once, bool suspect) noexcept {
    bits_ = static_cast<std::uint64_t>(due) << 2 | (suspect ? 2U : 0U) | (at_once ? 1U : 0U);
  }
  void clear() noexcept { bits_ = 0; }

 private:
  std::uint64_t bits_ = 0;  // 62 bits of time last for 146 years
};

class alignas(16) cell final : public strand, public context {
 public:
  cell(system_core& sys, cell* parent, const behaviour& b, const spawn_options& o, bool usual);

  // -- any thread -----------------------------------------------------------

  [[nodiscard]] system_core& core() const noexcept { return *core_; }
  [[nodiscard]] const behaviour& acts() const noexcept { return *behaviour_; }
  /// The bound that its mailbox's word counts to; 0 when user mail waits elsewhere (lossy_mailbox.hpp).
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::string path() const;
  [[nodiscard]] std::string name() const;
  /// Distinguishes the children of one parent that have no name.
  [[nodiscard]] std::uint32_t serial() const noexcept { return serial_; }
  /// The actor's state, as its behaviour laid it out.
  [[nodiscard]] void* state() noexcept { return reinterpret_cast<std::byte*>(this) + sizeof(cell); }
  /// Never restarts this actor, whatever its behaviour allows.
  void make_temporary() noexcept { restart_ = restart::temporary; }
  /// Gives the cell an order. Harmless when repeated.
  void request(std::uint32_t order) noexcept;
  /// order_stop with a deadline (ns) in addition to its own; the earliest of all counts.
  void stop_by(std::int64_t deadline) noexcept;
  /// For a thread that has told a child to end and is not its parent: makes the parent supervise that end.
  void look_after_children_soon() noexcept;

  static constexpr std::uint32_t order_stop = 1;            // end in order
  static constexpr std::uint32_t order_kill = 2;            // end now
  static constexpr std::uint32_t order_start = 4;           // call the started hook
  static constexpr std::uint32_t order_restart = 8;         // a crashed cell: start the next incarnation
  static constexpr std::uint32_t order_give_up = 16;        // a crashed cell: end for good
  static constexpr std::uint32_t order_crash = 32;          // fault injection: fail
  static constexpr std::uint32_t order_dropped = 64;        // answer the requests that were dropped
  static constexpr std::uint32_t order_child_up = 128;      // to a supervisor: a child has come up
  static constexpr std::uint32_t order_start_failed = 256;  // its constructor threw: end for good
  static constexpr std::uint32_t order_recycle = 512;  // end the incarnation, and await the parent's order
  static constexpr std::uint32_t order_kill_incarnation = 1024;  // end the incarnation now, as `killed`
  static constexpr std::uint32_t order_inspect = 2048;  // check whether children that were told to end react
  static constexpr std::uint32_t order_acknowledge =
      4096;                                            // a crashed cell: the parent knows, and decides later
  static constexpr std::uint32_t order_answer = 8192;  // an ending cell: answer the descendants that ask it

  /// The cell that a strand is, or null when the strand is not a cell.
  [[nodiscard]] static cell* of(strand& s) noexcept {
    return s.run == &run_slice ? &static_cast<cell&>(s) : nullptr;
  }
  /// The cell that the handler waits for.
  [[nodiscard]] wait_edge& waits() noexcept { return waits_; }
  [[nodiscard]] const wait_edge& waits() const noexcept { return waits_; }

  // -- on the strand --------------------------------------------------------

  /// Its handler begins to wait for `to`: announces the edge, unless the handler waits at another place too.
  wait_id announce_wait(const cell& to, wait_kind k) noexcept {
    return only_wait() != nullptr ? waits_.announce(to, k) : wait_id();
  }
  /// Whether some actor may wait for this one now. May be falsely true, never falsely false.
  [[nodiscard]] bool may_be_awaited() const noexcept;
  /// Whether this visit ends with more room in the mailbox than there is now.
  [[nodiscard]] bool will_make_room() const noexcept { return box_.depth() - handled_ < capacity_; }
  /// The mail being handled; a coroutine handler still owns it.
  [[nodiscard]] mail* handling() const noexcept { return handling_; }
  /// Unhooks the mail being handled from the mailbox, so that it may be given away: the caller owns it
  /// afterwards.
  mail& take_handling() noexcept;
  /// A handler is a coroutine: runs it; the cell owns the frame from now on.
  void run_handler(promise_base& p) noexcept;
  /// The coroutine handler has finished. Called by its `finished`.
  void handler_done() noexcept {
    handler_ = nullptr;
    handler_over_ = true;
  }
  /// When the asker of the mail being handled gives up (ns); INT64_MAX: never.
  [[nodiscard]] std::int64_t due_of_handling() const noexcept {
    if (handling_ == nullptr || !kind_of(*handling_).is_request) return INT64_MAX;
    return static_cast<const ask_envelope_base&>(*handling_).due;
  }
  /// Stops the handler if it works on the request that `c` was made for.
  void cancel_handling(const ask_canceller& c) noexcept;
  void crash(error why) noexcept;
  void log_crash(const error& why) noexcept;
  /// A request that was taken was dropped here, unanswered. It is answered once the present handler is over,
  /// when the answer is known: an exception that leaves the handler may have dropped it.
  void drop_owed(ask_envelope_base& e) noexcept;
  /// The handler of a message that was moved out of its mail has failed; null: the message is gone.
  void lose_taken(const message_kind& k, const void* message) noexcept;
  /// Takes the mail: it becomes a dead letter, `unhandled`, and an asker is told.
  void lose_unhandled(mail& m) noexcept;
  /// The incarnation fails, as `kind`, because of `why`.
  void fail(exit_kind kind, error why) noexcept;
  /// Whether an order to end waits for the present handler to return.
  [[nodiscard]] bool is_told_to_end() const noexcept {
    return (orders_.load(std::memory_order_relaxed) & (order_stop | order_kill | order_kill_incarnation)) !=
           0;
  }
  /// Ends in order, after the present handler.
  void stop_self() noexcept;
  void stop_self(exit_reason why);
  [[nodiscard]] life state_of_cell() const noexcept { return life_; }
  [[nodiscard]] bool stop_asked() const noexcept { return stop_asked_; }
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  /// A new child, linked and counted; its state is not constructed yet.
  cell* make_child(const behaviour& b, const spawn_options& o);
  /// Undoes make_child after the constructor threw.
  void discard_child(cell& child) noexcept;
  /// The same when not even the arguments were constructed.
  void discard_raw_child(cell& child) noexcept;
  /// After construction: lets the child run, and calls its started hook, if there is one, on its strand.
  static void launch(cell& child) noexcept;
  [[nodiscard]] cell_extras& extras();
  [[nodiscard]] cell_extras* extras_if_any() const noexcept {
    return extras_.load(std::memory_order_acquire);
  }
  /// The same, ordered against the death of the mailbox.
  [[nodiscard]] cell_extras* extras_in_order() const noexcept {
    return extras_.load(std::memory_order_seq_cst);
  }
  [[nodiscard]] exit_reason reason() const;
  [[nodiscard]] bool exit_reason_is_abnormal() const noexcept { return exit_reason(exit_kind_).abnormal(); }

  // The list of children, and the fields that inspect reads, are under lock_.
  [[nodiscard]] spinlock& lock() noexcept TROUPE_THREAD_SAFETY(lock_returned(lock_)) { return lock_; }
  [[nodiscard]] cell* parent() const noexcept { return parent_; }
  /// Calls f with each child, youngest first, under the lock: f only reads, or takes a share.
  template <class F>
  void for_each_child(F&& f) TROUPE_EXCLUDES(lock_) {
    const scoped_lock guard(lock_);
    for (cell* c = children_.youngest(); c != nullptr; c = c->links.older) f(*c);
  }
  /// Gives all children an order; not under the lock, because that posts mail. Any thread.
  void tell_children(std::uint32_t order) noexcept TROUPE_EXCLUDES(lock_);
  /// The child of this name that has not ended, or null. Under the lock; O(1) on average for a given name,
  /// O(n) for the name ("~1") of a child without one.
  [[nodiscard]] cell* child_named(std::string_view wanted) const TROUPE_REQUIRES(lock_);
  [[nodiscard]] bool has_children() noexcept TROUPE_EXCLUDES(lock_) {
    const scoped_lock guard(lock_);
    return !children_.empty();
  }
  /// Constructed, and, when it is a supervisor, so is all below it. Any thread.
  [[nodiscard]] bool is_up() const noexcept { return up_.load(std::memory_order_acquire); }
  /// Gives a child an order to end and supervises that end: the child is killed when it is late, and
  /// quarantined when it does not react to the kill. On the strand.
  void end_child(cell& child, std::uint32_t order) noexcept;
  /// The incarnation of a child of the root has ended; the root has one budget for each child.
  void judge_alone(cell& child) noexcept;
  /// Whether this cell is ending and waits for `below`, which has been told to stop: a request from `below`
  /// could only be answered after the end of `below`. On the strand of `below`.
  [[nodiscard]] bool waits_for_end_of(const cell& below) const noexcept;
  /// Whether it has ended or was cut off from the tree. Any thread.
  [[nodiscard]] bool is_gone() const noexcept { return box_.dead() || was_quarantined(*this); }
  /// Whether it was cut off from the tree because its handler did not return. Any thread.
  [[nodiscard]] static bool was_quarantined(const cell& child) noexcept;
  void set_up(bool up) noexcept { up_.store(up, std::memory_order_release); }
  /// Moves a child to another place of the list: it is stopped right before `older`, or, when that is null,
  /// last of all. On the strand.
  void place_child(cell& child, cell* older) noexcept TROUPE_EXCLUDES(lock_);
  /// Whether `c` is a child that has not ended. Any thread.
  [[nodiscard]] bool owns(const cell& c) const noexcept { return c.parent_ == this; }

  // For a coroutine actor: the leaf that waits for the next message. `drained`, if set, tells it that there
  // will be no further message; if not, the actor ends then.
  struct receiver {
    /// Moves the message out of its mail and frees the mail. When it yields false or throws, the mail is
    /// untouched.
    bool (*take)(leaf&, mail&);
    /// Goes on with the message that was taken.
    void (*received)(leaf&) noexcept;
    leaf* waiting = nullptr;
    void (*drained)(leaf&) noexcept = nullptr;
    const message_kind* taken = nullptr;  // the message it works on: the last one received
  };
  void wait_for_mail(receiver* r) noexcept { receiver_ = r; }

 private:
  friend class troupe::context;
  friend class system_core;
  friend struct send_wait;
  friend class supervisor_state;
  friend struct inspection;
  friend class child_list<cell>;

  struct order_mail final : mail {
    order_mail() noexcept : mail(kind_of) {}
    static void act(mail& m, strand& s) noexcept;
    static void ignore(mail&) noexcept {}
    static constexpr mail_kind kind_of{&act, &ignore};
  };
  struct exit_mail final : mail {
    exit_mail() noexcept : mail(kind_of) {}
    static void act(mail& m, strand& s) noexcept;
    static void parent_gone(mail& m) noexcept;
    static constexpr mail_kind kind_of{&act, &parent_gone};
  };

  static void run_slice(runnable& r, worker& w) noexcept;
  static std::string describe_cell(const strand& s);
  static void free_strand(strand& s) noexcept { static_cast<cell&>(s).free_cell(); }
  // A handler that waits at two places has no edge: either may be enough for it.
  static void drop_edge(strand& s) noexcept { static_cast<cell&>(s).waits_.clear(); }
  static constexpr strand::type type_of{&describe_cell, &free_strand, &drop_edge};
  void act_on_orders() noexcept;
  mail* next_mail(bool& counted) noexcept;
  void visit(worker& w) noexcept;
  visit_state finish_in_place(worker& w) noexcept;
  visit_state take_signals() noexcept;
  visit_state leave_or_yield(wait_id waited, std::uint32_t left, worker& w) noexcept;
  visit_state suspend(wait_id waited, worker& w) noexcept;
  visit_state take_user_mail(std::uint32_t& left, worker& w) noexcept;
  visit_state go_idle(worker& w) noexcept;
  TROUPE_NOINLINE void end_when_drained() noexcept;
  // A coroutine actor waits for its next message.
  [[nodiscard]] bool is_receiving() const noexcept {
    return receiver_ != nullptr && receiver_->waiting != nullptr;
  }
  [[nodiscard]] bool at_rest() const noexcept;
  [[nodiscard]] bool resume_awaiting(worker& w) noexcept;
  [[nodiscard]] TROUPE_NOINLINE bool await_again(worker& w, wait_id before) noexcept;
  [[nodiscard]] TROUPE_NOINLINE bool await_unless_refused(worker& w) noexcept;
  [[nodiscard]] bool awaits_only() const noexcept;
  [[nodiscard]] bool refuse_wait() noexcept;
  void receive(mail& m, worker& w) noexcept;
  void handle(mail& m, bool counted, worker& w) noexcept;
  void hand_over(mail& m) noexcept;
  void handle_batch(std::uint32_t& left, worker& w) noexcept;
  [[nodiscard]] bool has_notices() const noexcept;
  void finish_handling(worker& w) noexcept;
  void serve_waiters() noexcept TROUPE_EXCLUDES(lock_);
  void fail_waiters() noexcept TROUPE_EXCLUDES(lock_);
  void take_mail(std::uint32_t handled, mail* in_place) noexcept;
  void absorb(std::uint32_t handled, mail* done) noexcept;
  [[nodiscard]] bool has_late_system_mail() const noexcept;
  bool try_terminate() noexcept;
  [[nodiscard]] stage stage_now() const noexcept;
  void carry_out(step s) noexcept;
  void refuse_mail() noexcept;
  void end_by(std::int64_t due) noexcept;
  void leave() noexcept;
  void withdraw_asks_above() noexcept;
  void answer_those_below() noexcept;
  void forbid_restart() noexcept;
  void drop_kept() noexcept;
  void kill_now(bool for_good) noexcept;
  void recycle() noexcept;
  void report_end() noexcept;
  void restart_when_due() noexcept;
  void begin_end(exit_reason why) noexcept;
  void answer_dropped() noexcept;
  [[nodiscard]] error error_of_owed() const;
  [[nodiscard]] exit_reason leaving_reason() noexcept;
  void end_timers_and_watches() noexcept;
  void stop_next_child() noexcept;
  void end_all_children(std::uint32_t order) noexcept;
  void end_tasks(std::uint32_t order) noexcept;
  void children_gone() noexcept;
  void start_anew() noexcept;
  void call_started() noexcept;
  void report_hook(const char* hook, const std::exception_ptr& e) noexcept;
  void terminate() noexcept;
  void bounce_pending() noexcept;
  void child_exited(cell& child) noexcept;
  void child_crashed(cell& child) noexcept;
  void give_up_on(cell& child, const restart_budget& budget) noexcept;
  void bounce_for_restart() noexcept;
  void end_while_crashed() noexcept;
  [[nodiscard]] bool is_stuck() const noexcept;
  void expect_end_of(cell& child, std::uint32_t order) noexcept;
  void look_at(std::int64_t when) noexcept;
  void look_after_children() noexcept;
  [[nodiscard]] bool judge_late(cell& child, std::int64_t now) noexcept;
  void quarantine(cell& child) noexcept;
  void answer_for(cell& child, const std::string& where) noexcept;
  void come_up() noexcept;
  void unlink_child(cell& child) noexcept TROUPE_EXCLUDES(lock_);
  [[nodiscard]] bool may_restart() const noexcept;
  [[nodiscard]] bool is_root() const noexcept { return parent_ == nullptr; }
  void free_cell() noexcept;
  [[nodiscard]] cell* free_unborn() noexcept;
  static cell& of_exit(exit_mail& m) noexcept;

  // The fields that every visit uses come first, so that they share few cache lines with the mailbox's word
  // in front of them: up to closed_to_children_ it is one line.
  const behaviour* behaviour_;
  std::uint32_t capacity_;
  std::uint32_t handled_ = 0;  // handled, not yet credited
  // extras_: fields that most actors do without. Made by the first thread that needs it, which may be another
  // one (a watcher, a waiting sender), and never replaced; acquire and release publish its contents. Broken
  // by: tests/stress/ask_stress_test.
  atomic<cell_extras*> extras_{nullptr};
  // The mail being handled, and the coroutine.
  // in_place_: compared by a parent that cuts this cell off because its handler has not returned: it does not
  // change then. Broken by: tests/actors/cell/wedged_test under ThreadSanitizer.
  shown_mail in_place_;
  mail* handling_ = nullptr;
  promise_base* handler_ = nullptr;
  receiver* receiver_ = nullptr;
  // life_: written on the strand; relaxed, inspect() reads it on any thread as a snapshot. Broken by:
  // tests/actors/supervision/root_test under ThreadSanitizer.
  atomic<life> life_{life::running};
  exit_kind exit_kind_ = exit_kind::normal;
  restart restart_;
  // The bit-fields are accessed on the strand only.
  bool drain_ : 1;
  bool parallel_stop_ : 1;
  bool stop_asked_ : 1 = false;
  bool killed_ : 1 = false;
  bool has_state_ : 1 = false;
  bool exit_out_ : 1 = false;   // crashed, and exit_ is on its way to the parent
  bool recycling_ : 1 = false;  // ends because its parent restarts a group
  bool keep_children_ : 1;
  bool counted_ : 1 = false;               // the mailbox counts handling_
  bool leaving_ : 1 = false;               // it has asked to stop itself
  bool keeping_ : 1 = false;               // ending, and waits for its tasks only: its children live on
  bool crash_logged_ : 1 = false;          // of this incarnation: its end needs no line of its own
  bool raw_ : 1 = false;                   // its arguments were never constructed
  bool children_told_ = false;             // all children that are to end have been told
  bool handler_over_ = false;              // since the last call of cancel_handling
  bool closed_to_children_ = false;        // no child may be added; under lock_ where it is the root's
  [[no_unique_address]] wait_edge waits_;  // the next members fill its padding: a cell is 256 bytes
  spinlock lock_;
  // up_: written on the strand; its release pairs with the acquire in is_up(), after which the parent sees
  // the children as they were started. Broken by: tests/actors/system/threads_test under
  // ThreadSanitizer.
  atomic<bool> up_{false};
  std::uint16_t prepaid_ = 0;  // shares of this cell that are ready for children; on the strand

  // User mail taken from the mailbox, oldest first.
  mail_queue pending_;

  system_core* core_;
  cell* parent_;  // never changes; this cell has a share in it

  // orders_: orders that the cell has not yet carried out. The thread that changes it from 0 posts order_;
  // the cell takes all with an exchange (acq_rel, pairs with the fetch_or in request()). Broken by:
  // tests/actors/system/threads_test.
  atomic<std::uint32_t> orders_{0};
  atomic<std::uint32_t> epoch_{0};  // as life_
  std::uint32_t serial_ = 0;
  std::uint32_t next_serial_ TROUPE_GUARDED_BY(lock_) = 0;

  // children_: written under lock_. Only this strand unlinks children, and only threads that add children of
  // the root write from elsewhere, so the strand also reads it without the lock: not annotated for that.
  child_list<cell> children_;
  child_links<cell> links;  // under the parent's lock_
  stop_plan plan_;          // its parent's, on the parent's strand

  order_mail order_;
  exit_mail exit_;
};

static_assert(sizeof(mailbox) > sizeof(one_word_mailbox) || sizeof(cell) <= 256,
              "sizeof(cell) is the memory cost of an idle actor");

inline cell& self_cell(context& c) noexcept {
  return static_cast<cell&>(c);
}

/// The error for exception `e`, with the path of `c`; errc::actor_failed alone when memory is short.
[[nodiscard]] error failure_of(const cell& c, const std::exception_ptr& e) noexcept;

/// Queues user mail in a cell's mailbox and schedules the cell. When it is refused (full, closed), the caller
/// still owns the mail. Any thread.
push_result deliver(cell& to, mail& m) noexcept;
/// For a tell that was refused as `full`: when the mailbox's policy is to lose the newest mail, loses it and
/// yields true.
bool lose_newest(cell& to, mail& m) noexcept;

}  // namespace troupe::detail
