// The report of a failed TROUPE_ASSERT.
#include <troupe/runtime/detail/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace troupe::detail {

void assertion_failed(const char* sentence, const char* file, int line) noexcept {
  // One call, so that the lines of several threads do not mix.
  std::fprintf(stderr, "troupe: assertion failed: %s\n  at %s:%d\n", sentence, file, line);
  std::abort();
}

}  // namespace troupe::detail
