// The code of docs/guide.md, second half: a TCP server and its tests. scripts/check_docs compares each region
// with its fence. The network is simulated.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/transport.hpp>
#include <troupe/transport/sim_network.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

// [till]
struct put {
  using reply = int;  // the sum so far
  int cents;
};

struct till {
  using accepts = troupe::protocol<put>;
  int handle(put m) { return sum += m.cents; }
  int sum = 0;
};
// [/till]

std::optional<int> number_in(std::string_view line) {
  int n = 0;
  if (line.empty() || line.size() > 6) return std::nullopt;
  for (const char c : line) {
    if (c < '0' || c > '9') return std::nullopt;
    n = 10 * n + (c - '0');
  }
  return n;
}

// [connection]
struct connection {
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer) {
    const troupe::result<troupe::ref<put>> sums = ctx.system().at<put>("/shop/till");
    if (!sums) co_return;
    troupe::framed lines(std::move(peer), troupe::line_codec({.max_line = 80}), {.frame_deadline = 30s});
    for (;;) {
      const auto line = co_await troupe::until_stopped(ctx, lines.next());
      if (!line || !*line) co_return;  // an error, a stop between two requests, or the end of the stream
      const std::optional<int> cents = number_in(**line);
      std::string reply = "ERR a number of cents, please";
      if (cents) {
        const troupe::result<int> sum = co_await sums->ask(put{*cents}, 1s);
        reply = sum ? std::to_string(*sum) : "ERR " + sum.error().to_string();
      }
      const troupe::result<void> sent = co_await lines.queue(std::string_view(reply));
      if (!sent) co_return;
    }
  }
};
// [/connection]

// [server]
troupe::supervisor shop(const troupe::ip_endpoint& at) {
  const troupe::tcp_server<connection> server("tcp",
                                              {.listen = at,
                                               .connection = {.read_deadline = 5min, .write_deadline = 10s},
                                               .max_connections = 1'000,
                                               .drain = 5s});
  return troupe::supervisor("shop").child<till>("till").child(server);
}
// [/server]

// [client]
troupe::task<std::string> talk(troupe::ip_endpoint to, std::string line) {
  troupe::result<troupe::tcp_stream> s = co_await troupe::tcp_stream::connect(to, 5s);
  if (!s) co_return s.error().to_string();
  troupe::framed lines(std::move(*s), troupe::line_codec());
  const troupe::result<void> sent = co_await lines.send(std::string_view(line));
  if (!sent) co_return sent.error().to_string();
  const auto reply = co_await lines.next();
  if (!reply) co_return reply.error().to_string();
  co_return std::string(reply->value_or("(end of stream)"));
}
// [/client]

// [unit_test]
TEST_CASE("till: what waits in the mailbox survives a crash") {
  troupe::testkit::for_each_seed(100, [](std::uint64_t seed) {
    troupe::testkit::test_system b({.seed = seed});
    REQUIRE(b.sys.start(troupe::supervisor("shop").child<till>("till")));
    const auto sums = b.sys.at<put>("/shop/till").value();
    REQUIRE(sums.tell(put{1}) == troupe::send_result::ok);
    REQUIRE(sums.tell(put{2}) == troupe::send_result::ok);
    b.crash_on(sums, 1);                                // the handler of the first message throws
    CHECK(b.await(sums.ask(put{4})).value() == 2 + 4);  // the second one was kept, in order
    CHECK(b.log.count("/shop/till") > 0);               // the restart is a log line
  });
}
// [/unit_test]

// [network_test]
TEST_CASE("shop: a line is answered over a slow network that loses packets") {
  troupe::testkit::for_each_seed(20, [](std::uint64_t seed) {
    std::string reply;
    {
      troupe::sim::runtime rt({.seed = seed});
      troupe::sim::network net(rt, {.link = {.latency = 20ms, .jitter = 10ms, .loss = 0.05}});
      troupe::sim::host server(net, "server");
      troupe::sim::host client(net, "client");
      troupe::system sys(server, {.log = &troupe::silent_log()});
      REQUIRE(sys.start(shop(server.endpoint(7000))));
      const auto visit = [](troupe::ip_endpoint to, std::string* into) -> troupe::task<void> {
        *into = co_await talk(to, "250");
      };
      client.spawn(visit(server.endpoint(7000), &reply));
      rt.advance(1min);
    }
    CHECK(reply == "250");
  });
}
// [/network_test]

TEST_CASE("shop: what is not a number is refused with a sentence") {
  troupe::sim::runtime rt({.seed = troupe::testkit::seed_or(1)});
  troupe::system sys(rt, {.log = &troupe::silent_log()});
  const auto at = troupe::ip_endpoint::loopback(7001);
  REQUIRE(sys.start(shop(at)));
  CHECK(sys.block_on(talk(at, "much")) == "ERR a number of cents, please");
}

}  // namespace
