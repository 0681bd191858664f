// A TCP echo server: every connection is an actor that sends back the bytes it receives. An idle connection
// holds no buffer. A connection reads again only after it has sent, so a client that does not read its echo
// is slowed down.
//
//   troupe-echo-tcp --port 7007 &
//   echo hello | nc -N 127.0.0.1 7007
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

using namespace std::chrono_literals;

/// One client.
struct session {
  troupe::task<troupe::result<std::size_t>> on_data(std::span<const std::byte> data,
                                                    troupe::tcp_stream& peer) {
    if (auto sent = co_await peer.write_all(data); !sent) co_return std::unexpected(sent.error());
    co_return data.size();
  }
};

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  std::uint32_t max_connections = 10'000;
  unsigned idle_s = 0;
  CLI::App app("A TCP echo server on 127.0.0.1");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  app.add_option("--max-connections", max_connections, "Further clients wait until one leaves")
      ->capture_default_str();
  app.add_option("--idle-timeout", idle_s, "Disconnect a client that is idle for N seconds (0 = never)")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  troupe::system sys({.name = "echo"});
  const troupe::tcp_server<session> server(
      "tcp", {.listen = troupe::ip_endpoint::loopback(port),
              .connection = {.keep_alive = true,
                             .keep_alive_idle = std::chrono::seconds(60),
                             .read_deadline = idle_s != 0 ? std::chrono::seconds(idle_s) : troupe::forever},
              .max_connections = max_connections,
              .on_listening = [](const troupe::ip_endpoint& at) {
                std::printf("READY port=%u\n", unsigned{at.port()});
                std::fflush(stdout);
              }});
  const int status = sys.run(troupe::supervisor("app").child(server));
  const troupe::endpoint_metrics m = server.metrics();
  std::printf("served %llu connections, echoed %llu bytes\n", static_cast<unsigned long long>(m.accepted),
              static_cast<unsigned long long>(m.bytes_out));
  return status;
}
