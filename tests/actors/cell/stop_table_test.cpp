// The table of the stop machine, without actors: each order in each stage.
#include "cell/stop_table.hpp"

#include "actors/common.hpp"

using troupe::detail::order;
using troupe::detail::orders_to_end;
using troupe::detail::stage;
using troupe::detail::stages;
using troupe::detail::step;
using troupe::detail::step_for;

namespace {

constexpr std::array all_orders{order::acknowledge,      order::kill,    order::stop,
                                order::kill_incarnation, order::recycle, order::start_failed,
                                order::give_up,          order::restart};
constexpr std::array all_stages{stage::running,  stage::draining, stage::ending,  stage::stopping,
                                stage::reported, stage::doomed,   stage::waiting, stage::dead};
static_assert(all_orders.size() == orders_to_end && all_stages.size() == stages);

/// Where a step leaves a cell whose children, if any, take a while to end.
constexpr stage after(step what, stage at) {
  switch (what) {
    case step::leave:
      return stage::draining;
    case step::no_restart:
    case step::kill:
    case step::end:
      return stage::stopping;
    case step::kill_one:
      return at == stage::running || at == stage::ending ? stage::ending : stage::stopping;
    case step::recycle:
    case step::fail:
      return at == stage::running || at == stage::ending ? stage::ending : stage::stopping;
    case step::remember:
      return stage::doomed;
    case step::answered:
      return stage::waiting;
    case step::report:
      return stage::reported;
    case step::restart:
      return stage::running;
    case step::hurry:
    case step::none:
      break;
  }
  return at;
}

constexpr bool is_for_good(stage s) {
  return s == stage::draining || s == stage::stopping || s == stage::doomed || s == stage::dead;
}

}  // namespace

TEST_CASE("stop table: a dead cell takes no step") {
  for (const order o : all_orders) CHECK(step_for(o, stage::dead) == step::none);
}

TEST_CASE("stop table: stop and kill are for good from everywhere, and no order takes that back") {
  for (const stage s : all_stages) {
    CHECK(is_for_good(after(step_for(order::stop, s), s)));
    CHECK(is_for_good(after(step_for(order::kill, s), s)));
    if (!is_for_good(s)) continue;
    for (const order o : all_orders) CHECK(is_for_good(after(step_for(o, s), s)));
  }
}

TEST_CASE("stop table: kill_incarnation and recycle end an incarnation, and leave a restart possible") {
  for (const stage s : {stage::running, stage::ending}) {
    CHECK(after(step_for(order::kill_incarnation, s), s) == stage::ending);
    CHECK(after(step_for(order::recycle, s), s) == stage::ending);
  }
  for (const stage s : {stage::reported, stage::waiting}) {
    CHECK(after(step_for(order::kill_incarnation, s), s) == s);  // between two incarnations
  }
}

TEST_CASE("stop table: only a cell that waits after its parent's answer is restarted") {
  for (const stage s : all_stages) {
    CHECK((step_for(order::restart, s) == step::restart) == (s == stage::waiting));
  }
}

TEST_CASE("stop table: a cell that has reported its end takes no further step before the answer") {
  for (const order o : all_orders) {
    const step what = step_for(o, stage::reported);
    CHECK((what == step::none || what == step::remember || what == step::answered));
    CHECK((step_for(o, stage::doomed) == step::end) == (o == order::acknowledge));
  }
}

TEST_CASE("stop table: a second stop is harmless") {
  for (const stage s : all_stages) {
    const stage then = after(step_for(order::stop, s), s);
    const step again = step_for(order::stop, then);
    CHECK((again == step::none || again == step::hurry));
  }
}
