// The frame deadline of framed: its error text and the time that is left.
#include <troupe/transport/framed.hpp>

#include <string>

namespace troupe::detail {

result<std::size_t> name_frame_deadline(result<std::size_t> got, std::string_view codec, std::size_t came) {
  // A timeout with a text is the stream's own deadline.
  if (got || got.error() != errc::timeout || !got.error().text().empty()) return got;
  std::string text(codec);
  text.append(": a frame was not complete within frame_deadline, ").append(std::to_string(came));
  text.append(" bytes of it came; close the connection");
  return std::unexpected(error(make_error_code(errc::timeout), std::move(text)));
}

duration time_until(std::int64_t due) noexcept {
  const std::int64_t now = due_in(duration::zero());
  return duration(due > now ? due - now : 0);
}

}  // namespace troupe::detail
