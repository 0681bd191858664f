// The append-only file of one shard: the effects on its store. Owned by the shard, used by one thread at a
// time; only a sync_job may run on another thread meanwhile.
//
// record() puts an effect into memory, write_out() passes all recorded effects to the kernel in one write, a
// sync makes them durable. A reply may be sent once its record is written (it survives a crash of the
// process) or durable (it survives a power loss).
//
// Compaction writes the live store to a second file, step by step, while effects go to both files. At every
// moment one of the two files is complete, and the rename at the end replaces the old one:
//
//   start_compaction -> compact_some, until it returns true -> finish_compaction
//        |  effects: old file and the new one's buffer            |  sync, rename, sync the directory
//
// Errors are returned to the caller and leave the journal consistent: bytes that could not be written are
// kept, and the next write_out() continues at the byte where the last one stopped. After a failed sync it is
// unknown what is durable (the kernel may have dropped the pages), so all later writes and syncs fail until a
// compaction has written a new file.
#pragma once

#include "kv/journal/effect.hpp"
#include "kv/journal/files.hpp"
#include "kv/journal/journal_format.hpp"
#include "kv/shard/store.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace kv {

/// The file of a shard.
std::filesystem::path journal_path(const std::filesystem::path& directory, std::size_t shard);

/// A number of records since the journal was opened. Record number p is safe once written() or durable() is
/// >= p.
using journal_position = std::uint64_t;

class journal final : public effect_sink {
 public:
  struct options {
    std::filesystem::path directory;
    std::size_t shard = 0;
    std::size_t shard_count = 1;
    std::uint64_t compact_from = std::uint64_t{16} << 20;  ///< a smaller file is not compacted
    std::uint64_t compact_growth = 2;  ///< due when the file has grown by this factor since the last one
  };

  /// Opens the shard's journal, or creates it, and passes all its effects to `replay`, in order. A torn tail
  /// is cut: see warning().
  /// Errors: a sentence, when the file belongs to another number of shards, is damaged in the middle (valid
  /// records follow a bad one), or cannot be read. Then discard the effects that `replay` received.
  /// Blocks: yes.
  static std::expected<std::unique_ptr<journal>, journal_error> open(
      file_system& files, options o, const std::function<void(const effect&)>& replay);

  /// Adds an effect to the buffer in memory. Never fails, never blocks.
  void record(const effect& e) override;

  /// Writes all recorded effects, in one write(2) unless the kernel accepts only a part. Blocks like
  /// write(2).
  std::expected<void, journal_error> write_out();

  /// A sync that may run on any thread while the owner continues. The owner then calls end_sync with its
  /// result.
  struct sync_job {
    std::shared_ptr<file> target;
    journal_position covers = 0;
    std::error_code run() const { return target->sync(); }
  };
  sync_job start_sync() const { return {file_, written_}; }
  std::expected<void, journal_error> end_sync(const sync_job& job, std::error_code result);

  /// Does start_sync, run and end_sync. Blocks.
  std::expected<void, journal_error> sync();

  journal_position recorded() const { return recorded_; }
  journal_position written() const { return written_; }
  journal_position durable() const { return durable_; }

  /// True from a failed sync to the next finished compaction.
  bool sync_failed() const { return sync_failed_; }

  /// Bytes in the file and in the buffer.
  std::uint64_t size() const { return end_ + pending_.size() - pending_written_; }

  /// True when the file has grown enough and no compaction is running.
  bool compaction_due() const;
  bool compacting() const { return fresh_ != nullptr; }

  /// Starts a compaction; on an error none is running. Call compact_some after each write_out from then on:
  /// it also writes the effects that record() buffers for the new file. Blocks for one small synced write.
  std::expected<void, journal_error> start_compaction();

  /// Copies about `bytes` of the store, at least one segment of keys; returns true when all is copied. `data`
  /// must be the store whose effects are recorded here. An error cancels the compaction.
  std::expected<bool, journal_error> compact_some(const store& data, std::size_t bytes);

  /// A sync of the bytes copied so far. Run it on another thread before finish_compaction, whose own sync is
  /// then short. Its result needs no end_sync.
  sync_job start_compaction_sync() const { return {fresh_, 0}; }

  /// Replaces the old file by the new one; only after compact_some returned true. An error before the rename
  /// cancels the compaction, and the old file stays in use. Blocks for a sync.
  std::expected<void, journal_error> finish_compaction();

  void cancel_compaction();

  /// After open: the number of replayed records; a sentence for the log when a torn tail was cut, otherwise
  /// empty.
  std::uint64_t replayed() const { return replayed_; }
  const std::string& warning() const { return warning_; }

 private:
  journal(file_system& files, options o) : files_(files), options_(std::move(o)) {}

  std::expected<void, journal_error> create();
  std::expected<void, journal_error> load(const std::function<void(const effect&)>& replay);
  std::expected<void, journal_error> check(const std::optional<journal_header>& header) const;
  journal_header new_header() const;
  std::filesystem::path path() const { return journal_path(options_.directory, options_.shard); }
  std::filesystem::path fresh_path() const;
  std::unexpected<journal_error> failed(const char* what, std::error_code why) const;

  file_system& files_;
  options options_;

  std::shared_ptr<file> file_;
  std::uint32_t salt_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t end_ = 0;            // offset of the next byte
  std::string pending_;              // records not written yet
  std::size_t pending_written_ = 0;  // bytes of pending_ that are in the file already
  std::uint64_t base_size_ = 0;      // size after the last compaction, or at open

  journal_position recorded_ = 0;
  journal_position written_ = 0;
  journal_position durable_ = 0;
  bool sync_failed_ = false;

  // The running compaction; fresh_ is nullptr when there is none.
  std::shared_ptr<file> fresh_;
  std::uint32_t fresh_salt_ = 0;
  std::uint64_t fresh_next_sequence_ = 1;
  std::uint64_t fresh_end_ = 0;
  std::string fresh_pending_;
  hash_position copied_ = 0;
  bool all_copied_ = false;

  std::uint64_t replayed_ = 0;
  std::string warning_;
};

struct repair_report {
  bool damaged = false;            ///< false: there was nothing to repair
  std::uint64_t kept = 0;          ///< records in the new file
  std::uint64_t lost_records = 0;  ///< missing sequence numbers, not counting those at the end
  std::uint64_t lost_bytes = 0;
  std::filesystem::path original;  ///< where the damaged file is now
};

/// Rewrites a damaged journal from all its valid records, before and after the damage, and keeps the damaged
/// file as
/// *.damaged. The effects of lost records are lost: a key may have an older value, a deleted key may be back.
/// Blocks: yes. No journal may be open on the file.
std::expected<repair_report, journal_error> repair_journal(file_system& files, const journal::options& o);

}  // namespace kv
