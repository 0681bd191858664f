// Reads what inspect() shows of a cell.
#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/inspect.hpp>

namespace troupe::detail {

struct inspection {
  static actor_info look(cell& c);
};

}  // namespace troupe::detail
