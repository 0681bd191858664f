// The state that all actors of one server share: its options, and the statistics for INFO. Created by main,
// kept alive by shared pointers. Options are read-only once the tree runs; statistics are atomics that any
// thread may read.
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
  troupe::ip_endpoint bind = troupe::ip_endpoint::loopback();  ///< the address for the ports below
  std::optional<std::uint16_t> port = 6379;  ///< for plain TCP; 0: a free one; nullopt: none
  std::optional<troupe::tls_context> tls;    ///< when set, tls_port is opened
  std::uint16_t tls_port = 0;
  shard_options shards;
  std::size_t max_clients = 10'000;          ///< on both ports together
  std::chrono::seconds idle_timeout{0};      ///< 0: clients may stay idle without limit
  std::chrono::seconds command_timeout{30};  ///< from a command's first byte to its last; 0: no limit
  std::chrono::seconds write_deadline{10};   ///< for a client that does not read its replies
  std::size_t max_pipeline = 256;            ///< commands of one client in progress at a time
  parser_limits limits;
  bool quiet = false;  ///< prints nothing to stdout and stderr: for a server inside a test
};

/// The duration for an option in seconds, where 0 means no limit.
inline troupe::duration time_or_forever(std::chrono::seconds option) {
  return option == std::chrono::seconds::zero() ? troupe::forever : troupe::duration(option);
}

/// The statistics of one shard. Invariant: only its actor writes them. Relaxed: each is read alone and pairs
/// with nothing. Broken by: tests/kv/server_test.
struct alignas(64) shard_stats {
  std::atomic<std::uint64_t> keys{0};
  std::atomic<std::uint64_t> journal_bytes{0};
  std::atomic<std::uint32_t> restarts{0};
  std::atomic<bool> failing{false};
  std::atomic<bool> loading{false};
};

struct server_state {
  explicit server_state(server_options o)
      : options(std::move(o)), stats(options.shards.count), loaded(options.shards.count) {}

  const server_options options;
  const std::chrono::steady_clock::time_point started_at = std::chrono::steady_clock::now();

  const troupe::endpoint_monitor clients;  ///< of both ports

  // Relaxed, as in shard_stats: any actor may add to them or read them, and each is read alone.
  std::atomic<std::uint16_t> port{0};  ///< the port that is open; 0: none
  std::atomic<std::uint16_t> tls_port{0};
  std::atomic<std::int64_t> next_client_id{1};
  std::atomic<std::uint64_t> commands{0};
  std::vector<shard_stats> stats;

  /// The shards as main has read them from their journals before the tree starts. The first incarnation of a
  /// shard takes its element; later incarnations read the journal themselves. Used by main, then by that
  /// shard only.
  std::vector<loaded_shard> loaded;

  /// The current facts for INFO.
  server_info facts() const;
  /// The settings that CONFIG GET reports.
  std::vector<setting> settings() const;
};

}  // namespace kv
