// The journal under file faults: crashes at any byte, full disks, failed syncs, flipped bits.
#include "kv/journal/journal.hpp"

#include "kv/journal/crc32c.hpp"
#include "kv/memory_files.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <map>
#include <unistd.h>

namespace {

using kv_test::memory_files;
using values = std::map<std::string, std::pair<std::string, kv::unix_ms>>;

kv::journal::options options(std::size_t shard = 0, std::size_t count = 1) {
  return {.directory = "/d", .shard = shard, .shard_count = count};
}

const std::string file_name = kv::journal_path("/d", 0).string();

values dump(const kv::store& store) {
  values all;
  kv::hash_position at = 0;
  do {
    at = store.visit_some(
        at, [&](const kv::entry& e) { all[std::string(e.key())] = {std::string(e.value()), e.expires_at}; });
  } while (at != 0);
  return all;
}

/// A shard without commands: a store and its journal.
struct shard {
  kv::store data;
  std::unique_ptr<kv::journal> log;
  kv::journal_error error;

  explicit shard(kv::file_system& files, kv::journal::options o = options()) {
    auto opened = kv::journal::open(files, o, [this](const kv::effect& e) { data.apply(e); });
    if (opened) log = std::move(*opened);
    if (!opened) error = opened.error();
  }
  void apply(const kv::effect& e) {
    data.apply(e);
    log->record(e);
  }
  void set(std::string_view key, std::string_view value) { apply({kv::effect_kind::set, key, value}); }
};

void apply_any(shard& s) {
  const std::string key = "k" + std::to_string(*rc::gen::inRange(0, 6));
  const std::string value(static_cast<std::size_t>(*rc::gen::inRange(0, 12)), 'v');
  const auto kind = *rc::gen::weightedElement<int>({{4, 1}, {2, 2}, {2, 3}, {2, 4}, {1, 5}});
  s.apply({static_cast<kv::effect_kind>(kind), kind == 5 ? "" : key, kind == 1 || kind == 4 ? value : "",
           kind == 1 || kind == 3 ? *rc::gen::inRange<kv::unix_ms>(1, 100) : kv::never});
}

/// Writes three records; returns the offset of the second one.
std::size_t write_three(memory_files& files) {
  shard s(files);
  s.set("a", "1");
  REQUIRE(s.log->write_out());
  const std::size_t second = files.bytes(file_name).size();
  s.set("b", "2");
  s.set("c", "3");
  REQUIRE(s.log->write_out());
  return second;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("crc32c: the Castagnoli checksum, by tables and by instruction, in one piece or in several") {
  CHECK(kv::crc32c(0, "123456789") == 0xe3069283);
  CHECK(rc::check("tables and instruction agree",
                  [](const std::string& a, const std::string& b, std::uint32_t seed) {
                    RC_ASSERT(kv::crc32c(seed, a) == kv::crc32c_by_tables(seed, a));
                    RC_ASSERT(kv::crc32c(kv::crc32c(seed, a), b) == kv::crc32c(seed, a + b));
                  }));
}

TEST_CASE("journal: recorded effects are replayed in order") {
  CHECK(rc::check("replay rebuilds the store", [] {
    memory_files files;
    values expected;
    for (int incarnation = *rc::gen::inRange(1, 4); incarnation > 0; --incarnation) {
      shard s(files);
      RC_ASSERT(s.error.text.empty());
      RC_ASSERT(dump(s.data) == expected);
      for (int n = *rc::gen::inRange(0, 40); n > 0; --n) {
        apply_any(s);
        if (*rc::gen::inRange(0, 3) == 0) RC_ASSERT(s.log->write_out().has_value());
      }
      RC_ASSERT(s.log->write_out().has_value());
      RC_ASSERT(s.log->written() == s.log->recorded());
      expected = dump(s.data);
    }
    RC_ASSERT(dump(shard(files).data) == expected);
  }));
}

TEST_CASE("journal: a crash at any byte keeps all acknowledged effects, and a prefix of the others") {
  CHECK(rc::check("every crash point, compactions and short writes included", [] {
    memory_files files;
    std::vector<values> states{{}};           // after every effect
    std::vector<std::size_t> acknowledged{};  // for each crash point: states that must have survived
    const auto mark = [&](std::size_t safe) { acknowledged.resize(files.crash_points() + 1, safe); };
    std::size_t safe = 0;
    {
      shard s(files);
      files.write_limit = [](std::size_t size) { return (size + 1) / 2; };
      mark(0);
      bool copied = false;
      for (int n = *rc::gen::inRange(1, 25); n > 0; --n) {
        switch (*rc::gen::inRange(0, 6)) {
          case 0:
            if (!s.log->compacting()) RC_ASSERT(s.log->start_compaction().has_value());
            copied = false;
            break;
          case 1:
            if (s.log->compacting()) copied = s.log->compact_some(s.data, 20).value();
            break;
          case 2:
            if (s.log->compacting() && copied) RC_ASSERT(s.log->finish_compaction().has_value());
            break;
          default:
            apply_any(s);
            states.push_back(dump(s.data));
            RC_ASSERT(s.log->write_out().has_value());
            mark(safe);
            safe = states.size() - 1;
        }
        mark(safe);
        acknowledged.back() = safe;
      }
    }
    // Checks all crash points near changes of state, and a sample of the many inside the header.
    const std::size_t step = 1 + files.crash_points() / 400;
    for (std::size_t point = 0; point <= files.crash_points(); ++point) {
      const bool edge = point > 0 && acknowledged[point] != acknowledged[point - 1];
      if (!edge && point % step != 0) continue;
      memory_files left(files.after_crash(point));
      shard s(left);
      RC_ASSERT(s.error.text == "");
      const values now = dump(s.data);
      bool known = false;
      for (std::size_t at = acknowledged[point]; at < states.size(); ++at) known |= states[at] == now;
      RC_ASSERT(known);
      RC_ASSERT(!left.exists(file_name + ".new"));
    }
  }));
}

TEST_CASE("journal: a prefix of the file at any byte gives a prefix of the records") {
  memory_files files;
  std::vector<std::pair<std::size_t, values>> states;
  {
    shard s(files);
    states.emplace_back(files.bytes(file_name).size(), values{});
    for (int n = 0; n < 6; ++n) {
      s.set("key" + std::to_string(n), std::string(static_cast<std::size_t>(n), 'x'));
      REQUIRE(s.log->write_out());
      states.emplace_back(files.bytes(file_name).size(), dump(s.data));
    }
  }
  const std::string whole = files.bytes(file_name);
  for (std::size_t size = states.front().first; size <= whole.size(); ++size) {
    memory_files left(files.files());
    left.bytes(file_name).resize(size);
    shard s(left);
    REQUIRE(s.error.text.empty());
    const auto last = std::ranges::find_if(states.rbegin(), states.rend(),
                                           [&](const auto& st) { return st.first <= size; });
    CHECK(dump(s.data) == last->second);
    CHECK(s.log->warning().empty() == (last->first == size));
    // Records appended after the cut are found again.
    s.set("more", "1");
    REQUIRE(s.log->write_out());
    CHECK(dump(shard(left).data) == dump(s.data));
  }
}

TEST_CASE("journal: a torn tail is cut with a warning that names file and offset") {
  memory_files files;
  write_three(files);
  std::string& bytes = files.bytes(file_name);
  bytes.back() ^= 1;  // the last record: complete, with a wrong checksum
  const shard s(files);
  REQUIRE(s.error.text.empty());
  CHECK(mentions(s.log->warning(), file_name));
  CHECK(mentions(s.log->warning(), "cut 31 bytes from byte " + std::to_string(bytes.size())));
  CHECK(dump(s.data).size() == 2);
}

TEST_CASE("journal: with damage in the middle it refuses to open, and repair keeps the valid records") {
  CHECK(rc::check("any damaged byte of the middle record", [] {
    memory_files files;
    const std::size_t second = write_three(files);
    const auto at = second + *rc::gen::inRange<std::size_t>(0, 31);
    files.bytes(file_name)[at] ^= static_cast<char>(*rc::gen::inRange(1, 256));
    const std::string damaged = files.bytes(file_name);
    {
      const shard s(files);
      RC_ASSERT(s.log == nullptr);
      RC_ASSERT(s.error.damaged);
      RC_ASSERT(mentions(s.error.text, file_name));
      RC_ASSERT(mentions(s.error.text, "damaged at byte " + std::to_string(second)));
      RC_ASSERT(mentions(s.error.text, "--repair"));
    }
    const auto report = kv::repair_journal(files, options());
    RC_ASSERT(report.has_value());
    RC_ASSERT(report->damaged);
    RC_ASSERT(report->kept == 2u);
    RC_ASSERT(report->lost_records == 1u);
    RC_ASSERT(report->lost_bytes == 31u);
    RC_ASSERT(files.bytes(report->original) == damaged);
    const shard s(files);
    RC_ASSERT(s.error.text == "");
    RC_ASSERT(dump(s.data) == (values{{"a", {"1", kv::never}}, {"c", {"3", kv::never}}}));
  }));
}

TEST_CASE("journal: repair leaves an undamaged journal alone, and never overwrites an earlier damaged file") {
  memory_files files;
  const std::size_t second = write_three(files);
  const auto sound = kv::repair_journal(files, options());
  REQUIRE(sound);
  CHECK_FALSE(sound->damaged);
  CHECK(files.files().size() == 1);
  files.bytes(file_name)[second] ^= 1;
  CHECK(kv::repair_journal(files, options())->original == file_name + ".damaged");
  files.bytes(file_name)[kv::journal_header::size] ^= 1;
  CHECK(kv::repair_journal(files, options())->original == file_name + ".damaged.2");
}

TEST_CASE("journal: one damaged header copy is harmless, two are an error") {
  memory_files files;
  write_three(files);
  files.bytes(file_name)[3] ^= 1;
  CHECK(dump(shard(files).data).size() == 3);
  files.bytes(file_name)[4096 + 20] ^= 1;
  const shard s(files);
  CHECK(mentions(s.error.text, "no valid header"));
  CHECK_FALSE(kv::repair_journal(files, options()));
}

TEST_CASE("journal: another number of shards is refused with advice") {
  memory_files files;
  {
    shard s(files, options(0, 4));
  }
  const shard s(files, options(0, 2));
  CHECK(mentions(s.error.text, "start with --shards 4, or with another --dir"));
  CHECK_FALSE(s.error.damaged);
}

TEST_CASE("journal: a value that looks like a record is not taken for one") {
  memory_files files;
  std::string forged;
  kv::encode_record(forged, 0, 3, {kv::effect_kind::set, "evil", "1"});
  {
    shard s(files);
    s.set("a", "1");
    s.set("b", forged + forged);
    REQUIRE(s.log->write_out());
  }
  files.bytes(file_name).pop_back();
  const shard s(files);
  CHECK(s.error.text.empty());
  CHECK(dump(s.data).size() == 1);
}

TEST_CASE("journal: on a full disk writing fails, and nothing is lost once there is room") {
  memory_files files;
  shard s(files);
  s.set("a", "1");
  REQUIRE(s.log->write_out());
  int room = 40;
  files.write_limit = [&](std::size_t size) {
    const auto taken = std::min(size, static_cast<std::size_t>(room));
    room -= static_cast<int>(taken);
    return taken;
  };
  for (int n = 0; n < 5; ++n) s.set("k" + std::to_string(n), "value");
  const auto failed = s.log->write_out();
  REQUIRE_FALSE(failed);
  CHECK(mentions(failed.error().text, "cannot write the journal '" + file_name + "': "));
  CHECK(s.log->written() == 1);
  REQUIRE_FALSE(s.log->write_out());
  {
    memory_files left(files.files());  // the files after a crash now: the torn record is cut
    CHECK(dump(shard(left).data).size() == 2);
  }
  s.set("late", "value");
  room = 100000;
  REQUIRE(s.log->write_out());
  CHECK(s.log->written() == s.log->recorded());
  CHECK(dump(shard(files).data) == dump(s.data));
}

TEST_CASE("journal: many records are one write, and a sync covers the records written before it") {
  memory_files files;
  shard s(files);
  for (int n = 0; n < 100; ++n) s.set("k" + std::to_string(n), "value");
  files.writes = 0;
  REQUIRE(s.log->write_out());
  CHECK(files.writes == 1);
  CHECK(s.log->durable() == 0);
  const kv::journal::sync_job job = s.log->start_sync();
  s.set("later", "");
  REQUIRE(s.log->write_out());
  REQUIRE(s.log->end_sync(job, job.run()));
  CHECK(s.log->durable() == 100);
  REQUIRE(s.log->sync());
  CHECK(s.log->durable() == 101);
}

TEST_CASE("journal: after a failed sync nothing is acknowledged until a compaction has written it again") {
  memory_files files;
  shard s(files);
  s.set("a", "1");
  REQUIRE(s.log->write_out());
  files.fail_sync = true;
  REQUIRE_FALSE(s.log->sync());
  files.fail_sync = false;
  CHECK(s.log->sync_failed());
  CHECK_FALSE(s.log->sync());
  s.set("b", "2");
  CHECK_FALSE(s.log->write_out());
  CHECK(s.log->durable() == 0);
  REQUIRE(s.log->start_compaction());
  REQUIRE(s.log->compact_some(s.data, 1 << 20).value());
  REQUIRE(s.log->finish_compaction());
  CHECK_FALSE(s.log->sync_failed());
  CHECK(s.log->durable() == 2);
  REQUIRE(s.log->write_out());
  CHECK(dump(shard(files).data) == dump(s.data));
}

TEST_CASE("journal: compaction shrinks the file, and effects during it are kept") {
  memory_files files;
  auto o = options();
  o.compact_from = 10000;
  shard s(files, o);
  CHECK_FALSE(s.log->compaction_due());
  for (int n = 0; n < 1000; ++n) s.set("key" + std::to_string(n % 200), "value");
  REQUIRE(s.log->write_out());
  CHECK(s.log->compaction_due());
  const auto before = s.log->size();
  REQUIRE(s.log->start_compaction());
  CHECK_FALSE(s.log->compaction_due());
  CHECK_FALSE(s.log->finish_compaction());  // not copied yet
  int steps = 1;
  for (int n = 0; !s.log->compact_some(s.data, 100).value(); ++n, ++steps) {
    s.set("key" + std::to_string(n), "changed");
    s.apply({kv::effect_kind::append, "key" + std::to_string(n * 7 % 200), "+"});
    s.apply({kv::effect_kind::erase, "key" + std::to_string(199 - n)});
  }
  CHECK(steps > 2);
  s.set("last", "");
  REQUIRE(s.log->finish_compaction());
  CHECK(s.log->written() == s.log->recorded());
  CHECK(s.log->size() < before / 2);
  CHECK(dump(shard(files).data) == dump(s.data));
  s.set("after", "");
  REQUIRE(s.log->write_out());
  CHECK(dump(shard(files).data) == dump(s.data));
}

TEST_CASE("journal: after a failed compaction the old file stays in use") {
  const auto fails = [](auto&& arrange, auto&& run) {
    memory_files files;
    shard s(files);
    for (int n = 0; n < 300; ++n) s.set("k" + std::to_string(n), "value");
    REQUIRE(s.log->write_out());
    arrange(files);
    CHECK_FALSE(run(s));
    CHECK_FALSE(s.log->compacting());
    CHECK(files.files().size() == 1);
    files.write_limit = nullptr;
    s.set("more", "");
    REQUIRE(s.log->write_out());
    CHECK(dump(shard(files).data) == dump(s.data));
  };
  const auto compact = [](shard& s) {
    if (!s.log->start_compaction()) return false;
    for (;;) {
      const auto done = s.log->compact_some(s.data, 1000);
      if (!done) return false;
      if (*done) return s.log->finish_compaction().has_value();
    }
  };
  fails([](memory_files& f) { f.write_limit = [](std::size_t) { return 0; }; }, compact);
  fails([](memory_files& f) { f.write_limit = [n = 0](std::size_t s) mutable { return ++n > 2 ? 0 : s; }; },
        compact);
  fails([](memory_files& f) { f.fail_sync = true; }, compact);
  fails([](memory_files& f) { f.fail_rename = true; }, compact);
}

TEST_CASE("journal: when the directory cannot be synced after a compaction, nothing is durable") {
  memory_files files;
  shard s(files);
  s.set("a", "1");
  REQUIRE(s.log->start_compaction());
  REQUIRE(s.log->compact_some(s.data, 1000).value());
  files.fail_directory_sync = true;
  CHECK_FALSE(s.log->finish_compaction());
  CHECK(s.log->sync_failed());
  CHECK(s.log->durable() == 0);
}

TEST_CASE("journal: it works on POSIX files") {
  const auto directory =
      std::filesystem::temp_directory_path() / ("kv_journal_test_" + std::to_string(::getpid()));
  {
    auto lock = kv::directory_lock::acquire(directory);
    REQUIRE(lock);
    const auto second = kv::directory_lock::acquire(directory);
    REQUIRE_FALSE(second);
    CHECK(mentions(second.error(), "another server uses it"));
    auto o = options();
    o.directory = directory;
    {
      shard s(kv::posix_files(), o);
      REQUIRE(s.error.text.empty());
      s.set("a", "1");
      REQUIRE(s.log->write_out());
      REQUIRE(s.log->sync());
      REQUIRE(s.log->start_compaction());
      REQUIRE(s.log->compact_some(s.data, 1000).value());
      REQUIRE(s.log->finish_compaction());
      s.set("b", "2");
      REQUIRE(s.log->write_out());
    }
    CHECK(dump(shard(kv::posix_files(), o).data).size() == 2);
  }
  CHECK(kv::directory_lock::acquire(directory));
  std::filesystem::remove_all(directory);
}
