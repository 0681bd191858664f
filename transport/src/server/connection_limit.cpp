// Admission of connections: counting slots, and waking the listeners that wait for one. Any thread.
#include "server/admission.hpp"

#include <troupe/transport/connection_limit.hpp>

#include <algorithm>
#include <utility>

namespace troupe {

connection_limit connection_limit::shared(std::uint32_t max) {
  connection_limit limit(max);
  limit.places_ = limit.places();
  return limit;
}

std::shared_ptr<detail::admission> connection_limit::places() const {
  return places_ ? places_ : std::make_shared<detail::admission>(max_);
}

namespace detail {

bool admission::try_take() noexcept {
  std::uint32_t taken = taken_.load(std::memory_order_relaxed);
  while (taken < max) {
    if (taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

void admission::give() noexcept {
  taken_.fetch_sub(1, std::memory_order_seq_cst);
  if (!awaited_.load(std::memory_order_seq_cst) || !awaited_.exchange(false, std::memory_order_seq_cst)) {
    return;
  }
  std::vector<ref<go_on>> woken;
  {
    const scoped_lock guard(lock_);
    std::swap(woken, waiting_);
  }
  // Refused only if the listener has such a message already, or ends.
  for (const ref<go_on>& listener : woken) (void)listener.tell(go_on{});
}

bool admission::wait(const ref<go_on>& listener) {
  {
    const scoped_lock guard(lock_);
    if (std::ranges::find(waiting_, listener) == waiting_.end()) waiting_.push_back(listener);
  }
  awaited_.store(true, std::memory_order_seq_cst);
  if (is_full()) return true;
  forget(listener);
  return false;
}

void admission::forget(const ref<go_on>& listener) noexcept {
  ref<go_on> last;  // may be the last reference, so it is released after the lock
  const scoped_lock guard(lock_);
  const auto found = std::ranges::find(waiting_, listener);
  if (found == waiting_.end()) return;
  std::swap(last, *found);
  waiting_.erase(found);
}

}  // namespace detail
}  // namespace troupe
