// The limits for untrusted peers: malformed input, too many clients, slow and idle ones.
#include "kv/server_fixture.hpp"

#include <random>

using namespace kv_test;

namespace {

// Sanitizers pad all memory, so its amount means nothing there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

/// A number from INFO.
long figure(client& c, const std::string& name) {
  const std::string info = c.run({"INFO"});
  const std::size_t at = info.find(name + ":");
  REQUIRE(at != info.npos);
  return std::strtol(info.c_str() + at + name.size() + 1, nullptr, 10);
}

/// Waits until INFO reports this number.
bool becomes(client& c, const std::string& name, long value) {
  for (int i = 0; i < 500; ++i) {
    if (figure(c, name) == value) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

}  // namespace

TEST_CASE("limits: a malformed frame gets a protocol error, and the connection is closed") {
  const scratch_directory data;
  server s(data, {"--max-bulk", "100000", "--max-args", "1000"});
  for (const std::string bad : {"*1\r\n:5\r\n", "*x\r\n", "*1\r\n$-5\r\n", "*1\r\n$100001\r\n", "*1001\r\n",
                                "*99999999999999999999\r\n", "SET \"k\r\n"}) {
    CAPTURE(bad);
    client c(s.port());
    REQUIRE(c.send(client::request({"ECHO", "before"}) + bad));
    CHECK(c.receive() == "$6\r\nbefore\r\n");
    CHECK(c.receive().starts_with("-ERR Protocol error"));
    CHECK(c.rest().empty());
  }
  CHECK(client(s.port()).run({"PING"}) == "+PONG\r\n");
}

TEST_CASE("limits: random bytes do no harm") {
  const scratch_directory data;
  server s(data);
  std::minstd_rand random(7);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = i % 2 == 0 ? "*3\r\n$3\r\nSET\r\n" : "";
    for (auto n = random() % 300; n > 0; --n) bytes += static_cast<char>(random() % 256);
    client c(s.port());
    c.send(bytes);
  }
  CHECK(client(s.port()).run({"PING"}) == "+PONG\r\n");
  CHECK(s.terminate() == 0);
}

TEST_CASE("limits: inline commands work, and a frame may come byte by byte") {
  const scratch_directory data;
  server s(data);
  client c(s.port());
  c.send("SET k 'a b'\r\nGET k\r\n");
  CHECK(c.receive() == "+OK\r\n");
  CHECK(c.receive() == "$3\r\na b\r\n");
  for (const char byte : client::request({"GET", "k"})) REQUIRE(c.send(std::string_view(&byte, 1)));
  CHECK(c.receive() == "$3\r\na b\r\n");
}

TEST_CASE("limits: a client above --max-clients gets an error") {
  const scratch_directory data;
  server s(data, {"--max-clients", "3"});
  std::vector<client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(s.port());
    REQUIRE(clients.back().run({"PING"}) == "+PONG\r\n");
  }
  CHECK(client(s.port()).rest() == "-ERR max number of clients reached\r\n");
  CHECK(figure(clients[0], "rejected_connections") == 1);
  clients.pop_back();
  REQUIRE(becomes(clients[0], "connected_clients", 2));
  CHECK(client(s.port()).run({"PING"}) == "+PONG\r\n");
}

TEST_CASE("limits: an idle client is disconnected, an active one is not") {
  const scratch_directory data;
  server s(data, {"--idle-timeout", "1"});
  client silent(s.port());
  client busy(s.port());
  for (int i = 0; i < 30; ++i) {
    REQUIRE(busy.run({"PING"}) == "+PONG\r\n");
    std::this_thread::sleep_for(100ms);
  }
  CHECK(silent.rest().empty());
  CHECK(figure(busy, "connected_clients") == 1);
}

TEST_CASE(
    "limits: a client whose command is not complete in time is disconnected, one between commands is not") {
  const scratch_directory data;
  server s(data, {"--command-timeout", "1"});
  client other(s.port());
  client dribbler(s.port());
  REQUIRE(other.run({"PING"}) == "+PONG\r\n");
  REQUIRE(dribbler.run({"PING"}) == "+PONG\r\n");
  REQUIRE(dribbler.send("*2\r\n$4\r\nECHO\r\n$1000\r\n"));
  for (int i = 0; i < 5; ++i) {
    REQUIRE(dribbler.send("x"));
    std::this_thread::sleep_for(100ms);
  }
  CHECK(dribbler.rest() ==
        "-ERR command not complete within 1 s (--command-timeout), closing the connection\r\n");
  CHECK(becomes(other, "connected_clients", 1));
}

TEST_CASE("limits: a client that does not read is disconnected, and holds no more than its round") {
  const scratch_directory data;
  server s(data, {"--write-deadline", "1"});
  client other(s.port());
  REQUIRE(other.run({"SET", "big", std::string(1'000'000, 'x')}) == "+OK\r\n");
  client deaf(s.port(), 4096);
  REQUIRE(deaf.run({"PING"}) == "+PONG\r\n");
  REQUIRE(figure(other, "connected_clients") == 2);
  std::string requests;
  for (int i = 0; i < 64; ++i) requests += client::request({"GET", "big"});
  REQUIRE(deaf.send(requests));
  CHECK(becomes(other, "connected_clients", 1));
  CHECK(other.run({"PING"}) == "+PONG\r\n");
  CHECK(deaf.rest().size() < 64'000'000);
}

TEST_CASE("limits: 2000 idle connections cost little memory, and all are served") {
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  if (files.rlim_cur < 2200) {
    WARN("skipped: fewer than 2200 descriptors are allowed");
    return;
  }
  const scratch_directory data;
  server s(data, {"--shards", "2"});
  client control(s.port());
  control.run({"PING"});
  const long before = figure(control, "used_memory");
  std::vector<client> clients;
  for (int i = 0; i < 2000; ++i) {
    clients.emplace_back(s.port());
    REQUIRE(clients.back().connected());
  }
  for (client& c : clients) REQUIRE(c.run({"SET", "k", "v"}) == "+OK\r\n");
  CHECK(figure(control, "connected_clients") == 2001);
  if (!sanitized) CHECK(figure(control, "used_memory") - before < 2000L * 6000);
  CHECK(s.terminate() == 0);
}
