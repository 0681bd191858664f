// A look at the tree: what system::inspect() and supervisor_ref::children() yield.
#pragma once

#include <troupe/actors/options.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/time.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

enum class actor_state : std::uint8_t {
  running,
  suspended,  ///< in a handler that waits
  starting,   ///< being constructed; of a supervisor: not all of its children are up
  stopping,
  restarting,  ///< between two incarnations: waits for its supervisor, or for a backoff to end
  wedged,      ///< cut off, for a handler never returned
  ended
};

[[nodiscard]] std::string_view to_string(actor_state s) noexcept;

/// What there is to say of one actor at one moment.
struct actor_facts {
  /// A longer path is cut to its end, after "...".
  static constexpr std::size_t longest_path = 1024;

  std::string name;
  std::string path;
  std::string type;
  actor_state state = actor_state::running;
  std::uint32_t depth = 0;  ///< messages queued or being handled
  std::uint32_t capacity = 0;
  std::uint32_t restarts = 0;         ///< since it was started
  std::uint32_t recent_restarts = 0;  ///< of its children, within its budget's time
  std::uint32_t epoch = 0;
  duration up{};  ///< this incarnation's age; zero for actors without a name or other options
};

/// An actor and all below it, with its children in the order they were started. A tree may be deep: what
/// copies, counts and destroys it does not recurse, nor should what is done with all of it.
/// Cost: to copy, count or destroy it is linear in the number of actors.
struct actor_info : actor_facts {
  actor_info() = default;
  actor_info(const actor_info& o);
  actor_info(actor_info&&) noexcept = default;
  actor_info& operator=(const actor_info& o);
  actor_info& operator=(actor_info&&) noexcept = default;
  ~actor_info();

  std::vector<actor_info> children;

  /// Returns the number of actors in this subtree, this one included.
  [[nodiscard]] std::size_t count() const noexcept;
};

/// Writes the tree as lines of text, one for each actor. At most `most_children` of one
/// parent are shown, and 100 levels; the others are counted.
[[nodiscard]] std::string to_text(const actor_info& tree, std::size_t most_children = 20);

enum class child_state : std::uint8_t { running, starting, restarting, stopping, not_running };

/// A child as its supervisor sees it.
struct child_info {
  std::string id;
  any_ref ref = {};  ///< empty when it does not run
  child_state state = child_state::not_running;
  troupe::restart restart = troupe::restart::permanent;
  bool significant = false;
  bool supervisor = false;
};

namespace detail {

struct list_children {
  using reply = std::vector<child_info>;
};

}  // namespace detail
}  // namespace troupe
