// The request side of RESP2 as a codec of troupe::framed: multibulk and inline commands. One per connection,
// used by one thread at a time. It owns no input: the bytes stay with framed until their command is done.
//
// Work is proportional to the bytes received however they are cut into reads: the codec remembers where it
// is inside a command, as offsets, so that the buffer may move between two calls.
#pragma once

#include <troupe/transport/codec.hpp>

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

class resp_codec {
 public:
  /// A command's arguments, none for an empty command ("*0", a blank line), which is not answered. They
  /// point into the input, or into the codec when an inline command had quotes; valid until the next
  /// decode() and as long as the input stays in place.
  using frame_type = arguments;
  static constexpr std::string_view name = "resp_codec";

  explicit resp_codec(parser_limits limits = {}) : limits_(limits) {}

  std::size_t max_encoded() const { return limits_.max_command; }

  /// An error is std::errc::bad_message, and its text what the client is to be told: "ERR Protocol error:
  /// ..." as Redis says it; answer it and close. Throws nothing but bad_alloc; linear in the bytes it has not
  /// seen.
  troupe::result<troupe::decoded<arguments>> decode(std::span<const std::byte> input);

 private:
  struct piece {
    std::size_t offset;
    std::size_t size;
  };
  enum class line_status { found, need_more, too_long };

  using step = troupe::result<troupe::decoded<arguments>>;

  line_status find_line_end(std::string_view input, char mark);
  step decode_inline(std::string_view input);
  step decode_multibulk(std::string_view input);
  step wait_for(std::size_t bytes);
  step fail(std::string text);
  step command(std::size_t bytes);
  bool split_inline(std::string_view line);
  void begin_arguments();

  parser_limits limits_;
  std::vector<std::string_view> args_;
  std::vector<piece> pieces_;  // arguments complete so far
  std::string unquoted_;       // bytes of inline arguments that had quotes or escapes
  std::string failure_;        // not empty: the stream cannot be followed any further
  // Offsets count from the start of the command.
  std::size_t position_ = 0;   // next byte to look at
  std::size_t scanned_ = 0;    // bytes from position_ on known to hold no line end
  std::size_t remaining_ = 0;  // arguments still to come; 0 = the header was not read yet
  std::size_t bulk_ = no_bulk;

  static constexpr std::size_t no_bulk = static_cast<std::size_t>(-1);
};

}  // namespace kv
