// Datagrams on the simulated network: loss, duplication, reordering and refusal.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <algorithm>
#include <set>

using namespace troupe;
using namespace troupe_test;

namespace {

struct two_ports {
  explicit two_ports(sim::link_options o = {}, udp_options of_receiver = {})
      : rt({.seed = testkit::seed_or(5)}), net(rt, {.link = o}), a(net, "a"), b(net, "b") {
    {
      const sim::host::visit here(a);
      from = must(udp_socket::bind(a.endpoint(1000)));
    }
    const sim::host::visit here(b);
    to = must(udp_socket::bind(b.endpoint(2000), of_receiver));
  }

  /// Sends the numbers 0 to n - 1; returns those that arrived, in order of arrival.
  std::vector<int> send_numbers(int n) {
    for (int i = 0; i < n; ++i) {
      must(rt.block_on(from.send_to(bytes_of(std::to_string(i)), b.endpoint(2000))));
      rt.advance(100us);
    }
    rt.advance(10s);
    std::vector<int> got;
    std::byte room[64];
    for (;;) {
      const auto d = must(to.try_receive_from(room));
      if (!d) return got;
      if (d->from != a.endpoint(1000)) throw testkit::failure("from " + d->from.to_string());
      got.push_back(std::stoi(text_of(std::span(room, d->size))));
    }
  }

  sim::runtime rt;
  sim::network net;
  sim::host a;
  sim::host b;
  udp_socket from;
  udp_socket to;
};

}  // namespace

TEST_CASE("sim_network: datagrams arrive after the latency, in order, once") {
  two_ports w({.latency = 3ms, .jitter = 2ms});
  const std::vector<int> got = w.send_numbers(300);
  CHECK(got.size() == 300);
  CHECK(std::ranges::is_sorted(got));
  must(w.rt.block_on(w.from.send_to(bytes_of("timed"), w.b.endpoint(2000))));
  const time_point began = w.rt.now();
  std::byte room[8];
  (void)must(w.rt.block_on(w.to.receive_from(room)));
  CHECK(w.rt.now() - began >= 3ms);
  CHECK(w.rt.now() - began <= 5ms);
}

TEST_CASE("sim_network: loss, duplication and reordering follow their probabilities and the seed") {
  const auto run = [](sim::link_options o) {
    two_ports w(o, {.receive_buffer = 1'000'000});
    return w.send_numbers(1000);
  };
  const auto lossy = run({.loss = 0.3});
  CHECK(lossy.size() > 600);
  CHECK(lossy.size() < 800);
  CHECK(std::ranges::is_sorted(lossy));
  const auto doubled = run({.duplicate = 0.3});
  CHECK(doubled.size() > 1200);
  CHECK(doubled.size() < 1400);
  CHECK(std::set<int>(doubled.begin(), doubled.end()).size() == 1000);
  const auto overtaken = run({.reorder = 0.3});
  CHECK(overtaken.size() == 1000);
  CHECK(!std::ranges::is_sorted(overtaken));
  CHECK(run({.loss = 0.3}) == lossy);
  CHECK(run({.reorder = 0.3}) == overtaken);
}

TEST_CASE("sim_network: a partition drops datagrams, including those in flight") {
  two_ports w({.latency = 10ms});
  must(w.rt.block_on(w.from.send_to(bytes_of("under way"), w.b.endpoint(2000))));
  w.net.partition(w.a, w.b);
  w.rt.advance(1s);
  std::byte room[16];
  CHECK(!must(w.to.try_receive_from(room)));
  CHECK(w.send_numbers(10).empty());
  w.net.heal(w.a, w.b);
  CHECK(w.send_numbers(10).size() == 10);
}

TEST_CASE("sim_network: datagrams that overflow the receiver's buffer are dropped and counted") {
  two_ports w({}, {.receive_buffer = 4096});
  const auto got = w.send_numbers(100);
  CHECK(got.size() < 30);
  CHECK(!got.empty());
  CHECK(got.size() + must(w.to.kernel_drops()) == 100);
}

TEST_CASE("sim_network: a connected datagram socket learns that the port is not bound, on another host too") {
  two_ports w;
  const sim::host::visit here(w.a);
  udp_socket s = must(udp_socket::connect(w.b.endpoint(2001), {.read_deadline = 5s}));
  must(w.rt.block_on(s.send(bytes_of("question"))));
  std::byte room[8];
  const auto got = w.rt.block_on(s.receive_from(room));
  REQUIRE(!got);
  CHECK(got.error() == std::make_error_code(std::errc::connection_refused));
  // A host that is down sends nothing.
  w.b.crash();
  must(w.rt.block_on(s.send(bytes_of("question"))));
  CHECK(w.rt.block_on(s.receive_from(room)).error() == errc::timeout);
}

TEST_CASE("sim_network: a group's datagrams arrive on every host that has joined it") {
  two_ports w;
  const ip_endpoint group = must(ip_endpoint::parse("239.1.2.3:5000"));
  const auto member = [&](const sim::host& h, bool join) {
    const sim::host::visit here(h);
    udp_socket s = must(udp_socket::bind(ip_endpoint::any(5000), {.reuse_address = true}));
    if (join) must(s.join(group));
    return s;
  };
  udp_socket one = member(w.a, true);
  udp_socket two = member(w.b, true);
  udp_socket other = member(w.b, false);
  must(w.rt.block_on(w.from.send_to(bytes_of("all"), group)));
  w.rt.advance(1s);
  std::byte room[8];
  CHECK(must(one.try_receive_from(room)));
  CHECK(must(two.try_receive_from(room)));
  CHECK(!must(other.try_receive_from(room)));
  must(two.leave(group));
  must(w.rt.block_on(w.from.send_to(bytes_of("all"), group)));
  w.rt.advance(1s);
  CHECK(must(one.try_receive_from(room)));
  CHECK(!must(two.try_receive_from(room)));
}
