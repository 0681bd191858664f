// The slices of a spawned task, its start, its end, and the wait of a thread for it.
#include "task/root_task.hpp"

namespace troupe::detail {

root_task::root_task(engine& e, task<void> t, std::uint16_t place) : strand(e, &run_slice, type_of, place) {
  TROUPE_ASSERT(t, "a spawned task is not empty: it has not been moved from");
  auto h = t.release();
  root_ = &h.promise();
  root_->finished = &finished;
}

void root_task::free_it(strand& s) noexcept {
  slab_delete(&static_cast<root_task&>(s));
}

void root_task::stop() noexcept {
  if (!stop_sent_.exchange(true, std::memory_order_acq_rel)) post(stop_);
}

void root_task::act_start(mail&, strand& s) noexcept {
  assert_on_strand();
  auto& self = static_cast<root_task&>(s);
  if (self.awaits_cancelled()) {  // stopped before it began
    self.root_->how = outcome::stopped;
    finished(*self.root_, self);
  } else {
    self.resume(self.root_->handle);
  }
}

void root_task::act_stop(mail&, strand& s) noexcept {
  s.cancel_awaits();
}

namespace {

void log_failure(const engine& e, const std::exception_ptr& why) noexcept {
  try {
    e.log(log_level::error, "a task of the runtime failed: " + error::from_exception(why).to_string());
  } catch (...) {  // no memory, or a what() that throws
    e.log(log_level::error, "a task of the runtime failed");
  }
}

}  // namespace

void root_task::finished(promise_base& p, strand& s) noexcept {
  assert_on_strand();
  auto& self = static_cast<root_task&>(s);
  const outcome how = p.how;
  if (how == outcome::error) log_failure(self.home(), static_cast<task_promise_base&>(p).exception);
  p.handle.destroy();
  self.root_ = nullptr;
  self.over_ = true;
  self.how_ = how;
}

void root_task::run_slice(runnable& r, worker& w) noexcept {
  assert_on_strand();
  auto& self = static_cast<root_task&>(r);
  mail_queue user;
  mail_queue system;
  self.resume_deferred();
  for (;;) {
    self.box_.detach(0, nullptr, user, system);
    while (mail* const m = system.pop_front()) m->kind->act(*m, self);
    if (self.has_deferred()) {
      w.clear_running();
      w.push_yielded(self);
      return;
    }
    if (self.over_) {
      w.clear_running();
      if (!self.box_.try_die()) continue;
      // No thread can schedule this strand any more: tell the waiters, and release it.
      engine& e = self.home();
      const bool keeps_engine = e.roots.remove(self);
      if (self.phase_.exchange(root_task::ended, std::memory_order_acq_rel) == root_task::awaited) {
        self.phase_.notify_all();
      }
      e.notify_drivers();
      self.release();
      if (keeps_engine) e.release();  // not the last share: this thread has another
      return;
    }
    w.clear_running();
    if (self.box_.try_suspend()) return;
    w.running.store(&self, std::memory_order_relaxed);
  }
}

void add_share(root_task& t) noexcept {
  t.share();
}
void drop_share(root_task& t) noexcept {
  t.release();
}

root_task_ref start_root(engine& e, task<void> t, std::uint16_t place) {
  auto* const root = slab_new<root_task>(e, std::move(t), place);
  const bool admitted = e.roots.add(*root);
  root->post(root->start_);
  if (!admitted) root->stop();
  return root_task_ref(root);
}

result<outcome> wait_root(engine& e, root_task& t) {
  if (!e.has_threads()) {
    const auto over = [&t] { return t.phase_.load(std::memory_order_acquire) == root_task::ended; };
    if (!e.drive(over)) {
      // The waiter's frame must outlive the task, which writes its result there.
      t.stop();
      (void)e.drive(over);
      return std::unexpected(
          error(make_error_code(errc::stuck),
                "block_on: nothing is ready, no timer is armed, and the task still waits"));
    }
    return t.how_;
  }
  for (;;) {
    std::uint32_t seen = root_task::running;
    if (t.phase_.compare_exchange_strong(seen, root_task::awaited, std::memory_order_acquire)) {
      seen = root_task::awaited;
    }
    if (seen == root_task::ended) return t.how_;
    t.phase_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace troupe::detail
