// TROUPE_ASSERT: checks an invariant of a protocol at the place that relies on it. Any thread.
//
// Enabled by the CMake option TROUPE_ASSERTIONS, which the presets for development and for the sanitizers
// set; code that uses the library then checks, too. Otherwise nothing is evaluated.
//
//     TROUPE_ASSERT(count >= handled, "a mailbox gives back no more credit than it has handed out");
#pragma once

namespace troupe::detail {

/// Prints `sentence`, which states the invariant, with the file and the line, and aborts. Any thread.
[[noreturn]] void assertion_failed(const char* sentence, const char* file, int line) noexcept;

}  // namespace troupe::detail

#if defined(TROUPE_ASSERTIONS)
#define TROUPE_ASSERT(condition, sentence) \
  ((condition) ? static_cast<void>(0) : ::troupe::detail::assertion_failed((sentence), __FILE__, __LINE__))
#else
#define TROUPE_ASSERT(condition, sentence) static_cast<void>(false && (condition))
#endif
