// What every Troupe header may rely on: a compiler that gets coroutines right,
// and the few attributes we need by name.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#error \
    "Troupe needs GCC 13 or newer: older ones destroy temporaries in co_await expressions twice. Use clang-19."
#elif defined(__clang__) && __clang_major__ < 18
#error "Troupe needs clang 18 or newer."
#endif

#if __cplusplus < 202002L
#error "Troupe needs C++23: compile with -std=c++23."
#endif

/// Keeps a function out of line. Used where inlining would let a compiler keep
/// the address of a thread-local across a coroutine's suspension, after which
/// the coroutine may run on another thread.
#define TROUPE_NOINLINE [[gnu::noinline]]

/// For the short functions on the path of every message.
#define TROUPE_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace troupe {

/// The size that keeps two things written by different cores apart.
inline constexpr unsigned long cache_line = 64;

}  // namespace troupe
