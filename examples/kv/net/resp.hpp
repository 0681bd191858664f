// The request side of RESP2 as a codec of troupe::framed: multibulk and inline commands. One for each
// connection, used by one thread at a time. It owns no input: the bytes stay in framed's buffer until their
// command is done.
//
// Its work is linear in the bytes received, however they are split into reads: the codec remembers its
// position inside a command as offsets, so the buffer may move between two calls.
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

/// Limits on the memory that one untrusted peer can make the server hold.
struct parser_limits {
  std::size_t max_bulk = std::size_t{64} << 20;      ///< bytes of one argument
  std::size_t max_args = std::size_t{1} << 20;       ///< arguments of one command
  std::size_t max_line = std::size_t{64} << 10;      ///< bytes of an inline command or of a length header
  std::size_t max_command = std::size_t{256} << 20;  ///< bytes of one whole command, as sent
};

class resp_codec {
 public:
  /// The arguments of a command; none for an empty command ("*0", a blank line), which is not answered. They
  /// point into the input, or into the codec when an inline command had quotes. Valid until the next decode()
  /// and while the input stays in place.
  using frame_type = arguments;
  static constexpr std::string_view name = "resp_codec";

  explicit resp_codec(parser_limits limits = {}) : limits_(limits) {}

  std::size_t max_encoded() const { return limits_.max_command; }

  /// Decodes the next command.
  /// Errors: std::errc::bad_message; its text is the reply for the client, "ERR Protocol error: ..." as Redis
  /// words it. Answer it and close. Throws only bad_alloc.
  /// Cost: linear in the bytes that earlier calls have not seen.
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
  std::string failure_;        // not empty: decoding has failed, and fails from now on
  // Offsets count from the start of the command.
  std::size_t position_ = 0;   // next byte to look at
  std::size_t scanned_ = 0;    // bytes from position_ on known to hold no line end
  std::size_t remaining_ = 0;  // arguments still to come; 0 = the header was not read yet
  std::size_t bulk_ = no_bulk;

  static constexpr std::size_t no_bulk = static_cast<std::size_t>(-1);
};

}  // namespace kv
