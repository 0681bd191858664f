// The metrics of a server, a client or a datagram endpoint.
#pragma once

#include <cstdint>
#include <utility>

namespace troupe {

/// Why a connection ended.
enum class close_reason : std::uint8_t {
  peer,       ///< the peer ended it in order
  idle,       ///< no data before the read deadline, or a message for an on_data() took too long
  error,      ///< a read or write failed: reset by the peer, or aborted at the write deadline
  finished,   ///< our side ended it, or refused the data: on_data() failed, or a message was too long
  drain,      ///< the server stopped
  crash,      ///< its actor failed
  handshake,  ///< the TLS handshake failed: the peer does not speak TLS, was refused, or took too long
};

/// How many connections ended, by reason.
struct close_counts {
  std::uint64_t peer = 0;
  std::uint64_t idle = 0;
  std::uint64_t error = 0;
  std::uint64_t finished = 0;
  std::uint64_t drain = 0;
  std::uint64_t crash = 0;
  std::uint64_t handshake = 0;

  [[nodiscard]] std::uint64_t sum() const noexcept {
    return peer + idle + error + finished + drain + crash + handshake;
  }
};

/// The metrics of one endpoint at one moment. All but `active` only grow. They are read one after the other
/// while the endpoint runs, so their sums may be off by a few.
struct endpoint_metrics {
  std::uint64_t accepted = 0;    ///< connections that a server accepted, or a client made
  std::uint64_t refused = 0;     ///< connections refused at the limit
  std::uint64_t active = 0;      ///< connections now
  close_counts closed = {};      ///< connections that have ended
  std::uint64_t failures = 0;    ///< failed accepts, connects of a client, or receives of a datagram endpoint
  std::uint64_t reconnects = 0;  ///< connections of a client after its first
  std::uint64_t dropped = 0;     ///< messages lost; each endpoint says when
  std::uint64_t messages_in = 0;   ///< of a client or a datagram endpoint
  std::uint64_t messages_out = 0;  ///< likewise
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

namespace detail {

class endpoint_meter;

/// A reference to the meter of an endpoint, shared by its actors, its sockets and its monitors. Any thread.
class meter_ref {
 public:
  meter_ref();
  meter_ref(const meter_ref& other) noexcept;
  meter_ref(meter_ref&& other) noexcept : meter_(std::exchange(other.meter_, nullptr)) {}
  meter_ref& operator=(meter_ref other) noexcept {
    std::swap(meter_, other.meter_);
    return *this;
  }
  ~meter_ref();

  endpoint_meter* operator->() const noexcept { return meter_; }
  endpoint_meter& operator*() const noexcept { return *meter_; }

 private:
  endpoint_meter* meter_;
};

}  // namespace detail

/// Reads the metrics of an endpoint, or of several in one system together; a copy reads the same ones.
/// Threads: any.
class endpoint_monitor {
 public:
  /// The metrics now.
  /// Threads: any.
  /// Cost: sums 32 counters of each kind.
  [[nodiscard]] endpoint_metrics read() const;
  /// Internal.
  [[nodiscard]] detail::endpoint_meter& meter() const noexcept { return *meter_; }

 private:
  detail::meter_ref meter_;
};

}  // namespace troupe
