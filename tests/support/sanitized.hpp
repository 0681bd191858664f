// Whether this is built with AddressSanitizer or ThreadSanitizer: then a test does with fewer rounds.
#pragma once

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace troupe_test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace troupe_test
