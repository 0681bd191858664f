// Collects the facts for INFO and the settings for CONFIG GET.
#include "kv/server_state.hpp"

#include <cstdio>
#include <unistd.h>

namespace kv {
namespace {

std::int64_t resident_bytes() {
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr) return 0;
  long total = 0;
  long resident = 0;
  const int read = std::fscanf(f, "%ld %ld", &total, &resident);
  std::fclose(f);
  return read == 2 ? std::int64_t{resident} * ::sysconf(_SC_PAGESIZE) : 0;
}

template <class T>
std::int64_t now(const std::atomic<T>& value) {
  return static_cast<std::int64_t>(value.load(std::memory_order_relaxed));
}

}  // namespace

server_info server_state::facts() const {
  const auto up = std::chrono::steady_clock::now() - started_at;
  const troupe::endpoint_metrics connections = clients.read();
  const auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  server_info info{
      .process_id = ::getpid(),
      .port = now(port),
      .uptime_seconds = std::chrono::duration_cast<std::chrono::seconds>(up).count(),
      .connected_clients = count(connections.active),
      .max_clients = static_cast<std::int64_t>(options.max_clients),
      .used_memory = resident_bytes(),
      .connections_received = count(connections.accepted),
      .commands_processed = now(commands),
      .connections_rejected = count(connections.refused),
      .handshakes_failed = count(connections.closed.handshake),
      .shards = static_cast<std::int64_t>(options.shards.count),
  };
  for (const shard_stats& f : stats) {
    info.keys += now(f.keys);
    info.journal_bytes += now(f.journal_bytes);
    info.restarts += now(f.restarts);
    info.journal_failing |= f.failing.load(std::memory_order_relaxed);
    info.loading |= f.loading.load(std::memory_order_relaxed);
  }
  return info;
}

std::vector<setting> server_state::settings() const {
  return {
      {"appendfsync", std::string(to_string(options.shards.fsync))},
      {"appendonly", "yes"},
      {"bind", options.bind.address()},
      {"databases", "1"},
      {"dir", options.shards.directory.string()},
      {"maxclients", std::to_string(options.max_clients)},
      {"maxmemory", "0"},
      {"port", std::to_string(port)},
      {"proto-max-bulk-len", std::to_string(options.limits.max_bulk)},
      {"save", ""},
      {"timeout", std::to_string(options.idle_timeout.count())},
      {"tls-port", std::to_string(tls_port)},
  };
}

}  // namespace kv
