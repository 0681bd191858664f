// Sorts commands into batches by shard, and joins the replies of the shards.
#include "kv/net/pipeline.hpp"

#include "kv/integer.hpp"
#include "kv/net/reply.hpp"
#include "kv/shard/shard_commands.hpp"

#include <algorithm>

namespace kv {

/// Yields the replies of one shard, one after the other.
class pipeline::shard_reader {
 public:
  explicit shard_reader(const reply_batch& from) : from_(from) {
    if (!from.failure.empty()) reply::error(failure_, from.failure);
  }

  std::string_view next() {
    if (!failure_.empty()) return failure_;
    if (next_ == from_.ends.size()) return "-ERR the shard gave no answer\r\n";
    const std::size_t begin = next_ == 0 ? 0 : from_.ends[next_ - 1];
    const std::size_t end = from_.ends[next_++];
    return std::string_view(from_.bytes).substr(begin, end - begin);
  }

 private:
  const reply_batch& from_;
  std::string failure_;
  std::size_t next_ = 0;
};

void pipeline::add_local(std::string_view reply) {
  local_.append(reply);
  steps_.push_back({.what = kind::local, .count = reply.size()});
}

void pipeline::add(const command& what, arguments args) {
  local_only_ = false;
  switch (what.where) {
    case place::one_key: {
      const std::size_t shard = shard_of(args[1], batches_.size());
      batches_[shard].add(what, args);
      steps_.push_back({.what = kind::one, .shard = shard});
      return;
    }
    case place::cursor: {
      const std::size_t shard = shard_of_cursor(args[1], batches_.size());
      batches_[shard].add(what, args);
      steps_.push_back({.what = kind::one, .shard = shard});
      return;
    }
    case place::all_shards:
      for (request_batch& batch : batches_) batch.add(what, args);
      steps_.push_back({.what = kind::joined, .how = what.joined});
      return;
    case place::each_key:
    case place::each_pair:
      return add_split(what, args);
    case place::connection:
      return;
  }
}

void pipeline::add_split(const command& what, arguments args) {
  const std::size_t stride = what.where == place::each_pair ? 2 : 1;
  const std::size_t first_key = key_shards_.size();
  for (auto& part : split_) part.clear();
  for (std::size_t at = 1; at < args.size(); at += stride) {
    const std::size_t shard = shard_of(args[at], batches_.size());
    key_shards_.push_back(static_cast<std::uint32_t>(shard));
    if (split_[shard].empty()) split_[shard].push_back(args[0]);
    for (const std::string_view arg : args.subspan(at, stride)) split_[shard].push_back(arg);
  }
  for (std::size_t shard = 0; shard < split_.size(); ++shard) {
    if (!split_[shard].empty()) batches_[shard].add(what, split_[shard]);
  }
  steps_.push_back({.what = kind::joined, .how = what.joined, .count = key_shards_.size() - first_key});
}

void pipeline::append_joined(const step& s, std::span<const std::uint32_t> key_shards,
                             std::span<shard_reader> readers, std::string& out) const {
  // One partial reply from each shard that was asked: all of them, or those of the keys.
  std::vector<std::string_view> parts(readers.size());
  const auto ask = [&](std::size_t shard) {
    if (parts[shard].data() == nullptr) parts[shard] = readers[shard].next();
  };
  if (s.count == 0) {
    for (std::size_t shard = 0; shard < readers.size(); ++shard) ask(shard);
  }
  for (const std::uint32_t shard : key_shards) ask(shard);
  const auto failed =
      std::ranges::find_if(parts, [](std::string_view part) { return part.starts_with('-'); });
  if (failed != parts.end()) {
    out.append(*failed);
    return;
  }

  // The number in the first line of each part: an integer reply, or the length of an array.
  std::int64_t total = 0;
  if (s.how != join::all_ok) {
    for (std::string_view& part : parts) {
      if (part.data() == nullptr) continue;
      const std::size_t line = part.find('\r');
      total += parse_integer(part.substr(1, line - 1)).value_or(0);
      part.remove_prefix(line + 2);
    }
  }
  switch (s.how) {
    case join::only:
    case join::all_ok:
      out.append(reply::ok);
      return;
    case join::sum:
      reply::integer(out, total);
      return;
    case join::concatenate:
      reply::array(out, static_cast<std::size_t>(total));
      for (const std::string_view part : parts) out.append(part);
      return;
    case join::by_position:
      reply::array(out, key_shards.size());
      for (const std::uint32_t shard : key_shards) {
        const std::size_t length = reply::first_length(parts[shard]);
        out.append(parts[shard].substr(0, length));
        parts[shard].remove_prefix(length);
      }
      return;
  }
}

void pipeline::finish(std::span<const reply_batch> replies, std::string& out) {
  std::vector<shard_reader> readers(replies.begin(), replies.end());
  std::string_view local = local_;
  std::span<const std::uint32_t> key_shards = key_shards_;
  for (const step& s : steps_) {
    switch (s.what) {
      case kind::local:
        out.append(local.substr(0, s.count));
        local.remove_prefix(s.count);
        break;
      case kind::one:
        out.append(readers[s.shard].next());
        break;
      case kind::joined:
        append_joined(s, key_shards.first(s.count), readers, out);
        key_shards = key_shards.subspan(s.count);
        break;
    }
  }
  steps_.clear();
  local_.clear();
  key_shards_.clear();
  for (request_batch& batch : batches_) batch.clear();
  local_only_ = true;
}

}  // namespace kv
