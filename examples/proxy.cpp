// A TCP proxy: forwards every connection to a target. Each direction reads again only after it has written,
// so a slow side slows down a fast one. When one side stops sending, the other side is told, and its
// direction stays open.
//
//   troupe-proxy --port 8080 --to 127.0.0.1:80
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

// A connection may be idle without limit; keep-alive detects a host that is gone.
constexpr troupe::tcp_options idle_allowed{.keep_alive = true, .keep_alive_idle = 60s};

/// One client and its connection to the target.
struct relay {
  explicit relay(troupe::ip_endpoint to) : target(to) {}

  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream client) {
    auto upstream =
        co_await troupe::until_stopped(ctx, troupe::tcp_stream::connect(target, 5s, idle_allowed));
    if (!upstream) {
      std::fprintf(stderr, "proxy: %s\n", upstream.error().to_string().c_str());
      co_return;
    }
    co_await troupe::both(forward(client, *upstream), forward(*upstream, client));
  }

  static troupe::task<void> forward(troupe::tcp_stream& from, troupe::tcp_stream& to) {
    if (co_await troupe::copy(from, to)) {
      (void)to.shutdown_write();  // passes on the end of the stream
      co_return;
    }
    from.close();  // an error: end the other direction, too
    to.close();
  }

  troupe::ip_endpoint target;
};

int main(int argc, char** argv) {
  std::uint16_t port = 8080;
  std::string to;
  std::uint32_t max_connections = 10'000;
  unsigned drain_s = 5;
  CLI::App app("Forwards TCP connections from 127.0.0.1 to a target");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  app.add_option("--to", to, "The target, for example 127.0.0.1:80 or [::1]:80")->required();
  app.add_option("--max-connections", max_connections, "Further clients wait until one leaves")
      ->capture_default_str();
  app.add_option("--drain", drain_s, "Seconds that open connections may continue after a stop")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto target = troupe::ip_endpoint::parse(to);
  if (!target) {
    std::fprintf(stderr, "--to: %s\n", target.error().to_string().c_str());
    return 2;
  }

  troupe::system sys({.name = "proxy"});
  const troupe::tcp_server<relay> server("tcp",
                                         {.listen = troupe::ip_endpoint::loopback(port),
                                          .connection = idle_allowed,
                                          .max_connections = max_connections,
                                          .drain = std::chrono::seconds(drain_s),
                                          .on_listening =
                                              [](const troupe::ip_endpoint& at) {
                                                std::printf("READY port=%u\n", unsigned{at.port()});
                                                std::fflush(stdout);
                                              }},
                                         *target);
  return sys.run(troupe::supervisor("app").child(server));
}
