// Where the shards are, for all connections of one server: looked up by the first, shared with the others.
#pragma once

#include "kv/shard/shard_actor.hpp"

#include <troupe/actors.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace kv {

/// The shards by index. They start before the first client is accepted, and their refs survive restarts, so
/// what was found once stays right.
using shard_refs = std::shared_ptr<const std::vector<shard_ref>>;

/// Thread-safe. Holds no ref itself: it belongs to what describes the tree, and a tree whose description
/// holds its actors would never be freed.
class shard_directory {
 public:
  explicit shard_directory(std::size_t shard_count) : shard_count_(shard_count) {}

  shard_refs find(troupe::context& ctx);

 private:
  const std::size_t shard_count_;
  std::mutex lock_;
  std::weak_ptr<const std::vector<shard_ref>> known_;
};

}  // namespace kv
