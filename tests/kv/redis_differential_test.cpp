// Sends the same commands to a redis-server and to our shards, and compares the bytes of the replies.
#include "kv/ascii.hpp"
#include "kv/local_cluster.hpp"
#include "kv/net/resp.hpp"
#include "kv/net/session.hpp"
#include "kv/redis_process.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <chrono>

namespace {

using kv_test::command;
using kv_test::redis_process;

/// Shards and a session: they answer every command except those that need a server.
class ours {
 public:
  std::string run(const command& c) {
    shards_.now = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
    const auto args = kv_test::views(c);
    std::string out;
    const kv::command* spec = kv::check_command(args, out);
    if (spec == nullptr) return out;
    if (spec->where != kv::place::connection) return shards_.run(c);
    kv::execute(*spec, session_, args, 4, out);
    return out;
  }

 private:
  kv_test::local_cluster shards_{4};
  kv::session session_;
};

std::vector<std::string> elements(std::string_view array) {
  std::vector<std::string> all;
  array.remove_prefix(array.find('\n') + 1);
  while (!array.empty()) {
    const std::size_t size = kv::reply::first_length(array);
    all.emplace_back(array.substr(0, size));
    array.remove_prefix(size);
  }
  std::ranges::sort(all);
  return all;
}

/// True for equal replies, and for allowed differences: the order of KEYS, cursors, and the time between the
/// two calls in PTTL.
bool same_reply(const command& c, const std::string& theirs, const std::string& mine) {
  if (theirs == mine) return true;
  if (theirs.empty() || mine.empty() || theirs[0] != mine[0]) return false;
  if (kv::same_word(c[0], "keys") && theirs[0] == '*') return elements(theirs) == elements(mine);
  // Cursors differ between servers: that both answered is enough. The contents of SCAN have their own tests.
  if (kv::same_word(c[0], "scan")) return theirs.starts_with("*2") && mine.starts_with("*2");
  if (kv::same_word(c[0], "pttl") && theirs[0] == ':') {
    return std::abs(std::stoll(theirs.substr(1)) - std::stoll(mine.substr(1))) < 5000;
  }
  return false;
}

std::string text_of(const command& c) {
  std::string text;
  for (const auto& word : c) text += "[" + word.substr(0, 60) + "] ";
  return text;
}

const std::string long_word(200, 'w');

const std::vector<command> listed = {
    {"nosuch"},
    {"NoSuch", "a", "b c", ""},
    {"nosuch", long_word, "x"},
    {"nosuch", std::string(127, 'a'), "x"},
    {long_word, "a"},
    {"no\r\nsuch", "a\nb"},
    {""},
    {"get"},
    {"GET", "a", "b"},
    {"mset", "a"},
    {"mset", "a", "b", "c"},
    {"MSET", "a", "1", "b", "2", "a", "3"},
    {"mget", "a", "nosuch", "b", "a"},
    {"mget"},
    {"del"},
    {"del", "a", "a", "b"},
    {"set", "s", "v"},
    {"set", "s"},
    {"set", "s", "v", "nx"},
    {"set", "s", "w", "XX"},
    {"set", "s", "x", "nx", "xx"},
    {"set", "s", "x", "xx", "nx"},
    {"set", "s", "x", "get"},
    {"set", "s", "y", "nx", "get"},
    {"set", "u", "y", "nx", "get"},
    {"set", "new", "y", "xx", "get"},
    {"get", "new"},
    {"set", "s", "v", "ex"},
    {"set", "s", "v", "ex", "0"},
    {"set", "s", "v", "ex", "-1"},
    {"set", "s", "v", "px", "0"},
    {"set", "s", "v", "ex", "x"},
    {"set", "s", "v", "ex", "1.5"},
    {"set", "s", "v", "ex", "9223372036854775807"},
    {"set", "s", "v", "px", "9223372036854775807"},
    {"set", "s", "v", "ex", "9223372036854775"},
    {"set", "s", "v", "ex", "10", "px", "10"},
    {"set", "s", "v", "ex", "10", "keepttl"},
    {"set", "s", "v", "keepttl", "ex", "10"},
    {"set", "s", "v", "bogus"},
    {"set", "s", "v", "EX", "1000"},
    {"ttl", "s"},
    {"pttl", "s"},
    {"set", "s", "v", "keepttl"},
    {"ttl", "s"},
    {"set", "s", "v"},
    {"ttl", "s"},
    {"set", "s", "v", "exat", "1"},
    {"get", "s"},
    {"exists", "s"},
    {"set", "s", "v", "pxat", "99999999999999"},
    {"set", "s", "v", "exat", "0"},
    {"set", "s", "v", "keepttl", "keepttl"},
    {"set", "s", "v", "get", "get"},
    {"setnx", "n", "1"},
    {"setnx", "n", "2"},
    {"getset", "n", "3"},
    {"getset", "m", "3"},
    {"set", "i", "10"},
    {"incr", "i"},
    {"incrby", "i", "5"},
    {"decrby", "i", "20"},
    {"decr", "i"},
    {"incrby", "i", "x"},
    {"incrby", "i", "9223372036854775807"},
    {"incrby", "i", "9223372036854775807"},
    {"decrby", "i", "-9223372036854775808"},
    {"decrby", "i", "9223372036854775808"},
    {"incr", "text"},
    {"append", "text", "abc"},
    {"append", "text", ""},
    {"incr", "text"},
    {"set", "z", "007"},
    {"incr", "z"},
    {"set", "z", " 1"},
    {"incr", "z"},
    {"set", "z", "-0"},
    {"incr", "z"},
    {"set", "z", ""},
    {"incr", "z"},
    {"strlen", "text"},
    {"strlen", "none"},
    {"type", "text"},
    {"type", "none"},
    {"expire", "text", "100"},
    {"ttl", "text"},
    {"expire", "none", "100"},
    {"expire", "text", "x"},
    {"expire", "text"},
    {"expire", "text", "9223372036854775807"},
    {"expire", "text", "-9223372036854775808"},
    {"pexpire", "text", "9223372036854775807"},
    {"expire", "text", "100", "zz"},
    {"expire", "text", "x", "nx", "xx"},
    {"expire", "text", "100", "gt", "lt"},
    {"expire", "text", "100", "nx", "gt"},
    {"expire", "text", "200", "nx"},
    {"expire", "text", "200", "gt"},
    {"expire", "text", "100", "GT"},
    {"expire", "text", "100", "lt"},
    {"expire", "text", "300", "xx", "gt"},
    {"ttl", "text"},
    {"persist", "text"},
    {"persist", "text"},
    {"persist", "none"},
    {"expire", "text", "100", "gt"},
    {"expire", "text", "100", "xx"},
    {"expire", "text", "100", "lt"},
    {"ttl", "text"},
    {"ttl", "none"},
    {"pttl", "none"},
    {"expire", "text", "-1"},
    {"get", "text"},
    {"dbsize"},
    {"dbsize", "x"},
    {"keys", "*"},
    {"keys", "[i-s]"},
    {"keys"},
    {"scan"},
    {"scan", "x"},
    {"scan", "0", "count"},
    {"scan", "0", "count", "0"},
    {"scan", "0", "count", "x"},
    {"scan", "0", "bogus", "1"},
    {"scan", "0", "match", "nothing"},
    {"scan", "0", "type", "list"},
    {"flushall", "later"},
    {"flushall", "async"},
    {"dbsize"},
    {"flushall", "sync", "x"},
    {"scan", "0"},
    {"keys", "*"},
    {"ping"},
    {"ping", "x"},
    {"ping", "a", "b"},
    {"echo", "x"},
    {"echo"},
    {"select", "0"},
    {"select", "1"},
    {"select", "-1"},
    {"select", "x"},
    {"select", "99999999999"},
    {"client"},
    {"client", "nosuch"},
    {"client", "getname"},
    {"client", "setname", "a b"},
    {"client", "setname", "ab"},
    {"client", "getname"},
    {"CLIENT", "SetName"},
    {"client", "setname", ""},
    {"client", "getname"},
    {"client", "getname", "x"},
    {"client", "id", "x"},
    {"config"},
    {"config", "nosuch"},
    {"CONFIG", "Get"},
    {"command", "nosuch"},
    {"command", "count", "x"},
    {"command", "info", "nosuch"},
    {"hello", "x"},
    {"hello", "9"},
    {"hello", "1"},
    {"hello", "2", "nosuch"},
    {"hello", "2", "setname"},
    {"hello", "2", "auth", "other", "x"},
    {"shutdown", "bogus"},
    {"shutdown", "abort"},
};

rc::Gen<command> any_command() {
  return rc::gen::exec([] {
    const auto key = [] { return "key" + std::to_string(*rc::gen::inRange(0, 5)); };
    const auto value = [] {
      return *rc::gen::element<std::string>("1", "-5", "abc", "", "9223372036854775807",
                                            "-9223372036854775808", "1.5", "100");
    };
    const auto word = [&] {
      return *rc::gen::element<std::string>("NX", "xx", "GET", "EX", "PX", "KEEPTTL", "GT", "LT", "1000",
                                            "key1", "-1", "x");
    };
    command c{*rc::gen::element<std::string>("GET", "SET", "SET", "SET", "SETNX", "GETSET", "DEL", "EXISTS",
                                             "INCR", "DECR", "INCRBY", "DECRBY", "APPEND", "STRLEN", "MGET",
                                             "MSET", "EXPIRE", "TTL", "PTTL", "PERSIST", "TYPE", "DBSIZE",
                                             "KEYS", "FLUSHALL"),
              key()};
    if (c[0] == "DBSIZE" || c[0] == "FLUSHALL") c.pop_back();
    if (c[0] == "FLUSHALL" && *rc::gen::inRange(0, 4) != 0) c = {"KEYS", "*"};
    if (*rc::gen::inRange(0, 4) != 0) c.push_back(value());
    if (c[0] == "MSET" && *rc::gen::inRange(0, 4) != 0) c.insert(c.end(), {key(), value()});
    for (int n = *rc::gen::inRange(0, 3); n > 0; --n) c.push_back(word());
    const std::size_t arity =
        c[0] == "GET" || c[0] == "INCR" || c[0] == "TTL" || c[0] == "TYPE" ? 2 : c.size();
    if (*rc::gen::inRange(0, 5) != 0) c.resize(std::min(arity, c.size()));
    return c;
  });
}

}  // namespace

TEST_CASE("redis: replies are the same, byte for byte") {
  auto redis = redis_process::start();
  if (!redis) {
    WARN("skipped: redis-server is not installed (Debian: apt-get install redis-server)");
    return;
  }
  SECTION("for a list of commands with all their errors") {
    ours mine;
    for (const command& c : listed) {
      const std::string theirs = redis->run(c);
      const std::string reply = mine.run(c);
      INFO(text_of(c));
      if (!same_reply(c, theirs, reply)) CHECK(reply == theirs);
      CHECK(same_reply(c, theirs, reply));
    }
  }
  SECTION("for any sequence of commands") {
    CHECK(rc::check("random commands", [&] {
      redis->run({"FLUSHALL"});
      ours mine;
      for (const command& c : *rc::gen::container<std::vector<command>>(any_command())) {
        const std::string theirs = redis->run(c);
        const std::string reply = mine.run(c);
        if (!same_reply(c, theirs, reply)) RC_FAIL(text_of(c) + "redis: " + theirs + "ours: " + reply);
      }
    }));
  }
  SECTION("for glob patterns") {
    CHECK(rc::check("random patterns", [&] {
      const auto piece =
          rc::gen::element<std::string>("a", "b", "c", "-", "*", "?", "[", "]", "^", "\\", "[a-c]", "[^b]");
      const auto text = [&](int most) {
        std::string all;
        for (int n = *rc::gen::inRange(0, most); n > 0; --n) all += *piece;
        return all;
      };
      redis->run({"FLUSHALL"});
      ours mine;
      for (int n = 0; n < 4; ++n) {
        const command set{"SET", *piece + text(5), ""};  // no empty key: "**" does not match it in Redis
        redis->run(set);
        mine.run(set);
      }
      for (int n = 0; n < 5; ++n) {
        const command keys{"KEYS", text(7)};
        const std::string theirs = redis->run(keys);
        const std::string reply = mine.run(keys);
        if (!same_reply(keys, theirs, reply)) RC_FAIL(text_of(keys) + "redis: " + theirs + "ours: " + reply);
      }
    }));
  }
}

TEST_CASE("redis: malformed requests get the same errors") {
  auto redis = redis_process::start();
  if (!redis) {
    WARN("skipped: redis-server is not installed (Debian: apt-get install redis-server)");
    return;
  }
  const std::vector<std::string> requests = {"*x\r\n",
                                             "*01\r\n",
                                             "*+1\r\n",
                                             "*\r\n",
                                             "*9999999999\r\n",
                                             "*1\r\nGET\r\n",
                                             "*1\r\n:1\r\n",
                                             "*1\r\n$-1\r\n",
                                             "*1\r\n$x\r\n",
                                             "*1\r\n$\r\n",
                                             "*1\r\n$999999999999\r\n",
                                             "*1\r\n\r\n",
                                             "echo \"a\r\n",
                                             "echo 'a\r\n",
                                             "echo \"a\"b\r\n",
                                             "echo \"\\x41\\n\\q\"\r\n",
                                             "echo 'a\\'b'\n",
                                             "echo a\"b c\"\r\n",
                                             "   echo   x   \r\n",
                                             "\r\n*0\r\n*-1\r\necho x\r\n",
                                             "*2\r\n$4\r\necho\r\n$1\r\nx__*1\r\n$4\r\nquit\r\n",
                                             std::string(70000, 'a'),
                                             "*" + std::string(70000, '1'),
                                             "*1\r\n$" + std::string(70000, '1')};
  for (const std::string& request : requests) {
    redis->reconnect();
    std::string theirs = redis->send(request);
    theirs.resize(kv::reply::first_length(theirs));
    kv::resp_codec codec;
    std::string mine;
    auto rest = std::as_bytes(std::span(request));
    auto first = codec.decode(rest);
    while (first && first->frame && first->frame->empty()) {  // an empty command, which is not answered
      rest = rest.subspan(first->bytes);
      first = codec.decode(rest);
    }
    if (!first) {
      kv::reply::error(mine, first.error().text());
    } else {
      mine = ours().run(command(first->frame->begin(), first->frame->end()));
    }
    INFO(request.substr(0, 60));
    CHECK(mine == theirs);
  }
}
