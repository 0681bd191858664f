// Opening with replay, group writes, syncs, and compaction of a journal.
#include "kv/journal/journal.hpp"

#include <algorithm>
#include <random>

namespace kv {
namespace {

constexpr std::size_t keep_capacity = std::size_t{4} << 20;  // a buffer that a burst made larger is freed

void empty(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > keep_capacity) buffer.shrink_to_fit();
}

}  // namespace

std::filesystem::path journal_path(const std::filesystem::path& directory, std::size_t shard) {
  return directory / ("shard-" + std::to_string(shard) + ".journal");
}

std::filesystem::path journal::fresh_path() const {
  std::filesystem::path name = path();
  name += ".new";
  return name;
}

std::unexpected<journal_error> journal::failed(const char* what, std::error_code why) const {
  return std::unexpected(journal_error{.text = "cannot " + std::string(what) + " the journal '" +
                                               path().string() + "': " + why.message()});
}

journal_header journal::new_header() const {
  return {.shard = static_cast<std::uint32_t>(options_.shard),
          .shard_count = static_cast<std::uint32_t>(options_.shard_count),
          .salt = std::random_device{}()};
}

std::expected<std::unique_ptr<journal>, journal_error> journal::open(
    file_system& files, options o, const std::function<void(const effect&)>& replay) {
  std::unique_ptr<journal> opened(new journal(files, std::move(o)));
  // A file from an interrupted compaction: the old file is complete.
  if (files.exists(opened->fresh_path())) {
    if (const auto why = files.remove(opened->fresh_path()))
      return opened->failed("remove the unfinished compaction of", why);
  }
  const auto done = files.exists(opened->path()) ? opened->load(replay) : opened->create();
  if (!done) return std::unexpected(done.error());
  opened->base_size_ = opened->end_;
  return opened;
}

std::expected<void, journal_error> journal::create() {
  const journal_header header = new_header();
  auto created = create_journal_file(files_, fresh_path(), header);
  if (!created) return failed("create", created.error());
  if (const auto why = files_.rename(fresh_path(), path())) return failed("create", why);
  if (const auto why = files_.sync_directory(options_.directory)) return failed("create", why);
  file_ = std::move(*created);
  salt_ = header.salt;
  end_ = journal_header::size;
  return {};
}

std::expected<void, journal_error> journal::check(const std::optional<journal_header>& header) const {
  const std::string name = "the journal '" + path().string() + "'";
  if (!header) {
    return std::unexpected(
        journal_error{.text = name + " has no valid header at byte 0 nor at byte " +
                              std::to_string(journal_header::copy_at) +
                              ": it is not a journal, or its start is damaged. Move it away to start "
                              "this shard empty, or restore it from a backup"});
  }
  if (header->version != journal_header::current_version) {
    return std::unexpected(journal_error{
        .text = name + " has format version " + std::to_string(header->version) +
                ", this program knows version " + std::to_string(journal_header::current_version) +
                ": start the version that wrote it"});
  }
  if (header->shard_count != options_.shard_count || header->shard != options_.shard) {
    return std::unexpected(journal_error{
        .text = name + " is shard " + std::to_string(header->shard) + " of " +
                std::to_string(header->shard_count) + ", but this server expects shard " +
                std::to_string(options_.shard) + " of " + std::to_string(options_.shard_count) +
                ": start with --shards " + std::to_string(header->shard_count) + ", or with another --dir"});
  }
  return {};
}

std::expected<void, journal_error> journal::load(const std::function<void(const effect&)>& replay) {
  auto opened = files_.open(path(), file_system::open_mode::existing);
  if (!opened) return failed("open", opened.error());
  file_ = std::move(*opened);
  const auto size = file_->size();
  if (!size) return failed("read", size.error());
  const auto header = read_header(*file_);
  if (!header) return failed("read", header.error());
  if (auto right = check(*header); !right) return right;
  salt_ = (*header)->salt;
  if (*size < journal_header::size) {
    // One copy is valid, so the file was complete once and lost its end.
    return std::unexpected(journal_error{.text = "the journal '" + path().string() + "' ends at byte " +
                                                 std::to_string(*size) +
                                                 ", inside its header, which a crash does not cause. "
                                                 "Restore it from a backup, or start with --repair "
                                                 "to continue without its records",
                                         .damaged = true});
  }

  record_reader reader(*file_, salt_, *size);
  record_reader::record record;
  auto status = record_reader::status::record;
  while ((status = reader.next(record)) == record_reader::status::record) {
    replay(record.what);
    ++replayed_;
  }
  end_ = reader.offset();
  next_sequence_ = reader.sequence() + 1;
  if (status == record_reader::status::bad) {
    status = reader.skip_damage();
    if (status == record_reader::status::record) {
      return std::unexpected(journal_error{
          .text = "the journal '" + path().string() + "' is damaged at byte " + std::to_string(end_) +
                  ", after record " + std::to_string(next_sequence_ - 1) +
                  "; valid records follow from byte " + std::to_string(reader.offset()) +
                  " on. Restore it from a backup, or start with --repair to keep all valid records "
                  "(the damaged file is kept as *.damaged)",
          .damaged = true});
    }
    if (status == record_reader::status::end) {
      if (const auto why = file_->truncate(end_)) return failed("cut the torn tail of", why);
      if (const auto why = file_->sync()) return failed("cut the torn tail of", why);
      warning_ = "the journal '" + path().string() +
                 "' ended in an incomplete record, as after a crash: cut " + std::to_string(*size - end_) +
                 " bytes from byte " + std::to_string(end_) + " on, kept " + std::to_string(replayed_) +
                 " records";
    }
  }
  if (status == record_reader::status::io_error) return failed("read", reader.error());
  return {};
}

void journal::record(const effect& e) {
  encode_record(pending_, salt_, next_sequence_++, e);
  if (fresh_ != nullptr) encode_record(fresh_pending_, fresh_salt_, fresh_next_sequence_++, e);
  ++recorded_;
}

std::expected<void, journal_error> journal::write_out() {
  if (sync_failed_) return failed("write", std::make_error_code(std::errc::io_error));
  while (pending_written_ < pending_.size()) {
    const auto done = file_->write(end_, std::string_view(pending_).substr(pending_written_));
    if (!done) return failed("write", done.error());
    pending_written_ += *done;
    end_ += *done;
  }
  empty(pending_);
  pending_written_ = 0;
  written_ = recorded_;
  return {};
}

std::expected<void, journal_error> journal::end_sync(const sync_job& job, std::error_code result) {
  // A job from before a compaction: the new file contains all that it covers and was synced.
  if (job.target != file_) return {};
  if (result) sync_failed_ = true;
  if (sync_failed_) return failed("sync", result ? result : std::make_error_code(std::errc::io_error));
  durable_ = std::max(durable_, job.covers);
  return {};
}

std::expected<void, journal_error> journal::sync() {
  const sync_job job = start_sync();
  return end_sync(job, job.run());
}

bool journal::compaction_due() const {
  return fresh_ == nullptr && size() >= options_.compact_from &&
         size() >= base_size_ * options_.compact_growth;
}

std::expected<void, journal_error> journal::start_compaction() {
  cancel_compaction();
  const journal_header header = new_header();
  auto created = create_journal_file(files_, fresh_path(), header);
  if (!created) {
    static_cast<void>(files_.remove(fresh_path()));
    return failed("compact", created.error());
  }
  fresh_ = std::move(*created);
  fresh_salt_ = header.salt;
  fresh_next_sequence_ = 1;
  fresh_end_ = journal_header::size;
  copied_ = 0;
  all_copied_ = false;
  return {};
}

std::expected<bool, journal_error> journal::compact_some(const store& data, std::size_t bytes) {
  // Expired entries are copied too: the clock that decides may go back.
  const std::size_t until = fresh_pending_.size() + bytes;
  while (!all_copied_ && fresh_pending_.size() < until) {
    copied_ = data.visit_some(copied_, [this](const entry& e) {
      encode_record(fresh_pending_, fresh_salt_, fresh_next_sequence_++,
                    {effect_kind::set, e.key(), e.value(), e.expires_at});
    });
    all_copied_ = copied_ == 0;
  }
  if (const auto why = write_all(*fresh_, fresh_end_, fresh_pending_)) {
    cancel_compaction();
    return failed("compact", why);
  }
  fresh_end_ += fresh_pending_.size();
  empty(fresh_pending_);
  return all_copied_;
}

std::expected<void, journal_error> journal::finish_compaction() {
  if (fresh_ == nullptr || !all_copied_) {
    return failed("compact", std::make_error_code(std::errc::operation_not_permitted));
  }
  if (const auto why = write_all(*fresh_, fresh_end_, fresh_pending_)) {
    cancel_compaction();
    return failed("compact", why);
  }
  fresh_end_ += fresh_pending_.size();
  if (const auto why = fresh_->sync()) {
    cancel_compaction();
    return failed("compact", why);
  }
  if (const auto why = files_.rename(fresh_path(), path())) {
    cancel_compaction();
    return failed("compact", why);
  }
  // The new file holds every effect, including those that were still buffered for the old one.
  file_ = std::move(fresh_);
  fresh_ = nullptr;
  salt_ = fresh_salt_;
  next_sequence_ = fresh_next_sequence_;
  end_ = fresh_end_;
  base_size_ = fresh_end_;
  empty(fresh_pending_);
  empty(pending_);
  pending_written_ = 0;
  written_ = recorded_;
  // After a power loss before the sync of the directory the old file could be back, without any later effect.
  const auto why = files_.sync_directory(options_.directory);
  sync_failed_ = static_cast<bool>(why);
  if (why) return failed("sync the directory after compacting", why);
  durable_ = recorded_;
  return {};
}

void journal::cancel_compaction() {
  if (fresh_ == nullptr) return;
  fresh_ = nullptr;
  empty(fresh_pending_);
  // Best effort: a file that remains is removed at the next start.
  static_cast<void>(files_.remove(fresh_path()));
}

}  // namespace kv
