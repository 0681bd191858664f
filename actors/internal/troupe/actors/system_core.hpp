// The state that the actors of one system share. Internal; owned by troupe::system, and pinned by threads
// that send.
#pragma once

#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/engine.hpp>

#include <condition_variable>
#include <memory>
#include <string>
#include <vector>

namespace troupe::detail {

/// Lets a test change an actor before it is made (testkit.hpp).
struct spawn_hooks {
  spawn_hooks() = default;
  spawn_hooks(const spawn_hooks&) = delete;
  spawn_hooks& operator=(const spawn_hooks&) = delete;
  virtual ~spawn_hooks() = default;
  /// The behaviour to use instead of `b`; may change the options.
  virtual const behaviour& prepare(const behaviour& b, spawn_options& o) = 0;
};

class name_registry;
class sink_list;

class system_core final : public pinnable {
 public:
  system_core(system& owner, engine& e, std::uint16_t place, duration shutdown);
  ~system_core() override;

  /// The system ends, and all of its actors have ended. Removes all sinks, and waits for threads that are
  /// inside one.
  void end() noexcept;

  [[nodiscard]] system& owner() const noexcept { return owner_; }
  [[nodiscard]] engine& home() const noexcept { return *engine_; }
  /// The host of a simulated network that the actors run on; else 0.
  [[nodiscard]] std::uint16_t place() const noexcept { return place_; }
  [[nodiscard]] cell& root() const noexcept { return *root_; }
  /// Null except in tests; set before the first spawn.
  [[nodiscard]] spawn_hooks* hooks() const noexcept { return hooks_; }
  void set_hooks(spawn_hooks* h) noexcept { hooks_ = h; }

  /// Mail that a mailbox had accepted, or refused by its policy, is lost. Any thread.
  void lose(const cell& to, mail& m, dead_letter_cause why) noexcept;
  /// The same for a message that was moved out of its mail; null when it is gone.
  void lose(const cell& to, const message_kind& k, const void* message, dead_letter_cause why) noexcept;
  void subscribe(dead_letter_sink& s);
  void unsubscribe(dead_letter_sink& s) noexcept;

  // Names; any thread.
  bool register_name(const std::string& name, cell& c);
  /// `c` has ended, or is cut off for good: frees its names.
  void unregister(cell& c) noexcept;
  /// The cell behind a name, shared for the caller, or null.
  cell* find_name(std::string_view name);
  /// The cell at a path, shared for the caller, or null.
  cell* find_path(std::string_view path);

  // Paths of actors whose handlers have not returned; any thread.
  void add_wedged(const std::string& path);
  void remove_wedged(const std::string& path) noexcept;
  [[nodiscard]] std::vector<std::string> wedged();

  /// The root has ended.
  void root_ended() noexcept;
  bool wait_for_root(std::int64_t deadline);
  [[nodiscard]] bool root_has_ended();

 private:
  system& owner_;
  engine_ref engine_;
  std::uint16_t place_;
  cell* root_;
  spawn_hooks* hooks_ = nullptr;
  mutex lock_;
  std::condition_variable changed_;  // ended_ was set
  bool ended_ TROUPE_GUARDED_BY(lock_) = false;
  std::vector<std::string> wedged_ TROUPE_GUARDED_BY(lock_);
  const std::unique_ptr<name_registry> names_;
  const std::unique_ptr<sink_list> sinks_;
};

}  // namespace troupe::detail
