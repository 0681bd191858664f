// Loads shards from their journals: all of them at the start of the server, by main, and a single one after a
// crash, by its shard. All functions block. Any thread, but one thread for each shard.
#pragma once

#include "kv/journal/journal.hpp"
#include "kv/shard/store.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// When a write is durable.
enum class fsync_policy : std::uint8_t {
  always,    ///< before its reply
  everysec,  ///< within about a second
  no,        ///< when the kernel writes it back
};

constexpr std::string_view to_string(fsync_policy p) {
  return p == fsync_policy::always ? "always" : p == fsync_policy::everysec ? "everysec" : "no";
}

struct shard_options {
  std::filesystem::path directory = "troupe-kv-data";
  std::size_t count = 1;
  fsync_policy fsync = fsync_policy::everysec;
  std::uint64_t seed = 0;  ///< of the hash tables; random, the same for the life of the process
  std::size_t max_value = std::size_t{64} << 20;
  file_system* files = &posix_files();
};

struct loaded_shard {
  std::unique_ptr<store> data;
  std::unique_ptr<journal> log;
  explicit operator bool() const { return log != nullptr; }
};

journal::options journal_options(const shard_options& o, std::size_t shard);

/// Reads the journal of one shard; creates it when there is none.
std::expected<loaded_shard, journal_error> load_shard(const shard_options& o, std::size_t shard);

/// Reads all journals in parallel. Returns the error of the first shard that failed; `warnings` receives a
/// sentence for each torn tail.
std::expected<void, journal_error> load_shards(const shard_options& o, std::vector<loaded_shard>& into,
                                               std::vector<std::string>& warnings);

/// Rewrites every damaged journal from its valid records. Returns a sentence for each of them.
std::expected<std::vector<std::string>, journal_error> repair_shards(const shard_options& o);

}  // namespace kv
