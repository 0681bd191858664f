// The keys of one shard: strings that may expire. Owned by the shard, used by one thread at a time. It has no
// clock: the caller passes `now`, which is constant within one call.
//
// A key that expires at t is absent for every operation from `now` = t on. Its memory is freed when the key
// is next accessed, or by expire_some.
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
  if_never = 1,     ///< NX: only keys that do not expire
  if_expiring = 2,  ///< XX: only keys that expire
  if_later = 4,     ///< GT: only to a later time; never is later than all
  if_earlier = 8,   ///< LT: only to an earlier time
};

enum class expire_outcome : std::uint8_t { refused, changed, erased };

enum class value_error : std::uint8_t { not_an_integer, overflow, too_long };

struct set_options {
  set_condition condition = set_condition::always;
  unix_ms expires_at = never;
  bool keep_expiry = false;
  std::optional<std::string>* previous =
      nullptr;  ///< receives the previous value, also when the condition fails
};

class store {
 public:
  struct options {
    /// Random, and the same for all incarnations of a shard: SCAN cursors depend on it.
    std::uint64_t seed = 0;
    std::size_t max_value = std::size_t{512} << 20;
  };

  store() : store(options{}) {}
  explicit store(options o) : keys_(key_hash{o.seed}), max_value_(o.max_value) {}

  /// The live entry of a key or nullptr; valid until the next call that changes the store.
  const entry* find(std::string_view key, unix_ms now) { return live(key, keys_.hash(key), now); }

  /// Sets a key. Returns its entry, or nullptr when the condition failed.
  const entry* set(std::string_view key, std::string_view value, unix_ms now, set_options how = {});

  /// Removes a key. False when it was absent.
  bool erase(std::string_view key, unix_ms now);

  /// Adds to a value that is an integer; an absent key counts as 0. Keeps the expiry.
  std::expected<const entry*, value_error> add(std::string_view key, std::int64_t delta, unix_ms now);

  /// Appends to a value; an absent key counts as empty. Keeps the expiry.
  std::expected<const entry*, value_error> append(std::string_view key, std::string_view suffix, unix_ms now);

  /// Sets the expiry of a live key; a time that is not in the future erases it. `conditions` are bits of
  /// expire_condition.
  expire_outcome expire(std::string_view key, unix_ms at, unsigned conditions, unix_ms now);

  /// Removes the expiry of a key. False when the key was absent or had none.
  bool persist(std::string_view key, unix_ms now);

  /// The number of keys, including expired ones that are not removed yet, as Redis counts. O(1).
  std::size_t size() const { return keys_.size(); }

  void clear() { keys_.clear(); }

  /// Visits about `count` live entries (at least one segment) from `position` on and returns the next
  /// position; 0 at the end. A key that is present during a whole walk from 0 to 0 is visited at least once,
  /// maybe twice, whatever changes meanwhile.
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

  /// Visits every entry of the segment at `position`, expired or not, and returns the next position; 0 at the
  /// end.
  template <class Visit>
  hash_position visit_some(hash_position position, Visit&& visit) const {
    return keys_.visit_segment(position, visit);
  }

  /// One step of the sweep of expired keys. Continues where the last call stopped, and ends after `limit`
  /// removed keys, after `limit` segments of up to 64 keys, or at the end of the table. Returns the number of
  /// removed keys: when that is `limit` or more, call again soon.
  std::size_t expire_some(unix_ms now, std::size_t limit);

  /// Applies an effect. Applying all effects since the start, in order, restores the store.
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
