// ctx.after and ctx.every: a timer that ends in a handler.
//
//            fires              its mail arrives          handled (periodic: armed again)
//   armed ----------> under way ----------------> due ---------------------------------> armed
//     |                   |                         |
//     +-------------------+------- cancelled -------+--> freed; under way: on arrival
//
// On the strand, armed and under way look the same until the home of the timer is asked.
#pragma once

#include "cell/intrusive_index.hpp"
#include "cell/notice.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/detail/timer.hpp>

namespace troupe::detail {

/// Owned by one incarnation of a cell, and in its index until it is freed, or cancelled while under way. Used
/// on the strand, except `fire_it`; an actor's constructor may start one on any thread.
class actor_timer final : public timer, public mail, public notice {
 public:
  using copier = mail* (*)(const mail&);

  actor_timer(cell& c, std::uint64_t number, std::int64_t period, missed_tick how, mail& m,
              copier copy) noexcept
      : timer(&fire_it),
        mail(kind_of),
        notice(&take_it),
        target_(&c),
        number_(number),
        period_(period),
        message_(&m),
        copy_(copy),
        how_(how) {}

  /// Takes `m` over, also when it throws std::bad_alloc.
  static std::uint64_t start(cell& c, std::int64_t first, std::int64_t period, missed_tick how, mail& m,
                             copier copy);
  /// False when the timer does not exist or is over. O(1).
  static bool cancel(cell& c, std::uint64_t number) noexcept;
  static void cancel_all(cell& c) noexcept;

  [[nodiscard]] std::uint64_t key() const noexcept { return number_; }
  index_hook<actor_timer> hook;

 private:
  enum class state : std::uint8_t { armed, due, cancelled };

  static void fire_it(timer& t) noexcept;
  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept;
  static mail* take_it(notice& n, cell& c);
  static constexpr mail_kind kind_of{&act, &dispose_it};
  static void destroy(actor_timer* t) noexcept;
  void drop(cell& c) noexcept;
  void arm_again(cell& c) noexcept;

  cell* const target_;
  const std::uint64_t number_;
  const std::int64_t period_;  // 0: once
  std::int64_t due_ = 0;
  mail* message_;  // sent, or copied for each tick
  const copier copy_;
  const missed_tick how_;
  state state_ = state::armed;
};

inline void drop_timers(cell& c) noexcept {
  actor_timer::cancel_all(c);
}

}  // namespace troupe::detail
