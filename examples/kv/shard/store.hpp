// The keys of one shard: strings that may expire. Owned by the shard, used by one thread at a time. It has no
// clock: the caller passes `now`, and within one call `now` stands still.
//
// A key that expires at t is gone for every operation from `now` = t on; the memory goes when the key is next
// touched, or by expire_some.
#pragma once

#include "kv/journal/effect.hpp"
#include "kv/shard/keyspace.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace kv {

enum class set_condition : std::uint8_t { always, if_absent, if_present };

enum class expire_condition : std::uint8_t {
  always = 0,
  if_never = 1,     ///< NX: only keys that do not expire yet
  if_expiring = 2,  ///< XX: only keys that do
  if_later = 4,     ///< GT: only to a later time; never is later than all
  if_earlier = 8,   ///< LT: only to an earlier time
};

enum class expire_outcome : std::uint8_t { refused, changed, erased };

enum class value_error : std::uint8_t { not_an_integer, overflow, too_long };

struct set_options {
  set_condition condition = set_condition::always;
  unix_ms expires_at = never;
  bool keep_expiry = false;
  std::optional<std::string>* previous = nullptr;  ///< takes the value before, also when the condition fails
};

class store {
 public:
  struct options {
    std::uint64_t seed =
        0;  ///< random, and the same for all incarnations of a shard: SCAN cursors depend on it
    std::size_t max_value = std::size_t{512} << 20;
  };

  store() : store(options{}) {}
  explicit store(options o) : keys_(key_hash{o.seed}), max_value_(o.max_value) {}

  /// The live entry of a key or nullptr; valid until the next call that changes the store.
  const entry* find(std::string_view key, unix_ms now) { return live(key, keys_.hash(key), now); }

  /// The entry as it is now, or nullptr when the condition failed.
  const entry* set(std::string_view key, std::string_view value, unix_ms now, set_options how = {});

  /// False when the key was not there.
  bool erase(std::string_view key, unix_ms now);

  /// Adds to the integer that the value spells; an absent key counts as 0. Keeps the expiry.
  std::expected<const entry*, value_error> add(std::string_view key, std::int64_t delta, unix_ms now);

  /// Makes the value longer; an absent key counts as empty. Keeps the expiry.
  std::expected<const entry*, value_error> append(std::string_view key, std::string_view suffix, unix_ms now);

  /// Sets when a live key expires; a time that is not in the future erases it. `conditions` is a set of bits.
  expire_outcome expire(std::string_view key, unix_ms at, unsigned conditions, unix_ms now);

  /// False when the key was not there or did not expire.
  bool persist(std::string_view key, unix_ms now);

  /// Keys, with those that are expired but not removed yet, as Redis counts. O(1).
  std::size_t size() const { return keys_.size(); }

  void clear() { keys_.clear(); }

  /// Visits about `count` live entries (never less than one segment) from `position` on and returns where to
  /// go on; 0 at the end. A key that is there during a whole walk from 0 to 0 is visited, whatever changes
  /// meanwhile; some may come twice.
  template <class Visit>
  hash_position scan(hash_position position, std::size_t count, unix_ms now, Visit&& visit) {
    std::size_t seen = 0;
    do {
      position = keys_.visit_segment(position, [&](const entry& e) {
        ++seen;
        if (e.expires_at > now) visit(e);
      });
    } while (position != 0 && seen < count);
    return position;
  }

  /// Visits every entry of the segment at `position`, expired or not, and returns where to go on; 0 at the
  /// end.
  template <class Visit>
  hash_position visit_some(hash_position position, Visit&& visit) const {
    return keys_.visit_segment(position, visit);
  }

  /// One step of the sweep: goes on where the last call stopped, and ends when `limit` keys were removed,
  /// when `limit` segments of up to 64 keys were looked at, or after a whole round. Returns how many keys it
  /// removed: when that is `limit` or more, call again soon.
  std::size_t expire_some(unix_ms now, std::size_t limit);

  /// Repeats an effect. With all effects since the start, in order, the store is as it was.
  void apply(const effect& e);

 private:
  entry* live(std::string_view key, std::uint64_t hash, unix_ms now) {
    entry* e = keys_.find(key, hash);
    if (e == nullptr || e->expires_at > now) [[likely]]
      return e;
    keys_.erase(e);
    return nullptr;
  }

  keyspace keys_;
  std::size_t max_value_;
  hash_position sweep_ = 0;
};

}  // namespace kv
