// Shards behind a pipeline without actors: executes a command like a server, in one call. For tests.
#pragma once

#include "kv/net/pipeline.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kv_test {

using command = std::vector<std::string>;

inline std::vector<std::string_view> views(const command& c) {
  return {c.begin(), c.end()};
}

/// N stores behind a pipeline, without actors.
class local_cluster {
 public:
  explicit local_cluster(std::size_t shards) : stores_(shards), replies_(shards), pipeline_(shards) {}

  void add(const command& c) {
    const auto args = views(c);
    std::string error;
    const kv::command* spec = kv::check_command(args, error);
    if (spec == nullptr) return pipeline_.add_local(error);
    pipeline_.add(*spec, args);
  }

  std::string finish() {
    for (std::size_t shard = 0; shard < stores_.size(); ++shard) {
      replies_[shard].clear();
      if (shard == failing) {
        replies_[shard].failure = "ERR down";
        continue;
      }
      kv::shard_context context{stores_[shard], now, shard, stores_.size()};
      kv::execute(pipeline_.batch(shard), context, replies_[shard]);
    }
    std::string out;
    pipeline_.finish(replies_, out);
    return out;
  }

  std::string run(const command& c) {
    add(c);
    return finish();
  }

  kv::unix_ms now = 1000;
  std::size_t failing = static_cast<std::size_t>(-1);

 private:
  std::vector<kv::store> stores_;
  std::vector<kv::reply_batch> replies_;
  kv::pipeline pipeline_;
};

}  // namespace kv_test
