// libFuzzer target for length_codec, run by scripts/fuzz; codec_fuzz.hpp has the contract it checks.
// links: transport/src/framing/length_codec.cpp transport/src/framing/codec.cpp
// links: transport/src/socket/read_buffer.cpp transport/src/socket/block_pool.cpp runtime/src/error.cpp
#include "codec_fuzz.hpp"

#include <troupe/transport/length_codec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  troupe_fuzz::options o(data, size);
  constexpr troupe::length_prefix prefixes[] = {troupe::length_prefix::u8, troupe::length_prefix::u16,
                                                troupe::length_prefix::u32, troupe::length_prefix::u64,
                                                troupe::length_prefix::varint};
  const troupe::length_options options{
      .prefix = prefixes[o.pick(5)],
      .order = o.pick(2) == 0 ? troupe::byte_order::big : troupe::byte_order::little,
      .counts_prefix = o.pick(2) == 0,
      .max_frame = o.pick(250)};
  troupe_fuzz::check(troupe::length_codec(options), o.rest(), true);
  return 0;
}
