// The functions of troupe::context that are not templates: each acts on the cell that it is. On its strand.
#include "cell/actor_timer.hpp"
#include "cell/watch_link.hpp"

#include <troupe/actors/actor.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe {

using detail::self_cell;

std::string context::path() const {
  return static_cast<const detail::cell&>(*this).path();
}

std::uint32_t context::epoch() const noexcept {
  return static_cast<const detail::cell&>(*this).epoch();
}

time_point context::now() const noexcept {
  return time_point(duration(static_cast<const detail::cell&>(*this).home().now()));
}

time_point context::deadline() const noexcept {
  return time_point(duration(static_cast<const detail::cell&>(*this).due_of_handling()));
}

system& context::system() const noexcept {
  return static_cast<const detail::cell&>(*this).core().owner();
}

void context::stop() noexcept {
  self_cell(*this).stop_self();
}

void context::stop(exit_reason why) {
  self_cell(*this).stop_self(std::move(why));
}

bool context::stop(const any_ref& who) noexcept {
  if (!who || !self_cell(*this).owns(*who.cell()) || who.ended()) return false;
  self_cell(*this).end_child(*who.cell(), detail::cell::order_stop);
  return true;
}

void context::watch(const any_ref& who) {
  if (who) {
    detail::watch(self_cell(*this), *who.cell());
    return;
  }
  exit_reason why(exit_kind::error,
                  error(make_error_code(errc::closed), "the ref that was watched is empty"));
  auto* const notice = detail::slab_new<detail::tell_envelope<down>>(down{{}, std::move(why)});
  detail::actor_timer::start(self_cell(*this), 0, 0, missed_tick::skip, *notice, nullptr);
}

void context::unwatch(const any_ref& who) {
  if (who) detail::unwatch(self_cell(*this), *who.cell());
}

timer_id context::start_timer(duration first, duration period, missed_tick how, detail::mail& m,
                              detail::mail* (*copy)(const detail::mail&)) {
  const detail::message_kind& kind = detail::kind_of(m);
  if (!self_cell(*this).acts().accepts(&kind)) {
    m.kind->dispose(m);
    throw troupe_error(error(make_error_code(errc::invalid_argument),
                             "a timer for a message that the actor does not accept: name " +
                                 std::string(kind.name) + " in its protocol",
                             path()));
  }
  return {detail::actor_timer::start(self_cell(*this), first.count(), period.count(), how, m, copy)};
}

void context::log(log_level level, std::string_view text) const noexcept {
  try {
    static_cast<const detail::cell&>(*this).home().log(level, path().append(": ").append(text));
  } catch (const std::bad_alloc&) {
    static_cast<const detail::cell&>(*this).home().log(level, text);  // no memory for its path
  }
}

void detail::check_self(const cell& c, bool accepts_all, const char* type) {
  if (accepts_all) return;
  throw troupe_error(error(make_error_code(errc::invalid_argument),
                           std::string("self<") + type + ">(): the actor is a " + c.acts().name +
                               ", which does not accept all that such a one does",
                           c.path()));
}

bool context::cancel(timer_id id) noexcept {
  return detail::actor_timer::cancel(self_cell(*this), id.number);
}

}  // namespace troupe
