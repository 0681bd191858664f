// The connection limit of one server or of several. Any thread may take and give back places.
#include "server/admission.hpp"

#include <troupe/transport/connection_limit.hpp>

#include <algorithm>
#include <utility>

namespace troupe {

connection_limit connection_limit::shared(std::uint32_t most) {
  connection_limit limit(most);
  limit.places_ = limit.places();
  return limit;
}

std::shared_ptr<detail::admission> connection_limit::places() const {
  return places_ ? places_ : std::make_shared<detail::admission>(max_);
}

namespace detail {

bool admission::try_take() noexcept {
  std::uint32_t taken = taken_.load(std::memory_order_relaxed);
  while (taken < most) {
    if (taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void admission::give() noexcept {
  taken_.fetch_sub(1, std::memory_order_seq_cst);
  if (!awaited_.load(std::memory_order_seq_cst) || !awaited_.exchange(false, std::memory_order_seq_cst)) {
    return;
  }
  std::vector<ref<go_on>> told;
  {
    const scoped_lock guard(lock_);
    std::swap(told, waiting_);
  }
  // Refused only when one waits already, or when the listener ends.
  for (const ref<go_on>& who : told) (void)who.tell(go_on{});
}

bool admission::wait(const ref<go_on>& who) {
  {
    const scoped_lock guard(lock_);
    if (std::ranges::find(waiting_, who) == waiting_.end()) waiting_.push_back(who);
  }
  awaited_.store(true, std::memory_order_seq_cst);
  if (is_full()) return true;
  forget(who);
  return false;
}

void admission::forget(const ref<go_on>& who) noexcept {
  ref<go_on> last;  // what it refers to may end with it: not under the lock
  const scoped_lock guard(lock_);
  const auto found = std::ranges::find(waiting_, who);
  if (found == waiting_.end()) return;
  std::swap(last, *found);
  waiting_.erase(found);
}

}  // namespace detail
}  // namespace troupe
