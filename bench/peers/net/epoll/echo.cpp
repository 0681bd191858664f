// The baseline: an echo server on epoll, written for speed only. One thread, one buffer for all connections,
// edge-triggered, one recv and one send for each message that fits the buffer. Bytes that the kernel does not
// accept are kept with the connection until there is room. UDP uses recvmmsg and sendmmsg, 64 datagrams at a
// time.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

struct options {
  std::uint16_t port = 0;
  bool udp = false;
  std::size_t buffer = 65536;
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) o.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--proto") == 0) o.udp = std::strcmp(argv[i + 1], "udp") == 0;
    if (std::strcmp(argv[i], "--buf") == 0) o.buffer = static_cast<std::size_t>(std::atoi(argv[i + 1]));
  }
  return o;
}

int open_socket(const options& o) {
  const int type = (o.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int fd = ::socket(AF_INET, type, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  if (!o.udp) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(o.port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) fail("bind");
  if (!o.udp && ::listen(fd, 4096) != 0) fail("listen");
  std::puts("READY");
  std::fflush(stdout);
  return fd;
}

void watch(int set, int fd, std::uint32_t events) {
  epoll_event e{};
  e.events = events | EPOLLET;
  e.data.fd = fd;
  if (::epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0) fail("epoll_ctl");
}

class tcp_server {
 public:
  explicit tcp_server(const options& o)
      : buffer_(o.buffer), listener_(open_socket(o)), set_(::epoll_create1(0)) {
    watch(set_, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int n = ::epoll_wait(set_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const epoll_event& e = events[static_cast<std::size_t>(i)];
        if (e.data.fd == listener_) {
          accept_all();
        } else if (!serve(e.data.fd, (e.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)) {
          unsent_.erase(e.data.fd);
          ::close(e.data.fd);
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(set_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    }
  }

  // False when the connection has ended.
  bool serve(int fd, bool ended) {
    if (!unsent_.empty() && !send_rest(fd)) return true;
    for (;;) {
      const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN;
      const ssize_t sent =
          std::max<ssize_t>(::send(fd, buffer_.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL), 0);
      if (sent < got) {
        unsent_[fd].assign(buffer_.begin() + sent, buffer_.begin() + got);
        return true;
      }
      // A short read: the socket was empty, and the next byte triggers a new edge.
      if (static_cast<std::size_t>(got) < buffer_.size() && !ended) return true;
    }
  }

  // True when no unsent bytes are left.
  bool send_rest(int fd) {
    const auto rest = unsent_.find(fd);
    if (rest == unsent_.end()) return true;
    const ssize_t sent = ::send(fd, rest->second.data(), rest->second.size(), MSG_NOSIGNAL);
    if (sent > 0) rest->second.erase(rest->second.begin(), rest->second.begin() + sent);
    if (!rest->second.empty()) return false;
    unsent_.erase(rest);
    return true;
  }

  std::vector<char> buffer_;
  std::unordered_map<int, std::vector<char>> unsent_;
  int listener_;
  int set_;
};

[[noreturn]] void serve_datagrams(const options& o) {
  constexpr std::size_t batch = 64;
  const int fd = open_socket(o);
  const int set = ::epoll_create1(0);
  watch(set, fd, EPOLLIN);
  std::vector<char> memory(batch * o.buffer);
  std::array<sockaddr_in, batch> peers;
  std::array<iovec, batch> parts;
  std::array<mmsghdr, batch> messages;
  for (std::size_t i = 0; i < batch; ++i) {
    parts[i] = {.iov_base = memory.data() + i * o.buffer, .iov_len = o.buffer};
    messages[i] = {};
    messages[i].msg_hdr.msg_name = &peers[i];
    messages[i].msg_hdr.msg_namelen = sizeof peers[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (;;) {
    epoll_event e;
    ::epoll_wait(set, &e, 1, -1);
    for (int got = batch; got == batch;) {
      got = ::recvmmsg(fd, messages.data(), batch, MSG_DONTWAIT, nullptr);
      if (got <= 0) break;
      const auto used = static_cast<std::size_t>(got);
      for (std::size_t i = 0; i < used; ++i) parts[i].iov_len = messages[i].msg_len;
      // Datagrams that the kernel has no room for are lost, as UDP allows.
      ::sendmmsg(fd, messages.data(), static_cast<unsigned>(got), MSG_DONTWAIT);
      for (std::size_t i = 0; i < used; ++i) {
        parts[i].iov_len = o.buffer;
        messages[i].msg_hdr.msg_namelen = sizeof peers[i];
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const options o = parse(argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (o.udp) serve_datagrams(o);
  tcp_server(o).run();
}
