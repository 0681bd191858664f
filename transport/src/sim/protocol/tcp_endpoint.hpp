// One end of a simulated connection: a minimal TCP.
//
//   connecting --syn_ack--> open <--segment-- embryonic      (SYN received; handshake not complete)
//        \                   |                   /
//         +------ reset, silence, close --------+--> over
//
// Bytes are numbered from 0; the end of the stream has a number too. Sent bytes stay in out_ until they are
// acknowledged. When no acknowledgement arrives in time, sending resumes at the first unacknowledged byte
// (go-back-N), with exponential backoff. The receiver takes only bytes that continue the stream.
//
// Owned by its host's table while the network may refer to it, and by its descriptor; after close() only the
// table owns it, and the bytes in out_ are still delivered. On the simulation's thread.
#pragma once

#include "sim/event_queue.hpp"
#include "sim/pollable.hpp"
#include "sim/protocol/byte_queue.hpp"
#include "sim/protocol/packet.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace troupe::detail::simnet {

struct binding;
struct host;
class listening_socket;

class tcp_endpoint final : public pollable, public std::enable_shared_from_this<tcp_endpoint> {
 public:
  struct identity {
    flow_end self;
    ip_endpoint local;
    ip_endpoint remote;
    std::shared_ptr<binding> port;  // held for the life of the connection
  };

  tcp_endpoint(host& home, identity who, std::size_t send_buffer, std::size_t receive_buffer);

  // -- the handshake; the endpoint must be in its host's table ----------------

  void connect();
  /// Answers `syn`, received by `at`.
  void answer(const packet& syn, const std::shared_ptr<listening_socket>& at);

  // -- the application's side ---------------------------------------------------

  [[nodiscard]] std::uint32_t present() const noexcept override;
  [[nodiscard]] const ip_endpoint& local() const noexcept { return who_.local; }
  [[nodiscard]] const ip_endpoint& remote() const noexcept { return who_.remote; }
  [[nodiscard]] bool is_connected() const noexcept { return phase_ == phase::open; }
  [[nodiscard]] bool is_connecting() const noexcept { return phase_ == phase::connecting; }
  /// The error it failed with, reported once.
  [[nodiscard]] int take_error() noexcept;
  [[nodiscard]] transfer read(std::span<std::byte> into, bool peek = false);
  [[nodiscard]] transfer write(std::span<const std::byte> bytes);
  /// As shutdown(2).
  int shut_down(bool reading, bool writing);
  /// Whether and how often a silent peer is probed; as the socket options of these names.
  struct keep_alive {
    bool on = false;
    std::int64_t idle_s = 7200;
    std::int64_t interval_s = 75;
    unsigned count = 9;
  };
  void set_keep_alive(const keep_alive& k);
  /// Makes close() reset the connection (SO_LINGER with 0).
  void linger_not() noexcept { abortive_ = true; }
  void close();

  // -- the network's side -------------------------------------------------------

  void receive(const packet& p);
  /// Ends it with a reset to the peer, as a faulty middlebox or a closed listener does.
  void abort();
  /// Its host went down.
  void vanish() noexcept;

 private:
  enum class phase : std::uint8_t { connecting, embryonic, open, over };

  [[nodiscard]] packet blank(packet::kind what) const;
  void emit(packet p);
  void acknowledge();
  void send_more(std::size_t most = SIZE_MAX);
  void take_acknowledgement(const packet& p);
  void take_bytes(const packet& p);
  void open();
  void fail(int error) noexcept;
  /// Removes it from the table: the network does not refer to it afterwards.
  void leave() noexcept;
  void leave_in_order();

  [[nodiscard]] std::uint64_t end_of_out() const noexcept { return first_ + out_.size(); }
  [[nodiscard]] bool in_flight() const noexcept { return next_ > first_ + (fin_acknowledged_ ? 1 : 0); }
  [[nodiscard]] bool has_more() const noexcept {
    return next_ < end_of_out() || (fin_wanted_ && next_ == end_of_out());
  }
  [[nodiscard]] std::size_t room() const noexcept {
    return out_.size() < send_buffer_ ? send_buffer_ - out_.size() : 0;
  }
  [[nodiscard]] std::uint64_t window() const noexcept {
    return in_.size() < receive_buffer_ ? receive_buffer_ - in_.size() : 0;
  }

  /// Whether the peer owes an acknowledgement.
  [[nodiscard]] bool awaits_answer() const noexcept {
    return phase_ == phase::connecting || phase_ == phase::embryonic ||
           (phase_ == phase::open && (in_flight() || has_more()));
  }
  void probe();
  void set_timer(bool restart);
  void on_timer();

  host& home_;
  identity who_;
  phase phase_ = phase::connecting;
  std::weak_ptr<listening_socket> at_;  // while embryonic
  int error_ = 0;
  bool abortive_ = false;
  bool orphan_ = false;  // closed by the application
  bool gone_ = false;    // with its host

  // Sending: out_ is [first_, end), of which [first_, next_) has been sent.
  byte_queue out_;
  std::size_t send_buffer_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t limit_ = 0;  // the end of the peer's window
  bool fin_wanted_ = false;
  bool fin_acknowledged_ = false;
  bool would_block_ = false;  // a write found the buffer full

  // Receiving: in_ holds the unread bytes; expected_ is the number of the next one.
  byte_queue in_;
  std::size_t receive_buffer_;
  std::uint64_t expected_ = 0;
  std::uint64_t offered_ = 0;  // the end of the window last sent to the peer
  bool peer_ended_ = false;
  bool read_shut_ = false;

  keep_alive keep_alive_;
  event_queue::entry timer_;
  bool timer_awaits_ = false;  // an acknowledgement; otherwise it is for keep_alive_
  unsigned tries_ = 0;         // retransmissions since the last packet from the peer
  instant heard_ = 0;          // the time of that packet, or the start of the wait for an acknowledgement
  instant answer_by_ = 0;      // the latest arrival of an answer to the last packet, if none is lost
  instant last_arrival_ = 0;   // of the packets this end has sent: those of one stream stay in order
};

}  // namespace troupe::detail::simnet
