// The base of every Troupe header: checks of the compiler and its options, and names for attributes.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#error \
    "Troupe needs GCC 13 or newer: older ones destroy temporaries in co_await expressions twice. Use clang-19."
#elif defined(__clang__) && __clang_major__ < 18
#error "Troupe needs clang 18 or newer."
#endif

#if __cplusplus <= 202002L
#error \
    "Troupe needs C++23: compile with -std=c++23 (CMake: target_compile_features(<target> PRIVATE cxx_std_23))."
#elif !defined(__cpp_exceptions)
#error \
    "Troupe needs exceptions, because an actor fails by one and is restarted: compile without -fno-exceptions."
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
    "Troupe needs mailboxes of two words where pointers have tags: configure with -DTROUPE_TWO_WORD_MAILBOX=ON."
#endif
#endif

/// Keeps a function out of line. Used where inlining would let a compiler keep the address of a thread-local
/// across a coroutine's suspension, after which the coroutine may run on another thread.
#define TROUPE_NOINLINE [[gnu::noinline]]

/// For types that all shared libraries of a process must share, even if built with -fvisibility=hidden: those
/// identified by an address (a message by its message_kind), and those that are thrown. An instance of a
/// template is shared when its arguments are, so the library's own message types have this, too.
#define TROUPE_SHARED [[gnu::visibility("default")]]

/// For the few thread-locals on hot paths: in a shared library each access would cost a call. They take less
/// than a KiB of the space that the C library reserves for libraries loaded by dlopen().
#define TROUPE_QUICK_TLS [[gnu::tls_model("initial-exec")]]

/// For the short functions on the path of every message.
#define TROUPE_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace troupe {

/// The alignment that keeps data written by different cores on different cache lines.
inline constexpr unsigned long cache_line = 64;

}  // namespace troupe
