// Packing and unpacking of a batch, and its execution in the shard.
#include "kv/shard/batch.hpp"

#include "kv/net/reply.hpp"

#include <cstdint>
#include <cstring>

namespace kv {
namespace {

void put(std::string& out, std::size_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  char bytes[sizeof word];
  std::memcpy(bytes, &word, sizeof word);
  out.append(bytes, sizeof bytes);
}

std::size_t take(const std::string& from, std::size_t at) {
  std::uint32_t word;
  std::memcpy(&word, from.data() + at, sizeof word);
  return word;
}

constexpr std::size_t word_size = sizeof(std::uint32_t);

}  // namespace

void request_batch::add(const command& what, arguments args) {
  put(packed_, static_cast<std::size_t>(&what - command_table().data()));
  put(packed_, args.size());
  for (const std::string_view arg : args) put(packed_, arg.size());
  for (const std::string_view arg : args) packed_.append(arg);
  ++size_;
  writes_ |= (what.flags & flag_write) != 0;
}

const command& request_batch::unpack(std::size_t& at, std::vector<std::string_view>& args) const {
  const command& what = command_table()[take(packed_, at)];
  const std::size_t count = take(packed_, at + word_size);
  const std::size_t sizes = at + 2 * word_size;
  at = sizes + count * word_size;
  args.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = take(packed_, sizes + i * word_size);
    args.emplace_back(packed_.data() + at, size);
    at += size;
  }
  return what;
}

void execute(const request_batch& batch, shard_context& shard, reply_batch& out) {
  batch.for_each([&](const command& what, arguments args) {
    what.in_shard(shard, args, out.bytes);
    out.ends.push_back(out.bytes.size());
  });
}

void execute_refusing_writes(const request_batch& batch, shard_context& shard, reply_batch& out) {
  batch.for_each([&](const command& what, arguments args) {
    if ((what.flags & flag_write) != 0) {
      reply::error(out.bytes, journal_failing_error);
    } else {
      what.in_shard(shard, args, out.bytes);
    }
    out.ends.push_back(out.bytes.size());
  });
}

}  // namespace kv
