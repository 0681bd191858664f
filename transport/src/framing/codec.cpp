// The error texts that all codecs share.
#include <troupe/transport/codec.hpp>

#include <string>

namespace troupe::detail {

error frame_too_long(std::string_view codec, std::string_view what, std::uint64_t claimed, std::size_t limit,
                     std::string_view option) {
  std::string text(codec);
  text.append(": ").append(what).append(" ").append(std::to_string(claimed));
  text.append(" bytes, and the limit is ").append(std::to_string(limit)).append(" (").append(option);
  text.append("); close the connection, or raise the limit if such frames are meant to come");
  return {std::make_error_code(std::errc::message_size), std::move(text)};
}

error frame_not_sent(std::string_view codec, std::size_t size, std::size_t limit, std::string_view option) {
  std::string text(codec);
  text.append(": a frame of ").append(std::to_string(size)).append(" bytes was not sent: the limit is ");
  text.append(std::to_string(limit)).append(" (").append(option);
  text.append("); send less at a time, or raise the limit at both ends");
  return {std::make_error_code(std::errc::message_size), std::move(text)};
}

error frame_cut_off(std::string_view codec, std::size_t came, std::size_t missing) {
  std::string text(codec);
  text.append(": the stream ended inside a frame: ").append(std::to_string(came));
  text.append(" bytes of it came, and at least ").append(std::to_string(missing));
  text.append(missing == 1 ? " is missing" : " are missing");
  return {std::make_error_code(std::errc::connection_aborted), std::move(text)};
}

error bad_frame(std::string_view codec, std::string_view why) {
  return {std::make_error_code(std::errc::bad_message), std::string(codec).append(": ").append(why)};
}

error bad_codec_option(std::string_view codec, std::string_view why) {
  return {make_error_code(errc::invalid_argument), std::string(codec).append(": ").append(why)};
}

error codec_without_progress(std::string_view codec, std::size_t took, std::size_t shown) {
  return {make_error_code(errc::invalid_argument),
          std::string(codec) + ": decode() says that its frame took " + std::to_string(took) +
              " bytes of the " + std::to_string(shown) + " it was shown; it must be at least one of them"};
}

}  // namespace troupe::detail
