// A system with one tcp_server in it, for the tests of servers.
#pragma once

#include <chrono>
#include <functional>
#include <thread>
#include <troupe/actors/testkit.hpp>
#include <troupe/transport.hpp>

#include <troupe/actors.hpp>
#include "support/blocking_client.hpp"
#include "support/catch.hpp"
#include "transport/loopback.hpp"

namespace troupe_test {

/// Waits until `holds`, which must come to hold; a minute is long for any machine.
inline bool becomes_true(const std::function<bool()>& holds) {
  for (int i = 0; i < 60'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return holds();
}

/// The server runs from construction on, at /tcp; stop() or the destructor ends it.
template <class T>
struct running_server {
  template <class... Args>
  explicit running_server(troupe::tcp_server_options options, Args... args)
      : server("tcp", options, std::move(args)...),
        sys({.workers = 2, .name = "test", .shutdown = std::chrono::seconds(60), .log = &log}) {
    auto started = sys.start(server);
    if (!started) throw troupe::troupe_error(started.error());
    top = *started;
  }

  [[nodiscard]] int port() const { return server.local_endpoint().value().port(); }
  [[nodiscard]] troupe::endpoint_metrics figures() const { return server.metrics(); }
  blocking_client connect(int receive_buffer = 0) const { return blocking_client(port(), receive_buffer); }
  /// Tells the server to stop, and does not wait.
  void begin_stop() { sys.stop(top); }
  void wait_for_end() {
    REQUIRE(becomes_true([&] { return top.ended(); }));
  }
  void stop() {
    begin_stop();
    wait_for_end();
  }

  // In order: what the actors write to outlives the system.
  troupe::testkit::log_capture log;
  troupe::tcp_server<T> server;
  troupe::system sys;
  troupe::supervisor_ref top;
};

}  // namespace troupe_test
