// A redis-server process on a free loopback port, for tests that compare with it. The object ends the
// process.
#pragma once

#include "kv/net/reply.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace kv_test {

class redis_process {
 public:
  /// nullopt when redis-server is not installed or does not start.
  static std::optional<redis_process> start() {
    const int port = free_port();
    const pid_t child = ::fork();
    if (child == 0) {
      const int nowhere = ::open("/dev/null", O_RDWR);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
      const std::string text = std::to_string(port);
      ::execlp("redis-server", "redis-server", "--port", text.c_str(), "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", "--databases", "1", "--dir", "/tmp", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    redis_process process(child);
    for (int attempt = 0; attempt < 500; ++attempt) {
      if (::waitpid(child, nullptr, WNOHANG) == child) {
        process.child_ = -1;
        return std::nullopt;
      }
      process.socket_ = connect_to(port);
      if (process.socket_ >= 0) return process;
      ::usleep(10'000);
    }
    return std::nullopt;
  }

  redis_process(redis_process&& other) noexcept
      : child_(std::exchange(other.child_, -1)), socket_(std::exchange(other.socket_, -1)) {}
  redis_process& operator=(redis_process&&) = delete;
  ~redis_process() {
    if (socket_ >= 0) ::close(socket_);
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }

  std::string run(const std::vector<std::string>& args) {
    std::string request;
    kv::reply::array(request, args.size());
    for (const auto& arg : args) kv::reply::bulk(request, arg);
    return send(request);
  }

  /// Sends bytes unchanged and returns the first reply; empty when the connection ended.
  std::string send(std::string_view request) {
    while (!request.empty()) {
      const ssize_t sent = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent <= 0) return {};
      request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string reply;
    while (kv::reply::first_length(reply) == 0) {
      char bytes[65536];
      const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
      if (got <= 0) return {};
      reply.append(bytes, static_cast<std::size_t>(got));
    }
    return reply;
  }

  /// Replaces the connection by a new one.
  void reconnect() {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    ::getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &size);
    const int port = ntohs(peer.sin_port);
    const int fresh = connect_to(port);
    ::close(socket_);
    socket_ = fresh;
  }

 private:
  explicit redis_process(pid_t child) : child_(child) {}

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  static int free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(probe, reinterpret_cast<const sockaddr*>(&address), size);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(probe);
    return ntohs(address.sin_port);
  }

  static int connect_to(int port) {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(s, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return s;
    ::close(s);
    return -1;
  }

  pid_t child_;
  int socket_ = -1;
};

}  // namespace kv_test
