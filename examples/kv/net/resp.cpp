// The decoder of requests, and the length of a reply.
#include "kv/net/resp.hpp"

#include "kv/integer.hpp"
#include "kv/net/reply.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kv {
namespace {

constexpr std::size_t line_break = 2;  // "\r\n"
constexpr std::size_t keep_arguments = 1024;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool ends_word(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

/// Reads a quoted part of an inline argument. `at` points after the opening quote on entry and after the
/// closing one on return. False when the quote is not closed, or when no space follows it.
bool unquote(std::string_view line, std::size_t& at, char quote, std::string& out) {
  while (at < line.size()) {
    const char c = line[at];
    const std::size_t left = line.size() - at;
    if (c == quote) {
      ++at;
      return at == line.size() || is_space(line[at]);
    }
    if (quote == '"' && c == '\\' && left >= 4 && line[at + 1] == 'x' && hex_digit(line[at + 2]) >= 0 &&
        hex_digit(line[at + 3]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3])));
      at += 4;
    } else if (quote == '"' && c == '\\' && left >= 2) {
      out.push_back(unescape(line[at + 1]));
      at += 2;
    } else if (quote == '\'' && c == '\\' && left >= 2 && line[at + 1] == '\'') {
      out.push_back('\'');
      at += 2;
    } else {
      out.push_back(c);
      ++at;
    }
  }
  return false;
}

}  // namespace

resp_codec::step resp_codec::decode(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  if (!failure_.empty()) return fail(failure_);
  if (text.empty()) return wait_for(1);
  return remaining_ != 0 || text.front() == '*' ? decode_multibulk(text) : decode_inline(text);
}

resp_codec::step resp_codec::wait_for(std::size_t bytes) {
  if (bytes > limits_.max_command) return fail("too big request");
  return troupe::decoded<arguments>::need(bytes);
}

resp_codec::step resp_codec::fail(std::string text) {
  failure_ = std::move(text);
  return std::unexpected(
      troupe::error(std::make_error_code(std::errc::bad_message), "ERR Protocol error: " + failure_));
}

/// Ends a command whose arguments are in args_ and that took `bytes` bytes.
resp_codec::step resp_codec::command(std::size_t bytes) {
  pieces_.clear();
  position_ = 0;
  scanned_ = 0;
  remaining_ = 0;
  bulk_ = no_bulk;
  return troupe::decoded<arguments>::of(args_, bytes);
}

/// Forgets the previous command, and frees its memory when it was very large.
void resp_codec::begin_arguments() {
  args_.clear();
  if (args_.capacity() <= keep_arguments) return;
  pieces_.shrink_to_fit();
  args_.shrink_to_fit();
}

/// Looks for `mark` from position_ on; when found, it is scanned_ bytes away. The result does not depend on
/// how much of the line has arrived: a line above the limit is too long even when its end has arrived.
resp_codec::line_status resp_codec::find_line_end(std::string_view input, char mark) {
  const std::string_view rest = input.substr(position_);
  const std::string_view window = rest.substr(0, limits_.max_line + 1);
  const void* hit = scanned_ < window.size()
                        ? std::memchr(window.data() + scanned_, mark, window.size() - scanned_)
                        : nullptr;
  if (hit != nullptr) {
    scanned_ = static_cast<std::size_t>(static_cast<const char*>(hit) - window.data());
    return line_status::found;
  }
  scanned_ = window.size();
  return window.size() > limits_.max_line ? line_status::too_long : line_status::need_more;
}

resp_codec::step resp_codec::decode_inline(std::string_view input) {
  switch (find_line_end(input, '\n')) {
    case line_status::too_long:
      return fail("too big inline request");
    case line_status::need_more:
      return wait_for(scanned_ + 1);
    case line_status::found:
      break;
  }
  std::string_view line = input.substr(0, scanned_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  begin_arguments();
  if (!split_inline(line)) return fail("unbalanced quotes in request");
  return command(scanned_ + 1);
}

bool resp_codec::split_inline(std::string_view line) {
  // Arguments with quotes are copied to unquoted_ without them. The copies are never longer than the line, so
  // unquoted_ does not reallocate and the views stay valid.
  unquoted_.clear();
  unquoted_.reserve(line.size());
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return true;
    const std::size_t from = at;
    while (at < line.size() && !ends_word(line[at]) && line[at] != '"' && line[at] != '\'') ++at;
    if (at == line.size() || ends_word(line[at])) {
      args_.push_back(line.substr(from, at - from));
      continue;
    }
    const std::size_t unquoted_from = unquoted_.size();
    unquoted_.append(line.substr(from, at - from));
    while (at < line.size() && !ends_word(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        unquoted_.push_back(c);
      } else if (!unquote(line, at, c, unquoted_)) {
        return false;
      } else {
        break;
      }
    }
    args_.push_back(std::string_view(unquoted_).substr(unquoted_from));
  }
}

resp_codec::step resp_codec::decode_multibulk(std::string_view input) {
  if (remaining_ == 0) {
    switch (find_line_end(input, '\r')) {
      case line_status::too_long:
        return fail("too big mbulk count string");
      case line_status::need_more:
        return wait_for(scanned_ + line_break);
      case line_status::found:
        break;
    }
    const std::size_t header = scanned_ + line_break;
    if (input.size() < header) return wait_for(header);
    const auto count = parse_integer(input.substr(1, scanned_ - 1));
    if (!count || (*count > 0 && static_cast<std::size_t>(*count) > limits_.max_args)) {
      return fail("invalid multibulk length");
    }
    begin_arguments();
    if (*count <= 0) return command(header);
    position_ = header;
    scanned_ = 0;
    remaining_ = static_cast<std::size_t>(*count);
    // An untrusted peer may announce many arguments: reserve little until they arrive.
    pieces_.reserve(std::min<std::size_t>(remaining_, 64));
  }
  while (remaining_ > 0) {
    if (bulk_ == no_bulk) {
      switch (find_line_end(input, '\r')) {
        case line_status::too_long:
          return fail("too big bulk count string");
        case line_status::need_more:
          return wait_for(position_ + scanned_ + line_break);
        case line_status::found:
          break;
      }
      const std::size_t header_end = position_ + scanned_ + line_break;
      if (input.size() < header_end) return wait_for(header_end);
      const std::string_view header = input.substr(position_, scanned_);
      if (header.empty() || header.front() != '$') {
        return fail(std::string("expected '$', got '") + input[position_] + "'");
      }
      const auto length = parse_integer(header.substr(1));
      if (!length || *length < 0 || static_cast<std::size_t>(*length) > limits_.max_bulk) {
        return fail("invalid bulk length");
      }
      bulk_ = static_cast<std::size_t>(*length);
      position_ = header_end;
      scanned_ = 0;
    }
    const std::size_t bulk_end = position_ + bulk_ + line_break;
    if (input.size() < bulk_end) return wait_for(bulk_end);
    pieces_.push_back({position_, bulk_});
    position_ = bulk_end;
    bulk_ = no_bulk;
    --remaining_;
  }
  for (const piece& p : pieces_) args_.push_back(input.substr(p.offset, p.size));
  return command(position_);
}

std::size_t reply::first_length(std::string_view bytes) {
  // Nested arrays are walked with a count of pending replies, not by recursion.
  std::size_t at = 0;
  for (std::size_t pending = 1; pending > 0; --pending) {
    const std::size_t line_end = bytes.find("\r\n", at);
    if (line_end == std::string_view::npos) return 0;
    const char type = bytes[at];
    const auto length =
        type == '$' || type == '*' ? parse_integer(bytes.substr(at + 1, line_end - at - 1)) : 0;
    if (!length) return 0;
    at = line_end + line_break;
    if (type == '$' && *length >= 0) {
      const auto size = static_cast<std::size_t>(*length) + line_break;
      if (bytes.size() - at < size) return 0;
      at += size;
    }
    if (type == '*' && *length > 0) pending += static_cast<std::size_t>(*length);
  }
  return at;
}

}  // namespace kv
