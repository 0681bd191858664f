// The commands that a connection answers itself: PING, ECHO, HELLO, SELECT, CLIENT, COMMAND, QUIT; and the
// texts of INFO and CONFIG GET, from facts that the server passes in. A session is owned by its connection;
// the functions are pure but for the session's fields.
#pragma once

#include "kv/commands.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// The state of one client.
struct session {
  std::int64_t id = 0;
  std::string name;  ///< CLIENT SETNAME
  std::string library_name;
  std::string library_version;
};

/// The connection's next step after one of its commands.
enum class session_step : std::uint8_t {
  answered,    ///< the reply was appended
  close,       ///< the reply was appended; send it, then close
  info,        ///< answer with append_info
  config_get,  ///< answer with append_config
  tree,        ///< answer with the supervision tree as a bulk
  crash,       ///< crash the actor of shard_to_crash(), then answer OK
  shutdown,    ///< stop the server, without a reply
};

/// The data of a command that runs in the connection.
struct connection_context {
  const command& what;
  session& client;
  std::size_t shard_count;
};

/// The rows of these commands, for command_table().
std::span<const command> connection_commands();

/// Runs a command whose place is the connection. Appends a reply for `answered` and `close` only.
session_step execute(const command& what, session& client, arguments args, std::size_t shard_count,
                     std::string& out);

/// After session_step::crash.
std::size_t shard_to_crash(arguments args);

/// The facts that INFO reports. The server fills them in.
struct server_info {
  std::string_view version = "0.1.0";
  std::int64_t process_id = 0;
  std::int64_t port = 0;
  std::int64_t uptime_seconds = 0;
  std::int64_t connected_clients = 0;
  std::int64_t max_clients = 0;
  std::int64_t used_memory = 0;  ///< bytes
  std::int64_t connections_received = 0;
  std::int64_t commands_processed = 0;
  std::int64_t connections_rejected = 0;
  std::int64_t handshakes_failed = 0;  ///< of TLS
  std::int64_t keys = 0;
  std::int64_t shards = 0;
  std::int64_t restarts = 0;  ///< of shards
  std::int64_t journal_bytes = 0;
  bool journal_failing = false;
  bool loading = false;
};

/// INFO [section ...]; args are the whole command's.
void append_info(const server_info& facts, arguments args, std::string& out);

struct setting {
  std::string_view name;  ///< Redis' name where Redis has it: "save", "appendonly", "maxclients", ...
  std::string value;
};

/// CONFIG GET pattern [pattern ...]; args are the whole command's.
void append_config(std::span<const setting> settings, arguments args, std::string& out);

}  // namespace kv
