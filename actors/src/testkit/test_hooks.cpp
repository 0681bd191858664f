// Wraps the behaviours of actors under test, so that a message can be made to crash its receiver.
#include "testkit/test_hooks.hpp"

#include <troupe/runtime/detail/mutex.hpp>

#include <memory>

namespace troupe::testkit::detail {

namespace {

using troupe::detail::behaviour;

struct hooked_behaviour : behaviour {
  explicit hooked_behaviour(const behaviour& b) : behaviour(b), original(&b) {}
  const behaviour* original;
};

struct hooked_behaviours {
  troupe::detail::mutex lock;
  std::map<const behaviour*, std::unique_ptr<hooked_behaviour>> by_original TROUPE_GUARDED_BY(lock);
};

// Never freed: a ref may keep an actor's memory, and so its behaviour, for longer than any test_system lives.
const hooked_behaviour& hooked(const behaviour& b,
                               void (*receive)(troupe::detail::cell&, troupe::detail::mail&)) {
  static hooked_behaviours& all = *new hooked_behaviours;
  const troupe::detail::scoped_lock guard(all.lock);
  auto& mine = all.by_original[&b];
  if (!mine) {
    mine = std::make_unique<hooked_behaviour>(b);
    mine->receive = receive;
  }
  return *mine;
}

}  // namespace

const behaviour& faults::prepare(const behaviour& b, spawn_options& o) {
  if (capacity_one_) o.mailbox.capacity = 1;
  return hooked(b, &receive);
}

void faults::receive(troupe::detail::cell& c, troupe::detail::mail& m) {
  static_cast<faults*>(c.core().hooks())->before(c);
  static_cast<const hooked_behaviour&>(c.acts()).original->receive(c, m);
}

void faults::before(const troupe::detail::cell& c) {
  const auto at = left_.find(&c);
  if (at == left_.end() || --at->second != 0) return;
  left_.erase(at);
  throw std::runtime_error("made to crash on this message by a test");
}

}  // namespace troupe::testkit::detail
