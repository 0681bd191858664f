#include <troupe/actors/until_stopped.hpp>

#include "extras.hpp"

namespace troupe::detail {

bool stop_scope::enter(cell& c, promise_base& root) {
  if (c.stop_asked()) return false;
  cell_extras& x = c.extras();
  cell_ = &c;
  root_ = &root;
  prev_ = nullptr;
  next_ = x.stop_scopes;
  if (next_ != nullptr) next_->prev_ = this;
  x.stop_scopes = this;
  return true;
}

void stop_scope::leave() noexcept {
  if (over_ != nullptr) *std::exchange(over_, nullptr) = true;
  if (cell_ == nullptr) return;
  (prev_ != nullptr ? prev_->next_ : cell_->extras_if_any()->stop_scopes) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  cell_ = nullptr;
}

void stop_scope::cancel_all(cell& c) noexcept {
  cell_extras* const x = c.extras_if_any();
  if (x == nullptr) return;
  while (stop_scope* const s = x->stop_scopes) {
    s->leave();
    // Resumes whoever waits behind the scope, who leaves it then; afterwards the
    // scope is gone, and its root's memory may be somebody else's.
    bool over = false;
    s->over_ = &over;
    c.cancel_below(*s->root_, over);
    if (!over) s->over_ = nullptr;
  }
}

}  // namespace troupe::detail
