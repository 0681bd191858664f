// A TLS connection over a stream, as awaitables.
//
// It reads and writes like the stream below it, and is owned by one strand at a time. Data is encrypted and
// decrypted as it is written and read, so an idle connection holds no buffer. Built on OpenSSL 3, whose
// headers stay in transport/src.
#pragma once

#include <troupe/runtime/detail/shared_ref.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/const_buffer.hpp>
#include <troupe/transport/detail/stream_socket.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tls_context.hpp>
#include <troupe/transport/tls_error.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {

class tls_channel;

void add_share(tls_channel& c) noexcept;
void drop_share(tls_channel& c) noexcept;
/// Held by the stream and by each operation under way. On their strand.
using tls_ref = shared_ref<tls_channel>;

}  // namespace detail

/// The session of a client, with which a later connection may resume. Cheap to copy.
/// Threads: any.
class tls_session {
 public:
  /// No session.
  tls_session() noexcept = default;
  explicit operator bool() const noexcept { return session_ != nullptr; }

 private:
  friend class detail::tls_channel;
  std::shared_ptr<void> session_;
};

/// Options of tls_stream::accept().
struct tls_accept_options {
  /// The maximum duration of the handshake; then the connection is aborted.
  duration handshake_deadline = std::chrono::seconds(10);
};

/// Options of tls_stream::connect().
struct tls_connect_options {
  /// The server's host name or IP address. Its certificate must be for it; a name is sent to the server
  /// (SNI).
  std::string server_name = {};
  /// As in tls_accept_options.
  duration handshake_deadline = std::chrono::seconds(10);
  /// The session() of an earlier connection to the same server. If the server no longer accepts it, the
  /// handshake is a full one.
  tls_session resume = {};
  /// Accepts a certificate for any name if its authority is trusted: any owner of such a certificate can
  /// impersonate this server.
  bool insecure_skip_name_check = false;
};

/// The names in the peer's certificate, as confirmed by its authority.
struct tls_certificate {
  std::string subject;  ///< "CN=alice,O=Example", as in RFC 2253
  std::string issuer;
  std::vector<std::string> dns_names;  ///< of the subject alternative names, as are those below
  std::vector<std::string> ip_addresses;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
  std::string sha256;  ///< of the whole certificate, as 64 hexadecimal digits
};

/// A TLS connection. Move-only; its destructor closes it. At most one read and one write may be under way at
/// a time: a second one of a kind gets errc::invalid_argument. The deadlines are those of the stream below.
/// Errors: those of the socket as for tcp_stream, those of TLS in tls_errc. A failure is permanent.
/// Threads: one strand at a time.
/// Cancellation: every operation ends when its owner is stopped. A cancelled read loses no byte. A cancelled
/// write leaves the connection usable: a part of its bytes is sent, or will be before those of the next
/// write, in order.
class tls_stream {
 public:
  /// No connection: every operation yields errc::closed.
  tls_stream() noexcept = default;
  tls_stream(tls_stream&&) noexcept = default;
  tls_stream& operator=(tls_stream&& other) noexcept;
  ~tls_stream() { close(); }

  /// Does the server's part of the handshake, over a tcp_stream or a unix_stream that is moved in. The stream
  /// may have been used before, as in STARTTLS, if no byte of the handshake has been read.
  /// Errors: those above; the client is sent an alert if TLS has one for the error, and the connection is
  /// closed.
  [[nodiscard]] static task<result<tls_stream>> accept(detail::stream_socket stream, tls_context context,
                                                       tls_accept_options options = {});
  /// Does the client's part of the handshake: sends the name (SNI), and checks that the certificate is valid
  /// and for that name.
  /// Errors: those above. With TLS 1.3 a server refuses a client's certificate after the handshake: then the
  /// first read yields tls_errc::refused_by_peer.
  [[nodiscard]] static task<result<tls_stream>> connect(detail::stream_socket stream, tls_context context,
                                                        tls_connect_options options);

  /// Reads at least one and at most `into.size()` bytes, waiting for the first; 0 is the end of the stream,
  /// announced by the peer's close_notify.
  /// Errors: tls_errc::truncated if the connection ends without close_notify, since a third party may have
  /// cut it; otherwise those of tcp_stream::read_some().
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);

  /// Encrypts `bytes` and waits until the kernel has taken all of them; otherwise as tcp_stream::write_all().
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);
  /// Writes several pieces as one, in as few records as one. The array and the pieces must outlive the call.
  [[nodiscard]] task<result<void>> write_all(std::span<const const_buffer> pieces);

  /// Waits until a read finds data, the end of the stream or an error, with the deadline of a read.
  [[nodiscard]] task<result<void>> wait_readable();
  /// Reads without waiting; nullopt if there is nothing to read now, or `into` is empty. Otherwise as
  /// read_some().
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);

  /// Ends our half by sending close_notify: the peer reads the end of the stream, and may still send. Waits
  /// as a write does.
  [[nodiscard]] task<result<void>> shutdown_write();
  /// Ends the connection. Sends close_notify if the kernel's buffer has room. Operations under way yield
  /// errc::closed. To be sure that the peer gets all data: shutdown_write(), read to the end, then close().
  void close() noexcept;
  /// Whether it is open: false before a handshake and after close().
  [[nodiscard]] bool is_open() const noexcept;

  /// Sets the time that a read may wait for data.
  void set_read_deadline(duration d) noexcept;
  /// Sets the time that a write may wait for room.
  void set_write_deadline(duration d) noexcept;
  /// The peer's address, until close(), also after the peer has gone. For a unix_stream 0.0.0.0:0.
  /// Errors: closed.
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

  // -- negotiated parameters; empty or false on a stream that is not open -------

  /// The protocol version.
  [[nodiscard]] tls_version version() const noexcept;
  /// The cipher suite, such as "TLS_AES_256_GCM_SHA384".
  [[nodiscard]] std::string_view cipher() const noexcept;
  /// The application protocol; empty if none was negotiated. Valid until close().
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// The name that the client has requested; empty for none. Valid until close().
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// The peer's certificate; nullopt if a client has presented none.
  [[nodiscard]] std::optional<tls_certificate> peer_certificate() const;
  /// Whether this connection resumed an earlier one.
  [[nodiscard]] bool resumed() const noexcept;
  /// For a client: the session that a later connection may resume. A TLS 1.3 server sends it after the
  /// handshake, so call this after the first read.
  [[nodiscard]] tls_session session() const;
  /// Changes our keys with the next write, and requests that the peer changes its keys. TLS 1.3 only. Keys
  /// are also changed automatically, well before their limit.
  /// Errors: closed; invalid_argument with TLS 1.2.
  result<void> update_keys();

 private:
  explicit tls_stream(detail::tls_ref channel) noexcept : channel_(std::move(channel)) {}

  detail::tls_ref channel_;
};

}  // namespace troupe
