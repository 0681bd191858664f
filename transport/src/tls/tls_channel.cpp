// The life of a tls_channel: its memory, its set-up, its end, and what it reports. On its strand.
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

// The bytes that can be pending for a peer that never reads: a record and many control messages.
constexpr std::size_t most_pending = 64 * 1024;

}  // namespace

// -- shares -----------------------------------------------------------------------

void add_share(tls_channel& c) noexcept {
  c.share();
}
void drop_share(tls_channel& c) noexcept {
  c.release();
}

void tls_channel::release() noexcept {
  if (shares_.drop()) slab_delete(this);
}

// -- set-up -------------------------------------------------------------------------------

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
  if (name.ends_with('.')) name.pop_back();  // the root's dot, which names in certificates do not have
  const bool is_address = ip_endpoint::parse(name, 0).has_value();
  const bool check = context_.state().verify_peer && !options.insecure_skip_name_check;
  const auto refuse = [](const char* text) {
    return std::unexpected(error(make_error_code(errc::invalid_argument), text));
  };
  if (check && name.empty()) {
    return refuse(
        "server_name in tls_connect_options is empty: set it to the host that the certificate must be for");
  }
  if (name.find('\0') != std::string::npos) return refuse("server_name contains a null byte");
  SSL* const s = ssl_.get();
  if (!is_address && !name.empty() && SSL_set_tlsext_host_name(s, name.c_str()) != 1) {
    return refuse("server_name is too long for a host name");
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

// Called for each certificate of the chain. Keeps the reason of a refusal: the alert alone says little.
int tls_channel::on_verified(int ok, X509_STORE_CTX* store) noexcept {
  if (ok != 0) return ok;
  const auto* const s =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<tls_channel*>(SSL_get_app_data(s));
  try {
    static const std::string none;
    self.refused_ =
        std::make_unique<const std::string>(why_refused(*store, self.wanted_ ? *self.wanted_ : none));
  } catch (const std::bad_alloc&) {
    self.refused_.reset();  // the error will have OpenSSL's text
  }
  return ok;
}

void tls_channel::close() noexcept {
  if (is_open()) {
    try {
      if (handshake_done_) (void)shutdown();
      (void)flush();
    } catch (const std::bad_alloc&) {
      // Then close_notify is not sent.
    }
    // A close with unread bytes would be a reset, which may overtake the last bytes sent.
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

tls_session tls_channel::session() const {
  tls_session s;
  SSL_SESSION* const one = SSL_get1_session(const_cast<SSL*>(ssl_.get()));  // NOLINT: not const in OpenSSL
  if (one == nullptr) return s;
  s.session_ = std::shared_ptr<void>(one, [](void* p) { SSL_SESSION_free(static_cast<SSL_SESSION*>(p)); });
  if (SSL_SESSION_is_resumable(one) != 1) return {};
  return s;
}

}  // namespace troupe::detail
