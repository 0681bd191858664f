// Group commit, the journal's syncs and compaction, expiry, and recovery after a crash.
#include "kv/shard/shard_actor.hpp"

#include <troupe/runtime/blocking.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace kv {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_period = 100ms;
constexpr unsigned ticks_per_second = 10;
constexpr std::size_t expire_step = 64;                // keys removed between two reads of the clock
constexpr auto expire_budget = 1ms;                    // of each tick
constexpr std::size_t compact_per_commit = 16 * 1024;  // bytes copied with each commit
constexpr std::size_t compact_per_tick = 1024 * 1024;

unix_ms unix_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Runs the shard's syncs, one after the other, on threads that may block. A child of the shard, so it ends
/// with the incarnation whose file it syncs.
troupe::task<void> sync_for(troupe::context&, troupe::inbox<sync_request> in, troupe::ref<sync_done> shard) {
  for (;;) {
    sync_request r = std::get<sync_request>(co_await in.receive());
    const std::error_code result = co_await troupe::blocking([job = r.job] { return job.run(); });
    for (;;) {
      const auto sent = co_await shard.send(sync_done{r, result});
      if (sent || sent.error() != troupe::errc::timeout) break;
    }
  }
}

}  // namespace

shard_actor::shard_actor(troupe::context& ctx, std::shared_ptr<server_state> server, std::size_t index)
    : server_(std::move(server)), index_(index), epoch_(ctx.epoch()), path_(ctx.path()) {
  if (loaded_shard& first = server_->loaded[index_]) take(std::exchange(first, {}));
}

void shard_actor::started(troupe::context& ctx) {
  self_ = ctx.self<shard_actor>();
  syncer_ = ctx.spawn(&sync_for, {.name = "syncer"}, troupe::ref<sync_done>(self_));
  ctx.every(tick_period, tick{});
  shard_stats& f = server_->stats[index_];
  f.restarts.store(epoch_, std::memory_order_relaxed);
  f.loading.store(!log_, std::memory_order_relaxed);
  if (!log_ && self_.tell(load{}) != troupe::send_result::ok) ctx.after(1ms, load{});
}

troupe::task<void> shard_actor::handle(load, troupe::context&) {
  if (log_) co_return;
  auto loaded = co_await troupe::blocking(
      [options = server_->options.shards, shard = index_] { return load_shard(options, shard); });
  if (!loaded) throw std::runtime_error(loaded.error().text);
  take(std::move(*loaded));
  server_->stats[index_].loading.store(false, std::memory_order_relaxed);
  for (waiting& w : std::exchange(early_, {})) execute(std::move(w.work), std::move(w.to));
}

void shard_actor::take(loaded_shard s) {
  data_ = std::move(s.data);
  log_ = std::move(s.log);
  publish();
}

// -- batches ------------------------------------------------------------------

void shard_actor::handle(execute_batch m, troupe::reply_to<execute_batch::answer> to, troupe::context&) {
  if (!log_) {
    early_.push_back({std::move(to), std::move(m.work), 0});
  } else {
    execute(std::move(m.work), std::move(to));
  }
}

void shard_actor::execute(execute_batch::answer work, troupe::reply_to<execute_batch::answer> to) {
  shard_context shard{.data = *data_,
                      .now = unix_now(),
                      .shard = index_,
                      .shard_count = server_->options.shards.count,
                      .effects = log_.get()};
  work.replies.clear();
  if (refuses_writes()) {
    execute_refusing_writes(work.commands, shard, work.replies);
    to.send(std::move(work));
    return;
  }
  kv::execute(work.commands, shard, work.replies);
  if (log_->recorded() <= safe()) {  // no reply depends on an unwritten record
    to.send(std::move(work));
    return;
  }
  waiting_.push_back({std::move(to), std::move(work), log_->recorded()});
  if (commit_requested_) return;
  commit_requested_ = self_.tell(commit{}) == troupe::send_result::ok;
  if (!commit_requested_) commit_now();
}

journal_position shard_actor::safe() const {
  return server_->options.shards.fsync == fsync_policy::always ? log_->durable() : log_->written();
}

void shard_actor::handle(commit) {
  commit_requested_ = false;
  if (log_) commit_now();  // otherwise it is from an earlier incarnation
}

void shard_actor::commit_now() {
  if (log_->written() != log_->recorded()) {
    if (const auto written = log_->write_out(); !written) {
      write_failed_ = true;
      note_failure(written.error());
      return;
    }
  }
  write_failed_ = false;
  if (log_->compacting()) compact(compact_per_commit);
  if (server_->options.shards.fsync == fsync_policy::always) request_sync();
  release(safe());
  publish();
}

void shard_actor::release(journal_position safe) {
  std::size_t done = 0;
  for (; done < waiting_.size() && waiting_[done].position <= safe; ++done) {
    waiting_[done].to.send(std::move(waiting_[done].work));
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
}

void shard_actor::fail_waiting(std::string_view why) {
  for (waiting& w : std::exchange(waiting_, {})) {
    w.work.replies.clear();
    w.work.replies.failure = why;
    w.to.send(std::move(w.work));
  }
}

// Effects that were executed but not written stay in memory and are written first once writing works again,
// so the store stays correct. Until then no reply may report them as safe: the clients get an error.
void shard_actor::note_failure(const journal_error& e) {
  if (!server_->stats[index_].failing.exchange(true, std::memory_order_relaxed) && !server_->options.quiet) {
    std::fprintf(stderr, "troupe-kv: %s: %s\n", path_.c_str(), e.text.c_str());
  }
  fail_waiting(journal_failing_error);
}

// -- the journal --------------------------------------------------------------

void shard_actor::request_sync() {
  if (sync_requested_ || log_->sync_failed() || log_->durable() >= log_->written()) return;
  sync_requested_ = syncer_.tell(sync_request{log_->start_sync(), epoch_, false}) == troupe::send_result::ok;
}

void shard_actor::handle(const sync_done& m) {
  if (m.what.epoch != epoch_ || !log_) return;
  if (m.what.of_compaction) {
    if (!log_->compacting()) return;
    all_copied_ = false;
    if (m.result) {
      log_->cancel_compaction();
      return note_failure({.text = "cannot sync the compacted journal: " + m.result.message()});
    }
    if (const auto finished = log_->finish_compaction(); !finished) note_failure(finished.error());
    return commit_now();
  }
  sync_requested_ = false;
  if (const auto synced = log_->end_sync(m.what.job, m.result); !synced) return note_failure(synced.error());
  if (server_->options.shards.fsync != fsync_policy::always) return;
  release(safe());
  request_sync();
}

void shard_actor::compact(std::size_t bytes) {
  if (all_copied_) return;  // its sync is running
  const auto copied = log_->compact_some(*data_, bytes);
  if (!copied) return note_failure(copied.error());
  if (!*copied) return;
  all_copied_ =
      syncer_.tell(sync_request{log_->start_compaction_sync(), epoch_, true}) == troupe::send_result::ok;
}

void shard_actor::handle(tick) {
  if (!log_) return;
  const auto until = std::chrono::steady_clock::now() + expire_budget;
  while (data_->expire_some(unix_now(), expire_step) >= expire_step &&
         std::chrono::steady_clock::now() < until) {
  }
  if (write_failed_) commit_now();  // try again: the disk may have room now
  if (!log_->compacting() && (log_->compaction_due() || log_->sync_failed())) {
    all_copied_ = false;
    if (const auto begun = log_->start_compaction(); !begun) note_failure(begun.error());
  }
  if (log_->compacting()) compact(compact_per_tick);
  if (++ticks_ % ticks_per_second == 0 && server_->options.shards.fsync == fsync_policy::everysec)
    request_sync();
  publish();
}

void shard_actor::publish() {
  shard_stats& f = server_->stats[index_];
  f.keys.store(data_->size(), std::memory_order_relaxed);
  f.journal_bytes.store(log_->size(), std::memory_order_relaxed);
  if (!refuses_writes()) f.failing.store(false, std::memory_order_relaxed);
}

// -- stopping ---------------------------------------------------------------------

void shard_actor::handle(crash_shard) {
  throw std::runtime_error("crashed by TROUPE CRASH");
}

void shard_actor::stopping(troupe::context&, const troupe::exit_reason& why) {
  if (!log_ || why.kind() == troupe::exit_kind::error) return;
  auto ended = log_->write_out();
  if (ended) ended = log_->sync();
  if (!ended) return note_failure(ended.error());
  release(log_->recorded());
}

}  // namespace kv
