// Glob matching without recursion.
#include "kv/shard/glob.hpp"

#include <algorithm>

namespace kv {
namespace {

/// Matches one character against the set whose '[' is at `at`, and leaves `at` after its ']'. An unclosed set
/// ends with the pattern.
bool match_set(std::string_view pattern, std::size_t& at, char c) {
  ++at;
  const bool inverted = at < pattern.size() && pattern[at] == '^';
  if (inverted) ++at;
  bool hit = false;
  while (at < pattern.size() && pattern[at] != ']') {
    const std::size_t left = pattern.size() - at;
    if (pattern[at] == '\\' && left >= 2) {
      hit |= pattern[at + 1] == c;
      at += 2;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      const auto [low, high] = std::minmax(pattern[at], pattern[at + 2]);
      hit |= c >= low && c <= high;
      at += 3;
    } else {
      hit |= pattern[at] == c;
      ++at;
    }
  }
  if (at < pattern.size()) ++at;
  return hit != inverted;
}

/// Matches one character against the element of the pattern at `at`, which is not '*', and leaves `at` after
/// it.
bool match_one(std::string_view pattern, std::size_t& at, char c) {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[':
      return match_set(pattern, at, c);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return pattern[at++] == c;
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t read = 0;
  // On a mismatch only the last '*' needs to match more: any text that an earlier '*' could match further,
  // the last one can match as well.
  std::size_t star = std::string_view::npos;
  std::size_t star_read = 0;
  for (;;) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      star_read = read;
      if (at == pattern.size()) return true;
      continue;
    }
    if (read == text.size()) {
      return at == pattern.size();
    }
    if (at < pattern.size() && match_one(pattern, at, text[read])) {
      ++read;
      continue;
    }
    if (star == std::string_view::npos) return false;
    at = star;
    read = ++star_read;
  }
}

}  // namespace kv
