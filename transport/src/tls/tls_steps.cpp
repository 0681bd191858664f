// The steps of a tls_channel: handshake, read, write and shutdown, each without waiting. On its strand.
#include "tls/tls_channel.hpp"
#include "tls/tls_failure.hpp"

#include <troupe/transport/tls_error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::detail {

namespace {

// Plaintext of one record: with TLS's overhead it fits a block of the pool.
constexpr std::size_t record_bytes = read_buffer::block_bytes - 256;
// Records before a yield to other strands: about 100 us of encryption.
constexpr int records_at_once = 16;
// Records under one key: well below the limit of RFC 8446, 5.5.
constexpr std::uint32_t records_of_a_key = 1U << 22U;

}  // namespace

// -- the pieces of a write --------------------------------------------------------------

std::size_t tls_pieces::bytes() const noexcept {
  std::size_t n = 0;
  for (const auto& piece : rest_) n += piece.size();
  return n - done_;
}

void tls_pieces::drop(std::size_t n) noexcept {
  done_ += n;
  while (!rest_.empty() && done_ >= rest_.front().size()) {
    done_ -= rest_.front().size();
    rest_ = rest_.subspan(1);
  }
}

std::span<const std::byte> tls_pieces::front(std::size_t most, read_buffer& scratch) const {
  const std::span<const std::byte> first = rest_.front().subspan(done_);
  if (rest_.size() == 1 || first.size() >= most) return first.first(std::min(most, first.size()));
  const std::span<std::byte> room = scratch.prepare(most);
  std::size_t filled = 0;
  for (std::size_t i = 0; i < rest_.size() && filled < most; ++i) {
    const std::span<const std::byte> piece = i == 0 ? first : rest_[i];
    const std::size_t n = std::min(piece.size(), most - filled);
    if (n != 0) std::memcpy(room.data() + filled, piece.data(), n);
    filled += n;
  }
  scratch.commit(filled);
  return scratch.data();
}

// -- the handshake ---------------------------------------------------------------------

tls_step tls_channel::handshake() {
  ERR_clear_error();
  would_block_ = false;
  const int status = SSL_do_handshake(ssl_.get());
  const tls_step step = status == 1 ? tls_step::done : classify(status, direction::read);
  if (failure(direction::read) != nullptr) {
    (void)flush();  // the alert, if the kernel has room
    return tls_step::done;
  }
  if (!flush()) return tls_step::wait_write;
  if (step == tls_step::done) {
    handshake_done_ = true;
    if (send_failed_) fail(direction::read, send_failed_, "the peer is gone");
  }
  return step;
}

// -- reading and writing ----------------------------------------------------------------

tls_step tls_channel::read(std::span<std::byte> into, std::size_t& got) {
  const tls_step step = decrypt(into, got);
  // A control message makes OpenSSL allocate both buffers, and keep one until the next write. Buffers in use
  // are not freed.
  SSL_free_buffers(ssl_.get());
  return step;
}

tls_step tls_channel::decrypt(std::span<std::byte> into, std::size_t& got) {
  got = 0;
  if (!socket_->in_use[static_cast<unsigned>(direction::write)]) (void)flush();
  for (int records = 0; records != records_at_once; ++records) {
    if (failure(direction::read) != nullptr) return tls_step::done;
    ERR_clear_error();
    would_block_ = false;
    std::size_t n = 0;
    const int status = SSL_read_ex(ssl_.get(), into.data(), into.size(), &n);
    if (status == 1) {
      got += n;
      into = into.subspan(n);
      // Data that has been received already costs no system call.
      if (into.empty() || SSL_has_pending(ssl_.get()) == 0) return tls_step::done;
      continue;
    }
    const tls_step step = classify(status, direction::read);
    if (step != tls_step::again) return got != 0 ? tls_step::done : step;
  }
  return got != 0 ? tls_step::done : tls_step::again;
}

tls_step tls_channel::peek() {
  if (!socket_->in_use[static_cast<unsigned>(direction::write)]) (void)flush();
  tls_step step = tls_step::again;
  for (int records = 0; records != records_at_once && step == tls_step::again; ++records) {
    if (failure(direction::read) != nullptr) return tls_step::done;
    ERR_clear_error();
    would_block_ = false;
    std::byte first;
    std::size_t n = 0;
    const int status = SSL_peek_ex(ssl_.get(), &first, 1, &n);
    step = status == 1 ? tls_step::done : classify(status, direction::read);
  }
  SSL_free_buffers(ssl_.get());  // as above
  return step;
}

tls_step tls_channel::write(tls_pieces& rest) {
  for (int records = 0; records != records_at_once; ++records) {
    if (failure(direction::write) != nullptr) return tls_step::done;
    if (!flush()) return tls_step::wait_write;
    if (rest.empty() || failure(direction::write) != nullptr) return tls_step::done;
    if (close_notify_sent_) {
      fail(direction::write, std::make_error_code(std::errc::broken_pipe),
           "shutdown_write() has ended this half");
      return tls_step::done;
    }
    renew_keys();
    read_buffer scratch(read_buffer::block_bytes);
    const std::span<const std::byte> record = rest.front(record_bytes, scratch);
    ERR_clear_error();
    would_block_ = false;
    std::size_t taken = 0;
    const int status = SSL_write_ex(ssl_.get(), record.data(), record.size(), &taken);
    if (status == 1) {
      rest.drop(taken);
      continue;
    }
    const tls_step step = classify(status, direction::write);
    if (step != tls_step::again) return step;
  }
  return tls_step::again;
}

// Renews the keys on request, or when the present key has encrypted enough. OpenSSL refuses while a control
// message of the peer is half received; then a later record does it.
void tls_channel::renew_keys() noexcept {
  if (++records_ < records_of_a_key && !keys_wanted_) return;
  if (SSL_version(ssl_.get()) == TLS1_3_VERSION && SSL_in_init(ssl_.get()) == 0) {
    const int how = keys_wanted_ ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
    if (SSL_key_update(ssl_.get(), how) != 1) return;
  }
  records_ = 0;
  keys_wanted_ = false;
}

tls_step tls_channel::shutdown() {
  if (failure(direction::write) != nullptr) return tls_step::done;
  if (!close_notify_sent_) {
    if (!flush()) return tls_step::wait_write;
    ERR_clear_error();
    would_block_ = false;
    // OpenSSL cannot send close_notify in the middle of a control message.
    int status = SSL_in_init(ssl_.get()) != 0 ? SSL_do_handshake(ssl_.get()) : 1;
    if (status == 1) status = SSL_shutdown(ssl_.get());
    if (status < 0) return classify(status, direction::write);
    close_notify_sent_ = true;
  }
  return flush() ? tls_step::done : tls_step::wait_write;
}

bool tls_channel::flush() {
  while (!pending_.empty() && !send_failed_) {
    std::size_t sent = 0;
    send_failed_ = socket_->is_open() ? socket_->send(pending_.data(), sent) : make_error_code(errc::closed);
    const bool all = sent == pending_.size();
    pending_.consume(sent);
    if (!all && !send_failed_) return false;
  }
  if (send_failed_) {
    pending_.clear();
    if (failure(direction::write) == nullptr) fail(direction::write, send_failed_, {});
  }
  return true;
}

// -- failures ------------------------------------------------------------------------------

tls_step tls_channel::classify(int status, direction d) {
  switch (SSL_get_error(ssl_.get(), status)) {
    case SSL_ERROR_ZERO_RETURN:
      if (d == direction::read && handshake_done_) return tls_step::done;
      fail(d, make_error_code(tls_errc::handshake_failed), "the peer has ended the connection");
      return tls_step::done;
    case SSL_ERROR_WANT_READ:
      if (!would_block_) return tls_step::again;
      return d == direction::read ? tls_step::wait_read : tls_step::wait_reader;
    case SSL_ERROR_WANT_WRITE:
      return tls_step::again;
    default:
      break;
  }
  tls_reason why = take_tls_reason(!handshake_done_);
  if (refused_ != nullptr && !handshake_done_) {
    why = {make_error_code(tls_errc::certificate_refused), *refused_};
  } else if (receive_failed_) {
    why = {receive_failed_, {}};
  } else if (read_closed_ && !handshake_done_) {
    why = {make_error_code(tls_errc::handshake_failed), "the peer closed the connection in the middle of it"};
  } else if (read_closed_) {
    why = {make_error_code(tls_errc::truncated),
           "the connection ended without the peer's close_notify; data may be truncated"};
  }
  fail(d, why.code, why.text);
  // A protocol error, or the end of the connection, fails both directions.
  const direction other = d == direction::read ? direction::write : direction::read;
  if (failure(other) == nullptr && !receive_failed_) fail(other, why.code, why.text);
  return tls_step::done;
}

}  // namespace troupe::detail
