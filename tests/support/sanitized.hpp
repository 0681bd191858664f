// Whether this is built with AddressSanitizer or ThreadSanitizer: then a test runs fewer rounds.
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

/// UBSan, which is built in together with AddressSanitizer, looks at an object through a pipe before it
/// believes a virtual call, and takes a pipe that it cannot open for an object that is not there: such a
/// program ends when it runs out of descriptors.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    __has_feature(undefined_behavior_sanitizer)
inline constexpr bool needs_descriptors = true;
#else
inline constexpr bool needs_descriptors = false;
#endif

}  // namespace troupe_test
