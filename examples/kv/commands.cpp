#include "kv/commands.hpp"

#include "kv/net/reply.hpp"
#include "kv/shard/shard_commands.hpp"

#include <algorithm>
#include <array>

namespace kv {
namespace {

constexpr unsigned write = flag_write;
constexpr unsigned read = flag_readonly;
constexpr unsigned fast = flag_fast;
constexpr unsigned admin = flag_admin;
constexpr unsigned container = flag_container;

// clang-format off
// NOLINTBEGIN(modernize-use-designated-initializers): the header line names the columns
constexpr std::array<command_spec, 35> table = {{
    // name, id, arity, flags, first key, last key, step, place, join, function
    {"append", command_id::append, 3, write | fast, 1, 1, 1, place::one_key, join::only, run::append},
    {"client", command_id::client, -2, container, 0, 0, 0, place::connection, join::only, nullptr},
    {"command", command_id::command, -1, container, 0, 0, 0, place::connection, join::only, nullptr},
    {"config", command_id::config, -2, admin | container, 0, 0, 0, place::connection, join::only, nullptr},
    {"dbsize", command_id::dbsize, 1, read | fast, 0, 0, 0, place::all_shards, join::sum, run::dbsize},
    {"decr", command_id::decr, 2, write | fast, 1, 1, 1, place::one_key, join::only, run::decr},
    {"decrby", command_id::decrby, 3, write | fast, 1, 1, 1, place::one_key, join::only, run::decrby},
    {"del", command_id::del, -2, write, 1, -1, 1, place::each_key, join::sum, run::del},
    {"echo", command_id::echo, 2, fast, 0, 0, 0, place::connection, join::only, nullptr},
    {"exists", command_id::exists, -2, read | fast, 1, -1, 1, place::each_key, join::sum, run::exists},
    {"expire", command_id::expire, -3, write | fast, 1, 1, 1, place::one_key, join::only, run::expire},
    {"flushall", command_id::flushall, -1, write, 0, 0, 0, place::all_shards, join::all_ok, run::flushall},
    {"get", command_id::get, 2, read | fast, 1, 1, 1, place::one_key, join::only, run::get},
    {"getset", command_id::getset, 3, write | fast, 1, 1, 1, place::one_key, join::only, run::getset},
    {"hello", command_id::hello, -1, fast, 0, 0, 0, place::connection, join::only, nullptr},
    {"incr", command_id::incr, 2, write | fast, 1, 1, 1, place::one_key, join::only, run::incr},
    {"incrby", command_id::incrby, 3, write | fast, 1, 1, 1, place::one_key, join::only, run::incrby},
    {"info", command_id::info, -1, 0, 0, 0, 0, place::connection, join::only, nullptr},
    {"keys", command_id::keys, 2, read, 0, 0, 0, place::all_shards, join::concatenate, run::keys},
    {"mget", command_id::mget, -2, read | fast, 1, -1, 1, place::each_key, join::by_position, run::mget},
    {"mset", command_id::mset, -3, write, 1, -1, 2, place::each_pair, join::all_ok, run::mset},
    {"persist", command_id::persist, 2, write | fast, 1, 1, 1, place::one_key, join::only, run::persist},
    {"pexpire", command_id::pexpire, -3, write | fast, 1, 1, 1, place::one_key, join::only, run::pexpire},
    {"ping", command_id::ping, -1, fast, 0, 0, 0, place::connection, join::only, nullptr},
    {"pttl", command_id::pttl, 2, read | fast, 1, 1, 1, place::one_key, join::only, run::pttl},
    {"quit", command_id::quit, -1, fast, 0, 0, 0, place::connection, join::only, nullptr},
    {"scan", command_id::scan, -2, read, 0, 0, 0, place::cursor, join::only, run::scan},
    {"select", command_id::select, 2, fast, 0, 0, 0, place::connection, join::only, nullptr},
    {"set", command_id::set, -3, write, 1, 1, 1, place::one_key, join::only, run::set},
    {"setnx", command_id::setnx, 3, write | fast, 1, 1, 1, place::one_key, join::only, run::setnx},
    {"shutdown", command_id::shutdown, -1, admin, 0, 0, 0, place::connection, join::only, nullptr},
    {"strlen", command_id::strlen, 2, read | fast, 1, 1, 1, place::one_key, join::only, run::strlen},
    {"troupe", command_id::troupe, -2, admin | container, 0, 0, 0, place::connection, join::only, nullptr},
    {"ttl", command_id::ttl, 2, read | fast, 1, 1, 1, place::one_key, join::only, run::ttl},
    {"type", command_id::type, 2, read | fast, 1, 1, 1, place::one_key, join::only, run::type},
}};
// NOLINTEND(modernize-use-designated-initializers)
// clang-format on

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// All names fit one word; a word that fits none is 0.
constexpr std::uint64_t pack(std::string_view name) {
  if (name.size() > 8) return 0;
  std::uint64_t word = 0;
  for (const char c : name) word = word << 8 | static_cast<unsigned char>(lower(c));
  return word;
}

constexpr std::size_t index_size = 256;

constexpr std::size_t home_of(std::uint64_t word) {
  return static_cast<std::size_t>((word * 0x9e3779b97f4a7c15U) >> 56);
}

struct index_slot {
  std::uint64_t word = 0;
  std::uint8_t row = 0;
};

constexpr auto make_index() {
  std::array<index_slot, index_size> index{};
  for (std::size_t row = 0; row < table.size(); ++row) {
    const std::uint64_t word = pack(table[row].name);
    std::size_t at = home_of(word);
    while (index[at].word != 0) at = (at + 1) % index_size;
    index[at] = {.word = word, .row = static_cast<std::uint8_t>(row)};
  }
  return index;
}

constexpr std::array<index_slot, index_size> name_index = make_index();

constexpr std::size_t quoted_bytes = 128;  // Redis quotes this much of a command it does not know

}  // namespace

std::span<const command_spec> command_table() {
  return table;
}

const command_spec* find_command(std::string_view name) {
  const std::uint64_t word = pack(name);
  if (word == 0) return nullptr;
  for (std::size_t at = home_of(word); name_index[at].word != 0; at = (at + 1) % index_size) {
    const command_spec& spec = table[name_index[at].row];
    if (name_index[at].word == word && spec.name.size() == name.size()) return &spec;
  }
  return nullptr;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

void append_arity_error(std::string& out, std::string_view command) {
  reply::error(out, "ERR wrong number of arguments for '" + std::string(command) + "' command");
}

const command_spec* check_command(arguments args, std::string& out) {
  const command_spec* spec = find_command(args.front());
  if (spec == nullptr) {
    std::string text = "ERR unknown command '";
    text.append(args.front().substr(0, quoted_bytes)).append("', with args beginning with: ");
    const std::size_t from = text.size();
    for (const std::string_view arg : args.subspan(1)) {
      const std::size_t used = text.size() - from;
      if (used >= quoted_bytes) break;
      text.append("'").append(arg.substr(0, quoted_bytes - used)).append("' ");
    }
    reply::error(out, text);
    return nullptr;
  }
  const auto count = static_cast<int>(args.size());
  const bool pairs_match = spec->where != place::each_pair || count % 2 == 1;
  if ((spec->arity > 0 ? count != spec->arity : count < -spec->arity) || !pairs_match) {
    append_arity_error(out, spec->name);
    return nullptr;
  }
  return spec;
}

}  // namespace kv
