// tcp_server on the simulated network: the slot of a peer that vanishes.
#include "transport/examples/server_under_test.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

using namespace troupe;
using namespace troupe_test;

namespace {

constexpr tcp_options probed{
    .keep_alive = true, .keep_alive_idle = 60s, .keep_alive_interval = 10s, .keep_alive_count = 3};

/// A server with one slot, taken by a client whose host then crashes.
struct taken_place {
  explicit taken_place(tcp_options connection)
      : server("tcp", {.listen = host.endpoint(7), .connection = connection, .max_connections = 1}) {
    must(sys.start(server));
    first.spawn(ask("first"));
    rt.advance(1s);
    REQUIRE(heard == "first");
    REQUIRE(server.metrics().active == 1);
    first.crash();
    crashed = rt.now();
    second.spawn(ask("second"));
  }

  /// Connects, sends its word, reads the echo, and stays.
  task<void> ask(std::string word) {
    tcp_stream s = must(co_await tcp_stream::connect(host.endpoint(7), 5s));
    must(co_await s.write_all(bytes_of(word)));
    heard = co_await read_exactly(s, word.size());
    heard_at = rt.now();
    co_await sleep_for(24h);
  }

  std::string heard;  // before the runtime, whose tasks write it
  time_point heard_at;
  time_point crashed;
  sim::runtime rt{{.seed = testkit::seed_or(13)}};
  sim::network net{rt};
  sim::host host{net, "server"};
  sim::host first{net, "first"};
  sim::host second{net, "second"};
  troupe::system sys{host, {.log = &silent_log()}};
  tcp_server<echo> server;
};

}  // namespace

TEST_CASE("tcp_server: a peer that vanishes frees its slot once the keep-alive probes find out") {
  taken_place w(probed);
  w.rt.advance(probed.keep_alive_idle);
  CHECK(w.heard == "first");  // the other waits in the backlog
  w.rt.advance(1h);
  CHECK(w.heard == "second");
  CHECK(w.heard_at - w.crashed >= 60s);
  CHECK(w.heard_at - w.crashed <= 60s + 3 * 10s);
  const endpoint_metrics m = w.server.metrics();
  CHECK(m.active == 1);
  CHECK(m.closed.error == 1);
}

TEST_CASE("tcp_server: without keep-alive probes a vanished peer keeps its slot") {
  taken_place w({});
  w.rt.advance(3h);
  CHECK(w.heard == "first");
  CHECK(w.server.metrics().active == 1);
  CHECK(w.server.metrics().closed.error == 0);
}

TEST_CASE("tcp_server: a refusal arrives whole, even if the network takes it in pieces") {
  testkit::for_each_seed(50, [](std::uint64_t seed) {
    sim::runtime rt{{.seed = seed}};
    sim::network net{rt, {.split = 1}};
    sim::host host{net, "server"};
    sim::host client{net, "client"};
    troupe::system sys{host, {.log = &silent_log()}};
    tcp_server<echo> server("tcp", {.listen = host.endpoint(7),
                                    .max_connections = 1,
                                    .on_limit = over_limit::refuse,
                                    .refusal = "too many of you, come again\r\n"});
    must(sys.start(server));
    std::string heard;
    const auto stay = [](ip_endpoint to) -> task<void> {
      const tcp_stream s = must(co_await tcp_stream::connect(to, 5s));
      co_await sleep_for(1h);
    };
    const auto visit = [](ip_endpoint to, std::string* into) -> task<void> {
      tcp_stream s = must(co_await tcp_stream::connect(to, 5s));
      *into = co_await read_all(s);
    };
    client.spawn(stay(host.endpoint(7)));
    rt.advance(1s);
    client.spawn(visit(host.endpoint(7), &heard));
    rt.advance(10s);
    CHECK(heard == "too many of you, come again\r\n");
  });
}
