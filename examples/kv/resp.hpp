// The request side of RESP2: an incremental parser for multibulk and inline commands. One per connection,
// used by one thread at a time. It owns no input: the connection keeps the bytes and shows them again until
// they are consumed.
//
// Work is proportional to the bytes received however they are cut into reads: the parser remembers where it
// is inside a command, as offsets, so that the buffer may move between two calls.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// The arguments of one command, its name first.
using arguments = std::span<const std::string_view>;

/// What one stranger may make the server hold.
struct parser_limits {
  std::size_t max_bulk = std::size_t{64} << 20;      ///< bytes of one argument
  std::size_t max_args = std::size_t{1} << 20;       ///< arguments of one command
  std::size_t max_line = std::size_t{64} << 10;      ///< bytes of an inline command or of a length header
  std::size_t max_command = std::size_t{256} << 20;  ///< bytes of one whole command, as sent
};

enum class parse_status {
  need_more,  ///< all complete commands are out; read more
  command,    ///< args() holds one command
  error,      ///< error() holds the reply; the stream cannot be followed any further: answer it and close
};

class resp_parser {
 public:
  explicit resp_parser(parser_limits limits = {}) : limits_(limits) {}

  /// Looks for one command in `input`, which starts where the previous call stopped consuming: after every
  /// call, drop consumed() bytes from the front (also after need_more: empty commands are skipped silently),
  /// and append what arrives. Never throws but bad_alloc; linear in the bytes it has not seen yet.
  parse_status parse(std::string_view input);

  /// After parse_status::command: its arguments, never empty. They point into `input`, or into the parser
  /// when an inline command had quotes; valid until the next parse() and as long as `input` stays in place.
  arguments args() const { return args_; }

  /// Bytes at the front of `input` that are done with.
  std::size_t consumed() const { return consumed_; }

  /// After parse_status::error: what to send, "ERR Protocol error: ..." as Redis says it.
  std::string_view error() const { return error_; }

  /// After parse_status::need_more: how many bytes, after dropping consumed(), `input` must have at least
  /// before another call can make progress. Lets a reader size its buffer once for a large argument.
  std::size_t wanted() const { return wanted_; }

 private:
  struct piece {
    std::size_t offset;
    std::size_t size;
  };
  enum class line_status { found, need_more, too_long };

  line_status find_line_end(std::string_view input, char mark);
  parse_status parse_inline(std::string_view input);
  parse_status parse_multibulk(std::string_view input);
  parse_status wait_for(std::size_t bytes);
  parse_status fail(std::string text);
  bool split_inline(std::string_view line);
  void begin_command();

  parser_limits limits_;
  std::vector<std::string_view> args_;
  std::vector<piece> pieces_;  // arguments complete so far, relative to the start of the command
  std::string unquoted_;       // bytes of inline arguments that had quotes or escapes
  std::string error_;
  std::size_t start_ = 0;      // where the current command starts in input
  std::size_t position_ = 0;   // next byte to look at, relative to start_
  std::size_t scanned_ = 0;    // bytes from position_ on known to hold no line end
  std::size_t remaining_ = 0;  // arguments still to come; 0 = the header was not read yet
  std::size_t bulk_ = no_bulk;
  std::size_t consumed_ = 0;
  std::size_t wanted_ = 1;

  static constexpr std::size_t no_bulk = static_cast<std::size_t>(-1);
};

}  // namespace kv
