// How a cell takes its orders, and how it carries out the steps of the stop table. Which step an order takes,
// by stage, is in stop_table.hpp. request() and stop_by() may be called by any thread; all else runs on the
// cell's strand.
#include "cell/extras.hpp"
#include "cell/stop_table.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {

constexpr std::array<std::uint32_t, orders_to_end> bits{
    cell::order_acknowledge, cell::order_kill,         cell::order_stop,    cell::order_kill_incarnation,
    cell::order_recycle,     cell::order_start_failed, cell::order_give_up, cell::order_restart,
};

constexpr std::uint32_t about_the_end = [] {
  std::uint32_t all = 0;
  for (const std::uint32_t bit : bits) all |= bit;
  return all;
}();

}  // namespace

void cell::request(std::uint32_t order) noexcept {
  if (orders_.fetch_or(order, std::memory_order_acq_rel) == 0) post(order_);
}

void cell::stop_by(std::int64_t deadline) noexcept {
  (void)extras().end_no_later_than(deadline);
  request(order_stop);
}

void cell::order_mail::act(mail&, strand& s) noexcept {
  static_cast<cell&>(s).act_on_orders();
}

stage cell::stage_now() const noexcept {
  switch (life_.load(std::memory_order_relaxed)) {
    case life::running:
      return stop_asked_ ? stage::draining : stage::running;
    case life::ending:
      return stop_asked_ ? stage::stopping : stage::ending;
    case life::crashed:
      return !exit_out_ ? stage::waiting : stop_asked_ ? stage::doomed : stage::reported;
    case life::dead:
      break;
  }
  return stage::dead;
}

void cell::act_on_orders() noexcept {
  std::uint32_t orders = orders_.exchange(0, std::memory_order_acq_rel);
  if ((orders & order_dropped) != 0) answer_dropped();
  if ((orders & (order_restart | order_give_up)) != 0)
    orders |= order_acknowledge;  // each is an answer as well
  if ((orders & about_the_end) != 0) {
    for (unsigned i = 0; i < orders_to_end; ++i) {
      if ((orders & bits[i]) != 0) carry_out(step_for(static_cast<order>(i), stage_now()));
    }
  }
  if (life_ == life::dead) return;
  if ((orders & order_inspect) != 0) look_after_children();
  if ((orders & order_answer) != 0) answer_those_below();
  if (life_ != life::running) return;
  if ((orders & order_start) != 0) call_started();
  if ((orders & order_child_up) != 0 && life_ == life::running) behaviour_->supervises->child_up(*this);
  if ((orders & order_crash) != 0 && life_ == life::running) {
    crash(error(make_error_code(errc::actor_failed), "made to crash by a test", path()));
  }
}

void cell::carry_out(step s) noexcept {
  switch (s) {
    case step::none:
      break;
    case step::leave:
      leave();
      break;
    case step::hurry:
      if (extras_if_any() != nullptr) end_by(INT64_MAX);
      withdraw_asks_above();
      break;
    case step::no_restart:
      forbid_restart();
      break;
    case step::kill:
      kill_now(true);
      break;
    case step::kill_one:
      kill_now(false);
      break;
    case step::recycle:
      recycle();
      break;
    case step::remember:
      refuse_mail();
      break;
    case step::answered:
      exit_out_ = false;
      break;
    case step::report:
      report_end();
      break;
    case step::restart:
      restart_when_due();
      break;
    case step::end:
      exit_out_ = false;
      end_while_crashed();
      break;
    case step::fail:
      restart_ = restart::temporary;
      begin_end(exit_reason(exit_kind::error,
                            error(make_error_code(errc::start_failed), "its constructor threw", path())));
      if (keeping_) drop_kept();
      break;
  }
}

// -- steps ------------------------------------------------------------------------

void cell::refuse_mail() noexcept {
  stop_asked_ = true;
  box_.close();
  fail_waiters();
}

// Sets the deadline and its timer. Called before the children are told: they read it for their own deadline.
void cell::end_by(std::int64_t due) noexcept {
  if (parent_ != nullptr) {
    if (const cell_extras* const above = parent_->extras_if_any()) {
      due = std::min(due, above->deadline.load(std::memory_order_relaxed));
    }
  }
  cell_extras& mine = extras();
  due = mine.end_no_later_than(due);
  if (due != INT64_MAX) order_timer::arm(*this, order_kill, due, mine.kill_timer);
}

void cell::leave() noexcept {
  const duration own =
      behaviour_->stop_within != nullptr ? behaviour_->stop_within(*this) : shutdown_of(extras_if_any());
  if (own == brutal) {
    kill_now(true);
    return;
  }
  refuse_mail();
  if (drain_ || has_children()) end_by(deadline_after(core_->home().now(), own));  // else it ends at once
  if (!drain_) begin_end(exit_reason(exit_kind::shutdown));
  if (life_ != life::dead) cancel_yielding();
  withdraw_asks_above();
}

// -- requests from a descendant to an actor that waits for its end -------------------
//
// Such an actor has an open mailbox, because it will be restarted, and handles nothing before all of its
// descendants have ended. A descendant that drains may have asked it before it was told to stop: its
// order_answer comes after that request. Its later requests are refused at once (ask.cpp).

bool cell::waits_for_end_of(const cell& below) const noexcept {
  if (life_.load(std::memory_order_relaxed) != life::ending) return false;
  const cell* at = below.parent_;
  while (at != nullptr && at != this) at = at->parent_;
  return at != nullptr;
}

void cell::withdraw_asks_above() noexcept {
  if (handler_ == nullptr || life_ != life::running) return;  // it waits for no reply
  for (cell* at = parent_; at != nullptr; at = at->parent_) {
    if (at->life_.load(std::memory_order_relaxed) == life::ending) at->request(order_answer);
  }
}

void cell::answer_those_below() noexcept {
  if (life_ != life::ending) return;
  take_mail(std::exchange(handled_, 0), std::exchange(in_place_, nullptr));
  mail_queue kept;
  std::uint32_t answered = 0;
  while (mail* const m = pending_.pop_front()) {
    const message_kind& k = kind_of(*m);
    strand* const asker = k.is_request ? static_cast<ask_envelope_base&>(*m).waiter : nullptr;
    const cell* const below = asker != nullptr ? of(*asker) : nullptr;
    if (below != nullptr && waits_for_end_of(*below)) {
      ++answered;
      k.refuse(*m, error(make_error_code(errc::closed), "it waits for the asker to end", path()));
    } else {
      kept.push_back(*m);
    }
  }
  pending_.append(kept);
  if (capacity_ != 0 && answered != 0) box_.credit(answered);
}

void cell::forbid_restart() noexcept {
  refuse_mail();
  const duration own = shutdown_of(extras_if_any());
  end_by(own == brutal ? core_->home().now() : deadline_after(core_->home().now(), own));
  if (keeping_) drop_kept();
}

// The children were kept for the next incarnation, which will not come.
void cell::drop_kept() noexcept {
  keeping_ = false;
  children_told_ = false;
  stop_next_child();
}

void cell::kill_now(bool for_good) noexcept {
  if (for_good) {
    killed_ = true;
    refuse_mail();
  }
  if (life_ == life::running) {
    begin_end(exit_reason(exit_kind::killed));
    return;
  }
  exit_kind_ = exit_kind::killed;
  if (for_good && keeping_) {
    drop_kept();
  } else if (keeping_) {
    end_tasks(order_kill);
  } else {
    end_all_children(order_kill);
  }
}

// The parent restarts a group, and this cell with it: the incarnation ends in order, within the shutdown
// time; the mailbox stays open; the parent is told as after a crash.
void cell::recycle() noexcept {
  const duration own = shutdown_of(extras_if_any());
  recycling_ = true;
  if (own == brutal) {
    kill_now(false);
    return;
  }
  begin_end(exit_reason(exit_kind::shutdown));
  if (life_ != life::ending || own == forever) return;
  order_timer::arm(*this, order_kill_incarnation, deadline_after(core_->home().now(), own),
                   extras().kill_timer);
}

// exit_ must not be posted again while it is on its way to the parent; exit_out_ says that it is.
void cell::report_end() noexcept {
  if (cell_extras* const x = extras_if_any()) {
    order_timer::disarm(x->restart_timer);
    x->waited = false;
  }
  exit_out_ = true;
  parent_->post(exit_);
}

}  // namespace troupe::detail
