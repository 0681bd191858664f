// A command as one row: its name, its number of arguments, where it runs, and the function that runs it. The
// rows are next to their functions: those that run in a shard in shard/shard_commands.cpp, those that the
// connection answers itself in net/session.cpp. Here is the table of both, found by name. Read-only; any
// thread may use it.
#pragma once

#include "kv/journal/effect.hpp"
#include "kv/net/resp.hpp"
#include "kv/shard/store.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kv {

/// The data of a command that runs in a shard.
struct shard_context {
  store& data;
  unix_ms now;
  std::size_t shard = 0;
  std::size_t shard_count = 1;
  effect_sink* effects = nullptr;  ///< nullptr: nothing is journaled
};

struct connection_context;               // net/session.hpp
enum class session_step : std::uint8_t;  // net/session.hpp

/// Where a command runs, and with it where its keys are among the arguments.
enum class place : std::uint8_t {
  connection,  ///< in the connection
  one_key,     ///< in the shard of its only key, the first argument
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
  concatenate,  ///< arrays, one after the other
};

enum command_flag : std::uint8_t {
  flag_write = 1,
  flag_readonly = 2,
  flag_fast = 4,
  flag_admin = 8,
};

/// Appends one reply to `out`.
using shard_function = void (*)(shard_context&, arguments, std::string& out);
/// Appends one reply to `out`, or returns the step that the connection must do for it.
using connection_function = session_step (*)(connection_context&, arguments, std::string& out);

struct command {
  std::string_view name;  ///< lower case, at most 8 letters
  int arity;              ///< with the name; negative: at least that many
  unsigned flags;         ///< of command_flag
  place where;
  join joined = join::only;
  shard_function in_shard = nullptr;            ///< unless its place is the connection
  connection_function in_connection = nullptr;  ///< when its place is the connection
};

/// All commands, by name.
std::span<const command> command_table();

/// The command of a name in any case, or nullptr. O(1).
const command* find_command(std::string_view name);

/// Checks that a command exists and has the right number of arguments. Returns it, or appends the error that
/// Redis would answer and returns nullptr. `args` is not empty.
const command* check_command(arguments args, std::string& out);

/// Appends "ERR wrong number of arguments for '...' command".
void append_arity_error(std::string& out, std::string_view name);

/// The reply to a write command while a shard cannot write its journal.
inline constexpr std::string_view journal_failing_error =
    "MISCONF Errors writing to the AOF file: the journal of this shard cannot be written, see the log";

namespace error_text {
inline constexpr std::string_view syntax = "ERR syntax error";
inline constexpr std::string_view not_an_integer = "ERR value is not an integer or out of range";
}  // namespace error_text

}  // namespace kv
