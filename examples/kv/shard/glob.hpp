// Glob patterns as Redis matches keys against: * ? [abc] [^abc] [a-z] and \ before a character that means
// itself. Pure. One difference: an empty text matches every pattern of stars only; Redis finds an empty key
// by "*" but not by "**".
#pragma once

#include <string_view>

namespace kv {

/// True when the whole of `text` matches `pattern`. At most pattern times text steps, whatever a stranger
/// sends.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace kv
