// libFuzzer target for fixed_codec, run by scripts/fuzz; codec_fuzz.hpp has the contract it checks.
// links: transport/src/framing/fixed_codec.cpp transport/src/framing/codec.cpp
// links: transport/src/socket/read_buffer.cpp transport/src/socket/block_pool.cpp runtime/src/error.cpp
#include "codec_fuzz.hpp"

#include <troupe/transport/fixed_codec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe_fuzz::options o(data, size);
  troupe_fuzz::check(troupe::fixed_codec(1 + o.pick(40)), o.rest(), true);
  return 0;
}
