// The table of all commands: built once, from the rows of the shard and of the connection, with an index by
// name.
#include "kv/commands.hpp"

#include "kv/ascii.hpp"
#include "kv/net/reply.hpp"
#include "kv/net/session.hpp"
#include "kv/shard/shard_commands.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace kv {
namespace {

constexpr std::size_t quoted_bytes = 128;  // Redis quotes this much of a command it does not know

/// A name as one word, for all names have at most 8 letters; 0 for a name that is longer.
std::uint64_t pack(std::string_view name) {
  if (name.size() > 8) return 0;
  std::uint64_t word = 0;
  for (const char c : name) word = word << 8 | static_cast<unsigned char>(lower(c));
  return word;
}

/// The rows, by name, and a hash table of their places with open addressing, never more than half full.
class table {
 public:
  table() {
    for (const auto rows : {shard_commands(), connection_commands()}) {
      rows_.insert(rows_.end(), rows.begin(), rows.end());
    }
    std::ranges::sort(rows_, {}, &command::name);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      const std::uint64_t word = pack(rows_[row].name);
      std::size_t at = home_of(word);
      while (index_[at].word != 0) at = (at + 1) % index_.size();
      index_[at] = {.word = word, .row = row};
    }
  }

  std::span<const command> rows() const { return rows_; }

  const command* find(std::string_view name) const {
    const std::uint64_t word = pack(name);
    if (word == 0) return nullptr;
    for (std::size_t at = home_of(word); index_[at].word != 0; at = (at + 1) % index_.size()) {
      const command& c = rows_[index_[at].row];
      if (index_[at].word == word && c.name.size() == name.size()) return &c;
    }
    return nullptr;
  }

 private:
  struct slot {
    std::uint64_t word = 0;  // 0: free
    std::size_t row = 0;
  };

  static std::size_t home_of(std::uint64_t word) {
    return static_cast<std::size_t>((word * 0x9e3779b97f4a7c15U) >> 56);
  }

  std::vector<command> rows_;
  std::array<slot, 256> index_{};
};

const table& all_commands() {
  static const table commands;
  return commands;
}

void append_unknown_command(arguments args, std::string& out) {
  std::string text = "ERR unknown command '";
  text.append(args.front().substr(0, quoted_bytes)).append("', with args beginning with: ");
  const std::size_t from = text.size();
  for (const std::string_view arg : args.subspan(1)) {
    const std::size_t used = text.size() - from;
    if (used >= quoted_bytes) break;
    text.append("'").append(arg.substr(0, quoted_bytes - used)).append("' ");
  }
  reply::error(out, text);
}

}  // namespace

std::span<const command> command_table() {
  return all_commands().rows();
}

const command* find_command(std::string_view name) {
  return all_commands().find(name);
}

const command* check_command(arguments args, std::string& out) {
  const command* const found = find_command(args.front());
  if (found == nullptr) {
    append_unknown_command(args, out);
    return nullptr;
  }
  const auto count = static_cast<int>(args.size());
  const bool count_fits = found->arity > 0 ? count == found->arity : count >= -found->arity;
  const bool pairs_match = found->where != place::each_pair || count % 2 == 1;
  if (!count_fits || !pairs_match) {
    append_arity_error(out, found->name);
    return nullptr;
  }
  return found;
}

void append_arity_error(std::string& out, std::string_view name) {
  reply::error(out, "ERR wrong number of arguments for '" + std::string(name) + "' command");
}

}  // namespace kv
