// memory_stream: a duplex connection in memory, for tests. Any thread.
#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>
#include <troupe/transport/testkit.hpp>

#include <algorithm>
#include <string>

namespace troupe::testkit {

namespace detail {

namespace {

using troupe::detail::completion;
using troupe::detail::leaf;
using troupe::detail::mail;
using troupe::detail::mail_kind;
using troupe::detail::strand;

struct pipe_wake final : completion {
  pipe_wake() noexcept : completion(kind_of) {}
  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept { dispose_late(static_cast<pipe_wake&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};
};

}  // namespace

// One direction of a duplex stream. At most one reader and one writer wait. Any thread.
class pipe {
 public:
  enum class side : unsigned char { reader, writer };

  explicit pipe(duplex_options o) : options_(o) {}

  std::optional<std::size_t> read(std::span<std::byte> into) {
    const troupe::detail::scoped_lock guard(lock_);
    if (bytes_.empty()) return ended_ ? std::optional<std::size_t>(0) : std::nullopt;
    const std::size_t n = std::min({into.size(), bytes_.size(), options_.max_read});
    std::copy_n(std::as_bytes(std::span(bytes_)).begin(), n, into.begin());
    bytes_.erase(0, n);
    notify(side::writer);
    return n;
  }
  /// The number of bytes taken, up to the free room; nullopt if this side or the reader has ended.
  std::optional<std::size_t> write(std::span<const std::byte> bytes) {
    const troupe::detail::scoped_lock guard(lock_);
    if (ended_ || unread_) return std::nullopt;
    const std::size_t n = std::min(bytes.size(), options_.capacity - bytes_.size());
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), n);
    if (n != 0) notify(side::reader);
    return n;
  }
  /// The writer or the reader has closed its side.
  void end(side s) noexcept {
    const troupe::detail::scoped_lock guard(lock_);
    (s == side::writer ? ended_ : unread_) = true;
    notify(side::reader);
    notify(side::writer);
  }

  /// True if side `s` need not wait; otherwise `w` will be finished.
  bool arm(side s, pipe_wake& w) noexcept {
    const troupe::detail::scoped_lock guard(lock_);
    const bool ready = s == side::reader ? !bytes_.empty() || ended_
                                         : bytes_.size() < options_.capacity || ended_ || unread_;
    if (!ready) waiting(s) = &w;
    return ready;
  }
  /// False if `w` is already being finished.
  bool disarm(side s, pipe_wake& w) noexcept {
    const troupe::detail::scoped_lock guard(lock_);
    if (waiting(s) != &w) return false;
    waiting(s) = nullptr;
    return true;
  }

 private:
  pipe_wake*& waiting(side s) noexcept TROUPE_REQUIRES(lock_) { return waiting_[static_cast<unsigned>(s)]; }
  void notify(side s) noexcept TROUPE_REQUIRES(lock_) {
    if (pipe_wake* const w = std::exchange(waiting(s), nullptr)) w->finish(pipe_wake::kind_of);
  }

  const duplex_options options_;
  troupe::detail::mutex lock_;
  std::string bytes_ TROUPE_GUARDED_BY(lock_);
  bool ended_ TROUPE_GUARDED_BY(lock_) = false;   // the writer has closed
  bool unread_ TROUPE_GUARDED_BY(lock_) = false;  // the reader has closed
  pipe_wake* waiting_[2] TROUPE_GUARDED_BY(lock_) = {nullptr, nullptr};
};

namespace {

/// Suspends a coroutine until its side of the pipe is ready.
class [[nodiscard]] pipe_wait final : public leaf {
 public:
  pipe_wait(pipe& p, pipe::side s) noexcept : leaf(&abandon), pipe_(p), side_(s) {}
  ~pipe_wait() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe::detail::troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return !begin(h.promise()) || start();
  }
  void await_resume() const noexcept {}

 private:
  friend struct pipe_wake;

  TROUPE_NOINLINE bool start() {
    wake_ = troupe::detail::slab_new<pipe_wake>();
    wake_->wait_on(*this, owner());
    if (!pipe_.arm(side_, *wake_)) return true;
    troupe::detail::slab_delete(std::exchange(wake_, nullptr));
    unlink();
    return false;
  }
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<pipe_wait&>(l);
    pipe_wake* const w = std::exchange(self.wake_, nullptr);
    if (self.pipe_.disarm(self.side_, *w)) {
      troupe::detail::slab_delete(w);
    } else {
      w->abandon();
    }
  }
  static void on_wake(leaf& l) noexcept {
    auto& self = static_cast<pipe_wait&>(l);
    troupe::detail::slab_delete(std::exchange(self.wake_, nullptr));
    self.complete();
  }

  pipe& pipe_;
  pipe_wake* wake_ = nullptr;
  pipe::side side_;
};

void pipe_wake::act(mail& m, strand&) noexcept {
  auto& self = static_cast<pipe_wake&>(m);
  if (still_wanted(self)) pipe_wait::on_wake(*self.target);
}

error closed(const char* what) {
  return {make_error_code(errc::closed), std::string(what) + ": the memory_stream is closed on this side"};
}

error broken() {
  return {std::make_error_code(std::errc::broken_pipe),
          "write: the memory_stream is closed on the other side, or shut down on this one"};
}

}  // namespace

}  // namespace detail

using detail::pipe;

memory_stream& memory_stream::operator=(memory_stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  in_ = std::move(other.in_);
  out_ = std::move(other.out_);
  reads_ = other.reads_;
  writes_ = other.writes_;
  return *this;
}

result<std::optional<std::size_t>> memory_stream::try_read(std::span<std::byte> into) {
  if (in_ == nullptr) return std::unexpected(detail::closed("read"));
  const std::optional<std::size_t> n = in_->read(into);
  if (n) ++reads_;
  return n;
}

task<result<void>> memory_stream::wait_readable() {
  const std::shared_ptr<pipe> in = in_;
  if (in == nullptr) co_return std::unexpected(detail::closed("read"));
  co_await detail::pipe_wait(*in, pipe::side::reader);
  co_return result<void>();
}

task<result<std::size_t>> memory_stream::read_some(std::span<std::byte> into) {
  result<std::optional<std::size_t>> got = try_read(into);
  while (got && !*got) {
    (void)co_await wait_readable();
    got = try_read(into);
  }
  if (!got) co_return std::unexpected(std::move(got.error()));
  co_return **got;
}

task<result<void>> memory_stream::write_all(std::span<const std::byte> bytes) {
  const std::shared_ptr<pipe> out = out_;
  if (out == nullptr) co_return std::unexpected(detail::closed("write"));
  ++writes_;
  for (;;) {
    const std::optional<std::size_t> n = out->write(bytes);
    if (!n) co_return std::unexpected(detail::broken());
    bytes = bytes.subspan(*n);
    if (bytes.empty()) co_return result<void>();
    co_await detail::pipe_wait(*out, pipe::side::writer);
  }
}

result<void> memory_stream::shutdown_write() {
  if (out_ == nullptr) return std::unexpected(detail::closed("shutdown_write"));
  out_->end(pipe::side::writer);
  return {};
}

void memory_stream::close() noexcept {
  if (in_ != nullptr) in_->end(pipe::side::reader);
  if (out_ != nullptr) out_->end(pipe::side::writer);
  in_ = nullptr;
  out_ = nullptr;
}

std::pair<memory_stream, memory_stream> duplex(duplex_options o) {
  std::pair<memory_stream, memory_stream> both;
  both.first.in_ = both.second.out_ = std::make_shared<pipe>(o);
  both.first.out_ = both.second.in_ = std::make_shared<pipe>(o);
  return both;
}

}  // namespace troupe::testkit
