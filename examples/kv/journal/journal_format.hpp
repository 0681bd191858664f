// The format of a journal file: its header, its records, and a reader that can skip damage. Used by the
// journal and its repair.
//
//   header, twice, 4096 bytes apart, so that one bad block does not take both:
//     "TROUPEKV" | version u32 | shard u32 | shard count u32 | salt u32 | zero u32 | crc32c of the 28 bytes
//     before
//   records, from byte 8192 on, numbered from 1 without gaps:
//     crc32c of the rest of the record u32 | payload size u32 | sequence u64 | payload
//   payload: kind u8 | key size u32 | expires at i64 | key | value
//
// All integers are little-endian. Record checksums start from the file's random salt, so that neither a value
// that a client made to look like a record nor stale bytes of an older file are taken for a record.
#pragma once

#include "kv/journal/effect.hpp"
#include "kv/journal/files.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace kv {

/// A failure as a sentence for the log or the terminal: what happened, in which file, what to do.
struct journal_error {
  std::string text;
  bool damaged = false;  ///< repair_journal may help
};

struct journal_header {
  static constexpr std::uint64_t size = 8192;
  static constexpr std::uint64_t copy_at = 4096;
  static constexpr std::uint32_t current_version = 1;

  std::uint32_t version = current_version;
  std::uint32_t shard = 0;
  std::uint32_t shard_count = 1;
  std::uint32_t salt = 0;

  /// The whole block, both copies.
  std::string encode() const;

  /// Decodes one of the copies; nullopt when it is damaged.
  static std::optional<journal_header> decode(std::string_view copy);
};

inline constexpr std::size_t record_overhead = 16 + 13;

/// Appends one record.
void encode_record(std::string& out, std::uint32_t salt, std::uint64_t sequence, const effect& e);

/// Writes all of `bytes`; continues after short writes.
std::error_code write_all(file& to, std::uint64_t offset, std::string_view bytes);

/// Creates `path` with a header, synced; the name itself is not durable yet.
std::expected<std::shared_ptr<file>, std::error_code> create_journal_file(file_system& files,
                                                                          const std::filesystem::path& path,
                                                                          const journal_header& header);

/// Reads the header; nullopt when both copies are damaged.
std::expected<std::optional<journal_header>, std::error_code> read_header(file& from);

/// Reads records one by one through one buffer. Used by one thread.
class record_reader {
 public:
  enum class status { record, end, bad, io_error };
  struct record {
    effect what;  ///< views into the reader, valid until its next call
    std::uint64_t sequence = 0;
    std::uint64_t size = 0;
  };

  record_reader(file& from, std::uint32_t salt, std::uint64_t file_size)
      : file_(from), salt_(salt), file_size_(file_size) {}

  /// Reads the record at offset() and moves offset() after it. Returns `bad` when there is no record with the
  /// next sequence number; offset() stays.
  status next(record& into);

  /// After `bad`: moves offset() forward to the next complete record with a later sequence number; returns
  /// `end` when there is none. Linear in the bytes it skips.
  status skip_damage();

  std::uint64_t offset() const { return offset_; }
  std::uint64_t file_size() const { return file_size_; }
  std::uint64_t sequence() const { return sequence_; }  ///< of the last record, 0 before the first
  std::error_code error() const { return error_; }      ///< after io_error

 private:
  status look_at(std::uint64_t offset, bool any_later, record& into);
  bool load(std::uint64_t offset, std::uint64_t size);

  file& file_;
  std::uint32_t salt_;
  std::uint64_t file_size_;
  std::uint64_t offset_ = journal_header::size;
  std::uint64_t sequence_ = 0;
  bool after_gap_ = false;
  std::string buffer_;
  std::uint64_t buffer_at_ = 0;
  std::error_code error_;
};

}  // namespace kv
