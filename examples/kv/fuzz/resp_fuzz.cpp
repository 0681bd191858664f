// libFuzzer target for the request parser: no input may crash it, make it read out of bounds, or be
// understood differently when it arrives in other pieces. scripts/fuzz builds and runs it.
// links: examples/kv/resp.cpp
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kv/resp.hpp"

namespace {

struct outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const outcome&) const = default;
};

/// Feeds `input` in pieces of `step` bytes; every call sees a copy of exact size, so that the sanitizer sees
/// overruns.
outcome feed(std::string_view input, std::size_t step, kv::parser_limits limits) {
  kv::resp_parser parser(limits);
  outcome seen;
  std::size_t start = 0;
  for (std::size_t end = 0; end < input.size();) {
    end = std::min(end + step, input.size());
    for (auto status = kv::parse_status::command; status != kv::parse_status::need_more;) {
      const std::vector<char> exact(input.begin() + static_cast<std::ptrdiff_t>(start),
                                    input.begin() + static_cast<std::ptrdiff_t>(end));
      status = parser.parse({exact.data(), exact.size()});
      if (status == kv::parse_status::error) {
        seen.error = parser.error();
        return seen;
      }
      if (status == kv::parse_status::command) {
        if (parser.args().empty()) std::abort();
        seen.commands.emplace_back(parser.args().begin(), parser.args().end());
      } else if (end - start - parser.consumed() >= parser.wanted()) {
        std::abort();  // it had what it said it needs
      }
      if (parser.consumed() > exact.size()) std::abort();
      start += parser.consumed();
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
    std::fputs("the pieces in which the input arrived changed its meaning\n", stderr);
    std::abort();
  }
  return 0;
}
