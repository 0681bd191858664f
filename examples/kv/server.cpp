// Builds the tree: one supervisor for the shards, one TCP server and one TLS server for the clients.
#include "kv/server.hpp"

#include "kv/net/connection.hpp"
#include "kv/shard/shard_actor.hpp"
#include "kv/shard/shard_directory.hpp"

#include <troupe/transport/tcp_server.hpp>
#include <troupe/transport/tls_server.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

namespace kv {
namespace {

using namespace std::chrono_literals;

constexpr auto drain = 3s;  // for a connection to finish the round it is in
constexpr std::string_view refusal = "-ERR max number of clients reached\r\n";

troupe::supervisor shards_of(const std::shared_ptr<server_state>& server) {
  // A client has at most one batch in a shard's mailbox, so a mailbox of this size never refuses one.
  const std::size_t room = server->options.max_clients + 64;
  const troupe::mailbox_options mailbox{
      .capacity = static_cast<std::uint32_t>(std::min<std::size_t>(room, 65534)),
      .when_stopped = troupe::on_stop::drain};
  // Several crashes in a row mean that the disk or the journal is in trouble: pause before the next restart.
  const troupe::backoff backoff{.initial = 1ms, .max = 100ms};
  troupe::supervisor shards("shards", {.restarts = {.max = 1000, .within = 10s}});
  for (std::size_t shard = 0; shard < server->options.shards.count; ++shard) {
    shards = std::move(shards).child<shard_actor>(std::to_string(shard),
                                                  {.mailbox = mailbox, .backoff = backoff}, server, shard);
  }
  return shards;
}

void print_ready(const server_state& server) {
  if (server.options.quiet) return;
  std::string line = "READY";
  if (server.options.port) line += " port=" + std::to_string(server.port);
  if (server.options.tls) line += " tls-port=" + std::to_string(server.tls_port);
  std::puts(line.c_str());
  std::fflush(stdout);
}

}  // namespace

troupe::supervisor server_tree(const std::shared_ptr<server_state>& server) {
  const server_options& o = server->options;
  const auto directory = std::make_shared<shard_directory>(o.shards.count);
  troupe::tcp_server_options at{
      // Keep-alive as in Redis: a client whose host is gone is noticed within ten minutes.
      .connection = {.keep_alive = true,
                     .keep_alive_idle = 300s,
                     .keep_alive_interval = 100s,
                     .keep_alive_count = 3,
                     .read_deadline = time_or_forever(o.idle_timeout),
                     .write_deadline = o.write_deadline},
      .max_connections = troupe::connection_limit::shared(static_cast<std::uint32_t>(o.max_clients)),
      .on_limit = troupe::over_limit::refuse,
      .refusal = refusal,
      .drain = drain,
      .monitor = server->clients};
  // When one of these gives up, the server ends with an error; its service manager may start it again.
  troupe::supervisor tree = troupe::supervisor("kv", {.restarts = {.max = 0}}).child(shards_of(server));
  if (o.port) {
    at.listen = o.bind.with_port(*o.port);
    at.on_listening = [server](const troupe::ip_endpoint& here) {
      server->port = here.port();
      if (!server->options.tls) print_ready(*server);
    };
    tree = std::move(tree).child(troupe::tcp_server<connection>("tcp", at, server, directory));
  }
  if (o.tls) {
    at.listen = o.bind.with_port(o.tls_port);
    at.on_listening = [server](const troupe::ip_endpoint& here) {
      server->tls_port = here.port();
      print_ready(*server);
    };
    tree = std::move(tree).child(troupe::tls_server<connection>("tls", *o.tls, at, server, directory));
  }
  return tree;
}

}  // namespace kv
