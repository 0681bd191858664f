// troupe-echo, the server of the network benchmark.
#include "support/catch.hpp"
#include "transport/examples/example_process.hpp"

#include <optional>

using namespace troupe_test;
using Catch::Contains;

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/// A socket of the test at a free port of 127.0.0.1.
class plain_socket {
 public:
  explicit plain_socket(const std::string& protocol)
      : fd_(::socket(AF_INET, (protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0)) {
    sockaddr_in at = loopback(0);
    socklen_t length = sizeof at;
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), length) == 0);
    if (protocol == "tcp") REQUIRE(::listen(fd_, 1) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length) == 0);
    port_ = ntohs(at.sin_port);
  }
  plain_socket(const plain_socket&) = delete;
  plain_socket& operator=(const plain_socket&) = delete;
  ~plain_socket() { ::close(fd_); }

  [[nodiscard]] int port() const { return port_; }

  // For a datagram socket.
  void talk_to(int port) const {
    const sockaddr_in to = loopback(port);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  void send(const std::string& text) const {
    REQUIRE(::send(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] std::string receive() const {
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    return got < 0 ? "nothing came" : std::string(bytes, static_cast<std::size_t>(got));
  }

 private:
  int fd_;
  int port_ = 0;
};

/// troupe-echo. It does not print its port, so it is given a free one, and another if that was taken
/// meanwhile.
class echo_server {
 public:
  explicit echo_server(const std::string& protocol) {
    for (int i = 0; i < 10 && !(process_ && process_->is_ready()); ++i) {
      port_ = plain_socket(protocol).port();
      process_.emplace(
          std::vector<std::string>{TROUPE_ECHO, "--proto", protocol, "--port", std::to_string(port_)},
          directory_ / "log");
    }
    INFO(process_->log());
    REQUIRE(process_->is_ready());
  }
  [[nodiscard]] int port() const { return port_; }
  int terminate() { return process_->terminate(); }

 private:
  scratch_directory directory_;
  int port_ = 0;
  std::optional<child_process> process_;
};

}  // namespace

TEST_CASE("examples: troupe-echo echoes streams, and ends in order on SIGTERM") {
  echo_server s("tcp");
  blocking_client c(s.port());
  blocking_client other(s.port());
  REQUIRE(c.send("hello"));
  CHECK(c.receive(5) == "hello");
  const std::string much(100'000, 'x');
  REQUIRE(other.send(much));
  CHECK(other.receive(much.size()) == much);
  other.shutdown_write();
  CHECK(other.rest().empty());
  CHECK(s.terminate() == 0);
  CHECK(c.rest().empty());
}

TEST_CASE("examples: troupe-echo echoes datagrams, and ends in order on SIGTERM") {
  echo_server s("udp");
  const plain_socket one("udp");
  const plain_socket other("udp");
  one.talk_to(s.port());
  other.talk_to(s.port());
  one.send("a");
  other.send(std::string(1400, 'b'));
  one.send("c");
  CHECK(one.receive() == "a");
  CHECK(one.receive() == "c");
  CHECK(other.receive() == std::string(1400, 'b'));
  CHECK(s.terminate() == 0);
}

TEST_CASE("examples: troupe-echo reports that its port is in use, and ends with status 1") {
  const std::string protocol = GENERATE("tcp", "udp");
  const plain_socket holder(protocol);
  const std::string port = std::to_string(holder.port());
  const shell_result r = shell("timeout 20 " TROUPE_ECHO " --proto " + protocol + " --port " + port);
  INFO(r.out);
  CHECK(r.status == 1);
  CHECK_THAT(r.out, Contains("127.0.0.1:" + port) && Contains("another socket has this port"));
  CHECK_THAT(r.out, !Contains("READY"));
}

TEST_CASE("examples: troupe-echo refuses unknown options") {
  const shell_result r = shell("timeout 20 " TROUPE_ECHO " --proto sctp");
  INFO(r.out);
  CHECK(r.status == 2);
  CHECK_THAT(r.out, Contains("--proto") && !Contains("READY"));
}
