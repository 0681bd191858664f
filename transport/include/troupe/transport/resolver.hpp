// Resolves names to addresses.
//
// Addresses, and localhost, are answered at once and never leave the strand.
// Other names go to a resolver: the system's (getaddrinfo, that is
// /etc/hosts, the name server, and whatever else nsswitch.conf says), or another
// one, such as the table of a test.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/endpoint.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace troupe {

/// Which addresses are wanted.
enum class ip_family : std::uint8_t { any, v4, v6 };

/// What a resolver is asked for.
struct name_query {
  std::string host;
  std::uint16_t port = 0;
  ip_family family = ip_family::any;
};

/// Where names are looked up. Outlives every resolve() that uses it.
/// Threads: any strand, also several at a time.
class resolver {
 public:
  resolver() = default;
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;
  virtual ~resolver() = default;
  /// The addresses of a name, with the port, best first.
  /// Errors: why there are none; not_found for a name that does not exist.
  /// Cancellation: must end when it is stopped, which is how a deadline ends it.
  [[nodiscard]] virtual task<result<std::vector<ip_endpoint>>> resolve(name_query query) = 0;
};

/// The system's resolver: getaddrinfo on the runtime's pool for blocking calls. On a simulated runtime it
/// knows the hosts of its network (sim_network.hpp).
/// Errors: those of troupe::resolve() but timeout, which is the caller's.
/// Threads: any.
/// Cancellation: getaddrinfo cannot be interrupted: when a deadline or a stop ends the wait, its thread goes
/// on until the system gives up (some ten seconds, as resolv.conf says), and keeps its place in the pool;
/// the end of the runtime waits for it. A query that has not begun is dropped.
/// Blocks: a thread of the pool, not the strand. While all are busy (runtime_options::blocking_threads), the
/// next query waits in line.
[[nodiscard]] resolver& system_resolver() noexcept;

/// Names in a table, for tests and for simulated runs.
/// Threads: any; resolve() on a strand.
class table_resolver final : public resolver {
 public:
  /// The answer for `host`, in this order; the ports do not matter.
  void set(std::string host, std::vector<ip_endpoint> addresses);
  /// Makes `host` fail with this error.
  void fail(std::string host, error why);
  /// Every answer takes this long.
  void set_delay(duration d);
  /// Queries so far.
  [[nodiscard]] std::uint64_t asked() const;

  /// The addresses set for the name, with the port of the query.
  /// Errors: not_found for a name that the table does not have; the error given to fail().
  /// Cancellation: ends the delay.
  [[nodiscard]] task<result<std::vector<ip_endpoint>>> resolve(name_query query) override;

 private:
  result<std::vector<ip_endpoint>> answer(const name_query& query, duration& delay);

  mutable std::mutex lock_;
  std::map<std::string, result<std::vector<ip_endpoint>>, std::less<>> names_;
  duration delay_{};
  std::uint64_t asked_ = 0;
};

/// Options of resolve(). Use designated initializers.
struct resolve_options {
  ip_family family = ip_family::any;
  /// Null: system_resolver().
  troupe::resolver* resolver = nullptr;
};

/// The endpoints of `host` (a name, or an address, in brackets or not) at `port`: at least one, no two
/// alike, the best first by the system's rules (RFC 6724).
/// Errors: timeout after `deadline`; not_found for a name that does not exist, or has no address of the
/// family; invalid_argument for a name that is empty, too long or has a zero byte;
/// std::errc::resource_unavailable_try_again if no name server answered; std::errc::protocol_error if it
/// refused; otherwise the code of the system or of options.resolver. The text says what to do.
/// Threads: a strand.
/// Cancellation: ends the wait; a lookup by the system goes on in its thread (system_resolver()).
[[nodiscard]] task<result<std::vector<ip_endpoint>>> resolve(std::string host, std::uint16_t port,
                                                             duration deadline = std::chrono::seconds(5),
                                                             resolve_options options = {});
/// The same for a service by its name in /etc/services, such as "https", or a decimal port number.
/// Errors: those above; not_found for a service that does not exist.
[[nodiscard]] task<result<std::vector<ip_endpoint>>> resolve(std::string host, std::string service,
                                                             duration deadline = std::chrono::seconds(5),
                                                             resolve_options options = {});

}  // namespace troupe
