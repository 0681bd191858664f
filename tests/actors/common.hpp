// Used by many tests of actors: a counter, and a short way to ask.
#pragma once

#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace actors_test {

using namespace std::chrono_literals;
using troupe::send_result;
using troupe::testkit::for_each_seed;
using troupe::testkit::probe;
using troupe::testkit::test_system;

constexpr unsigned seeds = 50;

struct add {
  int by;
};
struct get {
  using reply = int;
};
struct fail_now {
  std::string why;
};

/// Adds; fails when told to; forgets all when restarted.
struct counter {
  using accepts = troupe::protocol<add, get, fail_now>;
  void handle(add m) { sum += m.by; }
  int handle(get) const { return sum; }
  void handle(const fail_now& m) { throw std::runtime_error(m.why); }
  int sum = 0;
};

/// Hands each message on to a ref, so that a probe sees it.
struct note {
  int sender;
  int number;
};

/// Shared by a test and its actors: a list of events.
using history = std::vector<std::string>;

}  // namespace actors_test
