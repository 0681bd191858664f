// expect: a message must be movable
// expect: is_movable_message<stuck>
#include <troupe/actors.hpp>

struct stuck {
  stuck() = default;
#ifdef TROUPE_COMPILE_FAIL
  stuck(stuck&&) = delete;
#endif
};

troupe::send_result push(const troupe::ref<stuck>& to) {
  return to.tell(stuck{});
}
