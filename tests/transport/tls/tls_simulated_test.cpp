// TLS on the simulated network: records that arrive in pieces, many at once, late, or never; and connections
// that break at any moment, during the handshake and after it.
#include "support/catch.hpp"
#include "support/sanitized.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <optional>

using namespace troupe;
using namespace troupe_test;

namespace {

constexpr unsigned seeds = sanitized ? 30 : 300;

/// The progress of one end, in the order of its members.
struct progress {
  bool connected = false;
  bool encrypted = false;     // the handshake is done
  bool close_notify = false;  // it has sent all, and close_notify
  bool peers_end = false;     // it has read the peer's close_notify
  std::optional<error> why;   // it failed
  bool over = false;
};

// The contexts are created once: they are costly, and have no state of a run.
const tls_context& server_side() {
  static const tls_context context = server_context();
  return context;
}
const tls_context& client_side() {
  static const tls_context context = client_context();
  return context;
}

task<result<void>> echo_all(tls_stream& s, progress& p) {
  std::byte chunk[5000];
  for (;;) {
    const result<std::size_t> n = co_await s.read_some(chunk);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) break;
    if (result<void> sent = co_await s.write_all(std::span(chunk).first(*n)); !sent) co_return sent;
  }
  p.peers_end = true;
  result<void> said = co_await s.shutdown_write();
  p.close_notify = said.has_value();
  co_return said;
}

task<void> serve(tcp_listener& l, progress& p) {
  result<tcp_stream> peer = co_await l.accept();
  if (!peer) co_return;
  p.connected = true;
  result<tls_stream> s =
      co_await tls_stream::accept(std::move(*peer), server_side(), {.handshake_deadline = 20s});
  if (s) {
    p.encrypted = true;
    if (const result<void> all = co_await echo_all(*s, p); !all) p.why = all.error();
  } else {
    p.why = s.error();
  }
  p.over = true;
}

// Writes pieces of any size, as fast as they are taken.
task<void> say(tls_stream& s, std::string_view text, sim::runtime& rt, progress& p) {
  while (!text.empty()) {
    const std::size_t n = std::min<std::size_t>(text.size(), 1 + rt.random() % 20'000);
    if (const result<void> sent = co_await s.write_all(bytes_of(text.substr(0, n))); !sent) {
      p.why = sent.error();
      co_return;
    }
    text.remove_prefix(n);
  }
  p.close_notify = (co_await s.shutdown_write()).has_value();
}

task<void> hear(tls_stream& s, std::string& text, sim::runtime& rt, progress& p) {
  std::byte chunk[20'000];
  for (;;) {
    const result<std::size_t> n =
        co_await s.read_some(std::span(chunk).first(1 + rt.random() % sizeof chunk));
    if (!n) p.why = n.error();
    if (!n || *n == 0) break;
    text += text_of(std::span(chunk).first(*n));
  }
  p.peers_end = !p.why;
}

task<void> use(ip_endpoint server, std::string_view text, std::string& heard, sim::runtime& rt, progress& p) {
  result<tcp_stream> c =
      co_await tcp_stream::connect(server, 20s, {.read_deadline = 60s, .write_deadline = 60s});
  if (c) {
    p.connected = true;
    result<tls_stream> s = co_await tls_stream::connect(
        std::move(*c), client_side(), {.server_name = "localhost", .handshake_deadline = 20s});
    if (s) {
      p.encrypted = true;
      co_await both(say(*s, text, rt, p), hear(*s, heard, rt, p));
    } else {
      p.why = s.error();
    }
  } else {
    p.why = c.error();
  }
  p.over = true;
}

struct world {
  explicit world(std::uint64_t seed, bool slow)
      : rt({.seed = seed}), net(rt, links(slow)), server(net, "server"), client(net, "client") {
    for (std::size_t n = rt.random() % 60'000; text.size() < n;) {
      text += static_cast<char>('a' + rt.random() % 26);
    }
    const sim::host::visit here(server);
    listener = must(tcp_listener::bind(server.endpoint(443),
                                       {.accepted = {.read_deadline = 60s, .write_deadline = 60s}}));
    server.spawn(serve(listener, at_server));
    client.spawn(use(server.endpoint(443), text, heard, rt, at_client));
  }

  sim::network_options links(bool slow) {
    const auto up_to = [&](double most) { return most * static_cast<double>(rt.random() % 1000) / 1000; };
    return {.link = {.latency = duration(rt.random() % 20'000'000),
                     .jitter = duration(rt.random() % 20'000'000),
                     .loss = slow ? up_to(0.05) : 0},
            .split = up_to(1),
            .segment = 50 + rt.random() % 3000,
            .receive_buffer = 2000 + rt.random() % 64'000,
            .send_buffer = 2000 + rt.random() % 64'000,
            .give_up = 60s};
  }

  // In front of the runtime, whose tasks refer to them.
  progress at_server;
  progress at_client;
  std::string text;
  std::string heard;
  sim::runtime rt;
  sim::network net;
  sim::host server;
  sim::host client;
  tcp_listener listener;
};

void end(world& w) {
  w.listener.close();
  REQUIRE(w.rt.run_to_end(1h));
  REQUIRE(w.net.open_sockets() == 0);
}

}  // namespace

TEST_CASE("tls on a simulated network: pieces, loss and delay do not change the data") {
  testkit::for_each_seed(seeds, [](std::uint64_t seed) {
    world w(seed, true);
    for (int i = 0; i < 600 && !(w.at_client.over && w.at_server.over); ++i) w.rt.advance(1s);
    INFO((w.at_client.why ? w.at_client.why->to_string() : std::string()));
    INFO((w.at_server.why ? w.at_server.why->to_string() : std::string()));
    for (const progress* p : {&w.at_client, &w.at_server}) {
      REQUIRE(p->over);
      REQUIRE(p->close_notify);
      REQUIRE(p->peers_end);
    }
    REQUIRE(w.heard == w.text);
    end(w);
  });
}

TEST_CASE("tls on a simulated network: a break at any moment is an error, never the end of the stream") {
  testkit::for_each_seed(seeds, [](std::uint64_t seed) {
    world w(seed, false);
    // Half of the breaks are in the handshake, which takes about a dozen packets.
    const std::uint64_t moment = w.rt.random() % (seed % 2 == 0 ? 15 : 150);
    for (int i = 0; i < 3000 && w.net.delivered() < moment; ++i) w.rt.advance(1ms);
    switch (w.rt.random() % 4) {
      case 0:
        w.net.partition(w.server, w.client);
        break;
      case 1:
        w.net.partition_one_way(w.server, w.client);
        break;
      case 2:
        w.client.crash();
        break;
      default:
        w.net.reset_connections(w.server, w.client);
        break;
    }
    w.rt.advance(10min);
    REQUIRE((w.at_server.over || !w.at_server.connected));
    REQUIRE((w.at_client.over || !w.client.is_up()));
    // The bytes read are those sent, and an end was read only if the peer has sent close_notify.
    REQUIRE(w.text.starts_with(w.heard));
    if (w.at_client.peers_end) REQUIRE(w.heard == w.text);
    if (w.at_server.peers_end) REQUIRE((w.at_client.close_notify || !w.client.is_up()));
    end(w);
  });
}
