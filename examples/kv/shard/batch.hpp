// A batch: the commands of one connection for one shard, and the shard's replies. The connection fills it
// (net/pipeline.hpp), the shard executes it, and both travel back in the reply. A batch has one owner at a
// time.
#pragma once

#include "kv/commands.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// Commands for one shard, packed into one piece of memory that owns all arguments.
class request_batch {
 public:
  void add(const command& what, arguments args);

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

  /// Calls visit(command, arguments) for each command, in order; the views point into the batch.
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::vector<std::string_view> args;
    for (std::size_t at = 0; at < packed_.size();) {
      const command& what = unpack(at, args);  // fills args, so it comes first
      visit(what, arguments(args));
    }
  }

 private:
  const command& unpack(std::size_t& at, std::vector<std::string_view>& args) const;

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

/// Runs a batch in its shard. Appends one reply for each command.
void execute(const request_batch& batch, shard_context& shard, reply_batch& out);

/// Runs a batch while the journal cannot be written: writes are refused, reads are answered.
void execute_refusing_writes(const request_batch& batch, shard_context& shard, reply_batch& out);

}  // namespace kv
