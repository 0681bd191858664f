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

/// Owns every actor. Its destructor stops them all, in order, by the shutdown
/// deadline. Thread-safe; to be destroyed from one of its own actors ends the process.
class system {
 public:
  /// Starts a runtime of its own.
  explicit system(system_options options = {});
  /// Runs on a runtime that outlives it: sim::runtime, or one that is shared.
  explicit system(troupe::runtime& on, system_options options = {});
  ~system();
  system(const system&) = delete;
  system& operator=(const system&) = delete;

  /// Starts an actor that only the system owns. Its constructor runs here, on
  /// the calling thread; what it throws leaves here. An actor that crashes is
  /// restarted within its own budget, then given up with a log line.
  template <class T, class... Args>
  ref_of<T> spawn(spawn_options options = {}, Args&&... args) {
    return detail::spawn_actor<T>(root(), options, std::forward<Args>(args)...);
  }
  /// Starts a coroutine actor, `task<void> f(context&, inbox<Ms...>, args...)`.
  template <class F, class... Args>
    requires(!std::is_class_v<F> || requires { &F::operator(); })
  auto spawn(F f, spawn_options options = {}, Args&&... args) {
    return detail::spawn_coroutine(root(), std::move(f), options, std::forward<Args>(args)...);
  }

  /// Awaits something from outside: sys.block_on(counter.ask(get{})). Blocks the
  /// calling thread; on a worker it returns errc::on_worker at once.
  template <class A>
  auto block_on(A&& a) {
    return runtime().block_on(std::forward<A>(a));
  }

  /// Starts a supervision tree and runs until it ends, or until SIGINT or
  /// SIGTERM, on which the tree is stopped in reverse order by its deadline, also
  /// while it still comes up. At the end of system_options::shutdown, or at a second signal, what is left is
  /// killed: when this returns, nothing of the tree runs but handlers that do not return, which are logged.
  /// Returns an exit status: 0 when the tree ended in order, also by a shutdown(); 1 when it failed, did not
  /// stop in time, or was started on a worker, which this would block. Blocks; one at a time.
  int run(const supervisor& tree);
  /// Starts a supervision tree; returns once all of it runs, or says which child
  /// failed and why, and then nothing of it runs. Blocks; errc::on_worker at once on a worker.
  result<supervisor_ref> start(const supervisor& tree);
  /// The supervisor at a path.
  result<supervisor_ref> supervisor_at(std::string_view path);

  /// Asks an actor to end for good; harmless when it has.
  void stop(const any_ref& who) noexcept;
  /// Ends what an actor is doing now, without its hooks, as `killed`: its supervisor restarts
  /// it, unless it is temporary. Harmless when it has ended.
  void kill(const any_ref& who) noexcept;
  /// Stops everything and waits for that, until `shutdown` has passed. Errors, each with a log line that has
  /// the paths: errc::stuck when handlers have not returned, whose actors are cut off; errc::timeout when
  /// more than these is still running; errc::on_worker at once when called on a worker.
  result<void> shutdown();
  /// Tells everything to stop, and does not wait: for a handler that wants the system to end. A thread in
  /// run() returns when its tree has. Any thread.
  void request_shutdown() noexcept;

  /// Gives an actor of this system a name to be found by, until it ends; it may have several. False when
  /// the name belongs to another, or when the actor has ended or is of another system. By the time that
  /// ended() says so, or that a watcher hears of the end, its names are free. Any thread.
  bool register_name(const std::string& name, const any_ref& who);
  /// The actor registered under a name: errc::not_found, or errc::invalid_argument
  /// when it does not accept one of Ms.
  template <class... Ms>
  [[nodiscard]] result<ref<Ms...>> find(std::string_view name) {
    return checked<Ms...>(find_name(name), name);
  }
  /// The actor at a path, such as "/bank/accounts/7".
  template <class... Ms>
  [[nodiscard]] result<ref<Ms...>> at(std::string_view path) {
    return checked<Ms...>(find_path(path), path);
  }

  /// The tree as it is now, with states and mailboxes. A snapshot, taken while
  /// everything goes on.
  [[nodiscard]] actor_info inspect() const;
  [[nodiscard]] runtime_counters counters() const;
  [[nodiscard]] time_point now() const noexcept;
  [[nodiscard]] const system_options& options() const noexcept;
  /// From now on `sink` is shown every dead letter, until taken back. Any thread, also from within write().
  void subscribe(dead_letter_sink& sink);
  /// Returns once no thread shows `sink` a letter any more, so that it may be destroyed; but from within a
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
