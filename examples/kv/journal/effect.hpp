// What a command did to a store, as data: what journals hold and replay applies. Effects never depend on a
// clock or on what was there before, but for `append`, whose suffix goes behind the value that earlier
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
  append = 4,  ///< key's value is longer by value; a new key does not expire
  clear = 5,   ///< no key is there
};

struct effect {
  effect_kind kind;
  std::string_view key{};
  std::string_view value{};
  unix_ms expires_at = never;
};

/// Takes effects in the order in which they happened. The views die with the call.
class effect_sink {
 public:
  virtual void record(const effect& e) = 0;

 protected:
  ~effect_sink() = default;
};

}  // namespace kv
