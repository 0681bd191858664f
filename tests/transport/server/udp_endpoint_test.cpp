// udp_endpoint: datagrams as messages, and the counting of dropped ones.
#include "support/catch.hpp"
#include "transport/examples/example_process.hpp"
#include "transport/examples/server_under_test.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace troupe_test;
using troupe::udp_datagram;
using troupe::testkit::probe;

namespace {

/// A plain UDP socket that talks to one port.
class udp_peer {
 public:
  explicit udp_peer(int port) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
  }
  udp_peer(const udp_peer&) = delete;
  udp_peer& operator=(const udp_peer&) = delete;
  ~udp_peer() { ::close(fd_); }
  bool send(std::string_view text) {
    return ::send(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  }
  std::string receive() {
    std::string text(65536, '\0');
    const ssize_t n = ::recv(fd_, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return n < 0 ? "nothing came" : text;
  }

 private:
  int fd_;
};

std::atomic<int> bound_port{0};

troupe::udp_endpoint_options to(troupe::ref<udp_datagram> consumer, const troupe::endpoint_monitor& m) {
  return {
      .consumer = std::move(consumer), .max_datagram = 1000, .monitor = m, .on_bound = [](const auto& at) {
        bound_port = at.port();
      }};
}

int wait_for_port() {
  REQUIRE(becomes_true([] { return bound_port != 0; }));
  return bound_port.exchange(0);
}

}  // namespace

TEST_CASE("udp_endpoint: datagrams are sent and received as messages") {
  const troupe::endpoint_monitor monitor;
  troupe::system sys({.workers = 2, .log = &troupe::silent_log()});
  probe<udp_datagram> consumer(sys);
  const auto endpoint = sys.spawn(troupe::udp_endpoint, {}, to(consumer.ref(), monitor));
  udp_peer peer(wait_for_port());
  for (const std::string_view text : {"one", "", "three"}) {
    REQUIRE(peer.send(text));
    udp_datagram d = consumer.expect<udp_datagram>(60s);
    CHECK(text_of(d.bytes) == text);
    REQUIRE(endpoint.tell(std::move(d)) == troupe::send_result::ok);
    CHECK(peer.receive() == text);
  }
  REQUIRE(becomes_true([&] { return monitor.read().messages_out == 3; }));
  CHECK(monitor.read().messages_in == 3);
  CHECK(monitor.read().bytes_in == 8);
  CHECK(monitor.read().bytes_out == 8);
  CHECK(monitor.read().dropped == 0);
}

TEST_CASE("udp_endpoint: datagrams that cannot be delivered are dropped, and counted") {
  const troupe::endpoint_monitor monitor;
  troupe::system sys({.workers = 2, .log = &troupe::silent_log()});
  // The consumer takes none: it is busy with its first message.
  const auto deaf =
      sys.spawn([](troupe::context&,
                   troupe::inbox<udp_datagram>) -> troupe::task<void> { co_await troupe::sleep_for(1h); },
                {.mailbox = {.capacity = 4}});
  const auto endpoint = sys.spawn(troupe::udp_endpoint, {}, to(deaf, monitor));
  udp_peer peer(wait_for_port());
  for (int i = 0; i < 10; ++i) REQUIRE(peer.send("x"));
  REQUIRE(becomes_true([&] { return monitor.read().messages_in == 10; }));
  REQUIRE(becomes_true([&] { return monitor.read().dropped == 6; }));
  REQUIRE(peer.send(std::string(2000, 'x')));  // longer than max_datagram
  REQUIRE(becomes_true([&] { return monitor.read().dropped == 7; }));
  // Longer than any datagram can be, and to port 0.
  REQUIRE(endpoint.tell(udp_datagram{std::vector<std::byte>(70'000), troupe::ip_endpoint::loopback(9)}) ==
          troupe::send_result::ok);
  REQUIRE(endpoint.tell(udp_datagram{std::vector<std::byte>(1), troupe::ip_endpoint::loopback(0)}) ==
          troupe::send_result::ok);
  REQUIRE(becomes_true([&] { return monitor.read().dropped == 9; }));
  sys.stop(deaf);
}

TEST_CASE("udp_endpoint: datagrams that the kernel drops are counted, too") {
  const troupe::endpoint_monitor monitor;
  troupe::system sys({.workers = 1, .log = &troupe::silent_log()});
  probe<udp_datagram> consumer(sys);
  troupe::udp_endpoint_options o = to(consumer.ref(), monitor);
  o.socket.receive_buffer = 4096;  // a few datagrams, and never a full batch
  (void)sys.spawn(troupe::udp_endpoint, {}, o);
  udp_peer peer(wait_for_port());
  // Floods until one overflows the buffer: nothing is received while the only worker sends.
  std::uint64_t sent = 0;
  const auto flood = [](udp_peer& from) -> troupe::task<int> {
    int n = 0;
    while (n < 100 && from.send(std::string(1000, 'f'))) ++n;
    co_return n;
  };
  while (monitor.read().dropped == 0) {
    REQUIRE(sent < 100'000);
    const int n = sys.block_on(flood(peer)).value();
    REQUIRE(n == 100);
    sent += 100;
    REQUIRE(peer.send("l"));  // a loss is noticed with the next datagram
    sent += 1;
  }
  REQUIRE(becomes_true([&] { return monitor.read().messages_in > 0; }));
  CHECK(monitor.read().dropped + monitor.read().messages_in <= sent);
}

TEST_CASE("udp_endpoint: the example echoes, and a port in use is an error and exit status 1") {
  example s("echo-udp");
  udp_peer peer(s.port());
  for (int i = 0; i < 100; ++i) {
    REQUIRE(peer.send("hello " + std::to_string(i)));
    REQUIRE(peer.receive() == "hello " + std::to_string(i));
  }
  const shell_result second =
      shell("timeout 20 " + example::path("echo-udp") + " --port " + std::to_string(s.port()));
  INFO(second.out);
  CHECK(second.status == 1);
  CHECK(second.out.find("another socket has this port") != std::string::npos);
  if (has_program("nc", "netcat-openbsd")) {
    CHECK(shell("echo hi | timeout 10 nc -u -w1 127.0.0.1 " + std::to_string(s.port())).out == "hi\n");
  }
  CHECK(s->terminate() == 0);
}
