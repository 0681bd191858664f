// The whole server, with redis-cli and redis-benchmark as clients.
#include "kv/server_fixture.hpp"

using namespace kv_test;

TEST_CASE("server: a session of redis-cli is answered as by Redis") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, {"--shards", "3"});
  CHECK(s.cli("PING") == "PONG");
  CHECK(s.cli("SET k v") == "OK");
  CHECK(s.cli("GET k") == "v");
  CHECK(s.cli("SET k w NX") == "");
  CHECK(s.cli("SET k w GET EX 100") == "v");
  CHECK(s.cli("TTL k") == "100");
  CHECK(s.cli("INCRBY n 41") == "41");
  CHECK(s.cli("INCR n") == "42");
  CHECK(s.cli("INCR k") == "ERR value is not an integer or out of range");
  CHECK(s.cli("MSET a 1 b 2 c 3 d 4") == "OK");
  CHECK(s.cli("MGET a b c d none") == "1\n2\n3\n4");
  CHECK(s.cli("DBSIZE") == "6");
  CHECK(s.cli("--scan | sort | tr '\\n' ' '") == "a b c d k n ");
  CHECK(s.cli("DEL a b none") == "2");
  CHECK(s.cli("TYPE k") == "string");
  CHECK(s.cli("NOSUCH x").starts_with("ERR unknown command 'NOSUCH'"));
  CHECK(s.cli("GET").starts_with("ERR wrong number of arguments for 'get' command"));
  CHECK(s.cli("HELLO 3").starts_with("NOPROTO"));
  CHECK(s.cli("CONFIG GET appendonly") == "appendonly\nyes");
  CHECK(s.cli("FLUSHALL") == "OK");
  CHECK(s.cli("DBSIZE") == "0");
  CHECK(s.terminate() == 0);
}

TEST_CASE("server: INFO reports its statistics, TROUPE TREE the running actors") {
  const scratch_directory data;
  server s(data, {"--shards", "2", "--max-clients", "77"});
  client c(s.port());
  REQUIRE(c.run({"SET", "k", "v"}) == "+OK\r\n");
  const std::string info = c.run({"INFO"});
  for (const char* line : {"connected_clients:1", "maxclients:77", "shards:2", "loading:0", "db0:keys=1,"}) {
    CAPTURE(line);
    CHECK(info.find(line) != info.npos);
  }
  const std::string tree = c.run({"TROUPE", "TREE"});
  for (const char* part : {"shards", "kv::shard_actor] running", "listener", "kv::connection]"}) {
    CAPTURE(part);
    CHECK(tree.find(part) != tree.npos);
  }
}

TEST_CASE("server: redis-benchmark completes") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, {"--shards", "2"});
  const shell_result r = shell("timeout 120 redis-benchmark -p " + std::to_string(s.port()) +
                               " -t set,get,incr,mset -c 50 -P 16 -n 50000 -r 10000 -q");
  INFO(r.out);
  CHECK(r.status == 0);
  CHECK(r.out.find("Error") == r.out.npos);
  for (const char* name : {"SET: ", "GET: ", "INCR: ", "MSET (10 keys): "})
    CHECK(r.out.find(name) != r.out.npos);
  CHECK(s.terminate() == 0);
}

TEST_CASE("server: SIGTERM and SHUTDOWN end it in order, and keep its data") {
  const scratch_directory data;
  for (int round = 0; round < 4; ++round) {
    server s(data);
    client c(s.port());
    REQUIRE(c.run({"INCR", "starts"}) == ":" + std::to_string(round + 1) + "\r\n");
    if (round % 2 == 0) {
      CHECK(s.terminate() == 0);
    } else {
      c.send(client::request({"SHUTDOWN"}));
      CHECK(c.rest().empty());
      CHECK(s.wait(15s) == 0);
    }
  }
}

TEST_CASE("server: commands parsed before SIGTERM are answered") {
  const scratch_directory data;
  server s(data, {"--fsync", "always"});
  std::vector<client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(s.port());
  for (client& c : clients) REQUIRE(c.run({"PING"}) == "+PONG\r\n");
  for (int i = 0; i < 20; ++i) {
    clients[static_cast<std::size_t>(i)].send(client::request({"SET", "k" + std::to_string(i), "v"}));
  }
  REQUIRE(clients[0].receive() == "+OK\r\n");
  CHECK(s.terminate() == 0);
  std::vector<int> answered = {0};
  for (int i = 1; i < 20; ++i) {
    const std::string reply = clients[static_cast<std::size_t>(i)].receive();
    CHECK((reply.empty() || reply == "+OK\r\n"));
    if (!reply.empty()) answered.push_back(i);
  }
  server again(data, {"--fsync", "always"});
  client reader(again.port());
  for (const int i : answered) CHECK(reader.run({"GET", "k" + std::to_string(i)}) == "$1\r\nv\r\n");
}

TEST_CASE("server: replies come in the order of the commands, from whichever shards") {
  const scratch_directory data;
  server s(data, {"--shards", "4", "--max-pipeline", "64"});
  client c(s.port());
  std::string requests;
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i) {
    requests += client::request({"SET", "k" + std::to_string(i), std::to_string(i)});
    requests += client::request({"ECHO", std::to_string(i)});
    requests += client::request({"GET", "k" + std::to_string(i)});
    requests += client::request({"CLIENT", "GETNAME"});
    if (i % 100 == 0) requests += client::request({"INFO", "server"});
  }
  std::thread sender([&] { c.send(requests); });
  for (int i = 0; i < count; ++i) {
    std::string value;
    kv::reply::bulk(value, std::to_string(i));
    REQUIRE(c.receive() == "+OK\r\n");
    REQUIRE(c.receive() == value);
    REQUIRE(c.receive() == value);
    REQUIRE(c.receive() == "$-1\r\n");
    if (i % 100 == 0) REQUIRE(c.receive().find("# Server") != std::string::npos);
  }
  sender.join();
}

TEST_CASE("server: large values are stored and returned completely") {
  const scratch_directory data;
  std::string large(9'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 1001) large[i] = static_cast<char>('a' + i % 26);
  std::string reply;
  kv::reply::bulk(reply, large);
  {
    server s(data, {"--shards", "2"});
    client c(s.port());
    REQUIRE(c.run({"SET", "big", large}) == "+OK\r\n");
    CHECK(c.run({"GET", "big"}) == reply);
    CHECK(c.run({"STRLEN", "big"}) == ":9000000\r\n");
    CHECK(s.terminate() == 0);
  }
  server s(data, {"--shards", "2"});
  CHECK(client(s.port()).run({"GET", "big"}) == reply);
}
