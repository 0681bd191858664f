// Errors of the stream operations, the search for a delimiter, and joining small pieces of a vectored write.
#include <troupe/transport/stream_ops.hpp>

#include <algorithm>
#include <string>

namespace troupe::detail {

namespace {

// Copying this much costs less than another system call.
constexpr std::size_t small_piece = 4096;

}  // namespace

error ended_early(std::string_view what, std::size_t came, std::size_t wanted) {
  std::string text(what);
  text.append(": the stream ended after ").append(std::to_string(came)).append(" bytes");
  if (wanted != 0) {
    text.append(" of ").append(std::to_string(wanted));
  } else {
    text.append(" without a delimiter");
  }
  return {std::make_error_code(std::errc::connection_aborted), std::move(text)};
}

error no_delimiter_within(std::size_t limit) {
  return {std::make_error_code(std::errc::message_size),
          "read_until: no delimiter within the limit of " + std::to_string(limit) +
              " bytes; close the connection, or raise the limit if such messages are meant to come"};
}

std::size_t delimiter_search::find(std::span<const std::byte> data) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const std::size_t at = text.find(delimiter_, std::min(seen_, text.size()));
  if (at != std::string_view::npos) return at + delimiter_.size();
  if (text.size() >= delimiter_.size()) seen_ = text.size() - delimiter_.size() + 1;
  return 0;
}

std::span<const const_buffer> gather(std::span<const const_buffer> pieces, write_buffer& out) {
  while (!pieces.empty() && pieces.front().size() < small_piece &&
         out.size() + pieces.front().size() <= read_buffer::block_bytes) {
    out.append(pieces.front());
    pieces = pieces.subspan(1);
  }
  return pieces;
}

}  // namespace troupe::detail
