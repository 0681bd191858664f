#include "notice.hpp"

#include <troupe/actors/cell.hpp>

#include "extras.hpp"

namespace troupe::detail {

mail* next_notice(cell& c) noexcept {
  notice& n = *c.extras_if_any()->notices.pop_front();
  try {
    return n.take(n, c);
  } catch (...) {
    c.crash(error::from_exception(std::current_exception(), c.path()));
    return nullptr;
  }
}

}  // namespace troupe::detail
