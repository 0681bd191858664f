// A whole program whose handler never returns: its system is abandoned with the thread, main() returns, and
// the process ends normally. The abandoned memory is still in use, so it is not a leak: under
// AddressSanitizer all of it must be reachable from the thread that hangs.
#include <troupe/troupe.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace {

struct hang {};

std::atomic<bool> hangs = false;

struct hanging {
  using accepts = troupe::protocol<hang>;
  static void handle(hang) {
    hangs = true;
    hangs.notify_all();
    static const std::atomic<bool> over = false;
    over.wait(false);
  }
};

}  // namespace

int main() {
  bool clean = false;
  {
    troupe::system sys({.workers = 2, .name = "left_behind", .shutdown = 100ms});
    const auto a = sys.spawn<hanging>();
    if (a.tell(hang{}) != troupe::send_result::ok) return 2;
    hangs.wait(false);
    clean = sys.shutdown().has_value();
  }
  if (clean) std::fputs("shutdown() reports that all actors ended, but a handler hangs\n", stderr);
  return clean ? 1 : 0;
}
