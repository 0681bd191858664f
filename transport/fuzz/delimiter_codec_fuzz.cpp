// libFuzzer target for delimiter_codec, run by scripts/fuzz; codec_fuzz.hpp has the contract it checks.
// links: transport/src/framing/delimiter_codec.cpp transport/src/framing/codec.cpp
// links: transport/src/socket/read_buffer.cpp transport/src/socket/block_pool.cpp runtime/src/error.cpp
#include "codec_fuzz.hpp"

#include <troupe/transport/delimiter_codec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe_fuzz::options o(data, size);
  std::string delimiter(1 + o.pick(4), 'x');
  for (char& c : delimiter) c = static_cast<char>(o.pick(256));
  troupe_fuzz::check(troupe::delimiter_codec({.delimiter = delimiter, .max_frame = o.pick(80)}), o.rest(),
                     true);
  return 0;
}
