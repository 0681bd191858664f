// CPU time and memory of the server, from /proc.
#pragma once

#include <cstdint>
#include <sys/types.h>

namespace netload {

/// CPU time of all live threads of a process in nanoseconds, user and kernel, as the scheduler accounts it;
/// 0 for pid 0. Throws `failed` when there is no such process.
[[nodiscard]] std::uint64_t cpu_ns(pid_t pid);

/// Resident memory of a process in bytes, exact; 0 for pid 0.
[[nodiscard]] std::uint64_t resident_bytes(pid_t pid);

}  // namespace netload
