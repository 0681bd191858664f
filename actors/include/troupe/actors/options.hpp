// How actors are started: options for spawn and for children of a supervisor.
#pragma once

#include <troupe/actors/detail/rare_text.hpp>
#include <troupe/actors/mailbox_policy.hpp>
#include <troupe/runtime/time.hpp>

#include <cstdint>
#include <string>

namespace troupe {

/// What happens to what is queued when its receiver is stopped.
enum class on_stop : std::uint8_t {
  bounce,  ///< asks fail with closed, tells become dead letters
  drain,   ///< what is queued is handled first, within the shutdown time
};

/// What happens to what is queued when its receiver crashes and is restarted.
enum class on_restart : std::uint8_t {
  keep,    ///< it waits for the new incarnation, in order
  bounce,  ///< asks fail with actor_failed, tells become dead letters
};

struct mailbox_options {
  /// Messages queued or being handled, at most; 1 to 2147483647. Above 65534 each send takes a lock.
  std::uint32_t capacity = 1024;
  on_stop when_stopped = on_stop::bounce;
  on_restart when_restarted = on_restart::keep;
  /// What it may lose when it is full: reject (nothing), drop_newest, drop_oldest, coalesce<key>.
  mailbox_policy policy = reject;
};

/// When an actor that ended is started again.
enum class restart : std::uint8_t {
  permanent,  ///< always
  transient,  ///< after an abnormal end only
  temporary,  ///< never
};

/// At most `max` restarts within `within`; one more, and the owner gives up.
struct restart_budget {
  std::uint32_t max = 3;
  duration within = std::chrono::seconds(5);
};

/// The pause before a restart: it doubles from `initial` up to `max`, with up to
/// `jitter` (0 to 1) of it taken off at random, and starts over after the actor
/// has been up for (initial + max) / 2. Zero: at once.
struct backoff {
  duration initial{};
  duration max{};
  double jitter = 0.2;
};

namespace detail {
/// The pause after `step` others in a row.
[[nodiscard]] duration backoff_delay(const backoff& b, std::uint32_t step, std::uint64_t random) noexcept;
}  // namespace detail

/// In which order an actor's children are stopped.
enum class stop_order : std::uint8_t {
  reverse,   ///< one after the other, the youngest first
  parallel,  ///< all at once, for many children of one kind
};

/// For `shutdown`: killed at once.
inline constexpr duration brutal = duration::min();
/// For `shutdown`: as long as it takes, within the parent's time.
inline constexpr duration unlimited = forever;
/// From being told to stop to being killed, unless told otherwise.
inline constexpr duration default_shutdown = std::chrono::seconds(5);

struct spawn_options {
  /// Its place in the tree, unique among siblings; empty: a number.
  std::string name = {};
  /// The name it is registered under in its system before it handles anything, as by system::register_name();
  /// empty: none. A name that is taken is errc::name_taken, and nothing is started.
  detail::rare_text register_as = {};
  mailbox_options mailbox = {};
  troupe::restart restart = troupe::restart::transient;
  /// From being told to stop to being killed.
  duration shutdown = default_shutdown;
  troupe::backoff backoff = {};
  /// How often its own children may be restarted before it fails itself.
  restart_budget restarts = {};
  stop_order stop_children = stop_order::reverse;
  /// Its children live on when it is restarted.
  bool keep_children = false;
};

/// Thrown by an actor's constructor: it is not needed, and that is not a failure. A supervisor
/// keeps such a child as not running; a temporary or a dynamic one is forgotten.
struct ignore_start {};

}  // namespace troupe
