// The way of a connection's commands to the shards and of the replies back: what arrived together travels
// together, one batch a shard, and the replies come out in the order of the commands.
//
//   parser -> pipeline.add / add_local -> batch(shard) --message--> execute(batch, shard) -> reply_batch
//                      finish(reply batches, out) <--reply---------------------'
//
// A pipeline belongs to one connection, a batch to whoever holds it; nothing here is shared. Commands on one
// key keep their order, for a key has one shard and a batch its order. A command on several shards (MSET,
// DEL, FLUSHALL, ...) is atomic in each shard but not across them: another client may see a part of it, and
// when a shard fails, the others have done theirs.
#pragma once

#include "kv/commands.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// Commands for one shard, packed into one piece of memory that owns all arguments.
class request_batch {
 public:
  void add(const command_spec& spec, arguments args);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t bytes() const { return packed_.size(); }
  std::size_t capacity() const { return packed_.capacity(); }  ///< bytes of memory held
  bool writes() const { return writes_; }                      ///< holds a command that may change the store

  void clear() {
    packed_.clear();
    size_ = 0;
    writes_ = false;
  }

  /// Calls visit(spec, arguments) for each command, in order; the views point into the batch.
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::vector<std::string_view> args;
    for (std::size_t at = 0; at < packed_.size();) {
      const command_spec& spec = unpack(at, args);  // fills args, so it comes first
      visit(spec, arguments(args));
    }
  }

 private:
  const command_spec& unpack(std::size_t& at, std::vector<std::string_view>& args) const;

  std::string packed_;  // per command: row u32 | count u32 | count sizes u32 | the arguments
  std::size_t size_ = 0;
  bool writes_ = false;
};

/// A shard's answers to a batch, one after the other.
struct reply_batch {
  std::string bytes;
  std::vector<std::size_t> ends;  ///< where each reply ends in bytes
  std::string failure;            ///< not empty: the shard did not answer, "ERR ..." says why

  void clear() {
    bytes.clear();
    ends.clear();
    failure.clear();
  }
};

/// Runs a batch in its shard. Appends one reply a command.
void execute(const request_batch& batch, shard_context& shard, reply_batch& out);

/// The same while the journal cannot be written: writes are refused, reads answered.
void execute_refusing_writes(const request_batch& batch, shard_context& shard, reply_batch& out);

class pipeline {
 public:
  explicit pipeline(std::size_t shard_count) : batches_(shard_count), split_(shard_count) {}

  /// Takes a command that check_command passed and that is not for the connection. Copies the arguments.
  void add(const command_spec& spec, arguments args);

  /// Takes a reply that is known already, in its place among the others.
  void add_local(std::string_view reply);

  /// Commands taken since the last finish.
  std::size_t size() const { return steps_.size(); }

  /// Nothing waits for a shard: finish() may follow at once.
  bool local_only() const { return local_only_; }

  std::size_t shard_count() const { return batches_.size(); }

  /// What a shard is to execute; may be moved out. Empty: that shard need not be asked.
  request_batch& batch(std::size_t shard) { return batches_[shard]; }

  /// Appends all replies in the order of their commands and starts anew. `replies` has one element a shard;
  /// those of shards that were not asked are not looked at. A reply batch that is too short counts as a
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

  void add_split(const command_spec& spec, arguments args);
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
