// Percentiles and rates of a run, and its JSON fields.
#include "measurement.hpp"

#include "server_process.hpp"
#include "sockets.hpp"

#include <cstdio>

namespace netload {

namespace {

std::uint64_t in_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

measurement::measurement(const options& o)
    : options_(o), begins_(now_ns() + in_ns(o.warm_up)), ends_(begins_ + in_ns(o.seconds)) {}

bool measurement::over(std::uint64_t now) {
  if (!measuring_ && now >= begins_) {
    cpu_then_ = cpu_ns(options_.server);
    began_ = now_ns();
    measuring_ = true;
  }
  if (now < ends_) return false;
  ended_ = now;
  cpu_now_ = cpu_ns(options_.server);
  return true;
}

std::string measurement::fields() const {
  const std::uint64_t ops = latencies_.total();
  if (ops == 0) throw failed("the server echoed nothing during the measurement");
  const auto elapsed = static_cast<double>(ended_ - began_);
  const auto cpu = static_cast<double>(cpu_now_ - cpu_then_);
  char text[400];
  std::snprintf(
      text, sizeof text,
      "\"ops\":%llu,\"seconds\":%.3f,\"ops_per_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
      "\"cpu_ns_per_op\":%.1f,\"cpu_percent\":%.1f",
      static_cast<unsigned long long>(ops), elapsed / 1e9, static_cast<double>(ops) * 1e9 / elapsed,
      latencies_.at(0.5), latencies_.at(0.99), latencies_.at(0.999), cpu / static_cast<double>(ops),
      100 * cpu / elapsed);
  return text;
}

}  // namespace netload
