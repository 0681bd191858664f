// The refs of the shards, for all connections of one server: the first connection looks them up, the others
// share them.
#pragma once

#include "kv/shard/shard_actor.hpp"

#include <troupe/actors.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace kv {

/// The shards by index. They start before the first client is accepted, and their refs stay valid over
/// restarts.
using shard_refs = std::shared_ptr<const std::vector<shard_ref>>;

/// Thread-safe. Holds the refs weakly: the directory belongs to the description of the tree, and a
/// description that holds refs to its own actors would never be freed.
class shard_directory {
 public:
  explicit shard_directory(std::size_t shard_count) : shard_count_(shard_count) {}

  shard_refs find(troupe::context& ctx);

 private:
  const std::size_t shard_count_;
  std::mutex lock_;
  std::weak_ptr<const std::vector<shard_ref>> known_;  // guarded by lock_
};

}  // namespace kv
