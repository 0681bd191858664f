// The table of simulated descriptors, shared by all threads and guarded by a mutex.
#include "sim/descriptor.hpp"

#include "socket/sys.hpp"

#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>

#include <vector>

namespace troupe::detail::simnet {

namespace {

struct table {
  mutex lock;
  std::vector<std::shared_ptr<descriptor>> all TROUPE_GUARDED_BY(lock);
  std::vector<int> free TROUPE_GUARDED_BY(lock);
};

table& descriptors() noexcept {
  // Never freed: an object in static storage may close a socket after all other static objects are destroyed.
  static auto& all = *new table;
  return all;
}

thread_local standpoint thread_stands;

}  // namespace

standpoint& standpoint_of_thread() noexcept {
  return thread_stands;
}

descriptor::~descriptor() {
  --home.open_sockets;
  if (listener) listener->close();
  if (stream) stream->close();
  if (datagrams) datagrams->watch(nullptr);
}

pollable* descriptor::object() const noexcept {
  if (stream) return stream.get();
  if (listener) return listener.get();
  return datagrams.get();
}

int number_for(std::shared_ptr<descriptor> d) {
  table& t = descriptors();
  const scoped_lock guard(t.lock);
  if (t.free.empty()) {
    t.all.push_back(std::move(d));
    return sys::first_simulated + static_cast<int>(t.all.size() - 1);
  }
  const int index = t.free.back();
  t.free.pop_back();
  t.all[static_cast<std::size_t>(index)] = std::move(d);
  return sys::first_simulated + index;
}

std::shared_ptr<descriptor> descriptor_at(int fd) noexcept {
  table& t = descriptors();
  const scoped_lock guard(t.lock);
  const auto index = static_cast<std::size_t>(fd - sys::first_simulated);
  return index < t.all.size() ? t.all[index] : nullptr;
}

std::shared_ptr<descriptor> take_descriptor(int fd) noexcept {
  table& t = descriptors();
  const scoped_lock guard(t.lock);
  const auto index = static_cast<std::size_t>(fd - sys::first_simulated);
  if (index >= t.all.size() || !t.all[index]) return nullptr;
  t.free.push_back(static_cast<int>(index));
  return std::exchange(t.all[index], nullptr);
}

}  // namespace troupe::detail::simnet
