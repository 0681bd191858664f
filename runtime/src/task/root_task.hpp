// The strand of a spawned task. Internal to Troupe's own sources.
#pragma once

#include <troupe/runtime/engine.hpp>

#include <cstdint>

namespace troupe::detail {

/// Shared by the runtime, while the task runs, and by a waiter.
class root_task final : public strand, public root_link {
 public:
  root_task(engine& e, task<void> t, std::uint16_t place);

  /// Asks the task to stop. Any thread that has a share.
  void stop() noexcept;

 private:
  friend class root_list;
  friend root_task_ref start_root(engine& e, task<void> t, std::uint16_t place);
  friend result<outcome> wait_root(engine& e, root_task& t);

  // The mails that start and stop the task; both live as long as the strand.
  struct control final : mail {
    explicit control(const mail_kind& k) noexcept : mail(k) {}
  };
  static void run_slice(runnable& r, worker& w) noexcept;
  static void finished(promise_base& p, strand& s) noexcept;
  static void act_start(mail& m, strand& s) noexcept;
  static void act_stop(mail& m, strand& s) noexcept;
  static void ignore(mail&) noexcept {}
  static std::string describe_it(const strand&) { return "a task of the runtime"; }
  static void free_it(strand& s) noexcept;
  static constexpr strand::type type_of{&describe_it, &free_it, nullptr};
  static constexpr mail_kind start_kind{&act_start, &ignore};
  static constexpr mail_kind stop_kind{&act_stop, &ignore};

  control start_{start_kind};
  control stop_{stop_kind};
  // stop_sent_: the mail stop_ has been posted, which happens at most once. The exchange decides which of
  // several threads posts it; pairs with itself. Broken by: tests/runtime/scheduler/shutdown_test.
  atomic<bool> stop_sent_{false};
  promise_base* root_ TROUPE_GUARDED_BY(on_strand);
  bool over_ TROUPE_GUARDED_BY(on_strand) = false;  // the frame is destroyed
  bool keeps_engine_ = false;  // the runtime has ended without it; under the lock of the list
  outcome how_ = outcome::running;

  // phase_: the state that a foreign thread waits for. running -> awaited (a waiter, before it sleeps) ->
  // ended (the strand, once). The release of the last one pairs with the waiter's acquire: how_ is written
  // before. The strand wakes only a waiter that it found, and releases the task after that, so the word
  // outlives the wake-up. Broken by: tests/runtime/task/task_test.
  enum phase : std::uint32_t { running, awaited, ended };
  atomic<std::uint32_t> phase_{running};
};

}  // namespace troupe::detail
