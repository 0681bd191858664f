// Supervision trees, declared as values:
//
//   auto tree = troupe::supervisor("app", {.restarts = {.max = 5, .within = 10s}})
//       .child<cache>("cache", {.backoff = {10ms, 1s}})
//       .child(troupe::supervisor("workers").child<worker>("1", {}, queue));
//   return sys.run(tree);
#pragma once

#include <memory>
#include <string>
#include <troupe/actors/actor.hpp>
#include <troupe/actors/inbox.hpp>
#include <troupe/actors/options.hpp>
#include <vector>

namespace troupe {

/// Which children are restarted when one of them has ended abnormally.
enum class strategy : std::uint8_t {
  one_for_one,  ///< that one
};

struct supervisor_options {
  troupe::strategy strategy = strategy::one_for_one;
  restart_budget restarts = {};
  /// What its own owner does when it gives up.
  troupe::restart restart = troupe::restart::permanent;
  /// How long its children together may take to stop, within the owner's time.
  duration shutdown = forever;
  troupe::backoff backoff = {};
};

/// How a child of a supervisor is run; as spawn_options, but permanent by default.
struct child_options {
  troupe::restart restart = troupe::restart::permanent;
  duration shutdown = std::chrono::seconds(5);
  mailbox_options mailbox = {};
  troupe::backoff backoff = {};
  /// For the children that the child itself starts.
  restart_budget restarts = {};
  stop_order stop_children = stop_order::reverse;
};

namespace detail {

/// Starts one child under a supervisor's cell; called for every incarnation of it.
struct child_factory {
  child_factory() = default;
  child_factory(const child_factory&) = delete;
  child_factory& operator=(const child_factory&) = delete;
  virtual ~child_factory() = default;
  /// The new child, with one share for the caller.
  virtual cell* start(cell& parent, const spawn_options& o) const = 0;
};

struct supervisor_spec;

struct child_spec {
  std::string id;
  spawn_options options;
  std::shared_ptr<const child_factory> factory;
  bool is_supervisor = false;
  std::shared_ptr<const supervisor_spec> below = nullptr;  // of a supervisor
};

struct supervisor_spec {
  std::string name;
  supervisor_options options;
  std::vector<child_spec> children;
};

template <class F>
struct child_factory_of final : child_factory {
  explicit child_factory_of(F g) : f(std::move(g)) {}
  cell* start(cell& parent, const spawn_options& o) const override { return f(parent, o); }
  F f;
};

template <class F>
std::shared_ptr<const child_factory> make_child_factory(F f) {
  return std::make_shared<const child_factory_of<F>>(std::move(f));
}

/// Gives up the ownership of a ref: its cell, with the share.
template <class R>
cell* leave_cell(R r) noexcept {
  r.cell()->share();
  return r.cell();
}

}  // namespace detail

/// A supervisor and its children, as a value. Nothing runs until it is given to
/// system::run or system::start. Children start in order and stop in reverse.
class supervisor {
 public:
  explicit supervisor(std::string name, supervisor_options options = {});

  /// Adds an actor. The arguments are kept, and copied into each incarnation.
  template <class T, class... Args>
  supervisor&& child(std::string id, child_options options = {}, Args... args) && {
    add(std::move(id), options, false,
        detail::make_child_factory([args...](detail::cell& parent, const spawn_options& o) {
          return detail::leave_cell(detail::spawn_actor<T>(parent, o, args...));
        }));
    return std::move(*this);
  }
  /// Adds a coroutine actor, `task<void> f(context&, inbox<Ms...>, args...)`.
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  supervisor&& child(F f, std::string id, child_options options = {}, Args... args) && {
    add(std::move(id), options, false,
        detail::make_child_factory([f, args...](detail::cell& parent, const spawn_options& o) {
          return detail::leave_cell(detail::spawn_coroutine(parent, f, o, args...));
        }));
    return std::move(*this);
  }
  /// Adds a supervisor with all that is below it.
  supervisor&& child(supervisor below) &&;

  /// What is wrong with the tree, or nothing: duplicate names, durations that
  /// are not positive. Names the child's path. start() and run() ask it first.
  [[nodiscard]] result<void> check() const;
  [[nodiscard]] const std::string& name() const noexcept { return spec_->name; }
  [[nodiscard]] const detail::supervisor_spec& spec() const noexcept { return *spec_; }

 private:
  void add(std::string id, const child_options& o, bool is_supervisor,
           std::shared_ptr<const detail::child_factory> f);

  std::shared_ptr<detail::supervisor_spec> spec_;
};

}  // namespace troupe
