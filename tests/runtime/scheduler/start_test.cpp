// A runtime that cannot start.
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/runtime/runtime.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>

using troupe_test::becomes_true;

TEST_CASE(
    "runtime: when a thread cannot be started, the constructor throws and leaves no threads or descriptors") {
  if (troupe_test::sanitized) return;  // sanitizers reserve more than any limit
  const auto entries = [](const char* of) {
    return std::distance(std::filesystem::directory_iterator(of), std::filesystem::directory_iterator());
  };
  const auto threads = entries("/proc/self/task");
  const auto descriptors = entries("/proc/self/fd");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit tight = before;
  tight.rlim_cur = pages * 4096 + (std::size_t{200} << 20);  // of 256 stacks of 8 MiB, a few
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);
  bool refused = false;
  try {
    const troupe::runtime rt({.workers = 256});
  } catch (const std::exception&) {
    refused = true;
  }
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  CHECK(refused);
  CHECK(becomes_true([&] { return entries("/proc/self/task") == threads; }));
  CHECK(entries("/proc/self/fd") == descriptors);
}
