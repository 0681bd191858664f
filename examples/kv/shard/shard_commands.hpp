// The commands that run in a shard. To add one, see ../README.md.
#pragma once

#include "kv/commands.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace kv {

/// The rows of these commands, for command_table().
std::span<const command> shard_commands();

/// The shard that a SCAN cursor belongs to. A cursor that is not a number belongs to shard 0, which answers
/// the error.
std::size_t shard_of_cursor(std::string_view cursor, std::size_t shard_count);

}  // namespace kv
