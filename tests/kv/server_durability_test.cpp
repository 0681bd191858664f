// Acknowledged writes survive crashes of shards, the death of the process, and a full disk.
#include "kv/server_fixture.hpp"
#include "support/becomes_true.hpp"

#include <algorithm>
#include <atomic>

using namespace kv_test;

namespace {

/// Writes key after key on its own connection until it fails; remembers the acknowledged writes and those
/// with an unknown outcome.
struct writer {
  std::string name;
  std::vector<int> acknowledged;
  int errors = 0;

  void run(int port, const std::atomic<bool>& stop) {
    client c(port);
    for (int n = 0; !stop.load(std::memory_order_relaxed); ++n) {
      const std::string reply = c.run({"SET", key(n), std::to_string(n)});
      if (reply.empty()) return;
      if (reply == "+OK\r\n") {
        acknowledged.push_back(n);
      } else {
        ++errors;
      }
    }
  }
  std::string key(int n) const { return name + ":" + std::to_string(n); }
  int lost(int port) const {
    client c(port);
    int count = 0;
    for (std::size_t at = 0; at < acknowledged.size();) {
      const std::size_t end = std::min(at + 200, acknowledged.size());
      std::string requests;
      for (std::size_t i = at; i < end; ++i) requests += client::request({"GET", key(acknowledged[i])});
      c.send(requests);
      for (; at < end; ++at) {
        std::string expected;
        kv::reply::bulk(expected, std::to_string(acknowledged[at]));
        if (c.receive() != expected) ++count;
      }
    }
    return count;
  }
};

/// Runs some writers while `disturb` disturbs the server.
template <class F>
std::vector<writer> write_during(int port, F disturb) {
  std::vector<writer> writers(8);
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < writers.size(); ++i) {
      writers[i].name = "w" + std::to_string(i);
      threads.emplace_back([&, i] { writers[i].run(port, stop); });
    }
    disturb();
    stop = true;
  }
  return writers;
}

void overwrite(const std::filesystem::path& file, std::streamoff at, char byte) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(at);
  f.put(byte);
  REQUIRE(f.good());
}

}  // namespace

TEST_CASE("server: kill -9 with --fsync always loses no write that redis-cli saw acknowledged") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  const auto file = [&](const char* what, int i) { return (data / what).string() + std::to_string(i); };
  constexpr int loaders = 4;
  {
    server s(data, {"--fsync", "always", "--shards", "2"});
    std::vector<std::jthread> threads;
    for (int i = 0; i < loaders; ++i) {
      std::ofstream commands(file("commands", i));
      for (int n = 0; n < 20'000; ++n) commands << "SET " << i << ":" << n << " " << n << "\n";
      commands.close();
      threads.emplace_back([&, i, port = s.port()] {
        shell("timeout 60 redis-cli -p " + std::to_string(port) + " < " + file("commands", i) + " > " +
              file("replies", i));
      });
    }
    std::this_thread::sleep_for(700ms);
    s.kill();
  }
  server s(data, {"--fsync", "always", "--shards", "2"});
  int acknowledged = 0;
  for (int i = 0; i < loaders; ++i) {
    std::ifstream replies(file("replies", i));
    int count = 0;
    for (std::string line; std::getline(replies, line) && line == "OK";) ++count;
    acknowledged += count;
    std::ofstream reads(file("reads", i));
    for (int n = 0; n < count; ++n) reads << "GET " << i << ":" << n << "\n";
    reads.close();
    const shell_result found =
        shell("timeout 60 redis-cli -p " + std::to_string(s.port()) + " < " + file("reads", i));
    std::istringstream values(found.out);
    int lost = 0;
    for (int n = 0; n < count; ++n) {
      std::string line;
      if (!std::getline(values, line) || line != std::to_string(n)) ++lost;
    }
    CHECK(lost == 0);
  }
  CHECK(acknowledged > 0);
}

TEST_CASE("server: shards that crash under load lose no acknowledged write, and are restarted") {
  for (const char* fsync : {"no", "always"}) {
    CAPTURE(fsync);
    const scratch_directory data;
    server s(data, {"--shards", "3", "--fsync", fsync});
    client control(s.port());
    const auto writers = write_during(s.port(), [&] {
      for (int i = 0; i < 30; ++i) {
        REQUIRE(control.run({"TROUPE", "CRASH", std::to_string(i % 3)}) == "+OK\r\n");
        std::this_thread::sleep_for(30ms);
      }
    });
    for (const writer& w : writers) {
      CHECK(!w.acknowledged.empty());
      CHECK(w.lost(s.port()) == 0);
    }
    const std::string info = control.run({"INFO", "troupe"});
    CHECK(info.find("shard_restarts:30") != info.npos);
    CHECK(s.terminate() == 0);
    server again(data, {"--shards", "3"});
    for (const writer& w : writers) CHECK(w.lost(again.port()) == 0);
  }
}

TEST_CASE("server: SIGTERM under load loses no acknowledged write") {
  const scratch_directory data;
  std::vector<writer> writers;
  {
    server s(data, {"--shards", "2", "--fsync", "no"});
    writers = write_during(s.port(), [&] {
      std::this_thread::sleep_for(300ms);
      CHECK(s.terminate() == 0);
    });
  }
  server again(data, {"--shards", "2"});
  for (const writer& w : writers) {
    CHECK(!w.acknowledged.empty());
    CHECK(w.lost(again.port()) == 0);
  }
}

TEST_CASE("server: a torn tail is cut with a warning") {
  const scratch_directory data;
  std::filesystem::path journal;
  {
    server s(data);
    client c(s.port());
    for (const char* key : {"a", "b", "c"}) REQUIRE(c.run({"SET", key, "value"}) == "+OK\r\n");
    journal = s.journal(0);
    s.kill();
  }
  std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - 3);
  server s(data);
  CHECK(s.log().find(journal.string()) != std::string::npos);
  client c(s.port());
  CHECK(c.run({"GET", "b"}) == "$5\r\nvalue\r\n");
  CHECK(c.run({"GET", "c"}) == "$-1\r\n");
}

TEST_CASE("server: with damage in the middle it refuses to start, and --repair keeps the valid records") {
  const scratch_directory data;
  std::filesystem::path journal;
  {
    server s(data);
    client c(s.port());
    for (int i = 0; i < 20; ++i) REQUIRE(c.run({"SET", "k" + std::to_string(i), "value"}) == "+OK\r\n");
    journal = s.journal(0);
    CHECK(s.terminate() == 0);
  }
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(journal));
  overwrite(journal, 8192 + (size - 8192) / 2, '!');
  const shell_result r = server::refused(data, "");
  CHECK(r.status == 1);
  CHECK(r.out.find(journal.string()) != r.out.npos);
  CHECK(r.out.find("--repair") != r.out.npos);

  server s(data, {"--repair"});
  client c(s.port());
  CHECK(c.run({"GET", "k0"}) == "$5\r\nvalue\r\n");
  CHECK(c.run({"GET", "k19"}) == "$5\r\nvalue\r\n");
  const std::string keys = c.run({"DBSIZE"});
  CHECK((keys == ":19\r\n" || keys == ":18\r\n"));
}

TEST_CASE("server: on a full disk writes are refused and reads answered, until there is room again") {
  const scratch_directory data;
  server s(data, {"--fsync", "no"}, 64 * 1024);
  client c(s.port());
  REQUIRE(c.run({"SET", "first", "v"}) == "+OK\r\n");
  const std::string value(1000, 'x');
  std::string reply = "+OK\r\n";
  int written = 0;
  while (reply == "+OK\r\n" && written < 1000) reply = c.run({"SET", "k" + std::to_string(written++), value});
  CHECK(reply.starts_with("-MISCONF"));
  CHECK(c.run({"SET", "more", "v"}).starts_with("-MISCONF"));
  CHECK(c.run({"GET", "first"}) == "$1\r\nv\r\n");
  CHECK(c.run({"INFO", "persistence"}).find("aof_last_write_status:err") != std::string::npos);

  const rlimit room{RLIM_INFINITY, RLIM_INFINITY};
  REQUIRE(::prlimit(s.id(), RLIMIT_FSIZE, &room, nullptr) == 0);
  for (int i = 0; i < 500 && c.run({"SET", "more", "v"}) != "+OK\r\n"; ++i) std::this_thread::sleep_for(20ms);
  CHECK(c.run({"SET", "more", "w"}) == "+OK\r\n");
  CHECK(s.terminate() == 0);
  server again(data);
  client d(again.port());
  CHECK(d.run({"GET", "more"}) == "$1\r\nw\r\n");
  for (int i = 0; i + 1 < written; ++i) CHECK(d.run({"STRLEN", "k" + std::to_string(i)}) == ":1000\r\n");
}

TEST_CASE("server: a journal is compacted without losing a key") {
  const scratch_directory data;
  const std::string value(10'000, 'x');
  {
    server s(data, {"--fsync", "no"});
    client c(s.port());
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += client::request({"SET", "k" + std::to_string(i), value});
    for (int round = 0; round < 50; ++round) {  // 50 MB of writes, 1 MB of data
      REQUIRE(c.send(requests));
      for (int i = 0; i < 100; ++i) REQUIRE(c.receive() == "+OK\r\n");
    }
    const auto size = [&] { return std::filesystem::file_size(s.journal(0)); };
    CHECK(troupe_test::becomes_true([&] { return size() < 20'000'000; }));
    CHECK(s.terminate() == 0);
  }
  server s(data);
  client c(s.port());
  CHECK(c.run({"DBSIZE"}) == ":100\r\n");
  for (int i = 0; i < 100; ++i) CHECK(c.run({"STRLEN", "k" + std::to_string(i)}) == ":10000\r\n");
}

TEST_CASE("server: a failed start is reported in a sentence") {
  const scratch_directory data;
  server s(data, {"--shards", "2"});
  const shell_result locked = server::refused(data, "");
  CHECK(locked.status == 1);
  CHECK(locked.out.find((data / "data").string()) != locked.out.npos);

  const scratch_directory other;
  const shell_result taken = server::refused(other, "", std::to_string(s.port()));
  CHECK(taken.status == 1);
  CHECK(taken.out.find(std::to_string(s.port())) != taken.out.npos);
  CHECK(server::refused(other, "--bind nonsense").status == 1);
  CHECK(server::refused(other, "--fsync sometimes").status == 2);
  CHECK(server::refused(other, "--no-such-option").status == 2);
  CHECK(s.terminate() == 0);
  CHECK(server::refused(data, "--shards 3").status == 1);
}
