// A set of workers against a model of it, for one word of the bitmap and for several.
#include "support/catch.hpp"

#include <troupe/runtime/worker_set.hpp>

#include <rapidcheck.h>

#include <cstdint>
#include <set>
#include <vector>

namespace {

using troupe::detail::worker_set;

/// The members of `model` in the order of one pass from `start`.
std::vector<unsigned> pass(const std::set<unsigned>& model, unsigned start) {
  std::vector<unsigned> order(model.lower_bound(start), model.end());
  order.insert(order.end(), model.begin(), model.lower_bound(start));
  return order;
}

void agrees_with_model(unsigned workers) {
  worker_set members(workers);
  std::set<unsigned> model;
  const auto moves = *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::arbitrary<std::uint16_t>());
  for (const std::uint16_t move : moves) {
    const unsigned i = move / 2U % workers;
    if (move % 2 == 0) {
      members.insert(i);
      model.insert(i);
    } else {
      members.erase(i);
      model.erase(i);
    }
    RC_ASSERT(members.contains(i) == model.contains(i));
    const unsigned start = move / 7U % workers;
    std::vector<unsigned> seen;
    RC_ASSERT(!members.find(start, [&](unsigned m) {
      seen.push_back(m);
      return false;
    }));
    RC_ASSERT(seen == pass(model, start));
    RC_ASSERT(members.find(start, [&](unsigned m) { return m == i; }) == model.contains(i));
  }
}

}  // namespace

TEST_CASE("worker set: one pass visits each member once, from the start and around, as in the model") {
  for (const unsigned workers : {1U, 2U, 63U, 64U, 65U, 128U, 130U, 1024U}) {
    CAPTURE(workers);
    CHECK(rc::check([workers] { agrees_with_model(workers); }));
  }
}

TEST_CASE("worker set: a pass ends with the member that was looked for") {
  worker_set members(200);
  for (const unsigned i : {3U, 70U, 150U, 199U}) members.insert(i);
  unsigned visits = 0;
  CHECK(members.find(71, [&](unsigned i) {
    ++visits;
    return i == 199;
  }));
  CHECK(visits == 2);
}
