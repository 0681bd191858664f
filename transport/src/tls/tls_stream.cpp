// The coroutines of tls_stream: each repeats a step of its tls_channel and waits in between. On its strand.
#include "socket/operation.hpp"
#include "socket/readiness.hpp"
#include "socket/socket_error.hpp"
#include "tls/tls_certificate.hpp"
#include "tls/tls_channel.hpp"
#include "tls/tls_context_state.hpp"

#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <string>

namespace troupe {

using detail::direction;
using detail::operation;
using detail::readiness;
using detail::tls_channel;
using detail::tls_pieces;
using detail::tls_ref;
using detail::tls_step;

namespace {

constexpr const char* reading = "read from";
constexpr const char* writing = "write to";
// How often a writer polls while it waits for the rest of a control message that the reader has half
// received. Only a peer that splits its control messages into several records makes it wait.
constexpr duration reader_pause = std::chrono::milliseconds(1);

// As in stream_socket.cpp: the coroutines end in one place, and code that needs temporaries is out of line,
// so that frames stay small.

detail::socket_state* socket_of(const tls_ref& t) noexcept {
  return t ? t->socket().get() : nullptr;
}

std::error_code open_or_closed(const tls_ref& t) noexcept {
  return t && t->is_open() ? std::error_code() : make_error_code(errc::closed);
}

std::error_code refusal(const tls_ref& t, const operation& mine) noexcept {
  if (const std::error_code closed = open_or_closed(t)) return closed;
  return mine ? std::error_code() : make_error_code(errc::invalid_argument);
}

TROUPE_NOINLINE error failure(const tls_ref& t, direction d, std::error_code why) {
  const char* const what = d == direction::read ? reading : writing;
  if (!t || why == errc::closed) return detail::closed_error(what);
  if (why == errc::invalid_argument) return detail::busy_error(what, t->socket()->name());
  return detail::socket_error(why, what, t->socket()->name());
}

TROUPE_NOINLINE result<std::size_t> read_outcome(const tls_ref& t, std::size_t got, std::error_code why) {
  if (why) return std::unexpected(failure(t, direction::read, why));
  if (got == 0 && t->failure(direction::read) != nullptr)
    return std::unexpected(*t->failure(direction::read));
  return got;
}

TROUPE_NOINLINE result<void> readable_outcome(const tls_ref& t, std::error_code why) {
  if (why) return std::unexpected(failure(t, direction::read, why));
  return {};
}

TROUPE_NOINLINE result<void> write_outcome(const tls_ref& t, std::size_t left, std::error_code why) {
  if (why == errc::timeout) {
    return std::unexpected(error(why, "write to " + t->socket()->name() + ": the peer does not read; " +
                                          std::to_string(left) +
                                          " bytes were left when write_deadline passed, and the connection "
                                          "was aborted"));
  }
  if (why) return std::unexpected(failure(t, direction::write, why));
  if (const error* const e = t->failure(direction::write)) return std::unexpected(*e);
  return {};
}

TROUPE_NOINLINE void handshake_overdue(const tls_ref& t, std::error_code why, error& into) {
  into =
      why == errc::timeout
          ? error(why, "TLS handshake with " + t->socket()->name() +
                           ": it was not done when handshake_deadline passed, and the connection was aborted")
          : detail::socket_error(why, "TLS handshake with", t->socket()->name());
}

TROUPE_NOINLINE error handshake_refusal(const tls_ref& t) {
  return t->failure(direction::read) != nullptr ? *t->failure(direction::read)
                                                : *t->failure(direction::write);
}

// -- handshake ------------------------------------------------------------------------

// Creates the channel; on failure puts the error into `refused`.
tls_ref begin(detail::stream_socket stream, tls_context context, const tls_connect_options* client,
              std::optional<error>& refused) {
  if (!stream.is_open()) {
    refused = detail::closed_error("TLS handshake");
    return {};
  }
  const bool server = client == nullptr;
  if (context.is_server() != server) {
    refused = error(make_error_code(errc::invalid_argument),
                    server ? "tls_stream::accept needs a context made by tls_context::server()"
                           : "tls_stream::connect needs a context made by tls_context::client()");
    return {};
  }
  tls_ref t = tls_channel::make(std::move(stream), std::move(context));
  if (!server) {
    if (result<void> prepared = t->prepare_client(*client); !prepared) {
      refused = std::move(prepared.error());
      return {};
    }
  }
  return t;
}

task<result<tls_ref>> refuse(error why) {
  co_return std::unexpected(std::move(why));
}

task<result<tls_ref>> shake(tls_ref t, duration within) {
  const operation reads(t->socket().get(), direction::read);
  const operation writes(t->socket().get(), direction::write);
  const std::int64_t deadline = detail::deadline_in(within);
  std::error_code why = refusal(t, reads);
  error failed(why);
  for (tls_step step = tls_step::again; !why;) {
    step = t->handshake();
    if (step == tls_step::done) break;
    if (step == tls_step::again) {
      co_await yield();
      why = open_or_closed(t);
    } else {
      why = co_await readiness(*t->socket(),
                               step == tls_step::wait_write ? direction::write : direction::read, deadline);
    }
  }
  if (why) {
    handshake_overdue(t, why, failed);
  } else if (t->failure(direction::read) != nullptr || t->failure(direction::write) != nullptr) {
    failed = handshake_refusal(t);
  } else {
    co_return std::move(t);
  }
  t->close();
  co_return std::unexpected(std::move(failed));
}

task<result<tls_ref>> start(detail::stream_socket stream, tls_context context,
                            const tls_connect_options* client, duration within) {
  std::optional<error> refused;
  tls_ref t = begin(std::move(stream), std::move(context), client, refused);
  return refused ? refuse(std::move(*refused)) : shake(std::move(t), within);
}

// -- reading and writing ------------------------------------------------------------------

struct read_attempt {
  std::span<std::byte> into;
  std::size_t got = 0;

  tls_step step(tls_channel& t) { return t.read(into, got); }
  [[nodiscard]] result<std::size_t> outcome(const tls_ref& t, std::error_code why) const {
    return read_outcome(t, got, why);
  }
};
struct peek_attempt {
  static tls_step step(tls_channel& t) { return t.peek(); }
  [[nodiscard]] static result<void> outcome(const tls_ref& t, std::error_code why) {
    return readable_outcome(t, why);
  }
};

// Repeats the attempt until it is done, or fails: the operation of a read.
template <class Attempt>
auto run_read(tls_ref t, Attempt a) -> task<decltype(a.outcome(t, std::error_code()))> {
  const operation mine(socket_of(t), direction::read);
  std::error_code why = refusal(t, mine);
  std::int64_t deadline = 0;
  while (!why) {
    const tls_step step = a.step(*t);
    if (step == tls_step::done) break;
    if (step == tls_step::again) {
      co_await yield();
      why = open_or_closed(t);
      continue;
    }
    if (deadline == 0) deadline = detail::deadline_in(t->socket()->options.read_deadline);
    why = co_await readiness(*t->socket(), direction::read, deadline);
  }
  co_return a.outcome(t, why);
}

// One step of a write, or of sending close_notify.
TROUPE_NOINLINE tls_step advance(tls_channel& t, tls_pieces& rest, bool shutdown) {
  return shutdown ? t.shutdown() : t.write(rest);
}

task<result<void>> write_on(tls_ref t, std::span<const std::byte> one, std::span<const const_buffer> many,
                            bool shutdown) {
  const operation mine(socket_of(t), direction::write);
  tls_pieces rest(many.empty() ? std::span<const const_buffer>(&one, 1) : many);
  std::error_code why = refusal(t, mine);
  std::int64_t deadline = 0;
  while (!why) {
    const tls_step step = advance(*t, rest, shutdown);
    if (step == tls_step::done) break;
    // A peer that reads as fast as we write must not occupy the worker.
    if (step == tls_step::again || !detail::consume_budget()) {
      co_await yield();
      why = open_or_closed(t);
      continue;
    }
    if (deadline == 0) deadline = detail::deadline_in(t->socket()->options.write_deadline);
    if (step == tls_step::wait_reader) {
      co_await sleep_for(reader_pause);
      why = detail::due_in(duration::zero()) >= deadline ? make_error_code(errc::timeout) : open_or_closed(t);
    } else {
      why = co_await readiness(*t->socket(), direction::write, deadline);
    }
    if (why == errc::timeout) t->socket()->cut();
  }
  co_return write_outcome(t, rest.bytes(), why);
}

task<result<std::size_t>> refuse_empty() {
  co_return std::unexpected(
      error(make_error_code(errc::invalid_argument),
            "read_some: the buffer is empty, so a result of 0 bytes would look like the end of the stream"));
}

}  // namespace

task<result<tls_stream>> tls_stream::accept(detail::stream_socket stream, tls_context context,
                                            tls_accept_options options) {
  result<tls_ref> t =
      co_await start(std::move(stream), std::move(context), nullptr, options.handshake_deadline);
  if (!t) co_return std::unexpected(std::move(t.error()));
  co_return tls_stream(std::move(*t));
}

task<result<tls_stream>> tls_stream::connect(detail::stream_socket stream, tls_context context,
                                             tls_connect_options options) {
  result<tls_ref> t =
      co_await start(std::move(stream), std::move(context), &options, options.handshake_deadline);
  if (!t) co_return std::unexpected(std::move(t.error()));
  co_return tls_stream(std::move(*t));
}

tls_stream& tls_stream::operator=(tls_stream&& other) noexcept {
  if (this != &other) {
    close();
    channel_ = std::move(other.channel_);
  }
  return *this;
}

task<result<std::size_t>> tls_stream::read_some(std::span<std::byte> into) {
  return into.empty() && is_open() ? refuse_empty() : run_read(channel_, read_attempt{into});
}
task<result<void>> tls_stream::write_all(std::span<const std::byte> bytes) {
  return write_on(channel_, bytes, {}, false);
}
task<result<void>> tls_stream::write_all(std::span<const const_buffer> pieces) {
  return write_on(channel_, {}, pieces, false);
}
task<result<void>> tls_stream::shutdown_write() {
  return write_on(channel_, {}, {}, true);
}
task<result<void>> tls_stream::wait_readable() {
  return run_read(channel_, peek_attempt{});
}

result<std::optional<std::size_t>> tls_stream::try_read(std::span<std::byte> into) {
  const operation mine(socket_of(channel_), direction::read);
  if (const std::error_code why = refusal(channel_, mine)) {
    return std::unexpected(failure(channel_, direction::read, why));
  }
  if (into.empty()) return std::nullopt;
  std::size_t got = 0;
  if (channel_->read(into, got) != tls_step::done) return std::nullopt;
  const result<std::size_t> all = read_outcome(channel_, got, {});
  if (!all) return std::unexpected(all.error());
  return *all;
}

void tls_stream::close() noexcept {
  if (!channel_) return;
  channel_->close();
  channel_ = {};
}

bool tls_stream::is_open() const noexcept {
  return channel_ && channel_->is_open();
}

void tls_stream::set_read_deadline(duration d) noexcept {
  if (channel_) channel_->stream().set_read_deadline(d);
}
void tls_stream::set_write_deadline(duration d) noexcept {
  if (channel_) channel_->stream().set_write_deadline(d);
}

result<ip_endpoint> tls_stream::remote_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("remote_endpoint"));
  return channel_->socket()->where();
}

// -- the negotiated parameters -----------------------------------------------------------------------

tls_version tls_stream::version() const noexcept {
  return is_open() && SSL_version(channel_->ssl()) == TLS1_3_VERSION ? tls_version::v1_3 : tls_version::v1_2;
}

std::string_view tls_stream::cipher() const noexcept {
  const char* const name = is_open() ? SSL_get_cipher_name(channel_->ssl()) : nullptr;
  return name != nullptr ? name : "";
}

std::string_view tls_stream::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (is_open()) SSL_get0_alpn_selected(channel_->ssl(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view tls_stream::server_name() const noexcept {
  const char* const name =
      is_open() ? SSL_get_servername(channel_->ssl(), TLSEXT_NAMETYPE_host_name) : nullptr;
  return name != nullptr ? name : "";
}

std::optional<tls_certificate> tls_stream::peer_certificate() const {
  const X509* const c = is_open() ? SSL_get0_peer_certificate(channel_->ssl()) : nullptr;
  if (c == nullptr) return std::nullopt;
  return detail::describe_certificate(*c);
}

bool tls_stream::resumed() const noexcept {
  return is_open() && SSL_session_reused(channel_->ssl()) == 1;
}

tls_session tls_stream::session() const {
  return is_open() ? channel_->session() : tls_session();
}

result<void> tls_stream::update_keys() {
  if (!is_open()) return std::unexpected(detail::closed_error("update_keys"));
  if (version() == tls_version::v1_3) {
    channel_->want_new_keys();
    return {};
  }
  return std::unexpected(error(make_error_code(errc::invalid_argument),
                               "update_keys: this connection uses TLS 1.2, which cannot update keys"));
}

}  // namespace troupe
