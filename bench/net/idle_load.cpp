// The case idle: connections that are used once and then stay idle. Measures the server's memory for each of
// them, and its CPU time for all of them.
#include "load.hpp"
#include "pattern.hpp"
#include "server_process.hpp"
#include "sockets.hpp"

#include <cstdio>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace netload {

namespace {

constexpr unsigned first = 64;  // these come first, so that one-time allocations are not counted

// Echoes one message, so that the connection is accepted and has made its allocations.
void echo_once(const socket_fd& s, const pattern& text, std::size_t size) {
  std::vector<char> got(size);
  if (::send(s.get(), text.from(0), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
    throw failed("send: the socket buffer is full");
  for (std::size_t n = 0; n < size;) {
    pollfd p{.fd = s.get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 5000) <= 0) throw failed("the server does not echo");
    const ssize_t more = ::recv(s.get(), got.data() + n, size - n, 0);
    if (more <= 0) throw failed("the server closed a connection");
    n += static_cast<std::size_t>(more);
  }
  if (!text.matches(got.data(), size, 0)) throw failed("the server echoed wrong bytes");
}

void pause() {
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
}

}  // namespace

std::string run_idle(const options& o) {
  const pattern text(o.size);
  std::vector<socket_fd> sockets;
  const auto open = [&](unsigned n) {
    for (unsigned i = 0; i < n; ++i) {
      sockets.push_back(connect_tcp(o.port));
      echo_once(sockets.back(), text, o.size);
    }
    pause();
  };
  open(first);
  const std::uint64_t before = resident_bytes(o.server);
  open(o.connections);
  const std::uint64_t after = resident_bytes(o.server);

  const std::uint64_t cpu_before = cpu_ns(o.server);
  const std::uint64_t began = now_ns();
  std::this_thread::sleep_for(std::chrono::duration<double>(o.seconds));
  const auto cpu = static_cast<double>(cpu_ns(o.server) - cpu_before);
  const auto elapsed = static_cast<double>(now_ns() - began);

  const double grown = after > before ? static_cast<double>(after - before) : 0;
  char fields[120];
  std::snprintf(fields, sizeof fields, "\"bytes_per_connection\":%.0f,\"cpu_percent\":%.3f",
                grown / o.connections, 100 * cpu / elapsed);
  return fields;
}

}  // namespace netload
