// The system calls on sockets, of the kernel or of a simulated one.
//
// Everything in this module that touches a descriptor does so through here. On a
// simulated runtime socket() gives a descriptor of the simulated network, above all
// that a kernel gives out, and each of the other calls looks at the descriptor: one
// comparison, which a processor predicts. So no code knows on which it runs, and
// what holds there is tested here. Signatures, results and errno are those of the
// calls of the same name.
#pragma once

#include <troupe/transport/endpoint.hpp>

#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace troupe::detail {
class engine;
class io_source;
}  // namespace troupe::detail

namespace troupe::detail::sys {

/// The first simulated descriptor.
inline constexpr int first_simulated = 1 << 30;
[[nodiscard]] inline bool is_simulated(int fd) noexcept {
  return fd >= first_simulated;
}

}  // namespace troupe::detail::sys

namespace troupe::detail::simnet {

/// Whether this thread is in a slice on a simulated runtime, or visits a simulated host.
[[nodiscard]] bool is_here() noexcept;

int socket(int family, int type, int protocol) noexcept;
int socketpair(int family, int type, int protocol, int fds[2]) noexcept;
int close(int fd) noexcept;
int bind(int fd, const sockaddr* at, socklen_t size) noexcept;
int listen(int fd, int backlog) noexcept;
int connect(int fd, const sockaddr* to, socklen_t size) noexcept;
int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept;
int shutdown(int fd, int how) noexcept;
ssize_t recv(int fd, void* into, std::size_t size, int flags) noexcept;
ssize_t send(int fd, const void* from, std::size_t size, int flags) noexcept;
ssize_t recvfrom(int fd, void* into, std::size_t size, int flags, sockaddr* from, socklen_t* length) noexcept;
ssize_t sendto(int fd, const void* bytes, std::size_t size, int flags, const sockaddr* to,
               socklen_t length) noexcept;
ssize_t recvmsg(int fd, msghdr* m, int flags) noexcept;
ssize_t sendmsg(int fd, const msghdr* m, int flags) noexcept;
int recvmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept;
int sendmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept;
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept;
int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept;
int getsockname(int fd, sockaddr* at, socklen_t* size) noexcept;
int getpeername(int fd, sockaddr* at, socklen_t* size) noexcept;

/// The addresses of a host of this network, as seen from where this thread is; port 0.
[[nodiscard]] std::vector<ip_endpoint> addresses_of(std::string_view host);

/// The counterpart of adding `fd` to a worker's epoll set: `s` is notified of edges,
/// beginning with the current state. EOPNOTSUPP when `e` is not the runtime of this network.
[[nodiscard]] std::error_code attach(int fd, io_source& s, engine& e) noexcept;

}  // namespace troupe::detail::simnet

namespace troupe::detail::sys {

// recv() and send() of the C library are cancellation points, and pay for that with two atomic
// operations each as soon as the process has a second thread. Nothing here is ever cancelled that
// way. Sanitizers look at what goes through the library's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool library_calls = true;
#elif defined(__has_feature)
inline constexpr bool library_calls = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool library_calls = false;
#endif

inline ssize_t plain_recv(int fd, void* into, std::size_t size, int flags) noexcept {
  if constexpr (library_calls) return ::recv(fd, into, size, flags);
  return ::syscall(SYS_recvfrom, fd, into, size, flags, nullptr, nullptr);
}
inline ssize_t plain_send(int fd, const void* from, std::size_t size, int flags) noexcept {
  if constexpr (library_calls) return ::send(fd, from, size, flags);
  return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
}

inline int socket(int family, int type, int protocol) noexcept {
  return simnet::is_here() ? simnet::socket(family, type, protocol) : ::socket(family, type, protocol);
}
inline int socketpair(int family, int type, int protocol, int fds[2]) noexcept {
  return simnet::is_here() ? simnet::socketpair(family, type, protocol, fds)
                           : ::socketpair(family, type, protocol, fds);
}
inline int close(int fd) noexcept {
  return is_simulated(fd) ? simnet::close(fd) : ::close(fd);
}
inline int bind(int fd, const sockaddr* at, socklen_t size) noexcept {
  return is_simulated(fd) ? simnet::bind(fd, at, size) : ::bind(fd, at, size);
}
inline int listen(int fd, int backlog) noexcept {
  return is_simulated(fd) ? simnet::listen(fd, backlog) : ::listen(fd, backlog);
}
inline int connect(int fd, const sockaddr* to, socklen_t size) noexcept {
  return is_simulated(fd) ? simnet::connect(fd, to, size) : ::connect(fd, to, size);
}
inline int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept {
  return is_simulated(fd) ? simnet::accept4(fd, peer, size, flags) : ::accept4(fd, peer, size, flags);
}
inline int shutdown(int fd, int how) noexcept {
  return is_simulated(fd) ? simnet::shutdown(fd, how) : ::shutdown(fd, how);
}
inline ssize_t recv(int fd, void* into, std::size_t size, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::recv(fd, into, size, flags);
  return plain_recv(fd, into, size, flags);
}
inline ssize_t send(int fd, const void* from, std::size_t size, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::send(fd, from, size, flags);
  return plain_send(fd, from, size, flags);
}
inline ssize_t recvfrom(int fd, void* into, std::size_t size, int flags, sockaddr* from,
                        socklen_t* length) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::recvfrom(fd, into, size, flags, from, length);
  return ::recvfrom(fd, into, size, flags, from, length);
}
inline ssize_t sendto(int fd, const void* bytes, std::size_t size, int flags, const sockaddr* to,
                      socklen_t length) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::sendto(fd, bytes, size, flags, to, length);
  return ::sendto(fd, bytes, size, flags, to, length);
}
inline ssize_t recvmsg(int fd, msghdr* m, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::recvmsg(fd, m, flags);
  return ::recvmsg(fd, m, flags);
}
inline ssize_t sendmsg(int fd, const msghdr* m, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::sendmsg(fd, m, flags);
  return ::sendmsg(fd, m, flags);
}
inline int recvmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::recvmmsg(fd, m, n, flags);
  return ::recvmmsg(fd, m, n, flags, nullptr);
}
inline int sendmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept {
  if (is_simulated(fd)) [[unlikely]]
    return simnet::sendmmsg(fd, m, n, flags);
  return ::sendmmsg(fd, m, n, flags);
}
inline int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  return is_simulated(fd) ? simnet::setsockopt(fd, level, name, value, size)
                          : ::setsockopt(fd, level, name, value, size);
}
inline int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return is_simulated(fd) ? simnet::getsockopt(fd, level, name, value, size)
                          : ::getsockopt(fd, level, name, value, size);
}
inline int getsockname(int fd, sockaddr* at, socklen_t* size) noexcept {
  return is_simulated(fd) ? simnet::getsockname(fd, at, size) : ::getsockname(fd, at, size);
}
inline int getpeername(int fd, sockaddr* at, socklen_t* size) noexcept {
  return is_simulated(fd) ? simnet::getpeername(fd, at, size) : ::getpeername(fd, at, size);
}

}  // namespace troupe::detail::sys
