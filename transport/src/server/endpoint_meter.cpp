// Sums the counters of an endpoint. Any thread.
#include "server/endpoint_meter.hpp"

namespace troupe {

endpoint_metrics endpoint_monitor::read() const {
  return meter_->read();
}

namespace detail {

meter_ref::meter_ref() : meter_(new endpoint_meter) {}
meter_ref::meter_ref(const meter_ref& other) noexcept : meter_(other.meter_) {
  if (meter_ != nullptr) meter_->share();
}
meter_ref::~meter_ref() {
  if (meter_ != nullptr) meter_->release();
}

endpoint_metrics endpoint_meter::read() const noexcept {
  const auto now = [](const total& t) { return t.load(std::memory_order_relaxed); };
  const auto ended = [&](close_reason why) { return now(closed_[static_cast<std::size_t>(why)]); };
  endpoint_metrics m{
      .accepted = now(accepted_),
      .refused = now(refused_),
      .active = now(active_),
      .closed = {.peer = ended(close_reason::peer),
                 .idle = ended(close_reason::idle),
                 .error = ended(close_reason::error),
                 .finished = ended(close_reason::finished),
                 .drain = ended(close_reason::drain),
                 .crash = ended(close_reason::crash),
                 .handshake = ended(close_reason::handshake)},
      .failures = now(failures_),
      .reconnects = now(reconnects_),
      .dropped = now(dropped_),
  };
  const auto take = [&m](const shard& s) {
    m.bytes_in += s.bytes_in.get();
    m.bytes_out += s.bytes_out.get();
    m.messages_in += s.messages_in.get();
    m.messages_out += s.messages_out.get();
  };
  for (const shard& s : shards_) take(s);
  const scoped_lock guard(others_lock_);
  take(others_);
  return m;
}

}  // namespace detail
}  // namespace troupe
