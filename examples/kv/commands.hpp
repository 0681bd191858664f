// The command table and the execution of all commands that need a shard. Pure: a store, the arguments and the
// time go in, the reply's bytes and the effects come out. Called by the shard that owns the store; the table
// may be read by anybody.
//
// Commands for the connection itself (PING, CLIENT, INFO, ...) are in session.hpp; the way of a command to
// several shards and back is in pipeline.hpp.
#pragma once

#include "kv/journal/effect.hpp"
#include "kv/net/resp.hpp"
#include "kv/shard/store.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kv {

/// What a shard's command works on.
struct shard_context {
  store& data;
  unix_ms now;
  std::size_t shard = 0;
  std::size_t shard_count = 1;
  effect_sink* effects = nullptr;  ///< nullptr: nothing is journaled
};

/// Where a command runs.
enum class place : std::uint8_t {
  connection,  ///< in the connection
  one_key,     ///< in the shard of its only key
  each_key,    ///< all arguments are keys, in the shard of each
  each_pair,   ///< all arguments are pairs of key and value, in the shard of each key
  all_shards,  ///< in every shard
  cursor,      ///< in the shard that its cursor names
};

/// How the replies of several shards become one.
enum class join : std::uint8_t {
  only,         ///< there is one
  all_ok,       ///< OK when all are
  sum,          ///< of integers
  by_position,  ///< arrays, put back into the order of the keys
  concatenate,  ///< arrays, one behind the other
};

enum class command_id : std::uint8_t {
  append,
  client,
  command,
  config,
  dbsize,
  decr,
  decrby,
  del,
  echo,
  exists,
  expire,
  flushall,
  get,
  getset,
  hello,
  incr,
  incrby,
  info,
  keys,
  mget,
  mset,
  persist,
  pexpire,
  ping,
  pttl,
  quit,
  scan,
  select,
  set,
  setnx,
  shutdown,
  strlen,
  troupe,
  ttl,
  type,
};

enum command_flag : std::uint8_t {
  flag_write = 1,
  flag_readonly = 2,
  flag_fast = 4,
  flag_admin = 8,
  flag_container = 16,  ///< has subcommands
};

struct command_spec {
  std::string_view name;  ///< lower case
  command_id id;
  int arity;  ///< with the name; negative: at least that many
  unsigned flags;
  int first_key, last_key, key_step;  ///< as COMMAND reports them; 0: no keys
  place where;
  join joined;
  /// Runs the command in a shard; nullptr for those of the connection.
  void (*run)(shard_context&, arguments, std::string& out);
};

/// All commands, by name.
std::span<const command_spec> command_table();

/// The command of a name in any case, or nullptr. O(1).
const command_spec* find_command(std::string_view name);

/// Checks what can be checked before a command runs: that it exists and has its number of arguments. Returns
/// it, or appends the error that Redis would answer and returns nullptr. `args` is not empty.
const command_spec* check_command(arguments args, std::string& out);

/// Runs one command that check_command passed and that is not for the connection. Appends exactly one reply.
inline void execute(const command_spec& spec, shard_context& shard, arguments args, std::string& out) {
  spec.run(shard, args, out);
}

/// Appends "ERR wrong number of arguments for '...' command".
void append_arity_error(std::string& out, std::string_view command);

/// True when two texts are equal but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);

/// The shard index in a SCAN cursor, for routing; a cursor that is no number gets shard 0, which answers the
/// error.
std::size_t shard_of_cursor(std::string_view cursor, std::size_t shard_count);

/// What a write command is answered while a shard cannot write its journal.
inline constexpr std::string_view journal_failing_error =
    "MISCONF Errors writing to the AOF file: the journal of this shard cannot be written, see the log";

namespace error_text {
inline constexpr std::string_view syntax = "ERR syntax error";
inline constexpr std::string_view not_an_integer = "ERR value is not an integer or out of range";
}  // namespace error_text

}  // namespace kv
