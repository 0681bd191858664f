// The case tcp: N connections with `depth` messages in flight on each; each echo is followed by the next
// message.
#include "load.hpp"
#include "measurement.hpp"
#include "pattern.hpp"
#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace netload {

namespace {

struct connection {
  socket_fd socket;
  std::uint64_t sent = 0;              // bytes
  std::uint64_t allowed = 0;           // bytes that may have been sent by now
  std::uint64_t received = 0;          // bytes
  std::uint64_t messages = 0;          // echoed completely
  std::vector<std::uint64_t> sent_at;  // of the messages in flight, by number modulo depth
};

class tcp_load {
 public:
  explicit tcp_load(const options& o)
      : options_(o), text_(o.depth * o.size + buffer_bytes), buffer_(buffer_bytes) {
    epoll_ = make_epoll();
    for (unsigned i = 0; i < o.connections; ++i) {
      connections_.push_back({.socket = connect_tcp(o.port), .sent_at = std::vector<std::uint64_t>(o.depth)});
      watch(epoll_, connections_.back().socket, i);
      // Connect in portions: the accept queue of the server is bounded.
      if (i % 100 == 99) echo_once(connections_.back());
    }
  }

  std::string run() {
    measurement m(options_);
    for (connection& c : connections_) send_next(c, options_.depth, now_ns());
    std::array<epoll_event, 256> events;
    for (;;) {
      const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 1000);
      if (n == 0) throw failed("the server has echoed nothing for a second");
      for (int i = 0; i < n; ++i) {
        const epoll_event& e = events[static_cast<std::size_t>(i)];
        connection& c = connections_[e.data.u32];
        if (c.sent != c.allowed) flush(c);
        if ((e.events & EPOLLIN) != 0) receive(c, m);
      }
      if (m.over(now_ns())) return m.fields();
    }
  }

 private:
  static constexpr std::size_t buffer_bytes = 256 * 1024;

  void receive(connection& c, measurement& m) {
    for (;;) {
      const ssize_t n = ::recv(c.socket.get(), buffer_.data(), buffer_.size(), 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) throw failed(n == 0 ? "the server closed a connection" : std::strerror(errno));
      const auto got = static_cast<std::size_t>(n);
      if (c.received + got > c.sent) throw failed("the server sent more bytes than it received");
      if (!text_.matches(buffer_.data(), got, c.received)) throw failed("the server echoed wrong bytes");
      c.received += got;
      const std::uint64_t now = now_ns();
      unsigned back = 0;
      for (; c.received >= (c.messages + 1) * options_.size; ++c.messages, ++back) {
        m.note(c.sent_at[c.messages % options_.depth], now);
      }
      if (back != 0) send_next(c, back, now);
      if (got < buffer_.size()) return;
    }
  }

  void send_next(connection& c, unsigned messages, std::uint64_t now) {
    for (unsigned i = 0; i < messages; ++i) {
      c.sent_at[c.allowed / options_.size % options_.depth] = now;
      c.allowed += options_.size;
    }
    flush(c);
  }

  void flush(connection& c) {
    while (c.sent != c.allowed) {
      const auto rest = static_cast<std::size_t>(c.allowed - c.sent);
      const ssize_t n = ::send(c.socket.get(), text_.from(c.sent), rest, MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) throw failed(std::string("send: ") + std::strerror(errno));
      c.sent += static_cast<std::uint64_t>(n);
    }
  }

  // Waits until the server serves this connection, and therefore all earlier ones.
  void echo_once(connection& c) {
    send_next(c, 1, now_ns());
    while (c.messages == 0) {
      epoll_event e;
      if (::epoll_wait(epoll_.get(), &e, 1, 5000) <= 0) throw failed("the server does not echo");
      if (&connections_[e.data.u32] != &c) continue;
      receive_once(c);
    }
  }

  void receive_once(connection& c) {
    const std::size_t wanted = options_.size - static_cast<std::size_t>(c.received % options_.size);
    const ssize_t n = ::recv(c.socket.get(), buffer_.data(), std::min(wanted, buffer_.size()), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) throw failed("the server closed a connection");
    c.received += static_cast<std::uint64_t>(n);
    c.messages = c.received / options_.size;
  }

  const options& options_;
  pattern text_;
  std::vector<char> buffer_;
  socket_fd epoll_;
  std::vector<connection> connections_;
};

}  // namespace

std::string run_tcp(const options& o) {
  return tcp_load(o).run();
}

}  // namespace netload
