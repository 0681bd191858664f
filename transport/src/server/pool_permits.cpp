// The queue of a connection pool: permits, waiters and their deadlines. Any thread.
#include "socket/readiness.hpp"

#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/detail/pool_permits.hpp>

namespace troupe::detail {

permit::~permit() {
  if (from_ != nullptr) from_->give();
}

/// One waiter in the queue, and the mail that ends its wait. In the slab.
struct permit_wake final : completion {
  explicit permit_wake(std::shared_ptr<pool_permits> p) noexcept : completion(kind_of), pool(std::move(p)) {}
  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept { dispose_late(static_cast<permit_wake&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};

  std::shared_ptr<pool_permits> pool;
  permit held;  // the permit it carries; passed on if the waiter has gone
  // Guarded by the pool's lock while in_line.
  permit_wake* prev = nullptr;
  permit_wake* next = nullptr;
  bool in_line = false;
};

/// Suspends a coroutine until it has a permit, the deadline passes or the pool is closed. On its strand.
class permit_wait final : public leaf {
 public:
  permit_wait(std::shared_ptr<pool_permits> p, std::int64_t deadline) noexcept
      : leaf(&abandon), pool_(std::move(p)), deadline_(deadline) {}
  ~permit_wait() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return !begin(h.promise()) || start();
  }
  result<permit> await_resume() {
    if (held_) return std::move(held_);
    if (why_ == errc::closed) {
      return std::unexpected(error(make_error_code(why_), "connection_pool: the pool is closed"));
    }
    return std::unexpected(error(make_error_code(why_),
                                 "connection_pool: all connections are in use, and none was returned within "
                                 "max_wait; return leases earlier, or raise max_size or max_wait"));
  }

 private:
  friend struct permit_wake;

  // False: the wait has ended already, and the leaf is unlinked.
  bool start() {
    auto* const w = slab_new<permit_wake>(pool_);
    w->wait_on(*this, owner());
    bool waits = false;
    {
      const scoped_lock guard(pool_->lock_);
      if (pool_->closed_) {
        why_ = errc::closed;
      } else if (pool_->free_ != 0) {
        --pool_->free_;
        held_ = permit(pool_);
      } else {
        waits = true;
        wake_ = w;
        w->in_line = true;
        w->prev = pool_->last_;
        (w->prev != nullptr ? w->prev->next : pool_->first_) = w;
        pool_->last_ = w;
        ++pool_->waiting_;
      }
    }
    if (waits) {
      if (deadline_ != no_deadline) timer_ = wake_timer::arm_at(*this, deadline_, &on_deadline);
    } else {
      slab_delete(w);
      unlink();
    }
    return waits;
  }

  // Leaves the queue; a permit that is on its way is passed on.
  void leave_line() noexcept {
    permit_wake* const w = std::exchange(wake_, nullptr);
    if (w == nullptr) return;
    bool mine = false;
    {
      const scoped_lock guard(pool_->lock_);
      if (w->in_line) {
        mine = true;
        (w->prev != nullptr ? w->prev->next : pool_->first_) = w->next;
        (w->next != nullptr ? w->next->prev : pool_->last_) = w->prev;
        --pool_->waiting_;
      }
    }
    if (mine) {
      slab_delete(w);
    } else {
      w->abandon();
    }
  }

  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<permit_wait&>(l);
    wake_timer::disarm(self.timer_);
    self.leave_line();
  }
  static void on_deadline(leaf& l) noexcept {
    auto& self = static_cast<permit_wait&>(l);
    wake_timer::fired(self.timer_);
    self.leave_line();
    self.complete();
  }

  std::shared_ptr<pool_permits> pool_;
  std::int64_t deadline_;
  permit_wake* wake_ = nullptr;
  wake_timer* timer_ = nullptr;
  permit held_;
  errc why_ = errc::timeout;
};

void permit_wake::act(mail& m, strand&) noexcept {
  auto& self = static_cast<permit_wake&>(m);
  if (!still_wanted(self)) return;
  auto& waiter = static_cast<permit_wait&>(*self.target);
  wake_timer::disarm(waiter.timer_);
  waiter.wake_ = nullptr;
  waiter.held_ = std::move(self.held);
  if (!waiter.held_) waiter.why_ = errc::closed;
  slab_delete(&self);
  waiter.complete();
}

task<result<permit>> pool_permits::take(std::int64_t deadline) {
  co_return co_await permit_wait(shared_from_this(), deadline);
}

permit_wake* pool_permits::pop() noexcept {
  permit_wake* const w = first_;
  if (w == nullptr) return nullptr;
  first_ = w->next;
  (first_ != nullptr ? first_->prev : last_) = nullptr;
  w->in_line = false;
  --waiting_;
  return w;
}

void pool_permits::give() noexcept {
  permit_wake* next = nullptr;
  {
    const scoped_lock guard(lock_);
    next = pop();
    if (next == nullptr) ++free_;
  }
  if (next == nullptr) return;
  next->held = permit(shared_from_this());
  next->finish(permit_wake::kind_of);
}

void pool_permits::close() noexcept {
  permit_wake* woken = nullptr;
  {
    const scoped_lock guard(lock_);
    closed_ = true;
    while (permit_wake* const w = pop()) w->next = std::exchange(woken, w);
  }
  while (woken != nullptr) std::exchange(woken, woken->next)->finish(permit_wake::kind_of);
}

bool pool_permits::closed() const noexcept {
  const scoped_lock guard(lock_);
  return closed_;
}

std::size_t pool_permits::waiting() const noexcept {
  const scoped_lock guard(lock_);
  return waiting_;
}

}  // namespace troupe::detail
