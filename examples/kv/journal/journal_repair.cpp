// --repair: writes a new journal from the valid records of a damaged one.
#include "kv/journal/journal.hpp"

#include <random>

namespace kv {
namespace {

constexpr std::size_t write_size = std::size_t{1} << 20;

std::unexpected<journal_error> cannot(const std::filesystem::path& path, std::error_code why) {
  return std::unexpected(
      journal_error{.text = "cannot repair the journal '" + path.string() + "': " + why.message()});
}

std::filesystem::path with_suffix(std::filesystem::path path, const std::string& suffix) {
  path += suffix;
  return path;
}

/// A name for the damaged file that no earlier repair took.
std::filesystem::path free_name(file_system& files, const std::filesystem::path& path) {
  std::filesystem::path name = with_suffix(path, ".damaged");
  for (int number = 2; files.exists(name); ++number)
    name = with_suffix(path, ".damaged." + std::to_string(number));
  return name;
}

/// Copies every valid record of `from` to `to` with new sequence numbers.
std::error_code salvage(record_reader& from, file& to, std::uint32_t salt, repair_report& report) {
  std::string batch;
  std::uint64_t end = journal_header::size;
  const auto flush = [&] {
    const auto failed = write_all(to, end, batch);
    end += batch.size();
    batch.clear();
    return failed;
  };
  record_reader::record record;
  for (;;) {
    const std::uint64_t at = from.offset();
    const std::uint64_t before = from.sequence();
    switch (from.next(record)) {
      case record_reader::status::record:
        report.lost_records += record.sequence - before - 1;
        encode_record(batch, salt, ++report.kept, record.what);
        if (batch.size() >= write_size) {
          if (const auto failed = flush()) return failed;
        }
        break;
      case record_reader::status::bad: {
        report.damaged = true;
        const auto found = from.skip_damage();
        if (found == record_reader::status::io_error) return from.error();
        if (found == record_reader::status::end) {
          report.lost_bytes += from.file_size() - at;
          return flush();
        }
        report.lost_bytes += from.offset() - at;
        break;
      }
      case record_reader::status::io_error:
        return from.error();
      case record_reader::status::end:
        return flush();
    }
  }
}

}  // namespace

std::expected<repair_report, journal_error> repair_journal(file_system& files, const journal::options& o) {
  const std::filesystem::path path = journal_path(o.directory, o.shard);
  const std::filesystem::path fresh = with_suffix(path, ".new");
  repair_report report;
  if (!files.exists(path)) return report;
  const auto damaged = files.open(path, file_system::open_mode::existing);
  if (!damaged) return cannot(path, damaged.error());
  const auto header = read_header(**damaged);
  if (!header) return cannot(path, header.error());
  if (!*header) {
    return std::unexpected(
        journal_error{.text = "cannot repair the journal '" + path.string() +
                              "': both copies of its header are damaged, and its records cannot be "
                              "recognized without one. Restore it from a backup, or move it away to "
                              "start this shard empty"});
  }
  const auto size = (*damaged)->size();
  if (!size) return cannot(path, size.error());

  journal_header renewed = **header;
  renewed.salt = std::random_device{}();
  const auto created = create_journal_file(files, fresh, renewed);
  if (!created) return cannot(path, created.error());
  const auto give_up = [&](std::error_code why) {
    static_cast<void>(files.remove(fresh));
    return cannot(path, why);
  };
  if (*size < journal_header::size) {
    report.damaged = true;
  } else {
    record_reader reader(**damaged, (*header)->salt, *size);
    if (const auto failed = salvage(reader, **created, renewed.salt, report)) return give_up(failed);
  }
  if (!report.damaged) {
    static_cast<void>(files.remove(fresh));
    return report;
  }
  // First link the damaged file to a second name, then rename the new file over the first one: the journal
  // exists at every moment.
  report.original = free_name(files, path);
  if (const auto failed = (*created)->sync()) return give_up(failed);
  if (const auto failed = files.link(path, report.original)) return give_up(failed);
  if (const auto failed = files.rename(fresh, path)) return give_up(failed);
  if (const auto failed = files.sync_directory(o.directory)) return cannot(path, failed);
  return report;
}

}  // namespace kv
