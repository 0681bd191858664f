// What all actors of one server share: its options, and the figures that INFO shows.
// Made by main, kept alive by everybody who holds the pointer. Options are read-only once the tree runs; the
// figures are atomics that each actor writes for itself and anybody may read.
#pragma once

#include "kv/journal/shard_files.hpp"
#include "kv/net/resp.hpp"
#include "kv/net/session.hpp"

#include <troupe/runtime/time.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/tls_context.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace kv {

struct server_options {
  troupe::ip_endpoint bind = troupe::ip_endpoint::loopback();  ///< the address, for the ports below
  std::optional<std::uint16_t> port = 6379;  ///< for plain TCP; 0: a free one; nothing: none
  std::optional<troupe::tls_context> tls;    ///< with it, tls_port is open too
  std::uint16_t tls_port = 0;
  shard_options shards;
  std::size_t max_clients = 10'000;          ///< at both ports together
  std::chrono::seconds idle_timeout{0};      ///< 0: clients may stay silent for ever
  std::chrono::seconds command_timeout{30};  ///< from a command's first byte to its last; 0: no limit
  std::chrono::seconds write_deadline{10};   ///< for a client that does not read its replies
  std::size_t max_pipeline = 256;            ///< commands of one client that are under way at a time
  parser_limits limits;
  bool quiet = false;  ///< says nothing on stdout and stderr: for a server inside of a test
};

/// The time that an option in seconds stands for, where 0 is without limit.
inline troupe::duration time_or_forever(std::chrono::seconds option) {
  return option == std::chrono::seconds::zero() ? troupe::forever : troupe::duration(option);
}

/// The figures of one shard, written by its actor only. Relaxed throughout: each is a snapshot of its own,
/// and orders nothing.
struct alignas(64) shard_stats {
  std::atomic<std::uint64_t> keys{0};
  std::atomic<std::uint64_t> journal_bytes{0};
  std::atomic<std::uint32_t> restarts{0};
  std::atomic<bool> failing{false};
  std::atomic<bool> loading{false};
};

struct server_state {
  explicit server_state(server_options o)
      : options(std::move(o)), figures(options.shards.count), loaded(options.shards.count) {}

  const server_options options;
  const std::chrono::steady_clock::time_point started_at = std::chrono::steady_clock::now();

  const troupe::endpoint_monitor clients;  ///< of both ports

  // Relaxed, as the figures: any actor may add to them or read them, and nothing hangs on their order.
  std::atomic<std::uint16_t> port{0};  ///< that is listened at; 0: none
  std::atomic<std::uint16_t> tls_port{0};
  std::atomic<std::int64_t> next_client_id{1};
  std::atomic<std::uint64_t> commands{0};
  std::vector<shard_stats> figures;

  /// What main has read from the journals before the tree starts; the first incarnation of a shard takes its
  /// own, later ones read their journals themselves. Touched by main, then by that shard only.
  std::vector<loaded_shard> loaded;

  /// The facts for INFO, as they are now.
  server_info facts() const;
  /// What CONFIG GET may ask for.
  std::vector<setting> settings() const;
};

}  // namespace kv
