// Encoding of RESP2 replies: each function appends one reply to a byte buffer, which the caller owns. Pure.
#pragma once

#include "kv/integer.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace kv::reply {

/// Constant replies, ready to append.
inline constexpr std::string_view ok = "+OK\r\n";
inline constexpr std::string_view null_bulk = "$-1\r\n";
inline constexpr std::string_view zero = ":0\r\n";
inline constexpr std::string_view one = ":1\r\n";
inline constexpr std::string_view empty_array = "*0\r\n";

inline void header(std::string& out, char type, std::int64_t value) {
  char line[24];
  line[0] = type;
  char* end = std::to_chars(line + 1, line + 21, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line, static_cast<std::size_t>(end - line));
}

/// `text` must not contain line breaks: it never comes from a client.
inline void simple(std::string& out, std::string_view text) {
  out.push_back('+');
  out.append(text);
  out.append("\r\n");
}

/// `text` starts with the error's code ("ERR ..."). It may quote a client: line breaks become spaces.
inline void error(std::string& out, std::string_view text) {
  out.push_back('-');
  const std::size_t from = out.size();
  out.append(text);
  for (std::size_t at = from; at < out.size(); ++at) {
    if (out[at] == '\r' || out[at] == '\n') out[at] = ' ';
  }
  out.append("\r\n");
}

inline void integer(std::string& out, std::int64_t value) {
  header(out, ':', value);
}

inline void bulk(std::string& out, std::string_view bytes) {
  header(out, '$', static_cast<std::int64_t>(bytes.size()));
  out.append(bytes);
  out.append("\r\n");
}

inline void null(std::string& out) {
  out.append(null_bulk);
}

/// The header of an array; `count` replies must follow.
inline void array(std::string& out, std::size_t count) {
  header(out, '*', static_cast<std::int64_t>(count));
}

/// The length of the first reply in `bytes`; 0 when that reply is not complete.
std::size_t first_length(std::string_view bytes);

}  // namespace kv::reply
