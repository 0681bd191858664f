// Both ends of a connection over loopback, for the tests of transport.
#pragma once

#include <troupe/runtime.hpp>
#include <troupe/transport.hpp>

#include <arpa/inet.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace troupe_test {

using namespace std::chrono_literals;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A value that must be there: the test ends with the error otherwise.
template <class T>
T must(troupe::result<T> r) {
  if (!r) throw troupe::troupe_error(r.error());
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

inline troupe::tcp_listener listen_on_loopback(troupe::listen_options options = {}) {
  return must(troupe::tcp_listener::bind(troupe::ip_endpoint::loopback(), options));
}

struct connection {
  troupe::tcp_stream server;
  troupe::tcp_stream client;
};

/// A connection whose ends start with these options.
inline troupe::task<connection> make_connection(troupe::tcp_options server = {},
                                                troupe::tcp_options client = {}) {
  troupe::tcp_listener listener = listen_on_loopback({.accepted = server});
  connection c;
  // The kernel completes the handshake, so connecting need not wait for the accept.
  c.client = must(co_await troupe::tcp_stream::connect(must(listener.local_endpoint()), 5s, client));
  c.server = must(co_await listener.accept());
  co_return c;
}

/// Waits for a flag, which a task on the same worker sets, or which is atomic.
template <class Flag>
troupe::task<void> until(const Flag& flag) {
  while (!flag) co_await troupe::sleep_for(1ms);
}

/// Everything up to the end of the stream.
template <troupe::async_reader Stream>
troupe::task<std::string> read_all(Stream& s) {
  std::string all;
  std::byte chunk[4096];
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) co_return all;
    all += text_of(std::span(chunk, n));
  }
}

/// Up to `wanted` bytes; less at the end of the stream.
template <troupe::async_reader Stream>
troupe::task<std::string> read_exactly(Stream& s, std::size_t wanted) {
  std::string all(wanted, '\0');
  auto rest = std::as_writable_bytes(std::span(all));
  while (!rest.empty()) {
    const std::size_t n = must(co_await s.read_some(rest));
    if (n == 0) break;
    rest = rest.subspan(n);
  }
  all.resize(wanted - rest.size());
  co_return all;
}

/// A plain blocking socket, for peers that misbehave.
class raw_peer {
 public:
  explicit raw_peer(troupe::ip_endpoint to) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(to.port());
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
  }
  raw_peer(raw_peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  raw_peer& operator=(raw_peer&&) = delete;
  ~raw_peer() { close(); }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }
  bool send(std::string_view text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
  /// Goes away with a reset instead of an orderly end.
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
  bool connected_;
};

}  // namespace troupe_test
