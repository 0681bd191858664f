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

constexpr std::array all_orders{order::heard,   order::kill,   order::stop, order::slay,
                                order::recycle, order::unborn, order::bury, order::restart};
constexpr std::array all_stages{stage::running,  stage::draining, stage::ending,  stage::stopping,
                                stage::reported, stage::doomed,   stage::waiting, stage::dead};
static_assert(all_orders.size() == orders_to_end && all_stages.size() == stages);

/// Where a step leaves a cell whose children, if any, take a while to end.
constexpr stage after(step what, stage at) {
  switch (what) {
    case step::leave:
      return stage::draining;
    case step::stay_out:
    case step::cut:
    case step::bury:
      return stage::stopping;
    case step::cut_one:
      return at == stage::running || at == stage::ending ? stage::ending : stage::stopping;
    case step::renew:
    case step::fail:
      return at == stage::running || at == stage::ending ? stage::ending : stage::stopping;
    case step::note:
      return stage::doomed;
    case step::answered:
      return stage::waiting;
    case step::report:
      return stage::reported;
    case step::begin:
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

TEST_CASE("stop table: the dead obey nobody") {
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

TEST_CASE("stop table: slay and recycle end an incarnation, and leave open what comes then") {
  for (const stage s : {stage::running, stage::ending}) {
    CHECK(after(step_for(order::slay, s), s) == stage::ending);
    CHECK(after(step_for(order::recycle, s), s) == stage::ending);
  }
  for (const stage s : {stage::reported, stage::waiting}) {
    CHECK(after(step_for(order::slay, s), s) == s);  // there is no incarnation
  }
}

TEST_CASE("stop table: only what waits for its parent's word begins anew") {
  for (const stage s : all_stages) {
    CHECK((step_for(order::restart, s) == step::begin) == (s == stage::waiting));
  }
}

TEST_CASE("stop table: an end that was reported is answered before anything else happens to it") {
  for (const order o : all_orders) {
    const step what = step_for(o, stage::reported);
    CHECK((what == step::none || what == step::note || what == step::answered));
    CHECK((step_for(o, stage::doomed) == step::bury) == (o == order::heard));
  }
}

TEST_CASE("stop table: who is told to stop is told again without harm") {
  for (const stage s : all_stages) {
    const stage then = after(step_for(order::stop, s), s);
    const step again = step_for(order::stop, then);
    CHECK((again == step::none || again == step::hurry));
  }
}
