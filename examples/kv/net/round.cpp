// The pool of rounds: one for each thread, small.
#include "kv/net/round.hpp"

namespace kv {
namespace {

constexpr std::size_t max_kept = 16;                // rounds in a pool
constexpr std::size_t max_kept_bytes = 256 * 1024;  // a round that large values made larger is freed

std::vector<std::unique_ptr<round>>& pool() {
  thread_local std::vector<std::unique_ptr<round>> rounds;
  return rounds;
}

std::size_t memory_of(round& r) {
  std::size_t bytes = r.out.capacity();
  for (std::size_t shard = 0; shard < r.commands.shard_count(); ++shard) {
    bytes += r.commands.batch(shard).capacity() + r.replies[shard].bytes.capacity();
  }
  return bytes;
}

}  // namespace

// Both are out of line: a coroutine may resume on another thread, so each call must look up the pool again.
borrowed_round::borrowed_round(std::size_t shard_count) {
  auto& rounds = pool();
  if (!rounds.empty() && rounds.back()->commands.shard_count() == shard_count) {
    round_ = std::move(rounds.back());
    rounds.pop_back();
  } else {
    round_ = std::make_unique<round>(shard_count);
  }
}

void borrowed_round::give_back() {
  auto& rounds = pool();
  if (rounds.size() >= max_kept || memory_of(*round_) > max_kept_bytes) return round_.reset();
  round_->out.clear();
  rounds.push_back(std::move(round_));
}

}  // namespace kv
