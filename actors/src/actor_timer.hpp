// ctx.after and ctx.every: a timer that ends in a handler.
#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/timer.hpp>

namespace troupe::detail {

/// Belongs to one incarnation of a cell, in whose list it is.
class actor_timer final : public timer, public mail {
 public:
  using copier = mail* (*)(const mail&);

  actor_timer(cell& c, std::uint64_t number, std::int64_t period, missed how, mail& m, copier copy) noexcept
      : timer(&fire_it),
        mail(kind_of),
        target_(&c),
        cell_(&c),
        number_(number),
        period_(period),
        how_(how),
        message_(&m),
        copy_(copy) {}

  static std::uint64_t start(cell& c, std::int64_t first, std::int64_t period, missed how, mail& m,
                             copier copy);
  static bool cancel(cell& c, std::uint64_t number) noexcept;
  static void cancel_all(cell& c) noexcept;
  /// `m` is about to be handled: the timer it is from, if any, goes on or is done.
  static void notice_taken(cell& c, const mail& m) noexcept;

 private:
  static void fire_it(timer& t) noexcept;
  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose_it};
  static void destroy(actor_timer* t) noexcept;
  void unlink() noexcept;
  void drop() noexcept;

  void take_back() noexcept;
  /// Its one message has been handed over.
  [[nodiscard]] bool spent() const noexcept { return message_ == nullptr; }

  cell* const target_;
  cell* cell_;  // null once cancelled; on the strand
  std::uint64_t number_;
  std::int64_t period_;  // 0: once
  std::int64_t due_ = 0;
  missed how_;
  mail* message_;  // what is sent, or copied
  copier copy_;
  mail* queued_ = nullptr;  // what waits among the notices
  actor_timer* next_due_ = nullptr;
  actor_timer* next_ = nullptr;
  actor_timer* previous_ = nullptr;
};

inline void drop_timers(cell& c) noexcept {
  actor_timer::cancel_all(c);
}

}  // namespace troupe::detail
