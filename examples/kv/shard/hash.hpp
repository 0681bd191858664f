// The hash of keys: 64 bits, seeded. Folded 128-bit multiplication as in wyhash (Wang Yi, public domain) and
// its descendants: two multiplications for keys of up to 16 bytes. Pure.
//
// Shards are chosen with a fixed seed, because a key must find its journal again after a restart. Inside a
// shard the keyspace uses a random seed, so that an untrusted peer cannot prepare keys that collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kv {

namespace detail {

__extension__ using uint128 = unsigned __int128;

inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const uint128 product = static_cast<uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load8(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::uint64_t load4(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace detail

inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  // Odd constants with as many ones as zeros: the fractional digits of the golden ratio, of pi and of e.
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0x243f6a8885a308d3, k2 = 0xb7e151628aed2a6b;
  const char* at = bytes.data();
  const std::size_t size = bytes.size();
  seed ^= detail::fold(seed ^ k0, k1);
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (size > 16) {
    for (std::size_t left = size; left > 16; left -= 16, at += 16) {
      seed = detail::fold(detail::load8(at) ^ k1, detail::load8(at + 8) ^ seed);
    }
    const char* last = bytes.data() + size;  // the last 16 bytes, which may overlap those already read
    a = detail::load8(last - 16);
    b = detail::load8(last - 8);
  } else if (size >= 8) {
    a = detail::load8(at);
    b = detail::load8(at + size - 8);
  } else if (size >= 4) {
    a = detail::load4(at);
    b = detail::load4(at + size - 4);
  } else if (size > 0) {
    const auto byte = [at](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
    a = byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
  }
  const std::uint64_t mixed = detail::fold(a ^ k1, b ^ seed);
  return detail::fold(mixed ^ k2, k0 ^ size ^ seed);
}

/// The shard of a key. It must never change: journals on disk depend on it.
inline std::size_t shard_of(std::string_view key, std::size_t shard_count) {
  return static_cast<std::size_t>((detail::uint128{hash_bytes(key, 0)} * shard_count) >> 64);
}

/// Hashes the keys of one store; the seed should be random, one for each process.
struct key_hash {
  std::uint64_t seed = 0;
  std::uint64_t operator()(std::string_view key) const { return hash_bytes(key, seed); }
};

}  // namespace kv
