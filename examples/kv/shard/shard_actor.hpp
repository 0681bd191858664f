// The actor that owns one shard: its store and its journal. Clients' batches come in as messages. The shard
// executes all queued batches one after the other, writes them to the journal in one write, and only then
// answers:
//
//   execute_batch -> store, journal's memory ...  ] all that is queued
//   execute_batch -> store, journal's memory ...  ]
//   commit        -> one write(2), with `always` one fsync on the syncer -> all replies
//
// `commit` is a message that the shard sends to itself after the first unanswered batch. A single client
// therefore does not wait for others, and many clients share a write. A reply never reports a write that a
// crash of this actor could undo.
//
// Batches that are unanswered when the actor crashes fail with an error for their clients. A new incarnation
// reads the journal again, outside the workers, and keeps the batches that arrive meanwhile.
#pragma once

#include "kv/server_state.hpp"
#include "kv/shard/batch.hpp"

#include <troupe/actors.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace kv {

/// A batch to execute. The reply returns the batch with its answers, so that its memory is used again.
struct execute_batch {
  struct answer {
    request_batch commands;
    reply_batch replies;
  };
  using reply = answer;
  answer work;
};

/// Makes the shard crash: for tests and demonstrations.
struct crash_shard {};

/// A shard, as connections address it.
using shard_ref = troupe::ref<execute_batch, crash_shard>;

/// A request to the syncer, and its result.
struct sync_request {
  journal::sync_job job;
  std::uint32_t epoch;  ///< of the incarnation that asked: a shard ignores results for an earlier one
  bool of_compaction;
};
struct sync_done {
  sync_request what;
  std::error_code result;
};

class shard_actor {
 public:
  struct commit {};
  struct tick {};
  struct load {};
  using accepts = troupe::protocol<execute_batch, crash_shard, commit, tick, load, sync_done>;

  shard_actor(troupe::context& ctx, std::shared_ptr<server_state> server, std::size_t index);

  void started(troupe::context& ctx);
  /// Answers all executed batches and syncs the journal; after a crash, neither.
  void stopping(troupe::context& ctx, const troupe::exit_reason& why);

  void handle(execute_batch m, troupe::reply_to<execute_batch::answer> to, troupe::context& ctx);
  void handle(crash_shard);
  void handle(commit);
  void handle(tick);
  void handle(const sync_done& m);
  /// Reads the journal. The mailbox waits until it is done, as for any coroutine handler.
  troupe::task<void> handle(load, troupe::context& ctx);

 private:
  struct waiting {
    troupe::reply_to<execute_batch::answer> to;
    execute_batch::answer work;
    journal_position position;  // the reply may be sent once this is safe
  };

  void take(loaded_shard s);
  void execute(execute_batch::answer work, troupe::reply_to<execute_batch::answer> to);
  void commit_now();
  void release(journal_position safe);
  void fail_waiting(std::string_view why);
  bool refuses_writes() const { return write_failed_ || log_->sync_failed(); }
  journal_position safe() const;
  void note_failure(const journal_error& e);
  void request_sync();
  void compact(std::size_t bytes);
  void publish();

  std::shared_ptr<server_state> server_;
  std::size_t index_;
  std::uint32_t epoch_;
  std::string path_;
  troupe::ref_of<shard_actor> self_;
  troupe::ref<sync_request> syncer_;

  std::unique_ptr<store> data_;
  std::unique_ptr<journal> log_;
  std::vector<waiting> early_;    // arrived before the journal was read
  std::vector<waiting> waiting_;  // executed, not answered; positions ascend
  bool commit_requested_ = false;
  bool sync_requested_ = false;
  bool write_failed_ = false;
  bool all_copied_ = false;  // by the current compaction
  unsigned ticks_ = 0;
};

}  // namespace kv
