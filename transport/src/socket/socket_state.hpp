// A socket, shared by its stream or listener, the operations under way on it,
// and the reactor that reports its events.
//
// Per direction there is one word through which the reactor tells the strand of readiness:
//
//              on_events()                    clear_ready(), before the attempt
//     empty  --------------->  ready  --------------------------------> empty
//       |  ^
//       |  | retract(); or on_events(): posts the waiter's mail, which reports it
//       v  |
//     a waiter's wake                         close() leads from each to closed
//
// Readiness the strand already knows about, from that mail or from an attempt that may have left data, is
// cached in known_ready_.
//
// Events are edges, so readiness is cleared before an attempt, never after: an
// edge that comes during the attempt is kept. An attempt that got all it asked
// for marks the socket ready again; one that got less has emptied the kernel's
// buffer, and another edge will follow. So a stream that is read as fast as data
// comes makes one system call per read.
#pragma once

#include "server/endpoint_meter.hpp"
#include "socket/socket_error.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/detail/share_count.hpp>
#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/transport/const_buffer.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::detail {

enum class direction : std::uint8_t { read, write };

/// The mail that tells a strand that its socket is ready. In the slab.
struct socket_wake final : completion {
  socket_wake() noexcept : completion(kind_of) {}
  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose};
};

/// All but on_events(), share() and release() must be called on the strand that
/// owns the stream.
class socket_state final : private io_source {
 public:
  /// Takes over `fd`, which must be non-blocking.
  socket_state(int fd, const ip_endpoint& where, const tcp_options& o) noexcept
      : options(o), simulated_(sys::is_simulated(fd)), where_(where), fd_(fd) {}
  ~socket_state() {  // by release() and dispose() only
    if (meter_ != nullptr) meter_->release();
    slab_delete(spare_wake_);
  }
  socket_state(const socket_state&) = delete;
  socket_state& operator=(const socket_state&) = delete;
  [[nodiscard]] static socket_ref make(int fd, const ip_endpoint& where, const tcp_options& o);

  void share() noexcept { shares_.add(); }
  void release() noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  /// The peer, or where a listener listens.
  [[nodiscard]] const ip_endpoint& where() const noexcept { return where_; }
  /// The same as text, for errors: an endpoint, or the path of a unix socket.
  [[nodiscard]] std::string name() const { return path_ ? *path_ : where_.to_string(); }
  [[nodiscard]] bool is_unix() const noexcept { return path_ != nullptr; }
  void name_by_path(std::string path) { path_ = std::make_unique<const std::string>(std::move(path)); }
  /// Closes the descriptor; operations that wait yield errc::closed.
  void close() noexcept;
  /// Makes close() drop what is not delivered; the peer sees a reset.
  void reset_at_close() noexcept;
  /// Ends the connection so that the peer sees a reset, and both directions fail.
  void cut() noexcept;

  // -- attempts ---------------------------------------------------------------

  /// False when an attempt would find nothing: wait first.
  [[nodiscard]] bool worth_trying(direction d) const noexcept {
    return reactor_ == nullptr || known_ready_[static_cast<unsigned>(d)] ||
           state_of(d).load(std::memory_order_acquire) == ready;
  }
  /// Before an attempt.
  void clear_ready(direction d) noexcept {
    known_ready_[static_cast<unsigned>(d)] = false;
    word w = ready;
    // An edge that comes after this load reports data that the attempt finds, too; it may stay.
    if (state_of(d).load(std::memory_order_relaxed) != ready) return;
    state_of(d).compare_exchange_strong(w, empty, std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  /// After an attempt that may not have got everything, and when the mail of a wait has come, wanted or not.
  void mark_ready(direction d) noexcept { known_ready_[static_cast<unsigned>(d)] = true; }

  /// One attempt each; the error is the plain system code. Nullopt: the kernel has
  /// nothing.
  [[nodiscard]] std::error_code receive(std::span<std::byte> into, std::optional<std::size_t>& got) noexcept;
  [[nodiscard]] std::error_code send(std::span<const std::byte> bytes, std::size_t& sent) noexcept;
  /// The pieces one after the other, without the first `skip` bytes of the first.
  [[nodiscard]] std::error_code send(std::span<const const_buffer> pieces, std::size_t skip,
                                     std::size_t& sent) noexcept;

  // -- waiting: readiness.cpp ---------------------------------------------------

  enum class announced : std::uint8_t { waiting, ready, closed, busy };
  /// Makes sure that events of `d` are reported: registers with the reactor of this worker if not yet done.
  [[nodiscard]] std::error_code attach(direction d) noexcept {
    return reactor_ != nullptr && (d == direction::read || reports_writing_) ? no_failure : do_attach(d);
  }
  /// Takes a wake for the next wait, and keeps a finished one for reuse: a busy connection
  /// waits with the same one again and again.
  [[nodiscard]] socket_wake* take_wake() {
    socket_wake* const w = std::exchange(spare_wake_, nullptr);
    return w != nullptr ? w : slab_new<socket_wake>();
  }
  void keep_wake(socket_wake* w) noexcept { slab_delete(std::exchange(spare_wake_, w)); }
  /// `wake` is finished at the next event, if that is still to come.
  [[nodiscard]] announced announce(direction d, socket_wake& wake) noexcept {
    word w = empty;
    if (known_ready_[static_cast<unsigned>(d)]) {
      w = ready;
    } else if (state_of(d).compare_exchange_strong(w, reinterpret_cast<word>(&wake),
                                                   std::memory_order_acq_rel, std::memory_order_acquire))
        [[likely]] {
      return announced::waiting;
    }
    return w == ready ? announced::ready : w == closed ? announced::closed : announced::busy;
  }
  /// True: `wake` will not be touched any more. False: it is being finished.
  [[nodiscard]] bool retract(direction d, socket_wake& wake) noexcept;

  // Whether an operation is under way; a second one is refused.
  tcp_options options;
  bool in_use[2] = {false, false};

  /// What ended the traffic, as far as this side has seen; the owner's strand.
  enum class ending : std::uint8_t { none, peer, idle, failed };
  ending ended_by = ending::none;
  /// Its bytes are counted there from now on; before the first operation.
  void count_in(endpoint_meter& m) noexcept {
    m.share();
    meter_ = &m;
  }

 private:
  using word = std::uintptr_t;
  static constexpr word empty = 0;
  static constexpr word ready = 1;
  static constexpr word closed = 2;
  [[nodiscard]] std::error_code do_attach(direction d) noexcept;
  void on_events(std::uint32_t events) noexcept override;
  void dispose() noexcept override { slab_delete(this); }
  /// After a system call that sends has returned `n`.
  [[nodiscard]] std::error_code sent_by(std::ptrdiff_t n, std::size_t& sent) noexcept;
  static socket_wake* wake_in(word w) noexcept;
  void become_ready(direction d) noexcept;
  [[nodiscard]] atomic<word>& state_of(direction d) noexcept { return words_[static_cast<unsigned>(d)]; }
  [[nodiscard]] const atomic<word>& state_of(direction d) const noexcept {
    return words_[static_cast<unsigned>(d)];
  }

  // Ordered to avoid padding: there is one of these for each connection, and the slab's next size is
  // a fifth larger.
  bool cut_ = false;
  bool reports_writing_ = false;  // always true for a simulated socket
  const bool simulated_;          // then reactor_ only says that it is attached
  // Ready, as far as the strand knows. One per direction, as in_use: the reader and the writer may be two
  // coroutines.
  bool known_ready_[2] = {false, false};
  // ended_: the peer has closed its half. There is no further edge for it, so
  // a short read must not be taken for an emptied buffer. Set before the word
  // becomes ready, with release; the reader's acquire of the word sees it.
  // Broken by: "tcp_stream: data and the end of the stream that arrive together are both seen".
  atomic<bool> ended_{false};
  // Of the stream and the operations under way, on the owner's strand or the one it was moved to.
  share_count shares_;
  ip_endpoint where_;
  int fd_;
  // words_: see the picture. The waiter's strand writes a wake, `empty` and `closed`; the reactor
  // writes `ready`, and `empty` in the place of a wake. Release in announce publishes the wake,
  // acquire in become_ready sees it; the thread that takes the wake out of the word disposes of it.
  // Broken by: tests/transport/server/stress_test.
  atomic<word> words_[2] = {empty, empty};
  std::unique_ptr<const std::string> path_;  // a unix socket's, instead of where_
  reactor* reactor_ = nullptr;
  endpoint_meter* meter_ = nullptr;
  socket_wake* spare_wake_ = nullptr;
};
static_assert(sizeof(socket_state) <= 160, "one more size of the slab for each connection");

}  // namespace troupe::detail
