// Backpressure end to end: a sender a hundred times as fast as its receiver, through a proxy and two
// connections. Each hop reads only as fast as the next one takes: memory stays flat, and nothing is lost. It
// takes 20 s, under a sanitizer 3 s, or TROUPE_SOAK_SECONDS.
#include "support/catch.hpp"
#include "support/sanitized.hpp"
#include "transport/examples/example_process.hpp"
#include "transport/examples/server_under_test.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <thread>

using namespace troupe_test;

namespace {

std::chrono::milliseconds soak_time() {
  const char* const s = std::getenv("TROUPE_SOAK_SECONDS");
  return s != nullptr ? std::chrono::seconds(std::max(1, std::atoi(s))) : sanitized ? 3s : 20s;
}

long own_memory() {
  std::ifstream statm("/proc/self/statm");
  long total = 0;
  long pages = 0;
  statm >> total >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

// Byte i of the stream, such that a lost, doubled or swapped byte is detected.
std::byte at(std::uint64_t i) {
  return static_cast<std::byte>((i * 2654435761U) >> 24);
}

struct count_down {
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> in_order{true};
  std::atomic<bool> hurry{false};
};

/// Takes received bytes slowly; nothing is read meanwhile.
struct slow_receiver {
  using accepts = troupe::protocol<troupe::tcp_received>;
  explicit slow_receiver(count_down* c) : figures(c) {}
  troupe::task<void> handle(troupe::tcp_received m) {
    std::uint64_t n = figures->taken.load();
    for (const std::byte b : m.bytes) {
      if (b != at(n++)) figures->in_order = false;
    }
    figures->taken = n;
    if (!figures->hurry) co_await troupe::sleep_for(10ms);
  }
  count_down* figures;
};

/// Sends as fast as the connection takes it, until it is told to stop.
struct fast_sender {
  fast_sender(std::atomic<std::uint64_t>* s, std::atomic<bool>* e) : sent(s), enough(e) {}
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer) {
    std::vector<std::byte> chunk(64 * 1024);
    while (!enough->load()) {
      const std::uint64_t from = sent->load();
      for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = at(from + i);
      if (!co_await troupe::until_stopped(ctx, peer.write_all(chunk))) co_return;
      sent->fetch_add(chunk.size());
    }
    (void)peer.shutdown_write();
    std::byte end[1];
    (void)co_await troupe::until_stopped(ctx, peer.read_some(end));
  }
  std::atomic<std::uint64_t>* sent;
  std::atomic<bool>* enough;
};

}  // namespace

TEST_CASE("credit: a sender 100 times as fast as its receiver, through two connections") {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<bool> enough{false};
  count_down figures;
  running_server<fast_sender> source({.connection = {.write_deadline = 120s}, .drain = 1s}, &sent, &enough);
  example proxy("proxy", {"--to", source.server.local_endpoint()->to_string(), "--drain", "1"});
  troupe::system sys({.workers = 1, .log = &troupe::silent_log()});
  const auto receiver = sys.spawn<slow_receiver>({.mailbox = {.capacity = 4}}, &figures);
  const auto client =
      sys.spawn(troupe::tcp_client, {},
                troupe::tcp_client_options{
                    .connect = troupe::ip_endpoint::loopback(static_cast<std::uint16_t>(proxy.port())),
                    .consumer = receiver});

  // Once all buffers are full, memory must not grow.
  REQUIRE(becomes_true([&] { return figures.taken > 256 * 1024; }));
  const long mine = own_memory();
  const long its = proxy->resident();
  long mine_most = mine;
  long its_most = its;
  const auto until = std::chrono::steady_clock::now() + soak_time();
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(50ms);
    mine_most = std::max(mine_most, own_memory());
    its_most = std::max(its_most, proxy->resident());
  }
  CHECK(mine_most - mine < 10 << 20);
  CHECK(its_most - its < 10 << 20);
  CHECK(sent - figures.taken < std::uint64_t{40} << 20);  // the capacity of four kernel buffers

  enough = true;
  figures.hurry = true;
  REQUIRE(becomes_true([&] { return figures.taken == sent; }));
  CHECK(figures.in_order);
  sys.stop(client);
}
