// A supervisor as an actor.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <troupe/actors/supervisor.hpp>

namespace troupe::detail {

/// Tells whoever started a tree how that went.
struct start_report {
  std::mutex lock;
  std::condition_variable changed;
  bool up = false;
  std::optional<error> failed;
};

/// Starts its children one after the other; a supervisor among them is waited
/// for until all below it is up. What it does when one of them ends is common
/// to all actors (lifecycle.cpp), for every actor supervises its children.
struct supervisor_state {
  supervisor_state(context& self, const std::shared_ptr<const supervisor_spec>& s,
                   const std::shared_ptr<start_report>& r) noexcept
      : me(static_cast<cell&>(self)), spec(s), report(r) {}

  void start_children() noexcept;
  void fail_start(error why) noexcept;

  cell& me;
  std::shared_ptr<const supervisor_spec> spec;
  std::shared_ptr<start_report> report;  // of the tree's root only
  std::size_t next = 0;
  const cell* awaited = nullptr;  // the supervisor below that is coming up
};

/// The cell of a supervisor under `parent`, with one share for the caller.
cell* start_supervisor(cell& parent, const std::shared_ptr<const supervisor_spec>& spec,
                       const spawn_options& o, const std::shared_ptr<start_report>& report);

}  // namespace troupe::detail
