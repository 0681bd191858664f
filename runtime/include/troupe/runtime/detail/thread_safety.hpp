// Annotations for locks and roles, which Clang checks: the data each guards, and the callers that must hold
// it.
//
// The attributes of Clang's thread safety analysis (-Wthread-safety, an error in our presets), after
// Hutchins, Ballman and Sutherland, "C/C++ Thread Safety Analysis" (SCAM 2014). Other compilers see nothing.
#pragma once

#if defined(__clang__)
#define TROUPE_THREAD_SAFETY(x) __attribute__((x))
#else
#define TROUPE_THREAD_SAFETY(x)
#endif

/// A class that can be held: a lock, or a role such as "this thread runs the strand".
#define TROUPE_CAPABILITY(name) TROUPE_THREAD_SAFETY(capability(name))
/// A class that holds a capability from its constructor to its destructor.
#define TROUPE_SCOPED_CAPABILITY TROUPE_THREAD_SAFETY(scoped_lockable)
/// A member that is only touched while `lock` is held.
#define TROUPE_GUARDED_BY(lock) TROUPE_THREAD_SAFETY(guarded_by(lock))
/// A pointer whose target is only touched while `lock` is held.
#define TROUPE_PT_GUARDED_BY(lock) TROUPE_THREAD_SAFETY(pt_guarded_by(lock))
/// A function for callers that hold these before and after the call.
#define TROUPE_REQUIRES(...) TROUPE_THREAD_SAFETY(requires_capability(__VA_ARGS__))
/// A function for callers that do not hold these: it takes them itself.
#define TROUPE_EXCLUDES(...) TROUPE_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define TROUPE_ACQUIRE(...) TROUPE_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define TROUPE_TRY_ACQUIRE(...) TROUPE_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define TROUPE_RELEASE(...) TROUPE_THREAD_SAFETY(release_capability(__VA_ARGS__))
/// A function after which the analysis assumes that the capability is held: by protocol, not by a lock.
#define TROUPE_ASSERT_CAPABILITY(x) TROUPE_THREAD_SAFETY(assert_capability(x))
/// For code whose protocol the analysis cannot follow; a comment says why.
#define TROUPE_NO_THREAD_SAFETY_ANALYSIS TROUPE_THREAD_SAFETY(no_thread_safety_analysis)
