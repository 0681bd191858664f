// The effect of a command on a store, as data. Journals record effects, and a replay applies them. Effects
// depend on neither a clock nor the previous state, except `append`, which extends the value that earlier
// effects made.
#pragma once

#include "kv/shard/keyspace.hpp"

#include <cstdint>
#include <string_view>

namespace kv {

enum class effect_kind : std::uint8_t {
  set = 1,     ///< key has value and expires_at
  erase = 2,   ///< key is gone
  expire = 3,  ///< key has expires_at, the same value
  append = 4,  ///< value is appended to the key's value; a new key does not expire
  clear = 5,   ///< all keys are gone
};

struct effect {
  effect_kind kind;
  std::string_view key{};
  std::string_view value{};
  unix_ms expires_at = never;
};

/// Receives effects in the order in which they happened. The views are valid during the call only.
class effect_sink {
 public:
  virtual void record(const effect& e) = 0;

 protected:
  ~effect_sink() = default;
};

}  // namespace kv
