// tcp_client on the simulated network: the times of its attempts, to the nanosecond.
#include "transport/examples/server_under_test.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe_test;

namespace {

constexpr duration way = 1ms;
constexpr duration refusal = 2 * way;  // there, and back with a reset
// The limit is not a power of two times the first pause.
constexpr backoff steps{.initial = 100ms, .max = 1s};
constexpr duration enough = (steps.initial + steps.max) / 2;  // a connection that worked

struct two_hosts {
  sim::runtime rt{{.seed = testkit::seed_or(3)}};
  sim::network net{rt, {.link = {.latency = way, .jitter = {}}, .split = 0}};
  sim::host server{net, "server"};
  sim::host clients{net, "clients"};
  ip_endpoint at = server.endpoint(9);
  troupe::system sys{clients, {.log = &silent_log()}};

  /// Accepts one client, keeps it for that long, and stops listening.
  void serve_one(duration stay) {
    const sim::host::visit here(server);
    const auto serve = [](tcp_listener l, duration d) -> task<void> {
      const tcp_stream s = must(co_await l.accept());
      co_await sleep_for(d);
    };
    server.spawn(serve(must(tcp_listener::bind(at)), stay));
  }
};

struct event {
  bool up = false;
  time_point when;
  std::string why;  // of a tcp_down
};

/// The observer: records its messages and their times.
struct diary {
  using accepts = protocol<tcp_up, tcp_down>;
  explicit diary(std::vector<event>* e) : events(e) {}
  void handle(const tcp_up&, context& ctx) const { events->push_back({true, ctx.now(), {}}); }
  void handle(const tcp_down& m, context& ctx) const {
    events->push_back({false, ctx.now(), m.why.to_string()});
  }
  std::vector<event>* events;
};

struct observed_client {
  observed_client(two_hosts& w, const backoff& reconnect, tcp_options connection = {})
      : world(w),
        consumer(w.sys),
        client(w.sys.spawn(tcp_client, {},
                           tcp_client_options{.connect = w.at,
                                              .connection = connection,
                                              .connect_deadline = 2s,
                                              .reconnect = reconnect,
                                              .consumer = consumer.ref(),
                                              .observer = w.sys.spawn<diary>({}, &events)})) {}

  /// Advances the clock to the nth event.
  void advance_to(std::size_t n) {
    for (int i = 0; events.size() < n && i < 1'000'000; ++i) world.rt.advance(100us);
    REQUIRE(events.size() >= n);
  }
  /// The pause between the event before the nth, a tcp_down, and the refused attempt whose tcp_down is the
  /// nth.
  [[nodiscard]] duration pause_before(std::size_t n) const {
    REQUIRE((!events[n - 1].up && !events[n].up));
    return events[n].when - events[n - 1].when - refusal;
  }
  /// The first n pauses if no attempt succeeds.
  [[nodiscard]] std::vector<duration> pauses(std::size_t n) {
    advance_to(n + 1);
    std::vector<duration> all;
    for (std::size_t i = 1; i <= n; ++i) all.push_back(pause_before(i));
    return all;
  }

  two_hosts& world;
  std::vector<event> events;
  testkit::probe<tcp_received> consumer;
  ref<tcp_send> client;
};

bool within_jitter(duration pause, duration longest) {
  return pause <= longest && pause >= longest - longest / 5;
}

}  // namespace

TEST_CASE("tcp_client: the pauses between its attempts double up to the limit") {
  two_hosts w;
  observed_client c(w, {.initial = steps.initial, .max = steps.max, .jitter = 0});
  CHECK(c.pauses(7) == std::vector<duration>{100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s});
  CHECK_THAT(c.events.back().why, Catch::Contains("nothing listens there"));
}

TEST_CASE("tcp_client: up to the jitter is taken off each pause, and two clients do not retry in step") {
  two_hosts w;
  // Both make their first attempt at the same time, as after the end of a server that they share.
  observed_client one(w, steps);
  observed_client other(w, steps);
  const std::vector<duration> pauses = one.pauses(20);
  CHECK(other.pauses(20) != pauses);
  CHECK(other.events.front().when == one.events.front().when);
  duration longest = steps.initial;
  for (const duration p : pauses) {
    CAPTURE(p.count(), longest.count());
    CHECK(within_jitter(p, longest));
    longest = std::min(2 * longest, steps.max);
  }
  // At the limit, too, no two pauses are alike.
  CHECK(std::ranges::adjacent_find(pauses) == pauses.end());
}

TEST_CASE("tcp_client: the pauses are reset after a connection that lasted, and only then") {
  two_hosts w;
  observed_client c(w, steps);
  const bool lasts = GENERATE(true, false);
  c.advance_to(5);
  w.serve_one(lasts ? enough + 10ms : enough - 10ms);
  c.advance_to(9);
  REQUIRE(c.events[5].up);
  REQUIRE((c.events[6].when - c.events[5].when >= enough) == lasts);
  CAPTURE(c.pause_before(7).count(), c.pause_before(8).count());
  CHECK(within_jitter(c.pause_before(7), lasts ? steps.initial : steps.max));
  CHECK(within_jitter(c.pause_before(8), lasts ? 2 * steps.initial : steps.max));
}

TEST_CASE("tcp_client: when a partition heals, it reconnects and sends its queue") {
  two_hosts w;
  troupe::system remote(w.server, {.log = &silent_log()});
  must(remote.start(tcp_server<echo>("tcp", {.listen = w.at})));
  observed_client c(
      w, steps,
      {.keep_alive = true, .keep_alive_idle = 10s, .keep_alive_interval = 1s, .keep_alive_count = 3});
  c.advance_to(1);
  REQUIRE(c.events[0].up);
  w.net.partition(w.server, w.clients);
  c.advance_to(2);  // neither side has sent data: the probes found out
  const auto text = bytes_of("still here");
  REQUIRE(c.client.tell(tcp_send{{text.begin(), text.end()}}) == send_result::ok);
  c.advance_to(7);
  for (std::size_t i = 1; i < 7; ++i) CHECK(!c.events[i].up);
  c.consumer.expect_nothing();
  w.net.heal(w.server, w.clients);
  const time_point healed = w.rt.now();
  c.advance_to(8);
  REQUIRE(c.events[7].up);
  CHECK(c.events[7].when - healed <= steps.max + refusal);
  CHECK(text_of(c.consumer.expect<tcp_received>().bytes) == "still here");
}
