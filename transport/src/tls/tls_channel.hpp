// One TLS connection: OpenSSL's state on top of a socket, without any waiting.
//
//                       SSL_write                        send
//   plaintext  ---------------------->  records  ---------------------> socket
//                                          | bytes that the kernel has no room for
//                                          v
//                                      pending_  -- flush() ----------> socket
//
//   plaintext  <----------------------  records  <--------------------- socket
//                       SSL_read                       receive
//
// Each step runs to its end between two suspensions of the strand, and leaves the connection in a consistent
// state: a record that the kernel has no room for goes to pending_, so an OpenSSL write never has to wait,
// and a reader, a writer and a cancelled operation cannot interfere with each other. New data is encrypted
// only when pending_ is empty, so pending_ holds at most one record and a few control messages.
//
// tls_channel.cpp has the set-up, the end and the memory; tls_steps.cpp the steps; tls_bio.cpp the socket
// side. Owned by a tls_stream and the operations under way on it, on one strand.
#pragma once

#include "socket/socket_state.hpp"
#include "tls/openssl.hpp"

#include <troupe/runtime/detail/share_count.hpp>
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

/// The outcome of a step: whether it is done, or what it needs before it can continue.
enum class tls_step : std::uint8_t {
  done,         ///< it has succeeded or failed
  again,        ///< call it again, after a yield to other strands
  wait_read,    ///< data from the peer
  wait_write,   ///< room in the kernel's buffer
  wait_reader,  ///< the rest of a control message that the reader has half received; rare
};

/// The unsent rest of the pieces of a write; the first piece is never empty.
class tls_pieces {
 public:
  explicit tls_pieces(std::span<const const_buffer> all) noexcept : rest_(all) { drop(0); }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept;
  void drop(std::size_t n) noexcept;
  /// The first bytes, at most `most`, as one span: a part of a piece, or small pieces gathered in `scratch`.
  [[nodiscard]] std::span<const std::byte> front(std::size_t most, read_buffer& scratch) const;

 private:
  std::span<const const_buffer> rest_;
  std::size_t done_ = 0;  // bytes of the first piece
};

class tls_channel {
 public:
  [[nodiscard]] static tls_ref make(stream_socket stream, tls_context context);
  ~tls_channel();
  tls_channel(const tls_channel&) = delete;
  tls_channel& operator=(const tls_channel&) = delete;

  void share() noexcept { shares_.add(); }
  void release() noexcept;

  /// Applies a client's options; call it before the handshake. An error is for the caller of connect().
  [[nodiscard]] result<void> prepare_client(const tls_connect_options& options);

  [[nodiscard]] tls_step handshake();
  /// Reads into `into`. Done with got == 0: the end of the stream, or an error.
  [[nodiscard]] tls_step read(std::span<std::byte> into, std::size_t& got);
  /// Done when a read would find data, the end or an error.
  [[nodiscard]] tls_step peek();
  /// Takes bytes from the front of `rest`. Done when it is empty and all is sent, or on an error.
  [[nodiscard]] tls_step write(tls_pieces& rest);
  /// Sends close_notify.
  [[nodiscard]] tls_step shutdown();
  /// Sends close_notify if the kernel's buffer has room, then closes.
  void close() noexcept;

  [[nodiscard]] const socket_ref& socket() const noexcept { return socket_; }
  [[nodiscard]] stream_socket& stream() noexcept { return stream_; }
  [[nodiscard]] bool is_open() const noexcept { return ssl_ && socket_ && socket_->is_open(); }
  /// The error of this direction; null until it has failed. A failure is permanent.
  [[nodiscard]] const error* failure(direction d) const noexcept;
  /// Changes our keys with the next record that is sent.
  void want_new_keys() noexcept { keys_wanted_ = true; }

  [[nodiscard]] const SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] SSL* ssl() noexcept { return ssl_.get(); }
  [[nodiscard]] tls_session session() const;

 private:
  friend struct tls_bio;
  tls_channel(stream_socket stream, tls_context context);

  [[nodiscard]] tls_step decrypt(std::span<std::byte> into, std::size_t& got);
  /// Sends pending_, as far as the kernel has room. False if some is left.
  bool flush();
  /// The step that follows when an OpenSSL function returned `status`. Records a permanent failure.
  [[nodiscard]] tls_step classify(int status, direction d);
  void fail(direction d, std::error_code code, std::string_view text);
  void renew_keys() noexcept;
  static int on_verified(int ok, X509_STORE_CTX* store) noexcept;

  // -- called by the BIO: tls_bio.cpp -------------------------------------------
  int bio_write(std::span<const std::byte> bytes) noexcept;
  int bio_read(std::span<std::byte> into) noexcept;

  stream_socket stream_;
  socket_ref socket_;
  tls_context context_;
  ssl_ptr ssl_;
  read_buffer pending_;
  std::unique_ptr<const error> failures_[2];
  std::error_code receive_failed_;
  std::error_code send_failed_;
  std::unique_ptr<const std::string> refused_;  // why the peer's certificate was refused
  std::unique_ptr<const std::string> wanted_;   // the server_name of a client
  std::uint32_t records_ = 0;                   // sent under the present key
  bool would_block_ = false;                    // the last operation found the socket empty
  bool read_closed_ = false;                    // the socket's stream has ended
  bool handshake_done_ = false;
  bool close_notify_sent_ = false;
  bool keys_wanted_ = false;
  share_count shares_;  // of the stream and the operations under way
};

}  // namespace troupe::detail
