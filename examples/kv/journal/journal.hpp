// The append-only file of one shard: what its store was told, as effects. Owned by the shard, used by one
// thread at a time; only a sync_job may run on another thread meanwhile.
//
// The way of an effect: record() puts it into memory, write_out() hands all of it to the kernel in one write,
// a sync makes it durable. A reply may leave once its record is written (it survives a crash of the process)
// or durable (of the machine).
//
// Compaction writes the live store to a second file, a step at a time, while effects go to both files; so at
// any moment one of the two is complete, and the rename at the end decides which counts:
//
//   start_compaction -> compact_some, until it says that all is copied -> finish_compaction
//        |  effects: old file and the new one's buffer                       |  sync, rename, sync the
//        directory
//
// Errors come back to the caller and leave the journal consistent: what could not be written is kept and goes
// first at the next write_out(), from the very byte where it stopped. After a failed sync nobody knows what
// is on the medium (the kernel may have dropped the pages), so all later writes and syncs fail until a
// compaction has written everything anew.
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

/// A number of records since the journal was opened; record number p is safe once written() or durable() is
/// >= p.
using journal_position = std::uint64_t;

class journal final : public effect_sink {
 public:
  struct options {
    std::filesystem::path directory;
    std::size_t shard = 0;
    std::size_t shard_count = 1;
    std::uint64_t compact_from = std::uint64_t{16} << 20;  ///< a smaller file is not worth a compaction
    std::uint64_t compact_growth = 2;  ///< due when the file is so many times what the last one left
  };

  /// Opens the shard's journal, creates it when there is none, and shows all its effects to `replay`, in
  /// order. Blocks. Fails with a sentence when the file belongs to another number of shards, is damaged in
  /// the middle (a bad record that valid ones follow), or cannot be read; forget what `replay` saw then. A
  /// torn tail is cut: see warning().
  static std::expected<std::unique_ptr<journal>, journal_error> open(
      file_system& files, options o, const std::function<void(const effect&)>& replay);

  /// Notes an effect, in memory. Never fails, never blocks.
  void record(const effect& e) override;

  /// Writes all that was recorded, in one write where the kernel takes it whole. Blocks like write(2).
  std::expected<void, journal_error> write_out();

  /// A sync that may run on any thread, while the owner goes on. At the end the owner calls end_sync.
  struct sync_job {
    std::shared_ptr<file> target;
    journal_position covers = 0;
    std::error_code run() const { return target->sync(); }
  };
  sync_job start_sync() const { return {file_, written_}; }
  std::expected<void, journal_error> end_sync(const sync_job& job, std::error_code result);

  /// start_sync, run and end_sync here and now. Blocks.
  std::expected<void, journal_error> sync();

  journal_position recorded() const { return recorded_; }
  journal_position written() const { return written_; }
  journal_position durable() const { return durable_; }

  /// True from a failed sync to the next finished compaction.
  bool sync_failed() const { return sync_failed_; }

  /// Bytes in the file and in memory before it.
  std::uint64_t size() const { return end_ + pending_.size() - pending_written_; }

  /// The file has grown enough, and no compaction is under way.
  bool compaction_due() const;
  bool compacting() const { return fresh_ != nullptr; }

  /// Begins a compaction. Blocks for one small synced write. On an error there is none under way. From now on
  /// call compact_some after each write_out: it also writes what record() buffers for the new file.
  std::expected<void, journal_error> start_compaction();

  /// Copies about `bytes` of the store, at least one segment of keys; true when all is copied. `data` must be
  /// the store whose effects come to record(). On an error the compaction is cancelled.
  std::expected<bool, journal_error> compact_some(const store& data, std::size_t bytes);

  /// A sync of what was copied so far, to be run on another thread before finish_compaction, which is then
  /// short. Its result needs no end_sync.
  sync_job start_compaction_sync() const { return {fresh_, 0}; }

  /// Puts the new file in the place of the old; only after compact_some said true. Blocks for a sync. On an
  /// error before the rename the compaction is cancelled and the old file goes on.
  std::expected<void, journal_error> finish_compaction();

  void cancel_compaction();

  /// After open: how many records were replayed; a sentence for the log when a torn tail was cut, else empty.
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
  std::uint64_t end_ = 0;            // where the next byte goes
  std::string pending_;              // records not written yet
  std::size_t pending_written_ = 0;  // bytes of pending_ that are in the file already
  std::uint64_t base_size_ = 0;      // size after the last compaction, or at open

  journal_position recorded_ = 0;
  journal_position written_ = 0;
  journal_position durable_ = 0;
  bool sync_failed_ = false;

  // The compaction under way; fresh_ is nullptr when there is none.
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
  bool damaged = false;            ///< false: nothing had to be done
  std::uint64_t kept = 0;          ///< records in the new file
  std::uint64_t lost_records = 0;  ///< sequence numbers that are missing, those at the end not counted
  std::uint64_t lost_bytes = 0;
  std::filesystem::path original;  ///< where the damaged file is now
};

/// Rewrites a damaged journal from all its valid records, before and behind the damage, and keeps the damaged
/// file beside it as *.damaged. What the lost records said is lost: a key may have an older value, a deleted
/// key may be back. Blocks; no journal may be open on the file.
std::expected<repair_report, journal_error> repair_journal(file_system& files, const journal::options& o);

}  // namespace kv
