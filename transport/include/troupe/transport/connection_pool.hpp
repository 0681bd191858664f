// A pool of connections that actors lease in turn.
//
//   troupe::connection_pool<troupe::tcp_stream> db(
//       [] { return troupe::tcp_stream::connect("db.internal", 5432, 2s); }, {.max_size = 8});
//   ...
//   auto c = co_await db.get();                       // in any actor or task
//   if (!c) co_return std::unexpected(c.error());
//   if (!co_await (*c)->write_all(query)) c->discard();
//
// The pool runs nothing by itself: it acts only in get() and when a lease ends.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/detail/pool_permits.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace troupe {

/// Options of a connection_pool. Use designated initializers.
struct pool_options {
  /// The maximum number of connections, leased and idle together; at least 1.
  std::size_t max_size = 16;
  /// The maximum number of idle connections; further ones are closed when they are returned.
  std::size_t max_idle = SIZE_MAX;
  /// A connection that has been idle for longer is closed instead of leased.
  duration max_idle_time = std::chrono::minutes(5);
  /// The maximum duration of a get(): queueing, checking and connecting.
  duration max_wait = std::chrono::seconds(5);
};

/// The state of a pool at one moment, and its totals so far.
struct pool_counts {
  std::size_t leased = 0;
  std::size_t idle = 0;
  std::size_t waiting = 0;      ///< calls of get() in the queue
  std::uint64_t created = 0;    ///< connections created so far
  std::uint64_t unhealthy = 0;  ///< idle connections that failed the check, so far
};

namespace detail {

/// The default check: a healthy idle stream has nothing to read.
struct default_check {
  template <class T>
  task<bool> operator()(T& connection) const {
    if constexpr (requires { static_cast<bool>(connection.is_quiet()); }) {
      return answer(static_cast<bool>(connection.is_quiet()));
    } else {
      return answer(true);
    }
  }

 private:
  // Not a template: with a frame that depends on T, GCC would warn if T is local to a function.
  static task<bool> answer(bool quiet) { co_return quiet; }
};

/// The state that a pool and its leases share. Any thread.
template <class T>
class pool_state {
 public:
  struct node {
    T connection;
    std::int64_t idle_since = 0;
    node* next = nullptr;
  };
  using node_ptr = std::unique_ptr<node>;

  explicit pool_state(const pool_options& o)
      : options(o), permits(std::make_shared<pool_permits>(o.max_size == 0 ? 1 : o.max_size)) {}
  pool_state(const pool_state&) = delete;
  pool_state& operator=(const pool_state&) = delete;
  virtual ~pool_state() { drop(idle_); }
  virtual task<result<T>> make() = 0;
  virtual task<bool> check(T& connection) = 0;

  /// The most recently used idle connection, so that the others can expire; null if none is idle.
  node_ptr take_idle(std::int64_t now) noexcept TROUPE_EXCLUDES(lock_) {
    close_idle(now);
    const scoped_lock guard(lock_);
    node* const n = idle_;
    if (n == nullptr) return nullptr;
    idle_ = n->next;
    --counts_.idle;
    return node_ptr(n);
  }

  void put(node_ptr n) noexcept TROUPE_EXCLUDES(lock_) {
    {
      const scoped_lock guard(lock_);
      if (!closed_ && counts_.idle < options.max_idle) {
        n->next = idle_;
        idle_ = n.release();
        ++counts_.idle;
      }
    }  // n, if it was not kept, is closed after the lock is released
  }

  /// Closes the connections that have been idle for longer than max_idle_time.
  void close_idle(std::int64_t now) noexcept TROUPE_EXCLUDES(lock_) {
    node* old = nullptr;
    {
      const scoped_lock guard(lock_);
      // The list is in order of return, the latest first.
      node** at = &idle_;
      while (*at != nullptr && deadline_after((*at)->idle_since, options.max_idle_time) > now)
        at = &(*at)->next;
      old = std::exchange(*at, nullptr);
      for (const node* n = old; n != nullptr; n = n->next) --counts_.idle;
    }
    drop(old);
  }

  void close() noexcept TROUPE_EXCLUDES(lock_) {
    node* all = nullptr;
    {
      const scoped_lock guard(lock_);
      closed_ = true;
      all = std::exchange(idle_, nullptr);
      counts_.idle = 0;
    }
    permits->close();
    drop(all);
  }

  pool_counts counts() const noexcept TROUPE_EXCLUDES(lock_) {
    pool_counts c;
    {
      const scoped_lock guard(lock_);
      c = counts_;
    }
    c.waiting = permits->waiting();
    return c;
  }
  template <class F>
  void count(F add) noexcept TROUPE_EXCLUDES(lock_) {
    const scoped_lock guard(lock_);
    add(counts_);
  }

  const pool_options options;
  const std::shared_ptr<pool_permits> permits;

 private:
  static void drop(node* n) noexcept {
    while (n != nullptr) delete std::exchange(n, n->next);
  }

  mutable spinlock lock_;
  node* idle_ TROUPE_GUARDED_BY(lock_) = nullptr;
  pool_counts counts_ TROUPE_GUARDED_BY(lock_);
  bool closed_ TROUPE_GUARDED_BY(lock_) = false;
};

template <class T, class Make, class Check>
class pool_state_of final : public pool_state<T> {
 public:
  pool_state_of(Make m, Check c, const pool_options& o)
      : pool_state<T>(o), make_(std::move(m)), check_(std::move(c)) {}
  task<result<T>> make() override { return make_(); }
  task<bool> check(T& connection) override { return check_(connection); }

 private:
  Make make_;
  Check check_;
};

}  // namespace detail

template <class T>
class connection_pool;

/// A leased connection. Its destructor returns the connection to the pool. Move-only. It may outlive the
/// pool.
/// Threads: used on one strand at a time; it may be destroyed on any thread.
template <class T>
class pool_lease {
 public:
  pool_lease() noexcept = default;
  pool_lease(pool_lease&&) noexcept = default;
  pool_lease& operator=(pool_lease&& other) noexcept {
    if (this != &other) {
      give_back();
      pool_ = std::move(other.pool_);
      node_ = std::move(other.node_);
      permit_ = std::move(other.permit_);
    }
    return *this;
  }
  ~pool_lease() { give_back(); }

  [[nodiscard]] T& operator*() const noexcept { return node_->connection; }
  [[nodiscard]] T* operator->() const noexcept { return &node_->connection; }
  explicit operator bool() const noexcept { return node_ != nullptr; }

  /// Closes the connection instead of returning it, and empties the lease; another connection may take its
  /// place. Call it after an error, or when an answer has been read only in part.
  void discard() noexcept {
    if (node_ == nullptr) return;
    node_.reset();
    end();
  }

 private:
  friend class connection_pool<T>;
  using state = detail::pool_state<T>;
  pool_lease(std::shared_ptr<state> pool, typename state::node_ptr n, detail::permit p) noexcept
      : pool_(std::move(pool)), node_(std::move(n)), permit_(std::move(p)) {
    node_->idle_since = detail::due_in(duration::zero());  // used if it ends on a thread without a clock
    pool_->count([](pool_counts& c) { ++c.leased; });
  }
  void give_back() noexcept {
    if (node_ == nullptr) return;
    if (detail::current_strand() != nullptr) node_->idle_since = detail::due_in(duration::zero());
    pool_->put(std::move(node_));
    end();
  }
  // The connection is returned before the permit, so the next waiter finds it.
  void end() noexcept {
    pool_->count([](pool_counts& c) { --c.leased; });
    permit_ = {};
    pool_ = {};
  }

  std::shared_ptr<state> pool_;
  typename state::node_ptr node_;
  detail::permit permit_;
};

/// A handle on a pool; copies share it. T must be movable, and usable on one strand after another, as all
/// sockets of Troupe are. Destroying the last handle closes the pool, as close() does.
/// Threads: any; give copies to as many actors as you like.
template <class T>
class connection_pool {
 public:
  using lease = pool_lease<T>;

  /// Creates a pool whose connections `make()` creates, as task<result<T>>. Idle connections that have an
  /// is_quiet(), as streams do, are checked with it.
  /// Threads: `make` is called on the strand of a get(), and on several strands at once.
  template <std::invocable Make>
  explicit connection_pool(Make make, pool_options options = {})
      : connection_pool(std::move(make), detail::default_check(), options) {}
  /// The same, with a check: `check(connection)`, as task<bool>, says whether an idle connection is healthy.
  /// It is called before each lease of an idle connection.
  template <std::invocable Make, std::invocable<T&> Check>
  connection_pool(Make make, Check check, pool_options options = {})
      : hold_(std::make_shared<holder>(std::make_shared<detail::pool_state_of<T, Make, Check>>(
            std::move(make), std::move(check), options))) {}

  /// Leases a connection: a healthy idle one, a new one if fewer than max_size are in use, or else the next
  /// one that is returned, first come first served.
  /// Errors: timeout after max_wait; closed; the code of `make`'s error, which is the cause.
  /// Threads: on any strand.
  /// Cancellation: leaves the queue; its turn goes to the next waiter. A connection being made or checked is
  /// closed.
  [[nodiscard]] task<result<lease>> get() { return get_from(hold_->pool, hold_->pool->options.max_wait); }
  [[nodiscard]] task<result<lease>> get(duration max_wait) { return get_from(hold_->pool, max_wait); }

  /// Closes idle connections that are past max_idle_time. Call it from a timer if get() may not be called for
  /// long.
  /// Threads: on any strand.
  void close_idle() noexcept { hold_->pool->close_idle(detail::due_in(duration::zero())); }
  /// Closes idle connections now, and leased ones when they are returned. Every get(), including those in the
  /// queue, yields errc::closed.
  /// Threads: any.
  void close() noexcept { hold_->pool->close(); }
  /// The numbers of connections and waiters now.
  /// Threads: any.
  [[nodiscard]] pool_counts counts() const noexcept { return hold_->pool->counts(); }

 private:
  using state = detail::pool_state<T>;
  struct holder {
    explicit holder(std::shared_ptr<state> p) noexcept : pool(std::move(p)) {}
    holder(const holder&) = delete;
    holder& operator=(const holder&) = delete;
    ~holder() { pool->close(); }
    std::shared_ptr<state> pool;
  };

  static duration left_until(std::int64_t deadline) noexcept {
    return deadline == INT64_MAX ? forever : duration(deadline - detail::due_in(duration::zero()));
  }
  static error cannot_connect(const error& why) {
    return {why.code(), "connection_pool: cannot make a connection: " + why.to_string(), {}, why};
  }

  static error cannot_check(const error& why) {
    return {why.code(),
            "connection_pool: an idle connection was not checked within max_wait, and was closed",
            {},
            why};
  }

  static task<result<lease>> get_from(std::shared_ptr<state> pool, duration max_wait) {
    const std::int64_t deadline = max_wait == forever ? INT64_MAX : detail::due_in(max_wait);
    result<detail::permit> permit = co_await pool->permits->take(deadline);
    if (!permit) co_return std::unexpected(std::move(permit.error()));
    while (typename state::node_ptr n = pool->take_idle(detail::due_in(duration::zero()))) {
      const result<bool> healthy = co_await with_timeout(pool->check(n->connection), left_until(deadline));
      if (healthy && *healthy) co_return lease(std::move(pool), std::move(n), std::move(*permit));
      pool->count([](pool_counts& c) { ++c.unhealthy; });
      // No time is left to check the other idle connections.
      if (!healthy) co_return std::unexpected(cannot_check(healthy.error()));
    }
    result<T> made = co_await with_timeout(pool->make(), left_until(deadline));
    if (!made) co_return std::unexpected(cannot_connect(made.error()));
    if (pool->permits->closed()) {
      co_return std::unexpected(error(make_error_code(errc::closed), "connection_pool: the pool is closed"));
    }
    pool->count([](pool_counts& c) { ++c.created; });
    co_return lease(pool, std::make_unique<typename state::node>(std::move(*made)), std::move(*permit));
  }

  std::shared_ptr<holder> hold_;
};

}  // namespace troupe
