// Backpressure: a fast producer and a slow consumer. The mailbox between them is bounded and send() waits for
// room, so the producer slows down to the rate of the consumer, and memory stays flat. Ctrl-C stops it.
//
//   troupe-backpressure --seconds 10
#include <troupe/actors.hpp>

#include <CLI/CLI.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <unistd.h>

using namespace std::chrono_literals;

struct parcel {
  std::array<char, 1000> content{};
};
struct produce {};

// Counters for the report. Relaxed: each is read alone.
std::atomic<int> sent{0};
std::atomic<int> taken{0};

struct consumer {
  using accepts = troupe::protocol<parcel>;
  troupe::task<void> handle(parcel) {
    if (taken.fetch_add(1, std::memory_order_relaxed) % 10 == 0) co_await troupe::sleep_for(1ms);
  }
};

struct producer {
  using accepts = troupe::protocol<produce>;
  void started(troupe::context& ctx) {
    to = ctx.system().at<parcel>("/app/consumer").value();
    (void)ctx.self<producer>().tell(produce{});
  }
  // Sends a hundred parcels, then tells itself to continue, so that other messages are handled in between.
  troupe::task<void> handle(produce, troupe::context& ctx) {
    for (int i = 0; i < 100; ++i) {
      if (co_await to.send(parcel{})) sent.fetch_add(1, std::memory_order_relaxed);
    }
    (void)ctx.self<producer>().tell(produce{});
  }
  troupe::ref<parcel> to;
};

/// Resident memory of this process in KiB.
long memory() {
  long total = 0;
  long resident = 0;
  if (std::FILE* const f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

struct second_passed {};

/// Prints the counters every second, and ends the program after the given time.
struct reporter {
  using accepts = troupe::protocol<second_passed>;
  explicit reporter(int s) : seconds(s) {}
  void started(troupe::context& ctx) { ctx.every(1s, second_passed{}); }
  void handle(second_passed, troupe::context& ctx) {
    std::printf("%3d s  sent %8d  taken %8d  memory %6ld KiB\n", ++now, sent.load(std::memory_order_relaxed),
                taken.load(std::memory_order_relaxed), memory());
    std::fflush(stdout);
    if (now == seconds) ctx.system().stop(*ctx.system().at<>("/app"));
  }
  int seconds;
  int now = 0;
};

int main(int argc, char** argv) {
  int seconds = 30;
  CLI::App app("A fast producer and a slow consumer: memory stays flat");
  app.add_option("--seconds", seconds, "Seconds to run")->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  troupe::system sys;
  return sys.run(troupe::supervisor("app")
                     .child<consumer>("consumer", {.mailbox = {.capacity = 64}})
                     .child<producer>("producer")
                     .child<reporter>("reporter", {}, seconds));
}
