// A pool of connections that several actors share.
//
//   troupe::connection_pool<troupe::tcp_stream> db(
//       [] { return troupe::tcp_stream::connect("db.internal", 5432, 2s); }, {.max_size = 8});
//   ...
//   auto c = co_await db.get();                       // in any actor or task
//   if (!c) co_return std::unexpected(c.error());
//   if (!co_await (*c)->write_all(query)) c->discard();
//
// The pool runs no task of its own: all its work is done in get() and when a
// lease ends.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
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
  /// Connections there may be at a time, leased and idle together; at least 1.
  std::size_t max_size = 16;
  /// Idle connections that are kept; further ones are closed when they are returned.
  std::size_t max_idle = SIZE_MAX;
  /// A connection that has been idle for longer is closed instead of leased.
  duration max_idle_time = std::chrono::minutes(5);
  /// How long a get() may take as a whole: waiting in line, checking, connecting.
  duration max_wait = std::chrono::seconds(5);
};

struct pool_counts {
  std::size_t leased = 0;
  std::size_t idle = 0;
  std::size_t waiting = 0;      ///< get()s that wait in line
  std::uint64_t created = 0;    ///< connections made so far
  std::uint64_t unhealthy = 0;  ///< idle ones that did not pass the check, so far
};

namespace detail {

/// The default check: a stream at rest has nothing to read.
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
  // No template: a frame that depends on T would make GCC warn when T is local to a function.
  static task<bool> answer(bool quiet) { co_return quiet; }
};

/// The state that a pool and its leases share.
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

  /// The connection that was used last, so that the others grow old; null: none is idle.
  node_ptr take_idle(std::int64_t now) noexcept {
    close_idle(now);
    const scoped_lock guard(lock_);
    node* const n = idle_;
    if (n == nullptr) return nullptr;
    idle_ = n->next;
    --counts_.idle;
    return node_ptr(n);
  }

  void put(node_ptr n) noexcept {
    {
      const scoped_lock guard(lock_);
      if (!closed_ && counts_.idle < options.max_idle) {
        n->next = idle_;
        idle_ = n.release();
        ++counts_.idle;
      }
    }  // n, if it is still there, is closed without the lock
  }

  /// Closes what has been idle for too long.
  void close_idle(std::int64_t now) noexcept {
    node* old = nullptr;
    {
      const scoped_lock guard(lock_);
      // The list begins with the one returned last.
      node** at = &idle_;
      while (*at != nullptr && deadline_after((*at)->idle_since, options.max_idle_time) > now)
        at = &(*at)->next;
      old = std::exchange(*at, nullptr);
      for (const node* n = old; n != nullptr; n = n->next) --counts_.idle;
    }
    drop(old);
  }

  void close() noexcept {
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

  pool_counts counts() const noexcept {
    pool_counts c;
    {
      const scoped_lock guard(lock_);
      c = counts_;
    }
    c.waiting = permits->waiting();
    return c;
  }
  template <class F>
  void count(F add) noexcept {
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
  node* idle_ = nullptr;
  pool_counts counts_;
  bool closed_ = false;
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

/// Exclusive use of a pooled connection; its destructor returns the connection.
/// Move-only. It may outlive the pool, and be destroyed on any thread.
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

  /// Closes the connection instead of returning it: after an error, or half-way
  /// through an answer. The lease is empty then, and another may take its place.
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
    node_->idle_since = detail::due_in(duration::zero());  // for an end on a thread without a clock
    pool_->count([](pool_counts& c) { ++c.leased; });
  }
  void give_back() noexcept {
    if (node_ == nullptr) return;
    if (detail::current_strand() != nullptr) node_->idle_since = detail::due_in(duration::zero());
    pool_->put(std::move(node_));
    end();
  }
  // The connection is back before the permit, so the next in line finds it.
  void end() noexcept {
    pool_->count([](pool_counts& c) { --c.leased; });
    permit_ = {};
    pool_ = {};
  }

  std::shared_ptr<state> pool_;
  typename state::node_ptr node_;
  detail::permit permit_;
};

/// A handle; copies share one pool. All functions are thread-safe: give it to as
/// many actors as you like. T is movable, and may be used on one strand after
/// another, as all sockets of Troupe. Destroying the last handle closes the pool
/// for idle connections; those leased are closed when they are returned.
template <class T>
class connection_pool {
 public:
  using lease = pool_lease<T>;

  /// `make()` yields a connection, as task<result<T>>; it is called on the strand
  /// of a get(), also on several at a time.
  template <std::invocable Make>
  explicit connection_pool(Make make, pool_options options = {})
      : connection_pool(std::move(make), detail::default_check(), options) {}
  /// `check(connection)`, as task<bool>, says whether an idle one is still good;
  /// called before each lease of one. Without it, what has is_quiet(), as streams
  /// do, is asked that.
  template <std::invocable Make, std::invocable<T&> Check>
  connection_pool(Make make, Check check, pool_options options = {})
      : hold_(std::make_shared<holder>(std::make_shared<detail::pool_state_of<T, Make, Check>>(
            std::move(make), std::move(check), options))) {}

  /// A connection: an idle one that is healthy, or a new one, when fewer than
  /// max_size are in use; else the next that is returned, in the order of asking.
  /// errc::timeout after max_wait; errc::closed; or what `make` says, as the
  /// cause of an error with its code. On any strand.
  [[nodiscard]] task<result<lease>> get() { return get_from(hold_->pool, hold_->pool->options.max_wait); }
  [[nodiscard]] task<result<lease>> get(duration max_wait) { return get_from(hold_->pool, max_wait); }

  /// Closes idle connections that are past max_idle_time. Call it from an actor's
  /// timer if get() may not be called for long. On a strand.
  void close_idle() noexcept { hold_->pool->close_idle(detail::due_in(duration::zero())); }
  /// Closes idle connections, and leased ones when they are returned; every
  /// get(), also one under way in line, yields errc::closed.
  void close() noexcept { hold_->pool->close(); }
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
            "connection_pool: an idle connection was not checked within max_wait, and is closed",
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
      // There is no time left for the others, which may be as good as any.
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
