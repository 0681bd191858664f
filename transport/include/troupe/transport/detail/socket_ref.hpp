// The handle behind every stream and listener. Internal to Troupe: what it
// refers to is in transport/src, so that no system header is needed here.
#pragma once

#include <troupe/runtime/detail/shared_ref.hpp>

namespace troupe::detail {

class socket_state;
struct socket_access;

void add_share(socket_state& s) noexcept;
void drop_share(socket_state& s) noexcept;
/// The stream holds one, and so does each operation under way, so that a stream may be closed and destroyed
/// meanwhile.
using socket_ref = shared_ref<socket_state>;

}  // namespace troupe::detail
