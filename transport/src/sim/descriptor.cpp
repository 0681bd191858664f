// The descriptor table of the simulated network. One for the process; a mutex guards it.
#include "sim/descriptor.hpp"

#include "socket/sys.hpp"

#include <mutex>
#include <vector>

namespace troupe::detail::simnet {

namespace {

struct table {
  std::mutex lock;
  std::vector<std::shared_ptr<descriptor>> all;
  std::vector<int> free;
};

table& descriptors() noexcept {
  // Never freed: what static storage owns may close a socket after everything else has gone.
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
  const std::scoped_lock guard(t.lock);
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
  const std::scoped_lock guard(t.lock);
  const auto index = static_cast<std::size_t>(fd - sys::first_simulated);
  return index < t.all.size() ? t.all[index] : nullptr;
}

std::shared_ptr<descriptor> take_descriptor(int fd) noexcept {
  table& t = descriptors();
  const std::scoped_lock guard(t.lock);
  const auto index = static_cast<std::size_t>(fd - sys::first_simulated);
  if (index >= t.all.size() || !t.all[index]) return nullptr;
  t.free.push_back(static_cast<int>(index));
  return std::exchange(t.all[index], nullptr);
}

}  // namespace troupe::detail::simnet
