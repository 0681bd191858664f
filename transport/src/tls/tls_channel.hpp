// One TLS connection: OpenSSL's state above a socket, without any waiting.
//
//                       SSL_write                        send
//   plaintext  ---------------------->  records  ---------------------> socket
//                                          | what the kernel has no room for
//                                          v
//                                      pending_  -- flush() ----------> socket
//
//   plaintext  <----------------------  records  <--------------------- socket
//                       SSL_read                       receive
//
// Each step runs to its end between two suspensions of the strand, and leaves the connection consistent: a
// record that does not fit the kernel goes to pending_. So for OpenSSL a write never has to wait, and a
// reader, a writer and an operation that was cancelled half-way do not interfere. New data is encrypted only
// when pending_ is empty, so it holds one record and a few control messages at most.
//
// Owned by a tls_stream and the operations under way on it, on one strand.
#pragma once

#include "socket/socket_state.hpp"
#include "tls/openssl.hpp"

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/transport/detail/stream_socket.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/tls_context.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>

namespace troupe::detail {

/// The event that a step waits for.
enum class tls_step : std::uint8_t {
  over,         ///< nothing: it is done, or has failed
  again,        ///< nothing, but others should have their turn
  wait_read,    ///< the peer must send
  wait_write,   ///< the kernel must have room
  wait_reader,  ///< the rest of a message that is being read; only odd peers make one wait for it
};

/// The unwritten pieces of a write; the first is never empty.
class tls_pieces {
 public:
  explicit tls_pieces(std::span<const const_buffer> all) noexcept : rest_(all) { drop(0); }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept;
  void drop(std::size_t n) noexcept;
  /// The front as one stretch, of at most `most` bytes: a piece itself, or small ones put
  /// together in `scratch`.
  [[nodiscard]] std::span<const std::byte> front(std::size_t most, read_buffer& scratch) const;

 private:
  std::span<const const_buffer> rest_;
  std::size_t done_ = 0;  // of the first
};

class tls_channel {
 public:
  [[nodiscard]] static tls_ref make(stream_socket stream, tls_context context);
  ~tls_channel();
  tls_channel(const tls_channel&) = delete;
  tls_channel& operator=(const tls_channel&) = delete;

  void share() noexcept { shares_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

  /// Before the handshake; an error is for the caller of connect().
  [[nodiscard]] result<void> prepare_client(const tls_connect_options& options);

  [[nodiscard]] tls_step handshake();
  /// Reads into `into`; over with got == 0: the end, or an error.
  [[nodiscard]] tls_step read(std::span<std::byte> into, std::size_t& got);
  /// Over when a read would find something.
  [[nodiscard]] tls_step peek();
  /// Takes from the front of `rest`; over when that is empty and all is sent, or on an error.
  [[nodiscard]] tls_step write(tls_pieces& rest);
  [[nodiscard]] tls_step shutdown();
  /// Sends close_notify if the kernel buffer has room, then closes.
  void close() noexcept;

  [[nodiscard]] const socket_ref& socket() const noexcept { return socket_; }
  [[nodiscard]] stream_socket& stream() noexcept { return stream_; }
  [[nodiscard]] bool is_open() const noexcept { return ssl_ && socket_ && socket_->is_open(); }
  /// Null until something has failed in that direction; then it stays so.
  [[nodiscard]] const error* failure(direction d) const noexcept;
  /// With the next record that is sent.
  void want_new_keys() noexcept { keys_wanted_ = true; }

  [[nodiscard]] const SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] SSL* ssl() noexcept { return ssl_.get(); }
  [[nodiscard]] tls_session session() const;

 private:
  friend struct tls_bio;
  tls_channel(stream_socket stream, tls_context context);

  [[nodiscard]] tls_step decrypt(std::span<std::byte> into, std::size_t& got);
  /// Sends what is pending, as far as there is room; false when some is left.
  bool flush();
  /// Why an operation of OpenSSL returned `status`; over where it has failed for good.
  [[nodiscard]] tls_step classify(int status, direction d);
  void fail(direction d, std::error_code code, std::string_view text);
  void renew_keys() noexcept;
  static int on_verified(int ok, X509_STORE_CTX* store) noexcept;

  // -- what the BIO does: tls_bio.cpp -------------------------------------------
  int bio_read(std::span<const std::byte> bytes) noexcept;
  int bio_write(std::span<std::byte> into) noexcept;

  stream_socket stream_;
  socket_ref socket_;
  tls_context context_;
  ssl_ptr ssl_;
  read_buffer pending_;
  std::unique_ptr<const error> failures_[2];
  std::error_code receive_failed_;
  std::error_code send_failed_;
  std::unique_ptr<const std::string> refused_;  // why the peer's certificate was
  std::unique_ptr<const std::string> wanted_;   // the host a client means
  std::uint32_t records_ = 0;                   // sent under the present key
  bool would_block_ = false;                    // the last operation found the socket empty
  bool ended_ = false;                          // the socket has reached its end
  bool handshake_done_ = false;                 // the handshake is done
  bool farewell_sent_ = false;
  bool keys_wanted_ = false;
  // shares_: counts the stream and the operations under way; acq_rel, as any reference count. Broken by:
  // "tls_stream: a stream may be closed or destroyed while a read waits".
  atomic<std::uint32_t> shares_{1};
};

}  // namespace troupe::detail
