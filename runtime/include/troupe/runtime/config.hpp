// Requirements of every Troupe header: a compiler that gets coroutines right,
// and the few attributes we need by name.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#error "Troupe needs GCC 13 or newer: older ones destroy temporaries in co_await twice. Use clang-19."
#elif defined(__clang__) && __clang_major__ < 18
#error "Troupe needs clang 18 or newer."
#endif

#if __cplusplus <= 202002L
#error \
    "Troupe needs C++23: compile with -std=c++23 (CMake: target_compile_features(<name> PRIVATE cxx_std_23))."
#elif !defined(__cpp_exceptions)
#error "Troupe needs exceptions, by which an actor fails and is restarted: compile without -fno-exceptions."
#endif

#if !defined(TROUPE_TWO_WORD_MAILBOX)
#if defined(__SANITIZE_HWADDRESS__)
#define TROUPE_TAGGED_POINTERS
#elif defined(__has_feature)
#if __has_feature(hwaddress_sanitizer)
#define TROUPE_TAGGED_POINTERS
#endif
#endif
#if defined(TROUPE_TAGGED_POINTERS)
#error \
    "Troupe needs two-word mailboxes where pointers have tags: configure with -DTROUPE_TWO_WORD_MAILBOX=ON."
#endif
#endif

/// Keeps a function out of line. Used where inlining would let a compiler keep
/// the address of a thread-local across a coroutine's suspension, after which
/// the coroutine may run on another thread.
#define TROUPE_NOINLINE [[gnu::noinline]]

/// What all shared libraries of a process share, also those that are built with -fvisibility=hidden: what is
/// told apart by its address (a message by its message_kind), and what is thrown. A message of an instance of
/// a template is shared when its type is, so the library's own message types have this, too.
#define TROUPE_SHARED [[gnu::visibility("default")]]

/// For the few thread-locals of every path: in a shared library they would cost a call each. They take less
/// than a KiB of the room that the C library keeps for libraries which dlopen() loads.
#define TROUPE_QUICK_TLS [[gnu::tls_model("initial-exec")]]

/// For the short functions on the path of every message.
#define TROUPE_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace troupe {

/// The size that keeps two things written by different cores apart.
inline constexpr unsigned long cache_line = 64;

}  // namespace troupe
