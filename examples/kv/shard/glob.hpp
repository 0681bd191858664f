// Glob patterns as in Redis: * ? [abc] [^abc] [a-z], and \ before a literal character. Pure. One difference:
// an empty text matches every pattern that consists of stars; Redis finds an empty key by "*" but not by
// "**".
#pragma once

#include <string_view>

namespace kv {

/// True when all of `text` matches `pattern`.
/// Cost: at most size of pattern times size of text, also for patterns from an untrusted peer.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace kv
