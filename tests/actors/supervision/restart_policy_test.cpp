// The restart policy without actors: which end is followed by a restart, how often, how soon, of which
// siblings.
#include "supervision/restart_policy.hpp"

#include "actors/common.hpp"

using namespace actors_test;
using troupe::backoff;
using troupe::exit_kind;
using troupe::restart;
using troupe::detail::companions;
using troupe::detail::restart_pauses;
using troupe::detail::restart_window;
using troupe::detail::restarts_after;

namespace {

constexpr std::int64_t second = 1'000'000'000;

std::vector<std::int64_t> pauses(const backoff& b, int n, std::int64_t up, std::uint64_t random = 0) {
  restart_pauses p;
  std::vector<std::int64_t> all;
  for (int i = 0; i < n; ++i) all.push_back(p.next(b, 0, up, random).count());
  return all;
}

}  // namespace

TEST_CASE("restart policy: permanent after every end, transient after an abnormal one, temporary never") {
  for (const exit_kind k : {exit_kind::normal, exit_kind::shutdown, exit_kind::error, exit_kind::killed,
                            exit_kind::restart_limit, exit_kind::wedged}) {
    INFO(to_string(k));
    CHECK(restarts_after(restart::permanent, k));
    CHECK_FALSE(restarts_after(restart::temporary, k));
    CHECK(restarts_after(restart::transient, k) == (k != exit_kind::normal && k != exit_kind::shutdown));
  }
}

TEST_CASE("restart policy: a group is all, the younger ones, or the one alone") {
  using troupe::detail::companions_of;
  CHECK(companions_of(troupe::one_for_one) == companions::none);
  CHECK(companions_of(troupe::dynamic) == companions::none);
  CHECK(companions_of(troupe::partitioned) == companions::none);
  CHECK(companions_of(troupe::one_for_all) == companions::all);
  CHECK(companions_of(troupe::rest_for_one) == companions::younger);
}

TEST_CASE("restart policy: the budget admits exactly max restarts within any window") {
  restart_window w;
  const troupe::restart_budget budget{3, 5s};
  for (int i = 0; i < 3; ++i) CHECK(w.admit(budget, i * second));
  CHECK_FALSE(w.admit(budget, 3 * second));
  CHECK_FALSE(w.admit(budget, 5 * second));  // the one at 0 s still counts
  CHECK(w.recent(budget, 5 * second) == 3);
  CHECK(w.admit(budget, 5 * second + 1));  // and now does not
  CHECK_FALSE(w.admit(budget, 6 * second));
  CHECK(w.recent(budget, 100 * second) == 0);
}

TEST_CASE("restart policy: spaced crashes never add up, and take no memory") {
  restart_window w;
  for (int i = 0; i < 100'000; ++i) REQUIRE(w.admit({1, 5s}, i * 6 * second));
  CHECK_FALSE(restart_window().admit({0, 5s}, 0));
}

TEST_CASE("restart policy: pauses double up to the max, then stay there") {
  CHECK(pauses({100ns, 500ns, 0}, 5, 0) == std::vector<std::int64_t>{100, 200, 400, 500, 500});
  CHECK(pauses({0ns, 500ns, 0}, 3, 0) == std::vector<std::int64_t>{0, 0, 0});
  CHECK(pauses({100ns, 100ns, 0}, 2, 0) == std::vector<std::int64_t>{100, 100});
}

TEST_CASE("restart policy: pauses start over once it has been up for half of initial and max together") {
  CHECK(pauses({100ns, 500ns, 0}, 3, 300) == std::vector<std::int64_t>{100, 100, 100});
  CHECK(pauses({100ns, 500ns, 0}, 3, 299) == std::vector<std::int64_t>{100, 200, 400});
}

TEST_CASE("restart policy: a max of forever does not overflow") {
  const auto all = pauses({troupe::duration(second), troupe::forever, 0}, 80, 1000 * second);
  for (std::size_t i = 0; i < 33; ++i) REQUIRE(all[i] == second << i);
  CHECK(all.back() == INT64_MAX);
  CHECK(pauses({troupe::forever, troupe::forever, 0}, 2, 0).back() == INT64_MAX);
}

TEST_CASE("restart policy: jitter subtracts at most its share, and the pause is never negative") {
  for (const double jitter : {0.0, 0.2, 1.0}) {
    for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{1} << 63, UINT64_MAX}) {
      const auto p = pauses({1000ns, 1000ns, jitter}, 1, 0, random).front();
      CHECK(p <= 1000);
      CHECK(static_cast<double>(p) >= 1000 * (1 - jitter) - 1);
    }
  }
}
