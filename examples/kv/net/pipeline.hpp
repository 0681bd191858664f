// The connection's half of the way to the shards and back: commands that arrived together travel together,
// one batch for each shard, and the replies come out in the order of the commands. The shard's half is in
// shard/batch.hpp.
//
//   parser -> pipeline.add / add_local -> batch(shard) --message--> execute(batch, shard) -> reply_batch
//                      finish(reply batches, out) <--reply---------------------'
//
// A pipeline is owned by one connection and shares nothing. Commands on one key keep their order: a key has
// one shard, and a batch keeps the order of its commands. A command on several shards (MSET, DEL, FLUSHALL,
// ...) is atomic in each shard but not across them: another client may see a part of it, and when one shard
// fails, the others have executed their parts.
#pragma once

#include "kv/commands.hpp"
#include "kv/shard/batch.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

class pipeline {
 public:
  explicit pipeline(std::size_t shard_count) : batches_(shard_count), split_(shard_count) {}

  /// Takes a command that check_command passed and that is not for the connection. Copies the arguments.
  void add(const command& what, arguments args);

  /// Takes a reply that is known already and keeps its place among the others.
  void add_local(std::string_view reply);

  /// Commands taken since the last finish.
  std::size_t size() const { return steps_.size(); }

  /// True when no command waits for a shard: finish() may follow at once.
  bool local_only() const { return local_only_; }

  std::size_t shard_count() const { return batches_.size(); }

  /// The commands for a shard; may be moved out. An empty batch need not be sent.
  request_batch& batch(std::size_t shard) { return batches_[shard]; }

  /// Appends all replies in the order of their commands and starts over. `replies` has one element for each
  /// shard; those of shards that were not asked are not read. A reply batch that is too short counts as a
  /// failed shard.
  void finish(std::span<const reply_batch> replies, std::string& out);

 private:
  enum class kind : std::uint8_t { local, one, joined };
  struct step {
    kind what;
    join how = join::only;
    std::size_t shard = 0;  // one
    std::size_t count = 0;  // local: bytes; joined: keys, 0 when all shards were asked
  };
  class shard_reader;

  void add_split(const command& what, arguments args);
  void append_joined(const step& s, std::span<const std::uint32_t> key_shards,
                     std::span<shard_reader> readers, std::string& out) const;

  std::vector<request_batch> batches_;
  std::vector<step> steps_;
  std::string local_;
  std::vector<std::uint32_t> key_shards_;             // the shard of each key of the joined steps
  std::vector<std::vector<std::string_view>> split_;  // scratch: one command's arguments by shard
  bool local_only_ = true;
};

}  // namespace kv
