// An idiomatic echo server on Boost.Asio, with one thread: with callbacks, or, built with ECHO_COROUTINES,
// with coroutines. One buffer for each connection; the io_context has the concurrency hint for one thread.
#include <boost/asio.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

namespace {

struct options {
  unsigned short port = 7007;
  bool udp = false;
  std::size_t buffer = 4096;
};

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) o.port = static_cast<unsigned short>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--proto") == 0) o.udp = std::strcmp(argv[i + 1], "udp") == 0;
    if (std::strcmp(argv[i], "--buf") == 0) o.buffer = static_cast<std::size_t>(std::atoi(argv[i + 1]));
  }
  return o;
}

void ready() {
  std::puts("READY");
  std::fflush(stdout);
}

template <class Protocol>
typename Protocol::endpoint loopback(const options& o) {
  return {asio::ip::address_v4::loopback(), o.port};
}

#ifdef ECHO_COROUTINES

using asio::awaitable;
using asio::use_awaitable;

awaitable<void> serve(tcp::socket socket, std::size_t size) {
  std::vector<char> buffer(size);
  socket.set_option(tcp::no_delay(true));
  try {
    for (;;) {
      const std::size_t n = co_await socket.async_read_some(asio::buffer(buffer), use_awaitable);
      co_await asio::async_write(socket, asio::buffer(buffer.data(), n), use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // the end of the stream, too
  }
}

awaitable<void> listen(asio::io_context& io, options o) {
  tcp::acceptor acceptor(io, loopback<tcp>(o));
  ready();
  for (;;) {
    asio::co_spawn(io, serve(co_await acceptor.async_accept(use_awaitable), o.buffer), asio::detached);
  }
}

awaitable<void> serve_datagrams(asio::io_context& io, options o) {
  udp::socket socket(io, loopback<udp>(o));
  std::vector<char> buffer(o.buffer);
  udp::endpoint peer;
  ready();
  for (;;) {
    const std::size_t n = co_await socket.async_receive_from(asio::buffer(buffer), peer, use_awaitable);
    co_await socket.async_send_to(asio::buffer(buffer.data(), n), peer, use_awaitable);
  }
}

void start(asio::io_context& io, const options& o) {
  asio::co_spawn(io, o.udp ? serve_datagrams(io, o) : listen(io, o), asio::detached);
}

#else

class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, std::size_t size) : socket_(std::move(socket)), buffer_(size) {
    socket_.set_option(tcp::no_delay(true));
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](error_code failed, std::size_t n) {
                              if (!failed) self->write(n);
                            });
  }

 private:
  void write(std::size_t n) {
    asio::async_write(socket_, asio::buffer(buffer_.data(), n),
                      [self = shared_from_this()](error_code failed, std::size_t) {
                        if (!failed) self->read();
                      });
  }

  tcp::socket socket_;
  std::vector<char> buffer_;
};

class server {
 public:
  server(asio::io_context& io, const options& o) : acceptor_(io, loopback<tcp>(o)), size_(o.buffer) {
    accept();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code failed, tcp::socket socket) {
      if (!failed) std::make_shared<session>(std::move(socket), size_)->read();
      accept();
    });
  }

  tcp::acceptor acceptor_;
  std::size_t size_;
};

class datagram_server {
 public:
  datagram_server(asio::io_context& io, const options& o) : socket_(io, loopback<udp>(o)), buffer_(o.buffer) {
    receive();
  }

 private:
  void receive() {
    socket_.async_receive_from(asio::buffer(buffer_), peer_,
                               [this](error_code failed, std::size_t n) { failed ? receive() : send(n); });
  }
  void send(std::size_t n) {
    socket_.async_send_to(asio::buffer(buffer_.data(), n), peer_,
                          [this](error_code, std::size_t) { receive(); });
  }

  udp::socket socket_;
  std::vector<char> buffer_;
  udp::endpoint peer_;
};

void start(asio::io_context& io, const options& o) {
  static std::unique_ptr<server> streams;
  static std::unique_ptr<datagram_server> datagrams;
  if (o.udp) {
    datagrams = std::make_unique<datagram_server>(io, o);
  } else {
    streams = std::make_unique<server>(io, o);
  }
  ready();
}

#endif

}  // namespace

int main(int argc, char** argv) {
  const options o = parse(argc, argv);
  asio::io_context io(1);
  start(io, o);
  io.run();
}
