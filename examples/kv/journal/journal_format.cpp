// Encoding and decoding of headers and records.
#include "kv/journal/journal_format.hpp"

#include "kv/journal/crc32c.hpp"

#include <algorithm>
#include <concepts>

namespace kv {
namespace {

constexpr std::string_view magic = "TROUPEKV";
constexpr std::size_t header_copy_size = 32;
constexpr std::size_t record_head = 16;
constexpr std::size_t payload_head = 13;
constexpr std::size_t read_ahead = std::size_t{1} << 20;

template <std::unsigned_integral Word>
void put(char* to, Word value) {
  for (std::size_t at = 0; at < sizeof value; ++at) to[at] = static_cast<char>(value >> (8 * at));
}

template <std::unsigned_integral Word>
Word take(std::string_view bytes, std::size_t at) {
  Word value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<Word>(static_cast<Word>(static_cast<unsigned char>(bytes[at + i])) << (8 * i));
  }
  return value;
}

}  // namespace

std::string journal_header::encode() const {
  std::string block(size, '\0');
  for (const std::uint64_t from : {std::uint64_t{0}, copy_at}) {
    char* const to = block.data() + from;
    std::ranges::copy(magic, to);
    put(to + 8, version);
    put(to + 12, shard);
    put(to + 16, shard_count);
    put(to + 20, salt);
    put(to + 28, crc32c(0, std::string_view(to, 28)));
  }
  return block;
}

std::optional<journal_header> journal_header::decode(std::string_view copy) {
  if (copy.size() < header_copy_size || !copy.starts_with(magic)) return std::nullopt;
  if (take<std::uint32_t>(copy, 28) != crc32c(0, copy.substr(0, 28))) return std::nullopt;
  return journal_header{take<std::uint32_t>(copy, 8), take<std::uint32_t>(copy, 12),
                        take<std::uint32_t>(copy, 16), take<std::uint32_t>(copy, 20)};
}

void encode_record(std::string& out, std::uint32_t salt, std::uint64_t sequence, const effect& e) {
  const std::size_t from = out.size();
  const std::size_t payload = payload_head + e.key.size() + e.value.size();
  char head[record_head + payload_head];
  put(head + 4, static_cast<std::uint32_t>(payload));
  put(head + 8, sequence);
  head[16] = static_cast<char>(e.kind);
  put(head + 17, static_cast<std::uint32_t>(e.key.size()));
  put(head + 21, static_cast<std::uint64_t>(e.expires_at));
  out.append(head, sizeof head);
  out.append(e.key);
  out.append(e.value);
  put(out.data() + from, crc32c(salt, std::string_view(out).substr(from + 4)));
}

std::error_code write_all(file& to, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = to.write(offset, bytes);
    if (!done) return done.error();
    offset += *done;
    bytes.remove_prefix(*done);
  }
  return {};
}

std::expected<std::shared_ptr<file>, std::error_code> create_journal_file(file_system& files,
                                                                          const std::filesystem::path& path,
                                                                          const journal_header& header) {
  auto created = files.open(path, file_system::open_mode::new_or_emptied);
  if (!created) return created;
  if (const auto failed = write_all(**created, 0, header.encode())) return std::unexpected(failed);
  if (const auto failed = (*created)->sync()) return std::unexpected(failed);
  return created;
}

std::expected<std::optional<journal_header>, std::error_code> read_header(file& from) {
  for (const std::uint64_t at : {std::uint64_t{0}, journal_header::copy_at}) {
    char copy[header_copy_size];
    std::size_t have = 0;
    while (have < sizeof copy) {
      const auto got = from.read(at + have, std::span(copy).subspan(have));
      if (!got) return std::unexpected(got.error());
      if (*got == 0) break;
      have += *got;
    }
    if (const auto header = journal_header::decode({copy, have})) return header;
  }
  return std::nullopt;
}

/// Loads [offset, offset + size), which lies within the file, into the buffer. False on an error.
bool record_reader::load(std::uint64_t offset, std::uint64_t size) {
  if (offset >= buffer_at_ && offset + size <= buffer_at_ + buffer_.size()) return true;
  const std::uint64_t wanted = std::min(std::max<std::uint64_t>(size, read_ahead), file_size_ - offset);
  buffer_.resize(wanted);
  std::size_t have = 0;
  while (have < wanted) {
    const auto got = file_.read(offset + have, std::span(buffer_).subspan(have));
    if (!got || *got == 0) {
      error_ = got ? std::make_error_code(std::errc::io_error) : got.error();
      buffer_.clear();
      return false;
    }
    have += *got;
  }
  buffer_at_ = offset;
  return true;
}

record_reader::status record_reader::look_at(std::uint64_t offset, bool any_later, record& into) {
  const std::uint64_t left = file_size_ - offset;
  if (left < record_overhead) return status::bad;
  if (!load(offset, record_overhead)) return status::io_error;
  const std::string_view head = std::string_view(buffer_).substr(offset - buffer_at_, record_overhead);
  const std::uint64_t payload = take<std::uint32_t>(head, 4);
  const auto sequence = take<std::uint64_t>(head, 8);
  const auto kind = static_cast<std::uint8_t>(head[16]);
  const std::uint64_t key_size = take<std::uint32_t>(head, 17);
  // Cheap checks first: in a search for the end of damage, nearly every offset fails one of them. A sequence
  // number cannot be further ahead than the number of records that fit in between.
  const std::uint64_t furthest = any_later ? offset / record_overhead : sequence_ + 1;
  if (sequence <= sequence_ || sequence > std::max(furthest, sequence_ + 1)) return status::bad;
  if (kind < 1 || kind > 5 || payload > left - record_head || payload < payload_head ||
      key_size > payload - payload_head) {
    return status::bad;
  }
  if (!load(offset, record_head + payload)) return status::io_error;
  const std::string_view whole = std::string_view(buffer_).substr(offset - buffer_at_, record_head + payload);
  if (take<std::uint32_t>(whole, 0) != crc32c(salt_, whole.substr(4))) return status::bad;
  into.what = {static_cast<effect_kind>(kind), whole.substr(record_overhead, key_size),
               whole.substr(record_overhead + key_size),
               static_cast<unix_ms>(take<std::uint64_t>(whole, 21))};
  into.sequence = sequence;
  into.size = whole.size();
  return status::record;
}

record_reader::status record_reader::next(record& into) {
  if (offset_ == file_size_) return status::end;
  const status found = look_at(offset_, after_gap_, into);
  if (found != status::record) return found;
  offset_ += into.size;
  sequence_ = into.sequence;
  after_gap_ = false;
  return status::record;
}

record_reader::status record_reader::skip_damage() {
  record ignored;
  for (std::uint64_t at = offset_; at + record_overhead <= file_size_; ++at) {
    const status found = look_at(at, true, ignored);
    if (found == status::bad) continue;
    if (found == status::record) {
      offset_ = at;
      after_gap_ = true;
    }
    return found;
  }
  return status::end;
}

}  // namespace kv
