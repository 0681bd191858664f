// A UDP echo server: each datagram is sent back to its sender. Datagrams that arrive faster than the actor
// handles them are dropped and counted.
//
//   troupe-echo-udp --port 7007 &
//   echo hello | nc -u -w1 127.0.0.1 7007
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

/// Owns its socket, which is its child actor.
struct echo {
  using accepts = troupe::protocol<troupe::udp_datagram>;

  echo(std::uint16_t p, troupe::endpoint_monitor m) : port(p), monitor(std::move(m)) {}

  void started(troupe::context& ctx) {
    socket = ctx.spawn(troupe::udp_endpoint, {.name = "socket"},
                       troupe::udp_endpoint_options{.bind = troupe::ip_endpoint::loopback(port),
                                                    .consumer = ctx.self<echo>(),
                                                    .max_datagram = 65535,
                                                    .monitor = monitor,
                                                    .on_bound = [](const troupe::ip_endpoint& at) {
                                                      std::printf("READY port=%u\n", unsigned{at.port()});
                                                      std::fflush(stdout);
                                                    }});
  }
  void handle(troupe::udp_datagram m) {
    if (socket.tell(std::move(m)) != troupe::send_result::ok) ++unsent;
  }

  std::uint16_t port;
  troupe::endpoint_monitor monitor;
  troupe::ref<troupe::udp_datagram> socket;
  std::uint64_t unsent = 0;
};

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  CLI::App app("A UDP echo server on 127.0.0.1");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  troupe::system sys({.name = "echo"});
  const troupe::endpoint_monitor monitor;
  // No restarts: when the port cannot be bound, the program ends with the error.
  const int status = sys.run(troupe::supervisor("app", {.restarts = {.max = 0}})
                                 .child<echo>("echo", {.restarts = {.max = 0}}, port, monitor));
  const troupe::endpoint_metrics m = monitor.read();
  std::printf("received %llu datagrams, sent %llu, dropped %llu\n",
              static_cast<unsigned long long>(m.messages_in), static_cast<unsigned long long>(m.messages_out),
              static_cast<unsigned long long>(m.dropped));
  return status;
}
