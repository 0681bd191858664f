// The system: a tree of actors on a runtime, from its first actor to its last.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/inbox.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/detail/owned.hpp>
#include <troupe/runtime/runtime.hpp>

#include <string>
#include <string_view>

namespace troupe {

class supervisor;
class supervisor_ref;
struct actor_info;  // to call inspect(), include <troupe/actors/inspect.hpp>

struct system_options {
  /// Worker threads; 0: one for each core this process may use.
  unsigned workers = 0;
  /// No thread of its own: everything runs on the thread that waits in run(), start(), block_on() or
  /// shutdown(), and only meanwhile; see runtime_options::current_thread for what that gives and takes.
  bool current_thread = false;
  /// Names the system in log lines and threads.
  std::string name = "troupe";
  /// From being told to stop to being killed, for the whole tree.
  duration shutdown = std::chrono::seconds(10);
  /// A handler that runs longer than this without giving way is reported.
  duration long_handler = std::chrono::milliseconds(10);
  /// Threads for blocking(), at most.
  unsigned blocking_threads = 64;
  /// Null: stderr_log().
  log_sink* log = nullptr;
};

/// Owns every actor.
/// Threads: any, unless a function says otherwise.
class system {
 public:
  /// Starts a runtime of its own.
  /// Errors: troupe_error, errc::invalid_argument, when options.shutdown is not positive.
  explicit system(system_options options = {});
  /// Runs on a runtime that outlives it: sim::runtime, or one that is shared.
  /// Errors: troupe_error, errc::invalid_argument, when options.shutdown is not positive.
  explicit system(troupe::runtime& on, system_options options = {});
  /// Stops all actors, in order, by the shutdown deadline.
  /// Threads: any that is not a worker of its runtime; on such a worker it ends the process.
  /// Blocks: the calling thread, until all have ended or the deadline has passed.
  ~system();
  system(const system&) = delete;
  system& operator=(const system&) = delete;

  /// Starts an actor that only the system owns. Its constructor runs on the calling thread. An actor that
  /// crashes is restarted within its own budget, then given up with a log line.
  /// Errors: what the constructor throws; troupe_error: name_taken, invalid_argument (the options), closed
  /// (the system is stopping).
  template <class T, class... Args>
  ref_of<T> spawn(spawn_options options = {}, Args&&... args) {
    return detail::spawn_actor<T>(root(), options, std::forward<Args>(args)...);
  }
  /// Starts a coroutine actor, `task<void> f(context&, inbox<Ms...>, args...)`.
  /// Errors: troupe_error, as above.
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  auto spawn(F f, spawn_options options = {}, Args&&... args) {
    return detail::spawn_coroutine(root(), std::move(f), options, std::forward<Args>(args)...);
  }

  /// Awaits something from outside: sys.block_on(counter.ask(get{})).
  /// Errors: as runtime::block_on(): on_worker at once when called on a worker.
  /// Threads: any that is not a worker.
  /// Blocks: the calling thread, until what it awaits is there.
  template <class A>
  auto block_on(A&& a) {
    return runtime().block_on(std::forward<A>(a));
  }

  /// Starts a supervision tree and runs until it ends, or until SIGINT or
  /// SIGTERM, on which the tree is stopped in reverse order by its deadline, also
  /// while it still comes up. At the end of system_options::shutdown, or at a second signal, what is left is
  /// killed: when this returns, nothing of the tree runs but handlers that do not return, which are logged.
  /// Errors: none thrown for the tree. Returns an exit status: 0 when the tree ended in order, also by a
  /// shutdown(); 1 when it could not be started, failed, did not stop in time, has a handler that did not
  /// return, or when called on a worker. Each has a log line.
  /// Threads: any that is not a worker; one at a time in a process, for it handles the process's signals.
  /// Blocks: the calling thread, until the tree has ended.
  int run(const supervisor& tree);
  /// Starts a supervision tree; returns once all of it runs.
  /// Errors: those of supervisor::check(); start_failed, or another error that ended the tree while it came
  /// up, with the child that failed and the cause: then nothing of the tree runs. name_taken; closed when the
  /// system is stopping; on_worker at once when called on a worker.
  /// Threads: any that is not a worker.
  /// Blocks: the calling thread, until the tree is up or has ended.
  result<supervisor_ref> start(const supervisor& tree);
  /// Returns the supervisor at a path.
  /// Errors: not_found, also when the actor there is not a supervisor.
  result<supervisor_ref> supervisor_at(std::string_view path);

  /// Asks an actor to end for good; harmless when it has.
  void stop(const any_ref& who) noexcept;
  /// Ends what an actor is doing now, without its hooks, as `killed`: its supervisor restarts
  /// it, unless it is temporary. Harmless when it has ended.
  void kill(const any_ref& who) noexcept;
  /// Stops everything and waits for that, until `shutdown` and half a second more have passed.
  /// Errors: stuck when handlers have not returned, whose actors are cut off; timeout when more than these is
  /// still running. Both have the paths, and are logged; stuck is not logged again by a call after the end.
  /// on_worker at once when called on a worker.
  /// Threads: any that is not a worker.
  /// Blocks: the calling thread, until all has ended or the time is up.
  result<void> shutdown();
  /// Tells everything to stop, and does not wait: for a handler that wants the system to end. A thread in
  /// run() returns when its tree has ended.
  void request_shutdown() noexcept;

  /// Gives an actor of this system a name to be found by, until it ends; it may have several. By the time
  /// that ended() says so, or that a watcher hears of the end, its names are free.
  /// Errors: returns false when the name belongs to another, or when the actor has ended, is of another
  /// system, or `who` is empty.
  /// Cost: a lock and O(log n).
  bool register_name(const std::string& name, const any_ref& who);
  /// Returns the actor that is registered under a name.
  /// Errors: not_found, or invalid_argument when it does not accept one of Ms.
  /// Cost: a lock and O(log n).
  template <class... Ms>
  [[nodiscard]] result<ref<Ms...>> find(std::string_view name) {
    return checked<Ms...>(find_name(name), name);
  }
  /// Returns the actor at a path, such as "/bank/accounts/7".
  /// Errors: as find().
  template <class... Ms>
  [[nodiscard]] result<ref<Ms...>> at(std::string_view path) {
    return checked<Ms...>(find_path(path), path);
  }

  /// Returns the tree as it is now, with states and mailboxes: a snapshot, taken while everything goes on.
  /// Cost: linear in the number of actors; each parent's lock is held while its children are listed.
  [[nodiscard]] actor_info inspect() const;
  [[nodiscard]] runtime_counters counters() const;
  [[nodiscard]] time_point now() const noexcept;
  [[nodiscard]] const system_options& options() const noexcept;
  /// Shows `sink` every dead letter from now on, until unsubscribe().
  /// Threads: any, also from within write().
  void subscribe(dead_letter_sink& sink);
  /// Shows `sink` no further dead letter.
  /// Blocks: until no thread shows it a letter any more, so that it may be destroyed; but from within a
  /// sink's write() it returns at once.
  void unsubscribe(dead_letter_sink& sink) noexcept;

  [[nodiscard]] troupe::runtime& runtime() const noexcept;
  [[nodiscard]] detail::system_core& core() const noexcept;

 private:
  struct impl;
  [[nodiscard]] detail::cell& root() const noexcept;
  [[nodiscard]] any_ref find_name(std::string_view name);
  [[nodiscard]] any_ref find_path(std::string_view path);
  static error lookup_error(const any_ref& found, std::string_view name);

  template <class... Ms>
  result<ref<Ms...>> checked(any_ref found, std::string_view name) {
    if (!found || !(found.cell()->acts().accepts(detail::message_id<Ms>()) && ...)) {
      return std::unexpected(lookup_error(found, name));
    }
    found.cell()->share();
    return ref<Ms...>(found.cell());
  }

  detail::owned<impl> impl_;
};

}  // namespace troupe
