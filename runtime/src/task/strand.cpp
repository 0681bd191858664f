// Strands: posting and waking, and, on the strand, resuming, unwinding and cancelling. See strand.hpp.
#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/pin.hpp>
#include <troupe/runtime/worker.hpp>

namespace troupe::detail {

strand* current_strand() noexcept {
  worker* const w = worker_here();
  return w != nullptr ? w->current : nullptr;
}

bool consume_budget() noexcept {
  worker& w = *worker_here();
  if (w.hops == 0) return false;
  --w.hops;
  return true;
}

void defer(promise_base& p) noexcept {
  worker_here()->deferred = &p;
}

void note_finished(promise_base& p) noexcept {
  worker_here()->finished = &p;
}

// -- leaf ---------------------------------------------------------------------

bool leaf::begin(promise_base& p) noexcept {
  assert_on_strand();
  TROUPE_ASSERT(!linked(), "a leaf that begins to wait is not waiting already");
  TROUPE_ASSERT(worker_here() != nullptr && worker_here()->current != nullptr, "awaits begin on a strand");
  worker& w = *worker_here();
  strand& s = *w.current;
  if (s.cancelled_) {
    w.unwinding = &p;
    return false;
  }
  owner_ = &s;
  awaiting_ = &p;
  prev_ = nullptr;
  next_ = s.leaves_;
  s.leaves_ = this;
  if (next_ != nullptr) [[unlikely]]
    join(s);
  return true;
}

// Out of line, and called last: a wait on a single leaf needs no stack frame.
void leaf::join(strand& s) noexcept {
  next_->prev_ = this;
  if (s.type_->waits_for_more != nullptr) s.type_->waits_for_more(s);
}

void leaf::unlink() noexcept {
  assert_on_strand();
  TROUPE_ASSERT(linked(), "a leaf leaves the list of its strand once");
  if (prev_ != nullptr) {
    prev_->next_ = next_;
  } else {
    owner_->leaves_ = next_;
  }
  if (next_ != nullptr) next_->prev_ = prev_;
  owner_ = nullptr;
}

void leaf::complete() noexcept {
  strand& s = *owner_;
  unlink();
  s.resume(awaiting_->handle);
}

void leaf::drop() noexcept {
  abandon_(*this);
  unlink();
}

// -- strand -------------------------------------------------------------------

void strand::wake() noexcept {
  worker* const w = worker_here();
  if (w != nullptr && &w->home() == home_) [[likely]] {
    w->push_woken(*this);
  } else {
    home_->inject(*this);
  }
}

void strand::post(mail& m) noexcept {
  worker* const w = worker_here();
  if (w == nullptr || &w->home() != home_) [[unlikely]]
    return post_from_outside(m);
  const push_result r = box_.push_system_here(m);
  if (r == push_result::wake) [[likely]] {
    w->push_woken(*this);
  } else if (r == push_result::closed) {
    m.kind->dispose(m);
  } else if (r == not_here) {
    post_elsewhere(m, *w);
  }
}

void strand::post_elsewhere(mail& m, worker& w) noexcept {
  const push_result r = box_.push_system_elsewhere(m);
  if (r == push_result::wake) w.push_woken(*this);
  if (r == push_result::closed) m.kind->dispose(m);
}

void strand::post_from_outside(mail& m) noexcept {
  push_result r;
  {
    const pin alive(*home_);  // until the strand is scheduled; the engine of a dead strand may be dead, too
    r = box_.push_system(m);
    if (r == push_result::wake) home_->inject(*this);
  }
  if (r == push_result::closed) m.kind->dispose(m);
}

void strand::resume(std::coroutine_handle<> h) noexcept {
  assert_on_strand();
  worker& w = *worker_here();
  h.resume();
  settle(w);
}

void strand::resume_deferred() noexcept {
  assert_on_strand();
  promise_base* const p = std::exchange(deferred_, nullptr);
  if (p == nullptr) return;
  worker& w = *worker_here();
  if (cancelled_) {
    w.unwinding = p;
  } else {
    p->handle.resume();
  }
  settle(w);
}

void strand::settle(worker& w) noexcept {
  for (;;) {
    if (promise_base* const p = std::exchange(w.unwinding, nullptr)) {
      if (const std::coroutine_handle<> h = unwind(p, w)) h.resume();
    } else if (promise_base* const root = std::exchange(w.finished, nullptr)) {
      root->finished(*root, *this);
    } else {
      break;
    }
  }
  if (w.deferred != nullptr) {
    if (deferred_ == nullptr) {
      deferred_ = std::exchange(w.deferred, nullptr);
    } else {
      // Two chains of one strand yielded in one slice: the later one continues.
      promise_base* const p = std::exchange(w.deferred, nullptr);
      w.hops = worker::hop_budget;
      p->handle.resume();
      settle(w);
    }
  }
}

std::coroutine_handle<> strand::unwind(promise_base* p, worker& w) noexcept {
  for (;; p = p->parent) {
    p->how = outcome::stopped;
    if (p->parent == nullptr) {
      w.finished = p;
      return {};
    }
    if (p->catches_stop) return p->parent->handle;
  }
}

void strand::cancel_awaits() noexcept {
  assert_on_strand();
  cancelled_ = true;
  worker& w = *worker_here();
  while (leaf* const l = leaves_) {
    promise_base* const p = l->awaiting_;
    l->drop();
    w.unwinding = p;
    settle(w);
  }
  while (deferred_ != nullptr) resume_deferred();
}

template <class F>
bool strand::cancel_one(F concerns) noexcept {
  const auto concerned = [&](const promise_base* p) {
    while (p != nullptr && !concerns(*p)) p = p->parent;
    return p != nullptr;
  };
  leaf* l = leaves_;
  while (l != nullptr && !concerned(l->awaiting_)) l = l->next_;
  promise_base* p = nullptr;
  if (l != nullptr) {
    p = l->awaiting_;
    l->drop();
  } else if (deferred_ != nullptr && concerned(deferred_)) {
    p = std::exchange(deferred_, nullptr);
  } else {
    return false;
  }
  worker& w = *worker_here();
  w.unwinding = p;
  settle(w);
  return true;
}

void strand::cancel_below(promise_base& root, const bool& over) noexcept {
  assert_on_strand();
  while (!over && cancel_one([&root](const promise_base& p) { return &p == &root; })) {
  }
}

void strand::cancel_yielding() noexcept {
  assert_on_strand();
  while (cancel_one([](const promise_base& p) { return p.yields_to_stop; })) {
  }
}

}  // namespace troupe::detail
