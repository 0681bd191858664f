// libFuzzer target for line_codec, run by scripts/fuzz; codec_fuzz.hpp has the contract it checks.
// links: transport/src/framing/line_codec.cpp transport/src/framing/codec.cpp
// links: transport/src/socket/read_buffer.cpp transport/src/socket/block_pool.cpp runtime/src/error.cpp
#include "codec_fuzz.hpp"

#include <troupe/transport/line_codec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe_fuzz::options o(data, size);
  // A line that ends with CR is read, but cannot be sent.
  troupe_fuzz::check(troupe::line_codec({.max_line = o.pick(80), .open_end = o.pick(2) == 1}), o.rest(),
                     false);
  return 0;
}
