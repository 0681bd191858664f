// The simulated network: sockets without set-up, several hosts, and option checks.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <cmath>
#include <optional>

using namespace troupe;
using namespace troupe_test;

namespace {

task<void> echo(tcp_stream s) {
  std::byte chunk[700];
  for (;;) {
    const auto n = co_await s.read_some(chunk);
    if (!n || *n == 0) co_return;
    if (!co_await s.write_all(std::span(chunk, *n))) co_return;
  }
}

task<void> serve(runtime& on, ip_endpoint at) {
  tcp_listener l = must(tcp_listener::bind(at));
  for (;;) on.spawn(echo(must(co_await l.accept())));
}

}  // namespace

TEST_CASE("sim_network: sockets work on a simulated runtime with no set-up") {
  sim::runtime rt({.seed = 3});
  const auto test = []() -> task<std::string> {
    connection c = co_await make_connection();
    must(co_await c.client.write_all(bytes_of("over nothing at all")));
    c.client.close();
    co_return co_await read_all(c.server);
  };
  CHECK(must(rt.block_on(test())) == "over nothing at all");
  CHECK(rt.run_to_end(1min));
}

TEST_CASE("sim_network: bytes that arrive exactly at a read's deadline are there for the next read") {
  sim::runtime rt({.seed = testkit::seed_or(5)});
  sim::network net(rt, {.loopback = {.latency = 10ms, .jitter = 0ms}, .split = 0});
  sim::host here(net, "here");
  const auto test = []() -> task<std::pair<bool, std::string>> {
    connection c = co_await make_connection();
    must(co_await c.client.write_all(bytes_of("late")));
    std::byte chunk[8];
    const auto given_up = co_await with_timeout(c.server.read_some(chunk), 10ms);
    co_return std::pair(!given_up && given_up.error() == errc::timeout, co_await read_exactly(c.server, 4));
  };
  const auto r = here.block_on(test());
  REQUIRE(r);
  CHECK(r->first);
  CHECK(r->second == "late");
}

TEST_CASE("sim_network: a server on one host serves clients on another") {
  sim::runtime rt({.seed = 3});
  sim::network net(rt, {.link = {.latency = 10ms, .jitter = 0ms}});
  sim::host server(net, "server");
  sim::host client(net, "client");
  server.spawn(serve(server, server.endpoint(7)));
  const auto ask = [](ip_endpoint to) -> task<std::string> {
    tcp_stream s = must(co_await tcp_stream::connect(to));
    must(co_await s.write_all(bytes_of("question")));
    co_return co_await read_exactly(s, 8);
  };
  const time_point began = rt.now();
  CHECK(must(client.block_on(ask(server.endpoint(7)))) == "question");
  CHECK(rt.now() - began >= 40ms);  // a handshake, a question, an answer
  // A loopback address is that of the calling host.
  const auto lost = [](ip_endpoint to) -> task<result<tcp_stream>> {
    co_return co_await tcp_stream::connect(to);
  };
  const auto refused = client.block_on(lost(ip_endpoint::loopback(7)));
  REQUIRE(!refused);
  CHECK(refused.error() == std::make_error_code(std::errc::connection_refused));
}

namespace {

// A server actor; its children, one per client, run on its host.
struct echo_child {
  struct go {};
  using accepts = protocol<go>;
  explicit echo_child(tcp_stream s) : stream(std::move(s)) {}
  task<void> handle(go, context& ctx) {
    co_await echo(std::move(stream));
    ctx.stop();
  }
  tcp_stream stream;
};

struct echo_server {
  struct go {};
  using accepts = protocol<go>;
  explicit echo_server(ip_endpoint a) : at(a) {}
  void started(context& ctx) { (void)ctx.self<echo_server>().tell(go{}); }
  task<void> handle(go, context& ctx) {
    tcp_listener l = must(tcp_listener::bind(at));
    for (;;) {
      const auto child = ctx.spawn<echo_child>({}, must(co_await l.accept()));
      (void)child.tell(echo_child::go{});
    }
  }
  ip_endpoint at;
};

task<std::string> ask(ip_endpoint to, std::string text) {
  auto s = co_await tcp_stream::connect(to, 5s, {.read_deadline = 5s});
  if (!s) co_return "no connection";
  if (!co_await s->write_all(bytes_of(text))) co_return "not sent";
  co_return co_await read_exactly(*s, text.size());
}

}  // namespace

TEST_CASE("sim_network: a system on a host serves there, and ends with the host until it is created again") {
  const testkit::leak_guard memory;
  {
    sim::runtime rt({.seed = testkit::seed_or(8)});
    sim::network net(rt);
    sim::host server(net, "server");
    sim::host client(net, "client");
    std::optional<troupe::system> sys(std::in_place, server, system_options{.name = "echo"});
    sys->spawn<echo_server>({}, ip_endpoint::any(7));
    rt.run_until_idle();
    CHECK(must(client.block_on(ask(server.endpoint(7), "hello"))) == "hello");
    CHECK(must(client.block_on(ask(server.endpoint_v6(7), "hello"))) ==
          "no connection");  // it listens with IPv4 only
    CHECK(must(server.block_on(ask(ip_endpoint::loopback(7), "at home"))) == "at home");
    server.crash();
    sys.reset();
    CHECK(must(client.block_on(ask(server.endpoint(7), "hello"))) == "no connection");
    server.restart();
    sys.emplace(server, system_options{.name = "echo"});
    sys->spawn<echo_server>({}, ip_endpoint::any(7));
    rt.run_until_idle();
    CHECK(must(client.block_on(ask(server.endpoint(7), "again"))) == "again");
  }
  memory.verify();
}

TEST_CASE("sim_network: each host has its own ports, and one port has one listener") {
  sim::runtime rt({.seed = 1});
  sim::network net(rt);
  sim::host a(net, "a");
  sim::host b(net, "b");
  CHECK(sim::host(net, "a").endpoint(1) == a.endpoint(1));
  CHECK(a.endpoint(1) != b.endpoint(1));
  std::vector<tcp_listener> open;
  for (const sim::host* const h : {&a, &b}) {
    const sim::host::visit here(*h);
    open.push_back(must(tcp_listener::bind(h->endpoint(80))));
    open.push_back(must(tcp_listener::bind(ip_endpoint::loopback(80))));
    const auto taken = tcp_listener::bind(ip_endpoint::any(80));
    REQUIRE(!taken);
    CHECK(taken.error() == std::make_error_code(std::errc::address_in_use));
  }
  const sim::host::visit here(a);
  const auto elsewhere = tcp_listener::bind(b.endpoint(81));
  REQUIRE(!elsewhere);
  CHECK(elsewhere.error() == std::make_error_code(std::errc::address_not_available));
}

TEST_CASE("sim_network: a thread outside of tasks opens kernel sockets, unless it visits a host") {
  sim::runtime rt({.seed = 1});
  sim::network net(rt);
  sim::host a(net, "a");
  {
    const sim::host::visit here(a);
    CHECK(tcp_listener::bind(a.endpoint(80)));
  }
  CHECK(!tcp_listener::bind(a.endpoint(80)));  // no interface of the real host has the address
}

TEST_CASE("sim_network: sockets outlive their runtime") {
  connection c;
  {
    sim::runtime rt({.seed = 1});
    c = must(rt.block_on(make_connection()));
    must(rt.block_on(c.client.write_all(bytes_of("not read by the peer"))));
  }
  CHECK(c.server.is_open());
  std::byte room[8];
  const auto got = c.server.try_read(room);
  REQUIRE(got);
  CHECK(!*got);
  c.server.close();
}

TEST_CASE("sim_network: options out of range are refused by name") {
  sim::runtime rt({.seed = 1});
  const auto refusal = [&](const sim::network_options& o) -> std::string {
    try {
      (void)sim::network(rt, o);
    } catch (const troupe_error& e) {
      CHECK(e.error() == errc::invalid_argument);
      return std::string(e.error().text());
    }
    return "taken";
  };
  CHECK(refusal({}) == "taken");
  CHECK(refusal({.link = {.loss = 1}, .split = 1, .segment = 1}) == "taken");
  CHECK(refusal({.segment = 0}) ==
        "sim::network: segment must be 1 or more: a packet carries at least one byte");
  CHECK(refusal({.receive_buffer = 0}) == "sim::network: receive_buffer must be 1 or more");
  CHECK(refusal({.send_buffer = 0}) == "sim::network: send_buffer must be 1 or more");
  CHECK(refusal({.split = -0.1}) == "sim::network: split must be from 0 to 1");
  CHECK(refusal({.give_up = 0s}) == "sim::network: give_up must be longer than 0");
  CHECK(refusal({.retransmit = -1s}) == "sim::network: retransmit must be longer than 0");
  CHECK(refusal({.link = {.latency = -1ms}}) == "sim::network: link.latency must be 0 or more");
  CHECK(refusal({.loopback = {.jitter = -1ms}}) == "sim::network: loopback.jitter must be 0 or more");
  for (const double none : {-1.0, 1.5, std::nan("")}) {
    CHECK(refusal({.link = {.loss = none}}) == "sim::network: link.loss must be from 0 to 1");
    CHECK(refusal({.link = {.duplicate = none}}) == "sim::network: link.duplicate must be from 0 to 1");
    CHECK(refusal({.link = {.reorder = none}}) == "sim::network: link.reorder must be from 0 to 1");
    CHECK(refusal({.link = {.reset = none}}) == "sim::network: link.reset must be from 0 to 1");
  }
  const sim::network net(rt);
  sim::host a(net, "a");
  sim::host b(net, "b");
  CHECK_THROWS_AS(sim::network(net).set_link(a, b, {.loss = 2}), troupe_error);
}
