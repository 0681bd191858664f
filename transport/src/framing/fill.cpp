// The errors and results of reading into a read_buffer.
#include <troupe/transport/detail/fill.hpp>

#include <string>

namespace troupe::detail {

error buffer_full(const read_buffer& b) {
  return {
      std::make_error_code(std::errc::message_size),
      "a message from the peer is longer than the buffer's limit of " + std::to_string(b.limit()) + " bytes"};
}

result<std::size_t> filled(result<std::optional<std::size_t>>& got) {
  if (!got) return std::unexpected(std::move(got.error()));
  return **got;
}

}  // namespace troupe::detail
