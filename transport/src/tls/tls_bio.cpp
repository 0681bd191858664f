// The BIO method, and the two functions of tls_channel that it calls. On the channel's strand.
#include "tls/tls_bio.hpp"

#include "tls/tls_channel.hpp"

#include <cstring>
#include <new>

namespace troupe::detail {

namespace {

tls_channel& channel_of(BIO* bio) noexcept {
  return *static_cast<tls_channel*>(BIO_get_data(bio));
}

// Created once for the process, and never freed, as OpenSSL's own methods.
BIO_METHOD* make_method() noexcept {
  BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe socket");
  if (m == nullptr) return nullptr;
  BIO_meth_set_write(m, &tls_bio::write);
  BIO_meth_set_read(m, &tls_bio::read);
  BIO_meth_set_ctrl(m, &tls_bio::control);
  return m;
}

}  // namespace

BIO* tls_bio::make(tls_channel& channel) noexcept {
  static const BIO_METHOD* const method = make_method();
  BIO* const bio = method == nullptr ? nullptr : BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &channel);
  BIO_set_init(bio, 1);
  return bio;
}

int tls_bio::write(BIO* bio, const char* bytes, int size) noexcept {
  BIO_clear_retry_flags(bio);
  return channel_of(bio).bio_write(
      std::as_bytes(std::span(bytes, static_cast<std::size_t>(size > 0 ? size : 0))));
}

int tls_bio::read(BIO* bio, char* into, int size) noexcept {
  BIO_clear_retry_flags(bio);
  const int n = channel_of(bio).bio_read(
      std::as_writable_bytes(std::span(into, static_cast<std::size_t>(size > 0 ? size : 0))));
  if (n < 0 && channel_of(bio).would_block_) BIO_set_retry_read(bio);
  return n;
}

long tls_bio::control(BIO* bio, int command, long, void*) noexcept {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return channel_of(bio).read_closed_ ? 1 : 0;
    default:
      return 0;
  }
}

// Always takes all bytes: those that cannot be sent now go to pending_. OpenSSL is not told of a failed send,
// so that data the peer sent before it closed can still be read.
int tls_channel::bio_write(std::span<const std::byte> bytes) noexcept {
  const int all = static_cast<int>(bytes.size());
  if (send_failed_) return all;
  if (pending_.empty()) {
    std::size_t sent = 0;
    send_failed_ = socket_->is_open() ? socket_->send(bytes, sent) : make_error_code(errc::closed);
    bytes = bytes.subspan(sent);
  }
  if (send_failed_ || bytes.empty()) return all;
  try {
    const std::span<std::byte> room = pending_.prepare(bytes.size());
    if (!room.empty()) {
      std::memcpy(room.data(), bytes.data(), bytes.size());
      pending_.commit(bytes.size());
      return all;
    }
    send_failed_ = std::make_error_code(std::errc::no_buffer_space);
  } catch (const std::bad_alloc&) {
    send_failed_ = std::make_error_code(std::errc::not_enough_memory);
  }
  return all;
}

int tls_channel::bio_read(std::span<std::byte> into) noexcept {
  would_block_ = false;
  if (receive_failed_) return -1;
  if (!socket_->is_open()) {
    receive_failed_ = make_error_code(errc::closed);
    return -1;
  }
  std::optional<std::size_t> got;
  if (socket_->worth_trying(direction::read)) {
    receive_failed_ = socket_->receive(into, got);
    if (receive_failed_) return -1;
  }
  if (!got) {
    would_block_ = true;
    return -1;
  }
  if (*got == 0) read_closed_ = true;
  return static_cast<int>(*got);
}

}  // namespace troupe::detail
