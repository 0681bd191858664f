// The actor that owns one shard: its store and its journal. Clients' batches come in as messages; what has
// queued up is executed batch by batch, written to the journal in one write, and only then answered:
//
//   execute_batch -> store, journal's memory ...  ] all that is queued
//   execute_batch -> store, journal's memory ...  ]
//   commit        -> one write(2), with `always` one fsync on the syncer -> all replies
//
// `commit` is a message the shard sends to itself behind the first unanswered batch, so one client alone
// waits for nobody and many clients share a write. A reply never tells of what a crash of this actor could
// undo.
//
// Replies that were not sent when the actor crashes reach their askers as errors. A new incarnation reads the
// journal again, off the workers, and keeps what arrives meanwhile.
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

/// A batch goes in, and comes back with its answers: all memory travels in circles.
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

/// A shard as clients' connections see it.
using shard_ref = troupe::ref<execute_batch, crash_shard>;

/// A sync that the shard wants done, and its end.
struct sync_request {
  journal::sync_job job;
  std::uint32_t epoch;  ///< whose it is: a shard ignores what an earlier incarnation ordered
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
  /// Answers all it has executed, and leaves a synced journal behind; after a crash, neither.
  void stopping(troupe::context& ctx, const troupe::exit_reason& why);

  void handle(execute_batch m, troupe::reply_to<execute_batch::answer> to, troupe::context& ctx);
  void handle(crash_shard);
  void handle(commit);
  void handle(tick);
  void handle(const sync_done& m);
  /// Reads the journal. Until it is done the mailbox waits, as for any coroutine.
  troupe::task<void> handle(load, troupe::context& ctx);

 private:
  struct waiting {
    troupe::reply_to<execute_batch::answer> to;
    execute_batch::answer work;
    journal_position position;  // once this is safe, the reply may leave
  };

  void take(loaded_shard s);
  void execute(execute_batch::answer work, troupe::reply_to<execute_batch::answer> to);
  void commit_now();
  void release(journal_position safe);
  void fail_waiting(std::string_view why);
  bool refuses_writes() const { return write_failed_ || log_->sync_failed(); }
  journal_position safe() const;
  void note_failure(const journal_error& e);
  void order_sync();
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
  std::vector<waiting> early_;    // came before the journal was read
  std::vector<waiting> waiting_;  // executed, not answered; positions ascend
  bool commit_ordered_ = false;
  bool sync_ordered_ = false;
  bool write_failed_ = false;
  bool all_copied_ = false;  // by the compaction under way
  unsigned ticks_ = 0;
};

}  // namespace kv
