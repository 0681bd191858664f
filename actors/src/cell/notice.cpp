// Turns the next notice of an actor into a message.
#include "cell/notice.hpp"

#include "cell/extras.hpp"

#include <troupe/actors/detail/cell.hpp>

namespace troupe::detail {

mail* next_notice(cell& c) noexcept {
  notice& n = *c.extras_if_any()->notices.pop_front();
  try {
    return n.take(n, c);
  } catch (...) {
    c.crash(failure_of(c, std::current_exception()));
    return nullptr;
  }
}

}  // namespace troupe::detail
