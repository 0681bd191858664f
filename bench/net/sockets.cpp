// Connecting, epoll and the clock.
#include "sockets.hpp"

#include "load.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netload {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw failed(what + ": " + std::strerror(errno));
}

socket_fd connected(int type, std::uint16_t port) {
  socket_fd s(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (s.get() < 0) fail("a socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    fail("connect to 127.0.0.1:" + std::to_string(port));
  }
  if (::fcntl(s.get(), F_SETFL, O_NONBLOCK) != 0) fail("O_NONBLOCK");
  return s;
}

}  // namespace

socket_fd::~socket_fd() {
  if (fd_ >= 0) ::close(fd_);
}

socket_fd connect_tcp(std::uint16_t port) {
  socket_fd s = connected(SOCK_STREAM, port);
  const int on = 1;
  ::setsockopt(s.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return s;
}

socket_fd connect_udp(std::uint16_t port) {
  return connected(SOCK_DGRAM, port);
}

socket_fd make_epoll() {
  socket_fd e(::epoll_create1(EPOLL_CLOEXEC));
  if (e.get() < 0) fail("an epoll set");
  return e;
}

void watch(const socket_fd& epoll, const socket_fd& socket, std::uint32_t index) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.u32 = index;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket.get(), &e) != 0) fail("epoll_ctl");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::uint64_t now_ns() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace netload
