// Supervision trees, declared as values:
//
//   auto tree = troupe::supervisor("app", {.restarts = {.max = 5, .within = 10s}})
//       .child<cache>("cache", {.backoff = {10ms, 1s}})
//       .child(troupe::supervisor("workers").child<worker>("1", {}, queue))
//       .child(troupe::supervisor("sessions", {.strategy = troupe::dynamic, .max_children = 1000}));
//   return sys.run(tree);
//
// A supervisor that runs is addressed by a supervisor_ref: children are started, stopped,
// started again and removed by id.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/inbox.hpp>
#include <troupe/actors/options.hpp>
#include <troupe/runtime/detail/owned.hpp>

#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace troupe {

/// Which children are restarted when one of them has ended abnormally.
enum class strategy : std::uint8_t {
  one_for_one,   ///< that one
  one_for_all,   ///< all of them: stopped in reverse, started in order
  rest_for_one,  ///< that one, and those that were started after it
  dynamic,       ///< that one, of many alike that come and go; stopped in parallel
  partitioned,   ///< a dynamic supervisor for each partition, to start children by key
};
inline constexpr strategy one_for_one = strategy::one_for_one;
inline constexpr strategy one_for_all = strategy::one_for_all;
inline constexpr strategy rest_for_one = strategy::rest_for_one;
inline constexpr strategy dynamic = strategy::dynamic;
inline constexpr strategy partitioned = strategy::partitioned;

/// Whether a supervisor ends, as `shutdown`, when significant children have ended by themselves.
/// A child that is stopped by hand does not count.
enum class auto_shutdown : std::uint8_t { never, any_significant, all_significant };

struct supervisor_options {
  troupe::strategy strategy = strategy::one_for_one;
  /// A group restart costs one. One too many, and the supervisor stops all and ends as
  /// restart_limit, which is an abnormal end.
  restart_budget restarts = {};
  troupe::auto_shutdown auto_shutdown = auto_shutdown::never;
  /// What its own owner does when it ends.
  troupe::restart restart = troupe::restart::permanent;
  /// Its name in the system, as spawn_options::register_as.
  detail::rare_text register_as = {};
  bool significant = false;
  /// How long its children together may take to stop, within the owner's time.
  duration shutdown = unlimited;
  troupe::backoff backoff = {};
  /// Of a dynamic or partitioned supervisor, for each partition.
  std::uint32_t max_children = UINT32_MAX;
  /// Of a partitioned one; 0: one for each worker.
  std::uint32_t partitions = 0;
};

/// How a child of a supervisor is run; as spawn_options, but permanent by default.
struct child_options {
  troupe::restart restart = troupe::restart::permanent;
  /// The name that each incarnation has in the system, as spawn_options::register_as.
  detail::rare_text register_as = {};
  /// From being told to stop to being killed; brutal, unlimited.
  duration shutdown = default_shutdown;
  bool significant = false;
  mailbox_options mailbox = {};
  troupe::backoff backoff = {};
  /// A budget for this child alone, in addition to the supervisor's.
  std::optional<restart_budget> budget = {};
  /// For the children that the child itself starts.
  restart_budget restarts = {};
  stop_order stop_children = stop_order::reverse;
  /// The child's own children live on when it is restarted.
  bool keep_children = false;
};

namespace detail {

/// Starts one child under a supervisor's cell; called for every fresh start of it.
struct child_factory {
  child_factory() = default;
  child_factory(const child_factory&) = delete;
  child_factory& operator=(const child_factory&) = delete;
  virtual ~child_factory() = default;
  /// The new child, with one share for the caller.
  virtual cell* start(cell& parent, const spawn_options& o) const = 0;
  /// It is good for one start only: the arguments cannot be copied.
  [[nodiscard]] virtual bool once() const noexcept { return false; }
  /// And that one was.
  [[nodiscard]] virtual bool used_up() const noexcept { return false; }
};

struct supervisor_spec;

template <class F>
struct child_factory_of final : child_factory {
  explicit child_factory_of(F g) : f(std::move(g)) {}
  cell* start(cell& parent, const spawn_options& o) const override { return f(parent, o); }
  F f;
};

template <class F>
owned<const child_factory> make_child_factory(F f) {
  return owned<const child_factory>(new child_factory_of<F>(std::move(f)));
}

/// A child whose arguments were moved into it is to be started again.
[[noreturn]] void throw_used_up(const cell& parent, const std::string& id);

/// Gives up the ownership of a ref: its cell, with the share.
template <class R>
cell* leave_cell(R r) noexcept {
  r.cell()->share();
  return r.cell();
}

/// Arguments that cannot be copied are moved into the first start.
template <class T, class... Args>
struct child_factory_once final : child_factory {
  explicit child_factory_once(Args&&... a) : kept(std::in_place, std::move(a)...) {}
  cell* start(cell& parent, const spawn_options& o) const override {
    if (!kept) throw_used_up(parent, o.name);
    auto moved = std::move(*kept);
    kept.reset();
    return std::apply([&](Args&... a) { return leave_cell(spawn_actor<T>(parent, o, std::move(a)...)); },
                      moved);
  }
  [[nodiscard]] bool once() const noexcept override { return true; }
  [[nodiscard]] bool used_up() const noexcept override { return !kept; }
  mutable std::optional<std::tuple<Args...>> kept;
};

template <class T, class... Args>
owned<const child_factory> actor_factory(Args... args) {
  if constexpr ((std::copy_constructible<Args> && ...)) {
    return make_child_factory([args...](cell& parent, const spawn_options& o) {
      return leave_cell(spawn_actor<T>(parent, o, args...));
    });
  } else {
    return owned<const child_factory>(new child_factory_once<T, Args...>(std::move(args)...));
  }
}

// What a running supervisor is asked; the rest is in supervisor_spec.hpp.
struct stop_child {
  using reply = void;
  std::string id;
};
struct restart_child {
  using reply = any_ref;
  std::string id;
};
struct remove_child {
  using reply = void;
  std::string id;
};
struct list_children;  // to await it, include <troupe/actors/inspect.hpp>

}  // namespace detail

/// A supervisor and its children, as a value. Nothing runs until it is given to
/// system::run or system::start. Children start in order and stop in reverse.
class supervisor {
 public:
  explicit supervisor(std::string name, supervisor_options options = {});
  supervisor(const supervisor&);
  supervisor(supervisor&&) noexcept;
  supervisor& operator=(supervisor) noexcept;
  ~supervisor();

  /// Adds an actor. The arguments are kept, and copied into each incarnation. What cannot be copied is moved,
  /// and good for one start: such a child must be temporary, or check() refuses the tree.
  /// A ref among them to an actor of the same tree would keep both alive without end: let the actor hold a
  /// named_ref, which also finds the next one when that was replaced.
  template <class T, class... Args>
    requires requires { typename ref_of<T>; }  // a T that is not an actor is refused here, with a sentence
  supervisor& child(std::string id, child_options options = {}, Args... args) & {
    add(std::move(id), options, detail::actor_factory<T>(std::move(args)...));
    return *this;
  }
  template <class T, class... Args>
    requires requires { typename ref_of<T>; }
  supervisor&& child(std::string id, child_options options = {}, Args... args) && {
    return std::move(child<T>(std::move(id), std::move(options), std::move(args)...));
  }
  /// Adds a coroutine actor, `task<void> f(context&, inbox<Ms...>, args...)`.
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  supervisor& child(F f, std::string id, child_options options = {}, Args... args) & {
    add(std::move(id), options,
        detail::make_child_factory([f, args...](detail::cell& parent, const spawn_options& o) {
          return detail::leave_cell(detail::spawn_coroutine(parent, f, o, args...));
        }));
    return *this;
  }
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  supervisor&& child(F f, std::string id, child_options options = {}, Args... args) && {
    return std::move(child(std::move(f), std::move(id), std::move(options), std::move(args)...));
  }
  /// Adds a supervisor with all that is below it.
  supervisor& child(supervisor below) &;
  supervisor&& child(supervisor below) && { return std::move(child(std::move(below))); }

  /// Checks the tree; start() and run() do so first.
  /// Errors: invalid_argument, with the child's path and what to do: empty or duplicate ids, significant
  /// children that are permanent or whose supervisor has no auto_shutdown, durations that are not positive,
  /// other options out of range, a group without members, children or settings of single children that a
  /// dynamic or partitioned supervisor cannot have, restarts of a child whose arguments cannot be copied.
  [[nodiscard]] result<void> check() const;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] const detail::supervisor_spec& spec() const noexcept { return *spec_; }

 private:
  void add(std::string id, const child_options& options, detail::owned<const detail::child_factory> f);

  detail::owned<detail::supervisor_spec> spec_;
};

/// Writes the tree as lines of text: what would run, and under which rules.
[[nodiscard]] std::string to_text(const supervisor& tree);

/// The address of a supervisor that runs. Copyable.
/// Errors of each call: as ref::ask() with the deadline `patience`: closed at once when the supervisor is
/// stopping or has ended.
/// Threads: any. What a call returns is awaited in an actor or a task; from outside use system::block_on.
/// Cancellation: the supervisor carries out what it was asked; its answer is dropped.
class supervisor_ref : public any_ref {
 public:
  supervisor_ref() noexcept = default;
  /// Internal: takes over a share of `c`, which is a supervisor.
  explicit supervisor_ref(detail::cell* c) noexcept : any_ref(c) {}

  /// How long a call waits for its answer. A child may take its whole shutdown time to stop.
  static constexpr duration patience = std::chrono::seconds(30);

  /// Starts a child, which is a T, when it is awaited; an empty id stands for a number. Arguments that cannot
  /// be copied are moved, and good for one start: such a child is temporary.
  /// Errors: already_running; not_running (an id that is known: restart_child or remove_child it; or an empty
  /// ref); full (max_children); ignored; start_failed with the cause; invalid_argument for options that
  /// supervisor::check() refuses, and when the supervisor is partitioned: call it on one partition().
  template <class T, class... Args>
  task<result<ref_of<T>>> start_child(std::string id, child_options options = {}, Args... args) const {
    return started<ref_of<T>>(
        begin_child(std::move(id), options, detail::actor_factory<T>(std::move(args)...)));
  }
  /// Starts a supervisor with all that is below it, as a child, when it is awaited; it may still be coming up
  /// when the answer is there.
  /// Errors: as above, and those of supervisor::check() for `below`.
  task<result<supervisor_ref>> start_child(const supervisor& below) const;
  /// Stops a child and waits until it has ended. A permanent or transient child stays known.
  /// Errors: not_found. A known child that does not run is none.
  detail::ask_awaiter<detail::stop_child> stop_child(std::string id) const;
  /// Starts a child that is known but does not run, and yields its new address.
  /// Errors: not_found, also for each child of a dynamic supervisor; already_running; ignored;
  /// start_failed with the cause.
  detail::ask_awaiter<detail::restart_child> restart_child(std::string id) const;
  /// Forgets a child that does not run.
  /// Errors: not_found, also for each child of a dynamic supervisor; already_running.
  detail::ask_awaiter<detail::remove_child> remove_child(std::string id) const;
  /// Yields the children in the order of their start, as a vector of child_info with their refs; include
  /// <troupe/actors/inspect.hpp>. Those of a dynamic supervisor are seen by inspect() only.
  detail::ask_awaiter<detail::list_children> children() const;

  /// Returns the partition of a partitioned supervisor for a key, always the same; an empty one when that
  /// does not run now, and of a supervisor that is not partitioned.
  /// Cost: linear in the number of partitions, under the supervisor's lock.
  [[nodiscard]] supervisor_ref partition(std::uint64_t key) const;

 private:
  task<result<any_ref>> begin_child(std::string id, const child_options& options,
                                    detail::owned<const detail::child_factory> f) const;
  template <class R>
  static task<result<R>> started(task<result<any_ref>> begun) {
    result<any_ref> child = co_await std::move(begun);
    if (!child) co_return std::unexpected(std::move(child.error()));
    child->cell()->share();
    co_return R(child->cell());
  }
};

}  // namespace troupe
