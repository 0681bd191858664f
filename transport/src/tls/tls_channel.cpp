// The steps of a TLS connection: handshake, read, write, shutdown. On one strand; no step waits.
#include "tls/tls_channel.hpp"

#include "tls/tls_bio.hpp"
#include "tls/tls_context_state.hpp"
#include "tls/tls_failure.hpp"

#include <troupe/runtime/detail/slab.hpp>
#include <troupe/transport/tls_error.hpp>

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

// Plaintext of one record: with what TLS adds it fits a block of the pool.
constexpr std::size_t record_bytes = read_buffer::block_bytes - 256;
// Limit of the unsent bytes for a peer that never reads: a record and many control messages.
constexpr std::size_t most_pending = 64 * 1024;
// After these the strand yields to others: about 100 us of encryption.
constexpr int records_at_once = 16;
// Far below the limit of a key (RFC 8446, 5.5).
constexpr std::uint32_t records_of_a_key = 1U << 22U;

}  // namespace

// -- shares -----------------------------------------------------------------------

tls_ref::tls_ref(const tls_ref& other) noexcept : channel_(other.channel_) {
  if (channel_ != nullptr) channel_->share();
}
tls_ref::~tls_ref() {
  if (channel_ != nullptr) channel_->release();
}

void tls_channel::release() noexcept {
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) slab_delete(this);
}

// -- pieces -----------------------------------------------------------------------

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

// -- from the beginning to the handshake ----------------------------------------------

tls_ref tls_channel::make(stream_socket stream, tls_context context) {
  void* const memory = slab_allocate(sizeof(tls_channel));
  try {
    return tls_ref(::new (memory) tls_channel(std::move(stream), std::move(context)));
  } catch (...) {
    slab_deallocate(memory, sizeof(tls_channel));
    throw;
  }
}

tls_channel::tls_channel(stream_socket stream, tls_context context)
    : stream_(std::move(stream)),
      socket_(stream_.socket()),
      context_(std::move(context)),
      ssl_(SSL_new(context_.state().context.get())),
      pending_(most_pending) {
  BIO* const bio = ssl_ ? tls_bio::make(*this) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_verify(ssl_.get(), SSL_get_verify_mode(ssl_.get()), &on_verified);
  if (context_.state().server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

tls_channel::~tls_channel() = default;

result<void> tls_channel::prepare_client(const tls_connect_options& options) {
  std::string name = options.server_name;
  if (name.ends_with('.')) name.pop_back();  // the root's; certificates have none
  const bool is_address = ip_endpoint::parse(name, 0).has_value();
  const bool check = context_.state().verify_peer && !options.insecure_skip_name_check;
  const auto refuse = [](const char* text) {
    return std::unexpected(error(make_error_code(errc::invalid_argument), text));
  };
  if (check && name.empty()) {
    return refuse(
        "server_name of tls_connect_options is empty: without it the certificate cannot be checked; set the "
        "host");
  }
  if (name.find('\0') != std::string::npos) return refuse("server_name has a byte of 0 in it");
  SSL* const s = ssl_.get();
  if (!is_address && !name.empty() && SSL_set_tlsext_host_name(s, name.c_str()) != 1) {
    return refuse("server_name is longer than a host's name can be");
  }
  if (check) {
    SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), name.c_str())
                               : SSL_set1_host(s, name.c_str());
    if (set != 1) return refuse("server_name is neither a host name nor an IP address");
  }
  wanted_ = std::make_unique<const std::string>(std::move(name));
  if (options.resume) SSL_set_session(s, static_cast<SSL_SESSION*>(options.resume.session_.get()));
  return {};
}

// Called for each certificate of the chain. Keeps the reason of a refusal as text: the alert says little.
int tls_channel::on_verified(int ok, X509_STORE_CTX* store) noexcept {
  if (ok != 0) return ok;
  const auto* const s =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<tls_channel*>(SSL_get_app_data(s));
  try {
    static const std::string nobody;
    self.refused_ =
        std::make_unique<const std::string>(why_refused(*store, self.wanted_ ? *self.wanted_ : nobody));
  } catch (const std::bad_alloc&) {
    self.refused_.reset();  // then the text of OpenSSL is used
  }
  return ok;
}

tls_step tls_channel::handshake() {
  ERR_clear_error();
  would_block_ = false;
  const int status = SSL_do_handshake(ssl_.get());
  const tls_step step = status == 1 ? tls_step::over : classify(status, direction::read);
  if (failure(direction::read) != nullptr) {
    (void)flush();  // the alert, if there is room
    return tls_step::over;
  }
  if (!flush()) return tls_step::wait_write;
  if (step == tls_step::over) {
    handshake_done_ = true;
    if (send_failed_) fail(direction::read, send_failed_, "the peer is gone");
  }
  return step;
}

// -- reading and writing ----------------------------------------------------------------

tls_step tls_channel::read(std::span<std::byte> into, std::size_t& got) {
  const tls_step step = decrypt(into, got);
  // A control message makes OpenSSL allocate both buffers and keep one until the next write. A buffer in
  // use stays.
  SSL_free_buffers(ssl_.get());
  return step;
}

tls_step tls_channel::decrypt(std::span<std::byte> into, std::size_t& got) {
  got = 0;
  if (!socket_->in_use[static_cast<unsigned>(direction::write)]) (void)flush();
  for (int records = 0; records != records_at_once; ++records) {
    if (failure(direction::read) != nullptr) return tls_step::over;
    ERR_clear_error();
    would_block_ = false;
    std::size_t n = 0;
    const int status = SSL_read_ex(ssl_.get(), into.data(), into.size(), &n);
    if (status == 1) {
      got += n;
      into = into.subspan(n);
      // Bytes that have been received already cost no system call.
      if (into.empty() || SSL_has_pending(ssl_.get()) == 0) return tls_step::over;
      continue;
    }
    const tls_step step = classify(status, direction::read);
    if (step != tls_step::again) return got != 0 ? tls_step::over : step;
  }
  return got != 0 ? tls_step::over : tls_step::again;
}

tls_step tls_channel::peek() {
  if (!socket_->in_use[static_cast<unsigned>(direction::write)]) (void)flush();
  tls_step step = tls_step::again;
  for (int records = 0; records != records_at_once && step == tls_step::again; ++records) {
    if (failure(direction::read) != nullptr) return tls_step::over;
    ERR_clear_error();
    would_block_ = false;
    std::byte first;
    std::size_t n = 0;
    const int status = SSL_peek_ex(ssl_.get(), &first, 1, &n);
    step = status == 1 ? tls_step::over : classify(status, direction::read);
  }
  SSL_free_buffers(ssl_.get());  // as above
  return step;
}

tls_step tls_channel::write(tls_pieces& rest) {
  for (int records = 0; records != records_at_once; ++records) {
    if (failure(direction::write) != nullptr) return tls_step::over;
    if (!flush()) return tls_step::wait_write;
    if (rest.empty() || failure(direction::write) != nullptr) return tls_step::over;
    if (farewell_sent_) {
      fail(direction::write, std::make_error_code(std::errc::broken_pipe), "shutdown_write() has ended it");
      return tls_step::over;
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

// On request, or because one key must not encrypt too many records. OpenSSL refuses while a control message
// of the peer is half received; then a later record renews the keys.
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
  if (failure(direction::write) != nullptr) return tls_step::over;
  if (!farewell_sent_) {
    if (!flush()) return tls_step::wait_write;
    ERR_clear_error();
    would_block_ = false;
    // OpenSSL refuses to send close_notify while a control message is half received.
    int status = SSL_in_init(ssl_.get()) != 0 ? SSL_do_handshake(ssl_.get()) : 1;
    if (status == 1) status = SSL_shutdown(ssl_.get());
    if (status < 0) return classify(status, direction::write);
    farewell_sent_ = true;
  }
  return flush() ? tls_step::over : tls_step::wait_write;
}

void tls_channel::close() noexcept {
  if (is_open()) {
    try {
      if (handshake_done_) (void)shutdown();
      (void)flush();
    } catch (const std::bad_alloc&) {
      // Then the peer gets no close_notify.
    }
    // To close with unread bytes would be a reset, which may overtake the last bytes that were sent.
    std::byte sink[4096];
    std::optional<std::size_t> got;
    for (int reads = 0; reads != 16; ++reads) {
      if (socket_->receive(sink, got) || !got || *got == 0) break;
    }
  }
  stream_.close();
  ssl_.reset();
  pending_.clear();
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

const error* tls_channel::failure(direction d) const noexcept {
  return failures_[static_cast<unsigned>(d)].get();
}

void tls_channel::fail(direction d, std::error_code code, std::string_view text) {
  std::string all = !handshake_done_       ? "TLS handshake with "
                    : d == direction::read ? "read from "
                                           : "write to ";
  all.append(socket_->name()).append(": ").append(text.empty() ? code.message() : std::string(text));
  failures_[static_cast<unsigned>(d)] = std::make_unique<const error>(code, std::move(all));
}

tls_step tls_channel::classify(int status, direction d) {
  switch (SSL_get_error(ssl_.get(), status)) {
    case SSL_ERROR_ZERO_RETURN:
      if (d == direction::read && handshake_done_) return tls_step::over;
      fail(d, make_error_code(tls_errc::handshake_failed), "the peer has ended the connection");
      return tls_step::over;
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
  } else if (ended_ && !handshake_done_) {
    why = {make_error_code(tls_errc::handshake_failed), "the peer closed the connection in the middle of it"};
  } else if (ended_) {
    why = {make_error_code(tls_errc::truncated),
           "the connection ended without close_notify; data may be truncated"};
  }
  fail(d, why.code, why.text);
  // A protocol error, or the end of the connection, fails both directions.
  const direction other = d == direction::read ? direction::write : direction::read;
  if (failure(other) == nullptr && !receive_failed_) fail(other, why.code, why.text);
  return tls_step::over;
}

tls_session tls_channel::session() const {
  tls_session s;
  SSL_SESSION* const one = SSL_get1_session(const_cast<SSL*>(ssl_.get()));  // NOLINT: it takes no const
  if (one == nullptr) return s;
  s.session_ = std::shared_ptr<void>(one, [](void* p) { SSL_SESSION_free(static_cast<SSL_SESSION*>(p)); });
  if (SSL_SESSION_is_resumable(one) != 1) return {};
  return s;
}

}  // namespace troupe::detail
