// The main function of every test program, compiled once, with a watch over the threads that a test leaves
// behind.
#if __has_include(<catch2/catch_all.hpp>)
#include "support/catch.hpp"
using listener_base = Catch::EventListenerBase;
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
using listener_base = Catch::TestEventListenerBase;
#endif

#include "support/becomes_true.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>

namespace {

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

// The threads of a test case end with it, also those that its runtime abandoned. Otherwise the next test,
// which may count threads, descriptors or memory, sees them end.
class no_thread_is_left : public listener_base {
 public:
  using listener_base::listener_base;

  void testCaseStarting(const Catch::TestCaseInfo& which) override {
    listener_base::testCaseStarting(which);
    name_ = which.name;
    before_ = threads();
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    listener_base::testCaseEnded(stats);
    if (troupe_test::becomes_true([&] { return threads() <= before_; })) return;
    std::fprintf(stderr, "%s: FAILED, it left %td threads behind\n", name_.c_str(), threads() - before_);
    std::abort();
  }

 private:
  std::string name_;
  std::ptrdiff_t before_ = 0;
};

CATCH_REGISTER_LISTENER(no_thread_is_left)

}  // namespace

int main(int argc, char** argv) {
  std::thread([] {}).join();  // with the first thread ThreadSanitizer starts one of its own, which stays
  return Catch::Session().run(argc, argv);
}
