// Loading and repair of all journals of a data directory.
#include "kv/journal/shard_files.hpp"

#include <algorithm>
#include <optional>
#include <thread>

namespace kv {

journal::options journal_options(const shard_options& o, std::size_t shard) {
  return {.directory = o.directory, .shard = shard, .shard_count = o.count};
}

std::expected<loaded_shard, journal_error> load_shard(const shard_options& o, std::size_t shard) {
  loaded_shard s;
  s.data = std::make_unique<store>(store::options{.seed = o.seed, .max_value = o.max_value});
  auto opened =
      journal::open(*o.files, journal_options(o, shard), [&](const effect& e) { s.data->apply(e); });
  if (!opened) return std::unexpected(std::move(opened.error()));
  s.log = std::move(*opened);
  return s;
}

std::expected<void, journal_error> load_shards(const shard_options& o, std::vector<loaded_shard>& into,
                                               std::vector<std::string>& warnings) {
  std::vector<std::optional<journal_error>> failures(o.count);
  into.resize(o.count);
  const std::size_t width = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, o.count);
  {
    std::vector<std::jthread> readers;
    for (std::size_t first = 0; first < width; ++first) {
      readers.emplace_back([&, first] {
        for (std::size_t shard = first; shard < o.count; shard += width) {
          auto loaded = load_shard(o, shard);
          if (loaded) {
            into[shard] = std::move(*loaded);
          } else {
            failures[shard] = std::move(loaded.error());
          }
        }
      });
    }
  }
  for (std::optional<journal_error>& failure : failures) {
    if (failure) return std::unexpected(std::move(*failure));
  }
  for (const loaded_shard& s : into) {
    if (!s.log->warning().empty()) warnings.push_back(s.log->warning());
  }
  return {};
}

std::expected<std::vector<std::string>, journal_error> repair_shards(const shard_options& o) {
  std::vector<std::string> done;
  for (std::size_t shard = 0; shard < o.count; ++shard) {
    const auto report = repair_journal(*o.files, journal_options(o, shard));
    if (!report) return std::unexpected(report.error());
    if (!report->damaged) continue;
    done.push_back(journal_path(o.directory, shard).string() + ": repaired; kept " +
                   std::to_string(report->kept) + " records, lost " + std::to_string(report->lost_records) +
                   " records in " + std::to_string(report->lost_bytes) +
                   " bytes; the damaged file is kept as " + report->original.string());
  }
  return done;
}

}  // namespace kv
