// The store compared with a std::map, and the guarantees of its hash table: cursors, sweeps, chains.
#include "kv/shard/store.hpp"

#include "kv/shard/glob.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <map>
#include <set>

namespace {

struct model_value {
  std::string value;
  kv::unix_ms expires_at = kv::never;
};

class model {
 public:
  model_value* find(const std::string& key, kv::unix_ms now) {
    const auto at = values_.find(key);
    return at == values_.end() || at->second.expires_at <= now ? nullptr : &at->second;
  }
  void set(const std::string& key, model_value v) { values_[key] = std::move(v); }
  void erase(const std::string& key) { values_.erase(key); }
  std::set<std::string> live(kv::unix_ms now) const {
    std::set<std::string> keys;
    for (const auto& [key, v] : values_) {
      if (v.expires_at > now) keys.insert(key);
    }
    return keys;
  }

 private:
  std::map<std::string, model_value> values_;
};

std::set<std::string> scan_all(kv::store& store, kv::unix_ms now) {
  std::set<std::string> keys;
  store.scan(0, static_cast<std::size_t>(-1), now,
             [&](const kv::entry& e) { keys.insert(std::string(e.key())); });
  return keys;
}

/// A text is an integer when printing the parsed value gives the same text.
std::optional<std::int64_t> as_integer(const std::string& text) {
  const std::int64_t value = std::strtoll(text.c_str(), nullptr, 10);
  return std::to_string(value) == text ? std::optional(value) : std::nullopt;
}

bool fails_with(const std::expected<const kv::entry*, kv::value_error>& result, kv::value_error error) {
  return !result && result.error() == error;
}

/// A store and its model, to which it applies the same operations.
class compared_store {
 public:
  /// One operation on one of a few keys.
  void step() {
    const std::string key = "k" + std::to_string(*rc::gen::inRange(0, 12));
    const auto value = *rc::gen::element<std::string>("", "1", "41", "-7", "007", "9223372036854775807",
                                                      "text", std::string(40, 'v'));
    model_value* const known = expected_.find(key, now_);
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
        return set(key, value, known);
      case 1:
        return erase(key, known);
      case 2:
        return add(key, known);
      case 3:
        return append(key, known);
      case 4:
        return expire(key, known);
      case 5:
        return persist(key, known);
      case 6:
        now_ += *rc::gen::inRange(0, 20);
        return;
      case 7:
        store_.expire_some(now_, static_cast<std::size_t>(*rc::gen::inRange(1, 10)));
        return;
      default:
        return find(key, known);
    }
  }

  void same_keys() { RC_ASSERT(scan_all(store_, now_) == expected_.live(now_)); }

 private:
  void set(const std::string& key, const std::string& value, const model_value* known) {
    const auto condition = *rc::gen::element(kv::set_condition::always, kv::set_condition::if_absent,
                                             kv::set_condition::if_present);
    const kv::unix_ms expiry = *rc::gen::elementOf(std::vector<kv::unix_ms>{kv::never, now_ + 3, now_ + 50});
    const bool keep = *rc::gen::arbitrary<bool>();
    std::optional<std::string> previous;
    const kv::entry* e = store_.set(key, value, now_, {condition, expiry, keep, &previous});
    RC_ASSERT(previous == (known ? std::optional(known->value) : std::nullopt));
    const bool stores = condition == kv::set_condition::always ||
                        (condition == kv::set_condition::if_present) == (known != nullptr);
    RC_ASSERT((e != nullptr) == stores);
    if (stores) expected_.set(key, {value, keep && known ? known->expires_at : expiry});
  }

  void erase(const std::string& key, const model_value* known) {
    RC_ASSERT(store_.erase(key, now_) == (known != nullptr));
    expected_.erase(key);
  }

  void add(const std::string& key, const model_value* known) {
    const auto delta = *rc::gen::element<std::int64_t>(1, -1, 5, std::numeric_limits<std::int64_t>::max(),
                                                       std::numeric_limits<std::int64_t>::min());
    const auto sum = store_.add(key, delta, now_);
    const std::optional<std::int64_t> before = known ? as_integer(known->value) : 0;
    __extension__ __int128 wide = delta;
    wide += before.value_or(0);
    if (!before) {
      RC_ASSERT(fails_with(sum, kv::value_error::not_an_integer));
    } else if (wide > std::numeric_limits<std::int64_t>::max() ||
               wide < std::numeric_limits<std::int64_t>::min()) {
      RC_ASSERT(fails_with(sum, kv::value_error::overflow));
    } else {
      RC_ASSERT(sum.has_value());
      expected_.set(key,
                    {std::to_string(static_cast<std::int64_t>(wide)), known ? known->expires_at : kv::never});
    }
  }

  void append(const std::string& key, const model_value* known) {
    const auto done = store_.append(key, "0", now_);
    RC_ASSERT(done.has_value());
    expected_.set(key, {(known ? known->value : "") + "0", known ? known->expires_at : kv::never});
  }

  void expire(const std::string& key, model_value* known) {
    const kv::unix_ms at = now_ + *rc::gen::inRange(-5, 60);
    const auto conditions = *rc::gen::element(0u, 1u, 2u, 4u, 8u);
    const auto outcome = store_.expire(key, at, conditions, now_);
    const bool refused = !known || (conditions == 1 && known->expires_at != kv::never) ||
                         (conditions == 2 && known->expires_at == kv::never) ||
                         (conditions == 4 && at <= known->expires_at) ||
                         (conditions == 8 && at >= known->expires_at);
    if (refused) {
      RC_ASSERT(outcome == kv::expire_outcome::refused);
    } else if (at <= now_) {
      RC_ASSERT(outcome == kv::expire_outcome::erased);
      expected_.erase(key);
    } else {
      RC_ASSERT(outcome == kv::expire_outcome::changed);
      known->expires_at = at;
    }
  }

  void persist(const std::string& key, model_value* known) {
    const bool done = store_.persist(key, now_);
    RC_ASSERT(done == (known && known->expires_at != kv::never));
    if (done) known->expires_at = kv::never;
  }

  void find(const std::string& key, const model_value* known) {
    const kv::entry* e = store_.find(key, now_);
    RC_ASSERT((e != nullptr) == (known != nullptr));
    if (e) RC_ASSERT(e->value() == known->value && e->expires_at == known->expires_at);
  }

  kv::store store_;
  model expected_;
  kv::unix_ms now_ = 1000;
};

struct colliding_hash {
  std::uint64_t mask = 0;
  std::uint64_t operator()(std::string_view key) const { return kv::hash_bytes(key, 7) & mask; }
};

}  // namespace

TEST_CASE("store: every operation agrees with a std::map") {
  CHECK(rc::check("any sequence of operations", [] {
    compared_store store;
    const auto steps = *rc::gen::inRange(0, 400);
    for (int step = 0; step < steps; ++step) store.step();
    store.same_keys();
  }));
}

TEST_CASE("store: a scan reports every key that is present throughout, whatever changes meanwhile") {
  CHECK(rc::check("scan guarantee", [] {
    kv::store store({.seed = *rc::gen::arbitrary<std::uint64_t>()});
    const int constant = *rc::gen::inRange(0, 2000);
    int churn = *rc::gen::inRange(0, 4000);
    std::set<std::string> missing;
    for (int i = 0; i < constant; ++i) missing.insert("stay" + std::to_string(i));
    for (const auto& key : missing) store.set(key, "", 0);
    for (int i = 0; i < churn; ++i) store.set("go" + std::to_string(i), "", 0);
    const auto count = static_cast<std::size_t>(*rc::gen::inRange(1, 300));
    kv::hash_position position = 0;
    do {
      position =
          store.scan(position, count, 0, [&](const kv::entry& e) { missing.erase(std::string(e.key())); });
      RC_ASSERT((position & 0xffffffff) == 0u);
      const bool grow = *rc::gen::arbitrary<bool>();
      for (int i = 0; i < 500; ++i) {
        if (grow) {
          store.set("go" + std::to_string(churn++), "", 0);
        } else if (churn > 0) {
          store.erase("go" + std::to_string(--churn), 0);
        }
      }
    } while (position != 0);
    RC_ASSERT(missing.empty());
  }));
}

TEST_CASE("store: the sweep removes expired keys, and no others") {
  kv::store store;
  for (int i = 0; i < 5000; ++i) {
    store.set("key" + std::to_string(i), "", 0, {.expires_at = i % 2 == 0 ? 100 : 1000 + i});
  }
  REQUIRE(store.size() == 5000);
  std::size_t removed = 0;
  for (int round = 0; round < 100; ++round) removed += store.expire_some(100, 64);
  CHECK(removed == 2500);
  CHECK(store.size() == 2500);
  CHECK(store.expire_some(999, 10000) == 0);
  for (int round = 0; round < 1000; ++round) store.expire_some(10000, 64);
  CHECK(store.size() == 0);
}

TEST_CASE("store: one step of the sweep is bounded") {
  kv::store store;
  for (int i = 0; i < 5000; ++i) store.set("key" + std::to_string(i), "", 0, {.expires_at = 1});
  CHECK(store.expire_some(2, 10) < 10 + 64);
}

TEST_CASE("store: the last change of an expiry counts") {
  kv::store store;
  store.set("a", "", 0, {.expires_at = 1000});
  store.expire("a", 10, 0, 0);
  CHECK(store.expire_some(10, 100) == 1);
  store.set("b", "", 20, {.expires_at = 30});
  store.expire("b", 100, 0, 20);
  CHECK(store.expire_some(50, 100) == 0);
  CHECK(store.find("b", 50) != nullptr);
  CHECK(store.expire_some(100, 100) == 1);
}

TEST_CASE("store: append refuses to exceed the limit") {
  kv::store store({.max_value = 8});
  REQUIRE(store.append("a", "12345", 0).has_value());
  CHECK(fails_with(store.append("a", "6789", 0), kv::value_error::too_long));
  CHECK(store.find("a", 0)->value() == "12345");
}

TEST_CASE("keyspace: colliding hashes cost time, not correctness or unbounded memory") {
  CHECK(rc::check("chains behave as the plain table", [] {
    const std::uint64_t mask =
        *rc::gen::element<std::uint64_t>(0, 1, 0xff, 0xff00000000000000, 0x3, ~std::uint64_t{0});
    kv::basic_keyspace<colliding_hash> keys(colliding_hash{mask});
    std::map<std::string, std::string> expected;
    const int steps = *rc::gen::inRange(0, 3000);
    const int range = *rc::gen::inRange(1, 600);
    std::uint64_t random = *rc::gen::arbitrary<std::uint64_t>();
    for (int step = 0; step < steps; ++step) {
      random = kv::hash_bytes("next", random);
      const std::string key = std::to_string(random % static_cast<std::uint64_t>(range));
      const std::uint64_t hash = keys.hash(key);
      kv::entry* e = keys.find(key, hash);
      RC_ASSERT((e != nullptr) == expected.contains(key));
      const bool growing = step % 1000 < 600;
      if (e == nullptr && growing) {
        keys.insert(key, hash, std::to_string(step), kv::never);
        expected[key] = std::to_string(step);
      } else if (e != nullptr && !growing) {
        RC_ASSERT(e->value() == expected[key]);
        keys.erase(e);
        expected.erase(key);
      }
    }
    RC_ASSERT(keys.size() == expected.size());
    std::map<std::string, std::string> seen;
    kv::hash_position at = 0;
    do {
      at = keys.visit_segment(at, [&](const kv::entry& e) { seen[std::string(e.key())] = e.value(); });
    } while (at != 0);
    RC_ASSERT(seen == expected);
  }));
}

TEST_CASE("hash: keys spread evenly over shards and depend on the seed") {
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[kv::shard_of("key:" + std::to_string(i), counts.size())];
  for (const int count : counts) {
    CHECK(count > 9500);
    CHECK(count < 10500);
  }
  std::set<std::uint64_t> hashes;
  for (std::size_t size = 0; size < 64; ++size) {
    for (const std::uint64_t seed : {0u, 1u}) hashes.insert(kv::hash_bytes(std::string(size, 'a'), seed));
  }
  CHECK(hashes.size() == 128);
}

TEST_CASE("hash: the shard of a key never changes") {
  // Journals on disk depend on these values: a change of the hash needs a new journal version.
  CHECK(kv::shard_of("", 1000) == 675);
  CHECK(kv::shard_of("a", 1000) == 716);
  CHECK(kv::shard_of("key:000000000042", 1000) == 403);
  CHECK(kv::shard_of(std::string(100, 'x'), 1000) == 700);
}

TEST_CASE("glob: matches as Redis does") {
  using kv::glob_match;
  CHECK(glob_match("*", ""));
  CHECK(glob_match("h?llo", "hello"));
  CHECK_FALSE(glob_match("h?llo", "hllo"));
  CHECK(glob_match("h*llo", "heeeello"));
  CHECK(glob_match("h[ae]llo", "hallo"));
  CHECK_FALSE(glob_match("h[^e]llo", "hello"));
  CHECK(glob_match("h[a-c]llo", "hbllo"));
  CHECK(glob_match("h[c-a]llo", "hbllo"));
  CHECK(glob_match("\\*", "*"));
  CHECK_FALSE(glob_match("\\*", "x"));
  CHECK(glob_match("[abc", "b"));
  CHECK(glob_match("a\\", "a\\"));
  CHECK(glob_match("*a*b*c*", "xxaxxbxxcxx"));
  CHECK_FALSE(glob_match("*a*b*c", "xxaxxbxxcxx"));
  CHECK_FALSE(glob_match(std::string(60, '*') + "b", std::string(10000, 'a')));
}
