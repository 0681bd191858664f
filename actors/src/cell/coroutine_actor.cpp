// Actors that are one coroutine: those with an inbox, and owned tasks. On the strand of the actor.
#include <troupe/actors/inbox.hpp>

namespace troupe::detail {

namespace {

void life_is_over(promise_base& base, strand& s) noexcept {
  auto& p = static_cast<task_promise<void>&>(base);
  auto& c = static_cast<cell&>(s);
  c.handler_done();
  const outcome how = p.how;
  const std::exception_ptr failure = std::move(p.exception);
  p.handle.destroy();
  if (how == outcome::error) {
    c.crash(failure_of(c, failure));
  } else if (how == outcome::value) {
    c.stop_self();
  }
}

}  // namespace

void throw_two_receives() {
  throw troupe_error(
      error(make_error_code(errc::invalid_argument),
            "another task receives from this inbox: receive in one place, and pass messages on from there"));
}

void run_as_life(cell& c, task<void> t) noexcept {
  if (!t) {
    c.crash(error(make_error_code(errc::invalid_argument), "its coroutine is an empty task", c.path()));
    return;
  }
  task_promise<void>& p = t.promise();
  p.finished = &life_is_over;
  (void)t.release();
  c.run_handler(p);
}

}  // namespace troupe::detail
