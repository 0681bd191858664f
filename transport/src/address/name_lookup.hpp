// The error of a failed getaddrinfo, as the user sees it. Pure: any thread.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/transport/resolver.hpp>

namespace troupe::detail {

/// For the status of getaddrinfo, 0 when it found a name without a usable address; `failed` is errno, which
/// counts with EAI_SYSTEM only.
[[nodiscard]] error lookup_error(const name_query& q, int status, int failed = 0);

}  // namespace troupe::detail
