// libFuzzer target for the codec of requests: no input may crash it or make it read out of bounds, and the
// decoded commands must not depend on how the input is split. scripts/fuzz builds and runs it.
// links: examples/kv/net/resp.cpp runtime/src/error.cpp
#include "kv/net/resp.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const outcome&) const = default;
};

/// Feeds `input` in pieces of `step` bytes. Every call gets a copy of exact size, so that the sanitizer
/// detects overruns.
outcome feed(std::string_view input, std::size_t step, kv::parser_limits limits) {
  kv::resp_codec codec(limits);
  outcome seen;
  std::size_t start = 0;
  for (std::size_t end = 0; end < input.size();) {
    end = std::min(end + step, input.size());
    for (;;) {
      const std::string_view shown = input.substr(start, std::min(end - start, codec.max_encoded()));
      const std::vector<char> exact(shown.begin(), shown.end());
      const auto found = codec.decode(std::as_bytes(std::span(exact)));
      if (!found) {
        seen.error = found.error().text();
        return seen;
      }
      if (!found->frame) {
        if (found->bytes <= exact.size()) std::abort();        // it had the bytes that it asks for
        if (found->bytes > codec.max_encoded()) std::abort();  // framed never provides that many
        break;
      }
      if (found->bytes == 0 || found->bytes > exact.size()) std::abort();
      if (!found->frame->empty()) seen.commands.emplace_back(found->frame->begin(), found->frame->end());
      start += found->bytes;
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const kv::parser_limits limits{.max_bulk = 256, .max_args = 64, .max_line = 64, .max_command = 1024};
  const outcome whole = feed(input, size + 1, limits);
  const std::size_t step = size == 0 ? 1 : 1 + data[size - 1] % 7;
  if (feed(input, step, limits) != whole) {
    std::fputs("the decoded commands depend on how the input was split\n", stderr);
    std::abort();
  }
  return 0;
}
