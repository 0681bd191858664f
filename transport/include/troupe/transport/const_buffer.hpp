// One piece of a vectored write.
#pragma once

#include <cstddef>
#include <span>

namespace troupe {

/// Bytes owned elsewhere; a view.
using const_buffer = std::span<const std::byte>;

}  // namespace troupe
