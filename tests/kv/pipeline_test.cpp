// A pipeline to several shards gives the same replies as a single store, in order.
#include "kv/net/pipeline.hpp"

#include "kv/local_cluster.hpp"
#include "kv/net/reply.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <set>

namespace {

using kv_test::command;
using cluster = kv_test::local_cluster;

rc::Gen<command> any_command() {
  return rc::gen::exec([] {
    const auto key = [] { return "key" + std::to_string(*rc::gen::inRange(0, 8)); };
    const auto keys = [&](command c) {
      for (int n = *rc::gen::inRange(1, 6); n > 0; --n) c.push_back(key());
      return c;
    };
    switch (*rc::gen::inRange(0, 10)) {
      case 0:
        return command{"GET", key()};
      case 1:
        return command{"SET", key(), *rc::gen::element<std::string>("1", "x", "\r\n$1\r\n")};
      case 2:
        return keys({"DEL"});
      case 3:
        return keys({"EXISTS"});
      case 4:
        return keys({"mget"});
      case 5: {
        command c{"MSET"};
        for (int n = *rc::gen::inRange(1, 5); n > 0; --n) c.insert(c.end(), {key(), std::to_string(n)});
        return c;
      }
      case 6:
        return command{"INCR", key()};
      case 7:
        return command{"DBSIZE"};
      case 8:
        return command{"nonsense", key()};
      default:
        return *rc::gen::element(command{"FLUSHALL"}, command{"GET"}, command{"FLUSHALL", "now"});
    }
  });
}

std::vector<std::string> bulks(std::string_view array) {
  std::vector<std::string> all;
  array.remove_prefix(array.find('\n') + 1);
  while (!array.empty()) {
    const std::size_t size = kv::reply::first_length(array);
    const std::size_t line = array.find('\n') + 1;
    all.emplace_back(array.substr(line, size - line - 2));
    array.remove_prefix(size);
  }
  return all;
}

}  // namespace

TEST_CASE("pipeline: many shards answer like one, in the order of the commands") {
  CHECK(rc::check("sharding is invisible", [] {
    cluster one(1);
    cluster many(static_cast<std::size_t>(*rc::gen::inRange(2, 9)));
    for (int round = *rc::gen::inRange(1, 4); round > 0; --round) {
      const auto commands = *rc::gen::container<std::vector<command>>(any_command());
      std::string expected;
      for (const auto& c : commands) {
        expected += one.run(c);
        many.add(c);
      }
      RC_ASSERT(many.finish() == expected);
    }
  }));
}

TEST_CASE("pipeline: KEYS and SCAN find the keys of all shards once") {
  cluster shards(5);
  std::set<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    shards.run({"SET", "k" + std::to_string(i), "v"});
    expected.insert("k" + std::to_string(i));
  }
  const auto keys = bulks(shards.run({"KEYS", "k*"}));
  CHECK(keys.size() == 3000);
  CHECK(std::set<std::string>(keys.begin(), keys.end()) == expected);

  std::vector<std::string> scanned;
  std::string cursor = "0";
  int steps = 0;
  do {
    const std::string reply = shards.run({"SCAN", cursor, "COUNT", "100", "MATCH", "k*"});
    const std::string_view rest = std::string_view(reply).substr(4);
    const std::size_t size = kv::reply::first_length(rest);
    const std::size_t line = rest.find('\n') + 1;
    cursor = rest.substr(line, size - line - 2);
    for (auto& key : bulks(rest.substr(size))) scanned.push_back(std::move(key));
    ++steps;
  } while (cursor != "0");
  CHECK(steps > 10);
  CHECK(scanned.size() == 3000);
  CHECK(std::set<std::string>(scanned.begin(), scanned.end()) == expected);
  CHECK(shards.run({"SCAN", "x"}) == "-ERR invalid cursor\r\n");
}

TEST_CASE("pipeline: a shard that does not answer fails its own commands only") {
  cluster shards(4);
  shards.failing = kv::shard_of("a", 4);
  std::string other = "b";
  while (kv::shard_of(other, 4) == shards.failing) other += 'b';
  shards.add({"SET", "a", "1"});
  shards.add({"SET", other, "1"});
  shards.add({"MGET", other, "a"});
  shards.add({"GET", other});
  CHECK(shards.finish() == "-ERR down\r\n+OK\r\n-ERR down\r\n$1\r\n1\r\n");
  shards.failing = static_cast<std::size_t>(-1);
  CHECK(shards.run({"MGET", other, "a"}) == "*2\r\n$1\r\n1\r\n$-1\r\n");
}

TEST_CASE("pipeline: a shard whose journal fails refuses writes and answers reads") {
  kv::store store;
  store.set("a", "1", 0);
  kv::request_batch batch;
  const std::vector<std::string_view> get{"get", "a"}, set{"set", "a", "2"};
  batch.add(*kv::find_command("get"), get);
  CHECK_FALSE(batch.writes());
  batch.add(*kv::find_command("set"), set);
  CHECK(batch.writes());
  kv::shard_context context{store, 1};
  kv::reply_batch replies;
  kv::execute_refusing_writes(batch, context, replies);
  CHECK(replies.bytes == "$1\r\n1\r\n-" + std::string(kv::journal_failing_error) + "\r\n");
  CHECK(store.find("a", 1)->value() == "1");
}

TEST_CASE("pipeline: local replies keep their position and need no shard") {
  kv::pipeline p(2);
  p.add_local("+A\r\n");
  CHECK(p.local_only());
  const std::vector<std::string_view> get{"get", "a"};
  p.add(*kv::find_command("get"), get);
  p.add_local("+B\r\n");
  CHECK_FALSE(p.local_only());
  CHECK(p.size() == 3);
  std::vector<kv::reply_batch> replies(2);
  for (auto& r : replies) {
    r.bytes = "$-1\r\n";
    r.ends = {5};
  }
  std::string out;
  p.finish(replies, out);
  CHECK(out == "+A\r\n$-1\r\n+B\r\n");
  CHECK(p.size() == 0);
}
