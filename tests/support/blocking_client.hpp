// A plain blocking TCP connection, for tests that act as an external client: it uses no part of Troupe. No
// call on it waits for longer than its patience.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace troupe_test {

class blocking_client {
 public:
  explicit blocking_client(int port, int receive_buffer = 0, int patience_s = 20)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{patience_s, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  blocking_client(blocking_client&& o) noexcept
      : socket_(std::exchange(o.socket_, -1)),
        connected_(o.connected_),
        reset_(o.reset_),
        received_(std::move(o.received_)) {}
  blocking_client& operator=(blocking_client&& o) noexcept {
    std::swap(socket_, o.socket_);
    std::swap(connected_, o.connected_);
    std::swap(reset_, o.reset_);
    std::swap(received_, o.received_);
    return *this;
  }
  ~blocking_client() { close(); }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return socket_; }

  /// False when the peer has gone, or has not read for the whole patience.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// The next `size` bytes; fewer when the connection ended.
  std::string receive(std::size_t size) {
    while (received_.size() < size && read_some()) {
    }
    std::string got = received_.substr(0, size);
    received_.erase(0, got.size());
    return got;
  }
  /// Up to and including the next newline; the bytes so far when the connection ended.
  std::string receive_line() {
    std::size_t at;
    while ((at = received_.find('\n')) == received_.npos) {
      if (!read_some()) return std::exchange(received_, {});
    }
    std::string line = received_.substr(0, at + 1);
    received_.erase(0, at + 1);
    return line;
  }
  /// All that comes until the peer closes; a reset ends it too, see was_reset().
  std::string rest() {
    while (read_some()) {
    }
    return std::exchange(received_, {});
  }
  [[nodiscard]] bool was_reset() const { return reset_; }
  void shutdown_write() { ::shutdown(socket_, SHUT_WR); }
  /// Closes with a reset instead of an orderly end.
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

 protected:
  bool read_some() {
    char bytes[65536];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got < 0 && errno == ECONNRESET) reset_ = true;
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  std::string& received() { return received_; }

 private:
  int socket_;
  bool connected_ = false;
  bool reset_ = false;
  std::string received_;
};

}  // namespace troupe_test
