// The commands that a connection answers itself, and the texts of INFO and CONFIG GET.
#include "kv/net/session.hpp"

#include "support/catch.hpp"

namespace {

struct client {
  kv::session state;
  kv::session_step step{};
  client() { state.id = 7; }
  std::string operator()(std::vector<std::string_view> args) {
    std::string out;
    const kv::command* spec = kv::check_command(args, out);
    if (spec != nullptr) step = kv::execute(*spec, state, args, 4, out);
    return out;
  }
};

}  // namespace

TEST_CASE("session: PING, ECHO and SELECT") {
  client c;
  CHECK(c({"PING"}) == "+PONG\r\n");
  CHECK(c({"ping", "a b"}) == "$3\r\na b\r\n");
  CHECK(c({"ping", "a", "b"}) == "-ERR wrong number of arguments for 'ping' command\r\n");
  CHECK(c({"echo", ""}) == "$0\r\n\r\n");
  CHECK(c({"select", "0"}) == "+OK\r\n");
  CHECK(c({"select", "1"}) == "-ERR DB index is out of range\r\n");
  CHECK(c({"select", "x"}) == "-ERR value is not an integer or out of range\r\n");
}

TEST_CASE("session: HELLO 2 is answered, HELLO 3 is refused") {
  client c;
  CHECK(c({"hello", "3"}) == "-NOPROTO unsupported protocol version\r\n");
  CHECK(c({"hello", "3", "SETNAME", "x"}) == "-NOPROTO unsupported protocol version\r\n");
  CHECK(c.state.name.empty());
  CHECK(c({"hello", "x"}) == "-ERR Protocol version is not an integer or out of range\r\n");
  const std::string hello = c({"hello", "2", "setname", "me"});
  CHECK(hello.starts_with("*14\r\n$6\r\nserver\r\n"));
  CHECK(hello.find("$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:7\r\n") != std::string::npos);
  CHECK(c.state.name == "me");
  CHECK(c({"hello"}).starts_with("*14\r\n"));
}

TEST_CASE("session: CLIENT keeps name and library") {
  client c;
  CHECK(c({"client", "getname"}) == "$-1\r\n");
  CHECK(c({"client", "setname", "a b"}) ==
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  CHECK(c({"CLIENT", "SETNAME", "app"}) == "+OK\r\n");
  CHECK(c({"client", "getname"}) == "$3\r\napp\r\n");
  CHECK(c({"client", "setinfo", "LIB-NAME", "lib"}) == "+OK\r\n");
  CHECK(c({"client", "setinfo", "lib-ver", "1.0"}) == "+OK\r\n");
  CHECK(c.state.library_name == "lib");
  CHECK(c.state.library_version == "1.0");
  CHECK(c({"client", "setinfo", "color", "red"}) == "-ERR Unrecognized option 'color'\r\n");
  CHECK(c({"client", "setname"}) == "-ERR wrong number of arguments for 'client|setname' command\r\n");
  CHECK(c({"client", "id"}) == ":7\r\n");
}

TEST_CASE("session: QUIT answers and closes, SHUTDOWN and TROUPE return their steps") {
  client c;
  CHECK(c({"quit"}) == "+OK\r\n");
  CHECK(c.step == kv::session_step::close);
  CHECK(c({"shutdown", "nosave"}).empty());
  CHECK(c.step == kv::session_step::shutdown);
  CHECK(c({"shutdown", "later"}) == "-ERR syntax error\r\n");
  CHECK(c.step == kv::session_step::answered);
  CHECK(c({"troupe", "tree"}).empty());
  CHECK(c.step == kv::session_step::tree);
  const std::vector<std::string_view> crash{"troupe", "crash", "3"};
  CHECK(c(crash).empty());
  CHECK(c.step == kv::session_step::crash);
  CHECK(kv::shard_to_crash(crash) == 3);
  CHECK(c({"troupe", "crash", "4"}) == "-ERR no such shard: there are shards 0 to 3\r\n");
  CHECK(c({"troupe", "crash", "-1"}) == "-ERR no such shard: there are shards 0 to 3\r\n");
  CHECK(c.step == kv::session_step::answered);
}

TEST_CASE("session: COMMAND describes every command of the table") {
  client c;
  const std::string count = std::to_string(kv::command_table().size());
  CHECK(c({"command", "count"}) == ":" + count + "\r\n");
  CHECK(c({"command", "docs"}) == "*0\r\n");
  CHECK(c({"command"}).starts_with("*" + count + "\r\n*10\r\n"));
  CHECK(c({"command", "info", "get", "none"}).starts_with("*2\r\n*10\r\n$3\r\nget\r\n:2\r\n"));
  CHECK(c({"command", "info", "none"}) == "*1\r\n$-1\r\n");
}

TEST_CASE("session: INFO reports the requested sections") {
  kv::server_info facts;
  facts.keys = 12;
  facts.connected_clients = 3;
  const auto info = [&](std::vector<std::string_view> args) {
    std::string out;
    kv::append_info(facts, args, out);
    return out;
  };
  const std::string all = info({"info"});
  CHECK(all.find("# Server\r\nredis_version:") != std::string::npos);
  CHECK(all.find("connected_clients:3\r\n") != std::string::npos);
  CHECK(all.find("# Keyspace\r\ndb0:keys=12,") != std::string::npos);
  CHECK(info({"info", "CLIENTS"}) == "$46\r\n# Clients\r\nconnected_clients:3\r\nmaxclients:0\r\n\r\n");
  CHECK(info({"info", "nothing"}) == "$0\r\n\r\n");
}

TEST_CASE("session: CONFIG GET matches names by pattern") {
  client c;
  CHECK(c({"config", "get", "save"}).empty());
  CHECK(c.step == kv::session_step::config_get);
  CHECK(c({"config", "get"}) == "-ERR wrong number of arguments for 'config|get' command\r\n");
  CHECK(c({"config", "set", "a", "b"}) == "-ERR unknown subcommand 'set'. Try CONFIG HELP.\r\n");
  const std::vector<kv::setting> settings{{"save", ""}, {"appendonly", "yes"}, {"appendfsync", "no"}};
  const auto get = [&](std::vector<std::string_view> args) {
    std::string out;
    kv::append_config(settings, args, out);
    return out;
  };
  CHECK(get({"config", "get", "SAVE"}) == "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  CHECK(get({"config", "get", "append*", "appendonly"}).starts_with("*4\r\n$10\r\nappendonly\r\n"));
  CHECK(get({"config", "get", "none"}) == "*0\r\n");
}

TEST_CASE("commands: every name of the table is found in any case, and no other name") {
  for (const kv::command& spec : kv::command_table()) {
    CHECK(kv::find_command(spec.name) == &spec);
    std::string upper(spec.name);
    for (char& c : upper) c = static_cast<char>(c - 32);
    CHECK(kv::find_command(upper) == &spec);
    CHECK(kv::find_command(std::string(spec.name) + "x") == nullptr);
    CHECK((spec.in_shard == nullptr) == (spec.where == kv::place::connection));
    CHECK((spec.in_connection == nullptr) == (spec.where != kv::place::connection));
  }
  CHECK(kv::find_command("") == nullptr);
  CHECK(kv::find_command(std::string_view("\0get", 4)) == nullptr);
  CHECK(kv::find_command("averylongcommandname") == nullptr);
}
