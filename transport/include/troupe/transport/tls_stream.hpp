// A TLS connection over a stream, as awaitables.
//
// It reads and writes as the stream below it does, and is owned by one strand
// at a time, as that is. Data is encrypted and decrypted as it passes through, so
// an idle connection holds no buffer. Built on OpenSSL 3, whose headers
// stay in transport/src.
#pragma once

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

/// Shares a tls_channel: the stream holds one, and so does each operation under way.
class tls_ref {
 public:
  tls_ref() noexcept = default;
  /// Takes over a share that the caller holds.
  explicit tls_ref(tls_channel* c) noexcept : channel_(c) {}
  tls_ref(const tls_ref& other) noexcept;
  tls_ref(tls_ref&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
  tls_ref& operator=(tls_ref other) noexcept {
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~tls_ref();

  [[nodiscard]] tls_channel* get() const noexcept { return channel_; }
  tls_channel* operator->() const noexcept { return channel_; }
  tls_channel& operator*() const noexcept { return *channel_; }
  explicit operator bool() const noexcept { return channel_ != nullptr; }

 private:
  tls_channel* channel_ = nullptr;
};

}  // namespace detail

/// A session that a client can resume, for a shorter handshake. Cheap to copy, thread-safe.
class tls_session {
 public:
  /// Nothing to resume.
  tls_session() noexcept = default;
  explicit operator bool() const noexcept { return session_ != nullptr; }

 private:
  friend class detail::tls_channel;
  std::shared_ptr<void> session_;
};

struct tls_accept_options {
  /// How long the handshake may take as a whole; then the connection is cut.
  duration handshake_deadline = std::chrono::seconds(10);
};

struct tls_connect_options {
  /// The host to talk to, a name or an IP address. The certificate must be valid for it, and a
  /// server with many names learns which one is meant (SNI).
  std::string server_name = {};
  duration handshake_deadline = std::chrono::seconds(10);
  /// From session() of an earlier connection to the same server. If the server no longer
  /// accepts it, the handshake is a full one.
  tls_session resume = {};
  /// Accepts a certificate of any name if its authority is trusted: anyone who has one can
  /// then impersonate this server.
  bool insecure_skip_name_check = false;
};

/// The peer's identity, as confirmed by its authority.
struct tls_certificate {
  std::string subject;  ///< "CN=alice,O=Example", as in RFC 2253
  std::string issuer;
  std::vector<std::string> dns_names;  ///< of the subject alternative names, as those below
  std::vector<std::string> ip_addresses;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
  std::string sha256;  ///< of the whole certificate, as 64 hexadecimal digits
};

/// Move-only; closes in its destructor. Not thread-safe. At most one read and one write may be
/// under way at a time: a second one of a kind gets errc::invalid_argument. Errors are values:
/// those of the socket as for tcp_stream, those of TLS in tls_errc; a failed connection stays failed.
/// Every operation ends when its owner is stopped. The deadlines are those of the stream below.
///
/// A read that is stopped loses no byte. A write that is stopped leaves the connection usable:
/// part of its bytes is sent or will be, in order, before those of the next write.
class tls_stream {
 public:
  /// No connection: every operation yields errc::closed.
  tls_stream() noexcept = default;
  tls_stream(tls_stream&&) noexcept = default;
  tls_stream& operator=(tls_stream&& other) noexcept;
  ~tls_stream() { close(); }

  /// Does the server's part of the handshake, over a tcp_stream or a unix_stream that is moved
  /// in. It may have been used before, as in STARTTLS, if nothing has been read beyond that.
  /// On an error the connection is closed, after an alert to the client if TLS has a
  /// fitting one.
  [[nodiscard]] static task<result<tls_stream>> accept(detail::stream_socket stream, tls_context context,
                                                       tls_accept_options options = {});
  /// Does the client's part: sends the name (SNI), checks the certificate and that it is for
  /// that name. A server that rejects the client's certificate says so after the handshake: then
  /// the first read yields tls_errc::refused_by_peer.
  [[nodiscard]] static task<result<tls_stream>> connect(detail::stream_socket stream, tls_context context,
                                                        tls_connect_options options);

  /// Reads what is there, at least one byte and at most `into.size()`; 0 is the end that the
  /// peer has announced. A connection that ends without that yields tls_errc::truncated: it may
  /// have been cut by a third party. Otherwise as tcp_stream::read_some().
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);

  /// Waits until the kernel has taken all of `bytes`, encrypted; otherwise as
  /// tcp_stream::write_all().
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);
  /// Several pieces as if they were one, in as few records as one. The array and the pieces stay
  /// in place meanwhile.
  [[nodiscard]] task<result<void>> write_all(std::span<const const_buffer> pieces);

  /// Waits until a read finds data, the end or an error; data that has been received and
  /// decrypted counts. With the deadline of a read.
  [[nodiscard]] task<result<void>> wait_readable();
  /// Reads without waiting: nothing now (nullopt), or as read_some().
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);

  /// Ends our half with a close_notify: the peer reads the end of the stream, and may still
  /// send. It waits as a write does, for the close_notify is bytes on the wire, too.
  [[nodiscard]] task<result<void>> shutdown_write();
  /// Ends the connection. Sends close_notify if there is room for it at once. Operations under
  /// way yield errc::closed. To be sure that the peer gets everything: shutdown_write(), then
  /// read to the end, then close.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

  void set_read_deadline(duration d) noexcept;
  void set_write_deadline(duration d) noexcept;
  /// The peer's address; also after it has gone, until close(). Of a unix stream 0.0.0.0:0.
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

  // -- what was agreed; empty or false on a stream that is not open -------------

  [[nodiscard]] tls_version version() const noexcept;
  /// Such as "TLS_AES_256_GCM_SHA384".
  [[nodiscard]] std::string_view cipher() const noexcept;
  /// The negotiated protocol (ALPN); empty if none was. Valid until close().
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// The name the client has asked for; empty for none. Valid until close().
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// The peer's certificate; nullopt for a client that has shown none.
  [[nodiscard]] std::optional<tls_certificate> peer_certificate() const;
  /// Whether this connection resumed an earlier one.
  [[nodiscard]] bool resumed() const noexcept;
  /// For a client, what the next connection may resume. A server of TLS 1.3 sends it behind the
  /// handshake, so take it after the first read.
  [[nodiscard]] tls_session session() const;
  /// Changes the keys of what we send, and asks the peer to change its own; with the next write.
  /// TLS 1.3 only; this happens automatically long before a key reaches its limit.
  result<void> update_keys();

 private:
  explicit tls_stream(detail::tls_ref channel) noexcept : channel_(std::move(channel)) {}

  detail::tls_ref channel_;
};

}  // namespace troupe
