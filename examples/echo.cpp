// An echo server. TCP: a supervised actor for each connection, which holds a buffer only while there is
// something to echo, so that an idle connection costs less than a kilobyte. UDP: one actor, which takes and
// sends datagrams in batches. It prints READY once it listens.
//
// Exit status: 0 stopped in order (Ctrl-C), 1 it could not listen or failed, 2 the options are wrong.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

using namespace std::chrono_literals;

class connection {
 public:
  struct serve {};
  using accepts = troupe::protocol<serve>;

  connection(troupe::tcp_stream stream, std::size_t chunk) : stream_(std::move(stream)), buffer_(chunk) {}

  // The whole life of the connection. When the server stops, the wait ends here and the stream is closed.
  troupe::task<void> handle(serve, troupe::context& ctx) {
    while (co_await stream_.wait_readable()) {
      const auto got = stream_.try_read(buffer_.prepare(buffer_.limit()));
      if (!got || *got == 0U) break;  // an error, or the end of the stream
      buffer_.commit(got->value_or(0));
      // No byte is read before all have been sent: a client that does not read is not read from either.
      // Most of the time the kernel takes all at once.
      const auto sent = stream_.try_write(buffer_.data());
      if (!sent) break;
      buffer_.consume(*sent);
      if (!buffer_.empty() && !co_await stream_.write_all(buffer_.data())) break;
      buffer_.clear();
    }
    ctx.stop();
  }

 private:
  troupe::tcp_stream stream_;
  troupe::read_buffer buffer_;
};

class listener {
 public:
  struct accept_clients {};
  using accepts = troupe::protocol<accept_clients>;

  /// The socket is the program's: it survives a restart of this actor.
  listener(std::shared_ptr<troupe::tcp_listener> socket, std::size_t chunk)
      : socket_(std::move(socket)), chunk_(chunk) {}

  void started(troupe::context& ctx) {
    connections_ = ctx.sys().supervisor_at("/echo/connections").value();
    if (ctx.self<listener>().tell(accept_clients{}) != troupe::send_result::ok) return;
    if (ctx.epoch() != 0) return;
    std::puts("READY");
    std::fflush(stdout);
  }

  troupe::task<void> handle(accept_clients) {
    for (;;) {
      troupe::result<troupe::tcp_stream> client = co_await socket_->accept();
      if (client) {
        co_await welcome(std::move(*client));
      } else {  // out of descriptors, most likely: somebody has to leave first
        std::fprintf(stderr, "troupe-echo: %s; trying again\n", client.error().to_string().c_str());
        co_await troupe::sleep_for(50ms);
      }
    }
  }

 private:
  troupe::task<void> welcome(troupe::tcp_stream client) {
    const auto child = co_await connections_.start_child<connection>(
        "", {.restart = troupe::restart::temporary, .mailbox = {.capacity = 1}}, std::move(client), chunk_);
    if (!child || child->tell(connection::serve{}) != troupe::send_result::ok) {
      std::fprintf(stderr, "troupe-echo: a client is turned away\n");
    }
  }

  std::shared_ptr<troupe::tcp_listener> socket_;
  std::size_t chunk_;
  troupe::supervisor_ref connections_;
};

// All clients at once: whatever has come since the last look is taken, and sent back, with one system call.
class datagrams {
 public:
  struct serve {};
  using accepts = troupe::protocol<serve>;

  /// As with the listener, the socket is the program's.
  datagrams(std::shared_ptr<troupe::udp_socket> socket, std::size_t longest)
      : socket_(std::move(socket)), batch_(64, longest) {}

  void started(troupe::context& ctx) {
    if (ctx.self<datagrams>().tell(serve{}) != troupe::send_result::ok) return;
    if (ctx.epoch() != 0) return;
    std::puts("READY");
    std::fflush(stdout);
  }

  troupe::task<void> handle(serve) {
    for (;;) {
      const auto received = co_await socket_->receive_batch(batch_);
      if (received)
        (void)co_await socket_->send_batch(batch_);  // one that cannot be sent is lost, as on any network
    }
  }

 private:
  std::shared_ptr<troupe::udp_socket> socket_;
  troupe::datagram_batch batch_;
};

int complain(const troupe::error& why) {
  std::fprintf(stderr, "troupe-echo: %s\n", why.to_string().c_str());
  return 1;
}

int serve_streams(troupe::system& sys, troupe::ip_endpoint at, std::size_t chunk) {
  auto socket = troupe::tcp_listener::bind(at);
  if (!socket) return complain(socket.error());
  const auto shared = std::make_shared<troupe::tcp_listener>(std::move(*socket));
  return sys.run(
      troupe::supervisor("echo")
          .child(troupe::supervisor("connections", {.strategy = troupe::dynamic, .max_children = 60'000}))
          .child<listener>("listener", {}, shared, chunk));
}

int serve_datagrams(troupe::system& sys, troupe::ip_endpoint at, std::size_t longest) {
  auto socket = troupe::udp_socket::bind(at);
  if (!socket) return complain(socket.error());
  const auto shared = std::make_shared<troupe::udp_socket>(std::move(*socket));
  return sys.run(troupe::supervisor("echo").child<datagrams>("datagrams", {}, shared, longest));
}

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  std::string protocol = "tcp";
  std::size_t chunk = troupe::read_buffer::block_bytes;
  unsigned workers = 0;
  CLI::App app("Echoes what it receives", "troupe-echo");
  app.add_option("--port", port, "Port to listen at, on 127.0.0.1")->capture_default_str();
  app.add_option("--proto", protocol, "tcp or udp")
      ->check(CLI::IsMember({"tcp", "udp"}))
      ->capture_default_str();
  app.add_option("--buf", chunk, "Bytes read at a time, at most; with UDP the longest datagram")
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

  troupe::system sys({.workers = workers, .name = "echo"});
  const troupe::ip_endpoint at = troupe::ip_endpoint::loopback(port);
  return protocol == "udp" ? serve_datagrams(sys, at, chunk) : serve_streams(sys, at, chunk);
}
