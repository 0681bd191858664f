// troupe-http with wrk, and with clients that do not behave like a browser.
#include "support/catch.hpp"
#include "support/sanitized.hpp"
#include "transport/examples/example_process.hpp"

#include <thread>

using namespace troupe_test;
using namespace std::chrono_literals;

namespace {

const std::string greeting =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n";

/// The answer to `text`, up to the end of the connection.
std::string ask(const example& s, const std::string& text) {
  blocking_client c = s.connect();
  c.send(text);
  std::string all = c.rest();
  CHECK_FALSE(c.was_reset());
  return all;
}

bool refused(const std::string& reply, const std::string& status) {
  return reply.starts_with("HTTP/1.1 " + status + " ") && reply.find("Connection: close") != reply.npos;
}

}  // namespace

TEST_CASE("http: wrk sees no error, and every answer is a 200") {
  if (!has_program("wrk", "wrk")) return;
  example s("http");
  const shell_result r = shell("timeout 30 wrk -t 2 -c 50 -d 2s --timeout 30s http://" + s.address() + "/");
  INFO(r.out);
  CHECK(r.status == 0);
  CHECK(r.out.find("Socket errors") == r.out.npos);
  CHECK(r.out.find("Non-2xx") == r.out.npos);
  const std::size_t end = r.out.find(" requests in ");
  REQUIRE(end != r.out.npos);
  CHECK(std::stol(r.out.substr(r.out.rfind('\n', end) + 1)) > 0);
  CHECK(s->terminate() == 0);
}

TEST_CASE("http: pipelined requests are answered in order, on one connection") {
  example s("http");
  blocking_client c = s.connect();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /again HTTP/1.1\r\n\r\n"));
    CHECK(c.receive(greeting.size()) == greeting);
    CHECK(c.receive(greeting.size() - 14) == greeting.substr(0, greeting.size() - 14));
    CHECK(c.receive(greeting.size()) == greeting);
  }
  REQUIRE(c.send("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"));
  const std::string last = c.rest();
  CHECK(last.ends_with("Connection: close\r\n\r\nHello, world!\n"));
  CHECK_FALSE(c.was_reset());
  CHECK(ask(s, "GET / HTTP/1.0\r\n\r\n") == last);
  CHECK(s->terminate() == 0);
}

TEST_CASE("http: unsupported requests are refused, and the refusal arrives") {
  example s("http");
  CHECK(refused(ask(s, "hello\r\n\r\n"), "400"));
  CHECK(refused(ask(s, "GET / HTTP/2\r\n\r\n"), "400"));
  CHECK(refused(ask(s, "GET / HTTP/1.1\r\nno colon\r\n\r\n"), "400"));
  CHECK(refused(ask(s, "GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc"), "400"));
  CHECK(refused(ask(s, "GET / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n" + std::string(30'000, 'x')), "413"));
  CHECK(refused(ask(s, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"), "413"));
  CHECK(refused(ask(s, "BREW / HTTP/1.1\r\n\r\n"), "501"));
  CHECK(refused(ask(s, "GET /" + std::string(9'000, 'x')), "431"));
  CHECK(s->terminate() == 0);
}

TEST_CASE(
    "http: a client that trickles its header is disconnected at the deadline, and delays no other client") {
  example s("http", {"--head-timeout", "1"});
  std::vector<blocking_client> slow;
  for (int i = 0; i < 50; ++i) slow.push_back(s.connect());
  const std::string head = "GET / HTTP/1.1\r\nX: ";
  std::size_t sent = 0;
  bool all_cut = false;
  for (; !all_cut && sent < 600; ++sent) {
    all_cut = true;
    for (auto& c : slow) {
      if (c.send(sent < head.size() ? head.substr(sent, 1) : "x")) all_cut = false;
    }
    REQUIRE(ask(s, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
    std::this_thread::sleep_for(50ms);
  }
  CHECK(all_cut);
  CHECK(s->terminate() == 0);
}
