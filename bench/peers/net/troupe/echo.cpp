// The echo server of the network benchmark (scripts/bench-net), with the command line of its peers. TCP: a
// supervised actor for each connection, which holds a buffer only while there are bytes to echo, so that an
// idle connection costs less than a kilobyte. UDP: one actor, which receives and sends datagrams in batches.
// It prints READY once it listens. The short versions are examples/echo_tcp.cpp and examples/echo_udp.cpp.
//
// Exit status: 0 stopped in order (Ctrl-C), 1 it could not listen or failed, 2 the options are wrong.
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <sys/resource.h>

struct connection {
  explicit connection(std::size_t chunk) : buffer(chunk) {}

  // The whole life of the connection. When the server stops, the wait ends here and the stream is closed.
  troupe::task<void> run(troupe::context&, troupe::tcp_stream peer) {
    while (co_await peer.wait_readable()) {
      const auto got = peer.try_read(buffer.prepare(buffer.limit()));
      if (!got || *got == 0U) break;  // an error, or the end of the stream
      buffer.commit(got->value_or(0));
      // Reads again only after all bytes are sent, which slows down a client that does not read. Usually the
      // kernel accepts all of them at once.
      const auto sent = peer.try_write(buffer.data());
      if (!sent) break;
      buffer.consume(*sent);
      if (!buffer.empty()) {
        const auto rest = co_await peer.write_all(buffer.data());
        if (!rest) break;
      }
      buffer.clear();
    }
  }

  troupe::read_buffer buffer;
};

void ready() {
  std::puts("READY");
  std::fflush(stdout);
}

// Serves all clients: receives all waiting datagrams with one system call and sends them back with another.
class datagrams {
 public:
  struct serve {};
  using accepts = troupe::protocol<serve>;

  /// The socket is owned by main: it survives a restart of this actor.
  datagrams(std::shared_ptr<troupe::udp_socket> socket, std::size_t longest)
      : socket_(std::move(socket)), batch_(64, longest) {}

  void started(troupe::context& ctx) {
    if (ctx.self<datagrams>().tell(serve{}) != troupe::send_result::ok) return;
    if (ctx.epoch() == 0) ready();
  }

  troupe::task<void> handle(serve) {
    for (;;) {
      const auto received = co_await socket_->receive_batch(batch_);
      if (received)
        (void)co_await socket_->send_batch(batch_);  // datagrams that cannot be sent are lost, as UDP allows
    }
  }

 private:
  std::shared_ptr<troupe::udp_socket> socket_;
  troupe::datagram_batch batch_;
};

int serve_streams(troupe::system& sys, troupe::ip_endpoint at, std::size_t chunk) {
  const troupe::tcp_server<connection> server("echo",
                                              {.listen = at,
                                               .max_connections = 60'000,
                                               .drain = troupe::duration::zero(),
                                               .on_listening = [](const troupe::ip_endpoint&) { ready(); }},
                                              chunk);
  return sys.run(server);
}

int serve_datagrams(troupe::system& sys, troupe::ip_endpoint at, std::size_t longest) {
  auto socket = troupe::udp_socket::bind(at);
  if (!socket) {
    std::fprintf(stderr, "troupe-echo: %s\n", socket.error().to_string().c_str());
    return 1;
  }
  const auto shared = std::make_shared<troupe::udp_socket>(std::move(*socket));
  return sys.run(troupe::supervisor("echo").child<datagrams>("datagrams", {}, shared, longest));
}

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  std::string protocol = "tcp";
  std::size_t chunk = troupe::read_buffer::block_bytes;
  unsigned workers = 0;
  CLI::App app("Echoes received bytes", "troupe-echo");
  app.add_option("--port", port, "Port to listen on, at 127.0.0.1")->capture_default_str();
  app.add_option("--proto", protocol, "tcp or udp")
      ->check(CLI::IsMember({"tcp", "udp"}))
      ->capture_default_str();
  app.add_option("--buf", chunk, "Most bytes read at a time; with UDP the size of the largest datagram")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--workers", workers, "Worker threads; 0: one for each core")->check(CLI::Range(0, 1024));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }

  // With one worker, the main thread is that worker: no other thread is started.
  troupe::system sys({.workers = workers, .current_thread = workers == 1, .name = "echo"});
  const troupe::ip_endpoint at = troupe::ip_endpoint::loopback(port);
  return protocol == "udp" ? serve_datagrams(sys, at, chunk) : serve_streams(sys, at, chunk);
}
