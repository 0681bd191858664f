// One piece of what a vectored write sends.
#pragma once

#include <cstddef>
#include <span>

namespace troupe {

/// Bytes that another object owns.
using const_buffer = std::span<const std::byte>;

}  // namespace troupe
