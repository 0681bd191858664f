// The memory of one round of a connection: the commands that arrived together, the requests to the shards and
// all replies. Borrowed from a small pool of the thread for the length of the round: an idle connection holds
// no such memory, and a busy one finds it in the cache.
#pragma once

#include "kv/net/pipeline.hpp"
#include "kv/shard/shard_actor.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kv {

struct round {
  explicit round(std::size_t shard_count) : commands(shard_count), replies(shard_count) {
    asked.reserve(shard_count);
  }
  struct question {
    std::size_t shard;
    troupe::pending_reply<execute_batch> answer;
  };

  pipeline commands;
  std::vector<reply_batch> replies;  // by shard
  std::vector<question> asked;
  std::string out;
};

/// Holds a round. A finished round goes back to the pool of the current thread. A round that a crash or a
/// stop has cut short is freed instead, because its contents are incomplete.
class borrowed_round {
 public:
  explicit borrowed_round(std::size_t shard_count);
  borrowed_round(const borrowed_round&) = delete;
  borrowed_round& operator=(const borrowed_round&) = delete;
  ~borrowed_round() = default;

  /// Returns the round to the pool, once all replies are written.
  void give_back();

  round& operator*() const { return *round_; }
  round* operator->() const { return round_.get(); }

 private:
  std::unique_ptr<round> round_;
};

}  // namespace kv
