// The index of timers and watches, against a model, and in steps.
#include "cell/intrusive_index.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace {

std::uint64_t keys_read = 0;

struct element {
  std::uint64_t number = 0;
  [[nodiscard]] std::uint64_t key() const noexcept {
    ++keys_read;
    return number;
  }
  troupe::detail::index_hook<element> hook = {};
};
using element_index = troupe::detail::intrusive_index<element>;

/// Keys looked at for adding, finding and removing n elements whose numbers are `apart` from each other.
std::uint64_t steps(std::size_t n, std::uint64_t apart) {
  std::vector<element> all(n);
  element_index x;
  keys_read = 0;
  std::uint64_t number = 0;
  for (element& e : all) {
    e.number = number += apart;
    x.add(e);
  }
  for (element& e : all) {
    if (x.find(e.number) != &e) FAIL("not found");
    x.remove(e);
  }
  if (!x.empty()) FAIL("not empty");
  return keys_read;
}

}  // namespace

TEST_CASE("index: holds what a map holds, whatever is added and taken out") {
  std::mt19937_64 random(1);
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<element> all(3'000);
    element_index x;
    std::map<std::uint64_t, element*> model;
    for (std::size_t i = 0; i < all.size(); ++i) all[i].number = i * (round % 2 == 0 ? 1 : 256);
    const std::uint64_t adds = 1 + round % 3;  // of 4 steps; the others take out
    for (int step = 0; step < 20'000; ++step) {
      element& e = all[random() % all.size()];
      if (random() % 4 < adds) {
        if (model.emplace(e.number, &e).second) x.add(e);
      } else {
        x.remove(e);
        model.erase(e.number);
      }
      const std::uint64_t wanted = all[random() % all.size()].number;
      const auto there = model.find(wanted);
      if (x.find(wanted) != (there != model.end() ? there->second : nullptr)) FAIL("found something else");
      if (x.size() != model.size()) FAIL("counts something else");
    }
    x.clear([&](element& e) { model.erase(e.number); });
    CHECK(x.empty());
    CHECK(model.empty());
  }
}

TEST_CASE("index: clearing calls with each that is there, and those that are added and taken out meanwhile") {
  std::vector<element> all(5'000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].number = i;
  element_index x;
  for (std::size_t i = 0; i < 4'000; ++i) x.add(all[i]);
  std::vector<int> cleared(all.size());
  std::size_t fresh = 4'000;
  std::size_t taken = 0;
  x.clear([&](element& e) {
    ++cleared[e.number];
    if (fresh < all.size()) x.add(all[fresh++]);
    for (std::size_t i = 0; i < 3; ++i) {
      element& other = all[(e.number * 7 + i * 1'000) % all.size()];
      if (x.find(other.number) != nullptr) {
        x.remove(other);
        ++taken;
      }
    }
  });
  CHECK(x.empty());
  CHECK(taken > 0);
  CHECK(static_cast<std::size_t>(std::count(cleared.begin(), cleared.end(), 1)) + taken == all.size());
  CHECK(std::count(cleared.begin(), cleared.end(), 2) == 0);
}

TEST_CASE("index: ten times as many elements take at most twelve times as many steps") {
  for (const std::uint64_t apart : {1U, 16U, 256U, 4096U, 65536U, 999U}) {
    INFO("numbers " << apart << " apart");
    for (const std::size_t n : {1'000U, 10'000U}) {
      const std::uint64_t once = steps(n, apart);
      const std::uint64_t ten_times = steps(10 * n, apart);
      CHECK(ten_times <= 12 * once);
      CHECK(once <= 20 * n);
    }
  }
}
