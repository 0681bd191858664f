// A system with one tcp_server in it, for the tests of servers.
#pragma once

#include "support/becomes_true.hpp"
#include "support/blocking_client.hpp"
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/transport.hpp>

#include <array>
#include <chrono>

namespace troupe_test {

/// Echoes; ends when it is told to stop between two reads, or at a '!'.
struct echo {
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer) {
    std::array<std::byte, 1024> chunk;
    for (;;) {
      const auto got = co_await troupe::until_stopped(ctx, peer.read_some(chunk));
      if (!got || *got == 0 || chunk[0] == std::byte{'!'}) co_return;
      if (!co_await peer.write_all(std::span(chunk).first(*got))) co_return;
    }
  }
};

/// A tcp_server or tls_server that runs from its construction, at /tcp; stop() or the destructor ends it.
template <class Server>
struct running {
  explicit running(Server s)
      : server(std::move(s)),
        sys({.workers = 2, .name = "test", .shutdown = std::chrono::seconds(60), .log = &log}) {
    auto started = sys.start(server);
    if (!started) throw troupe::troupe_error(started.error());
    top = *started;
  }

  [[nodiscard]] int port() const { return server.local_endpoint().value().port(); }
  [[nodiscard]] troupe::endpoint_metrics figures() const { return server.metrics(); }
  blocking_client connect(int receive_buffer = 0) const { return blocking_client(port(), receive_buffer); }
  /// Tells the server to stop, without waiting.
  void begin_stop() { sys.stop(top); }
  void wait_for_end() {
    REQUIRE(becomes_true([&] { return top.ended(); }));
  }
  void stop() {
    begin_stop();
    wait_for_end();
  }

  // In this order: the objects that the actors write to outlive the system.
  troupe::testkit::log_capture log;
  Server server;
  troupe::system sys;
  troupe::supervisor_ref top;
};

template <class T>
struct running_server : running<troupe::tcp_server<T>> {
  template <class... Args>
  explicit running_server(troupe::tcp_server_options options, Args... args)
      : running<troupe::tcp_server<T>>(troupe::tcp_server<T>("tcp", std::move(options), std::move(args)...)) {
  }
};

}  // namespace troupe_test
