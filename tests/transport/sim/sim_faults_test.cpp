// The effects of each fault of the simulated network on a stream, and their times.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

using namespace troupe;
using namespace troupe_test;

namespace {

// Two hosts, and a connection between them.
struct two_hosts {
  explicit two_hosts(sim::network_options o = {}, tcp_options of_server = {}, tcp_options of_client = {})
      : rt({.seed = testkit::seed_or(11)}), net(rt, o), server(net, "server"), client(net, "client") {
    const sim::host::visit here(server);
    listener = must(tcp_listener::bind(server.endpoint(9), {.accepted = of_server}));
    const auto accept = [](tcp_listener& l, tcp_stream& to) -> task<void> { to = must(co_await l.accept()); };
    server.spawn(accept(listener, at_server));
    at_client = must(client.block_on(tcp_stream::connect(server.endpoint(9), 10s, of_client)));
    rt.advance(1s);
  }
  sim::runtime rt;
  sim::network net;
  sim::host server;
  sim::host client;
  tcp_listener listener;
  tcp_stream at_server;
  tcp_stream at_client;

  // Writes `text`, and returns the bytes that the other side has received after `within`.
  std::string across(std::string text, duration within) {
    must(client.block_on(at_client.write_all(bytes_of(text))));
    rt.advance(within);
    return arrived();
  }
  std::string arrived() {
    std::string all;
    std::byte room[4096];
    for (;;) {
      const auto n = at_server.try_read(room);
      if (!n || !*n || **n == 0) return all;
      all += text_of(std::span(room, **n));
    }
  }
};

std::errc code_of(const error& e) {
  return e.code().category() == std::generic_category() ? static_cast<std::errc>(e.code().value())
                                                        : std::errc();
}

template <class T>
std::errc code_of(const result<T>& r) {
  return r ? std::errc() : code_of(r.error());
}

task<result<std::size_t>> read_once(tcp_stream& s) {
  std::byte room[64];
  co_return co_await s.read_some(room);
}

std::string noise(std::size_t n) {
  std::string text(n, '\0');
  for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 26) % 26);
  return text;
}

}  // namespace

TEST_CASE("sim_network: bytes written during a partition arrive after it is healed") {
  two_hosts w;
  w.net.partition(w.server, w.client);
  CHECK(w.across("are you there?", 30s).empty());
  CHECK(w.net.dropped() > 3);  // it was retransmitted several times
  w.net.heal(w.server, w.client);
  w.rt.advance(60s);
  CHECK(w.arrived() == "are you there?");
}

TEST_CASE("sim_network: a connection fails when the partition lasts too long, on the side that waits") {
  two_hosts w({.give_up = 60s});
  w.net.partition(w.server, w.client);
  must(w.client.block_on(w.at_client.write_all(bytes_of("question"))));
  const time_point began = w.rt.now();
  CHECK(code_of(w.client.block_on(read_once(w.at_client))) == std::errc::timed_out);
  CHECK(w.rt.now() - began >= 60s);
  CHECK(w.rt.now() - began <= 200s);
  CHECK(code_of(w.client.block_on(w.at_client.write_all(bytes_of("x")))) == std::errc::broken_pipe);
  // The other side has nothing to send, and so does not notice: it is half-open.
  CHECK(w.rt.run_to_end(1h));
  std::byte room[8];
  const auto quiet = w.at_server.try_read(room);
  REQUIRE(quiet);
  CHECK(!*quiet);
  // Once healed, its first bytes are answered with a reset.
  w.net.heal(w.server, w.client);
  must(w.server.block_on(w.at_server.write_all(bytes_of("hello?"))));
  CHECK(code_of(w.server.block_on(read_once(w.at_server))) == std::errc::connection_reset);
}

TEST_CASE("sim_network: a partition of one direction leaves the other open, without acknowledgements") {
  two_hosts w({.give_up = 60s});
  w.net.partition_one_way(w.server, w.client);  // the client's bytes arrive, but no answer does
  CHECK(w.across("still heard", 1s) == "still heard");
  w.rt.advance(1s);
  CHECK(w.arrived().empty());  // retransmitted, but taken only once
  CHECK(code_of(w.client.block_on(read_once(w.at_client))) == std::errc::timed_out);
}

TEST_CASE("sim_network: a reset ends both sides, and each gets one error") {
  two_hosts w;
  w.net.reset_connections(w.client, w.server);
  w.rt.advance(1s);
  for (tcp_stream* const s : {&w.at_client, &w.at_server}) {
    CHECK(code_of(w.rt.block_on(read_once(*s))) == std::errc::connection_reset);
    CHECK(code_of(w.rt.block_on(s->write_all(bytes_of("x")))) == std::errc::broken_pipe);
  }
  CHECK(w.rt.run_to_end(1h));
}

TEST_CASE("sim_network: a middlebox resets connections with its probability") {
  two_hosts w({.link = {.reset = 0.2}});
  int sent = 0;
  while (sent < 1000 && w.client.block_on(w.at_client.write_all(bytes_of("x")))) {
    w.rt.advance(1s);
    ++sent;
  }
  CHECK(sent < 100);
}

TEST_CASE("sim_network: a host that crashes sends nothing; the peer waits until its own deadline") {
  two_hosts w({}, {}, {.read_deadline = 5min});
  w.server.crash();
  CHECK(!w.server.is_up());
  const time_point began = w.rt.now();
  CHECK(w.client.block_on(read_once(w.at_client)).error() == errc::timeout);
  CHECK(w.rt.now() - began >= 5min);
  // On the crashed host itself every call fails with the reason.
  const auto written = w.server.block_on(w.at_server.write_all(bytes_of("x")));
  REQUIRE(!written);
  CHECK_THAT(std::string(written.error().text()), Catch::Contains("the simulated host is down"));
  CHECK(!w.server.block_on(w.listener.accept()));
  CHECK(!w.server.block_on(tcp_stream::connect(w.client.endpoint(1))));
}

TEST_CASE("sim_network: a host that is up again answers old connections with a reset") {
  two_hosts w;
  w.server.crash();
  CHECK(w.across("lost", 10s).empty());
  w.server.restart();
  CHECK(code_of(w.client.block_on(read_once(w.at_client))) == std::errc::connection_reset);
  // Its port is free, and can be bound again.
  const sim::host::visit here(w.server);
  CHECK(tcp_listener::bind(w.server.endpoint(9)));
}

TEST_CASE("sim_network: a crash stops the tasks of that host only") {
  struct counts {
    int ended = 0;
  };
  counts on_server;
  counts on_client;
  struct at_end {
    counts& c;
    ~at_end() { ++c.ended; }
  };
  two_hosts w;
  const auto sleep_long = [](counts& c) -> task<void> {
    const at_end note{c};
    co_await sleep_for(1h);
  };
  const auto start_another = [](sim::host& on, auto f, counts& c) -> task<void> {
    on.spawn(f(c));  // spawned by a task, so it runs there, too
    co_await f(c);
  };
  w.server.spawn(start_another(w.server, sleep_long, on_server));
  w.client.spawn(sleep_long(on_client));
  w.rt.advance(1s);
  w.server.crash();
  w.rt.advance(1s);
  CHECK(on_server.ended == 2);
  CHECK(on_client.ended == 0);
}

TEST_CASE(
    "sim_network: connecting to a host that is gone ends at the deadline, or when the handshake gives up") {
  two_hosts w;
  w.server.crash();
  CHECK(w.client.block_on(tcp_stream::connect(w.server.endpoint(9), 5s)).error() == errc::timeout);
  const time_point began = w.rt.now();
  CHECK(code_of(w.client.block_on(tcp_stream::connect(w.server.endpoint(9), forever))) ==
        std::errc::timed_out);
  CHECK(w.rt.now() - began >= 2min);
  CHECK(w.rt.now() - began <= 3min);
}

TEST_CASE("sim_network: an address that no host has is unreachable at once") {
  two_hosts w;
  const auto s = w.client.block_on(tcp_stream::connect(must(ip_endpoint::parse("10.9.9.9:80"))));
  CHECK(code_of(s) == std::errc::host_unreachable);
  CHECK_THAT(std::string(s.error().text()), Catch::Contains("no host has this address"));
}

TEST_CASE("sim_network: a full backlog drops requests, and the connection succeeds after an accept") {
  two_hosts w;
  const sim::host::visit here(w.server);
  tcp_listener l = must(tcp_listener::bind(w.server.endpoint(10), {.backlog = 1}));
  std::vector<tcp_stream> waiting;
  for (int i = 0; i < 2; ++i)
    waiting.push_back(must(w.client.block_on(tcp_stream::connect(w.server.endpoint(10), 1s))));
  CHECK(w.client.block_on(tcp_stream::connect(w.server.endpoint(10), 1s)).error() == errc::timeout);
  const auto accept_later = [](tcp_listener& from) -> task<void> {
    co_await sleep_for(2s);
    (void)must(co_await from.accept());
  };
  w.server.spawn(accept_later(l));
  CHECK(w.client.block_on(tcp_stream::connect(w.server.endpoint(10), 20s)));
}

TEST_CASE("sim_network: a listener that closes resets connections that are not accepted") {
  two_hosts w;
  tcp_stream s;
  {
    const sim::host::visit here(w.server);
    tcp_listener l = must(tcp_listener::bind(w.server.endpoint(10)));
    s = must(w.client.block_on(tcp_stream::connect(w.server.endpoint(10))));
    w.rt.advance(1s);
  }
  CHECK(code_of(w.client.block_on(read_once(s))) == std::errc::connection_reset);
}

TEST_CASE("sim_network: a peer that does not read is sent no more than the buffers hold") {
  two_hosts w({.receive_buffer = 20'000, .send_buffer = 10'000}, {}, {.write_deadline = forever});
  std::size_t written = 0;
  const auto write_on = [](tcp_stream& s, std::size_t& n) -> task<void> {
    const std::string piece = noise(1000);
    for (; n < 500'000; n += piece.size()) must(co_await s.write_all(bytes_of(piece)));
    must(s.shutdown_write());
  };
  w.client.spawn(write_on(w.at_client, written));
  w.rt.advance(5min);
  CHECK(written >= 29'000);
  CHECK(written <= 30'000);
  // The window opens as soon as the peer reads, and all bytes arrive.
  const std::string all = must(w.server.block_on(read_all(w.at_server)));
  CHECK(all.size() == 500'000);
  CHECK(all.substr(0, 1000) == noise(1000));
}

TEST_CASE("sim_network: a window that opens during a partition is probed until the sender learns of it") {
  two_hosts w({.receive_buffer = 4096, .send_buffer = 4096}, {}, {.write_deadline = forever});
  const std::string text = noise(20'000);
  const auto write = [](tcp_stream& s, const std::string& t) -> task<void> {
    must(co_await s.write_all(bytes_of(t)));
    s.close();
  };
  w.client.spawn(write(w.at_client, text));
  w.rt.advance(10s);
  w.net.partition_one_way(w.server, w.client);
  std::string got = w.arrived();  // opens the window, but the update is lost
  w.rt.advance(10s);
  w.net.heal(w.server, w.client);
  got += must(w.server.block_on(read_all(w.at_server)));
  CHECK(got == text);
}

TEST_CASE("sim_network: a link with little bandwidth delays bytes") {
  two_hosts w({.link = {.latency = 5ms, .bandwidth = 100'000}});
  const std::string text = noise(200'000);
  const auto write = [](tcp_stream& s, const std::string& t) -> task<void> {
    must(co_await s.write_all(bytes_of(t)));
    s.close();
  };
  const time_point began = w.rt.now();
  w.client.spawn(write(w.at_client, text));
  CHECK(must(w.server.block_on(read_all(w.at_server))) == text);
  CHECK(w.rt.now() - began >= 2s);
  CHECK(w.rt.now() - began <= 3s);
}

TEST_CASE("sim_network: loss delays a stream, and loses none of its bytes") {
  two_hosts w({.link = {.loss = 0.2}});
  const std::string text = noise(100'000);
  const auto write = [](tcp_stream& s, const std::string& t) -> task<void> {
    must(co_await s.write_all(bytes_of(t)));
    s.close();
  };
  w.client.spawn(write(w.at_client, text));
  w.at_client.set_write_deadline(forever);
  CHECK(must(w.server.block_on(read_all(w.at_server))) == text);
  CHECK(w.net.dropped() > 0);
}

TEST_CASE("sim_network: reads are split and merged by the seed, or get all received bytes") {
  const auto pieces = [](double split) {
    two_hosts w({.split = split});
    must(w.client.block_on(w.at_client.write_all(bytes_of(noise(30'000)))));
    w.rt.advance(1s);
    int n = 0;
    std::byte room[64 * 1024];
    for (std::size_t all = 0; all < 30'000; ++n) {
      all += must(w.server.block_on(w.at_server.read_some(room)));
    }
    return n;
  };
  CHECK(pieces(0) == 1);
  CHECK(pieces(1) > 5);
}

TEST_CASE("sim_network: closing delivers written bytes; with unread bytes it is a reset") {
  two_hosts w;
  SECTION("in order") {
    must(w.client.block_on(w.at_client.write_all(bytes_of("last words"))));
    w.at_client.close();
    CHECK(must(w.server.block_on(read_all(w.at_server))) == "last words");
    w.at_server.close();
  }
  SECTION("unread") {
    CHECK(w.across("unread", 0s).empty());
    w.rt.advance(1s);
    w.at_server.close();
    CHECK(code_of(w.client.block_on(read_once(w.at_client))) == std::errc::connection_reset);
    w.at_client.close();
  }
  SECTION("written to afterwards") {
    w.at_server.close();
    w.rt.advance(1s);
    CHECK(must(w.client.block_on(read_once(w.at_client))) == 0);
    must(w.client.block_on(w.at_client.write_all(bytes_of("too late"))));
    w.rt.advance(1s);
    CHECK(code_of(w.client.block_on(w.at_client.write_all(bytes_of("x")))) == std::errc::broken_pipe);
    w.at_client.close();
  }
  w.listener.close();
  CHECK(w.rt.run_to_end(10min));
  CHECK(w.net.open_sockets() == 0);
}

TEST_CASE("sim_network: limit_sockets() limits the open sockets of a host") {
  two_hosts w;
  w.server.limit_sockets(3);
  CHECK(w.client.block_on(
      tcp_stream::connect(w.server.endpoint(9))));  // a connection in the backlog is not an open socket
  CHECK(w.server.block_on(w.listener.accept()));    // the third, closed at once
  const tcp_stream third = must(w.server.block_on(tcp_stream::connect(w.server.endpoint(9))));
  const auto refused = w.server.block_on(w.listener.accept());
  REQUIRE(!refused);
  CHECK(refused.error() == std::make_error_code(std::errc::too_many_files_open));
  w.server.limit_sockets(100);
  CHECK(w.server.block_on(w.listener.accept()));
}
