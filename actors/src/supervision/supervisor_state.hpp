// A supervisor as an actor.
//
//   coming_up ----> steady ----> ending_group ----> starting_group ----> steady
//       |             ^  crash of a member |               |  a start fails: another unit
//       |             +--------------------+<--------------+  of the budget, and again
//       +-> fails: a child that cannot start takes the supervisor with it
//
// All of it happens on the supervisor's strand, as a reaction to mail: a child has come up, crashed, or
// ended. So it answers requests, and stops when told to, in every phase.
#pragma once

#include "cell/extras.hpp"
#include "cell/watch_link.hpp"

#include <troupe/actors/supervisor_spec.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace troupe::detail {

/// Tells the thread that started a tree whether it came up, and of its end.
struct start_report : end_listener {
  void ended() noexcept override {
    const scoped_lock guard(lock);
    over = true;
    changed.notify_all();
    if (on_end != nullptr) on_end();
  }
  mutex lock;
  std::condition_variable changed;  // up or over was set
  bool up TROUPE_GUARDED_BY(lock) = false;
  bool over TROUPE_GUARDED_BY(lock) = false;  // its root has ended, or is cut off for good
  std::function<void()> on_end;               // set before the tree is started
};

class supervisor_state {
 public:
  using accepts = protocol<start_child, stop_child, restart_child, remove_child, list_children>;

  supervisor_state(context& self, const std::shared_ptr<const supervisor_spec>& s,
                   const std::shared_ptr<start_report>& r);

  void started(context&) { go_on(); }
  void handle(start_child m, reply_to<any_ref> reply);
  void handle(const stop_child& m, reply_to<void> reply);
  void handle(const restart_child& m, reply_to<any_ref> reply);
  void handle(const remove_child& m, reply_to<void> reply);
  std::vector<child_info> handle(list_children) const;

  // Called by the cell.
  void child_up() noexcept { go_on(); }
  void child_crashed(cell& child) noexcept;
  void child_ended(cell& child) noexcept;

 private:
  enum class phase : std::uint8_t { coming_up, steady, ending_group, starting_group };
  /// running: alive as far as is known; ending: told to end for a group restart; waiting: its incarnation has
  /// ended, and it waits for order_restart; starting: it has that order.
  enum class progress : std::uint8_t { none, running, ending, waiting, starting, stopping };
  struct member {
    child_spec spec;
    cell* child = nullptr;  // in the list of the supervisor's cell, or null
    progress at = progress::none;
    bool revive = false;  // it does not run, and a group restart starts a new actor
    bool spared = false;  // but not the group restart under way: it was stopped by hand meanwhile
    restart_window window = {};
    std::uint64_t place = 0;  // greater than that of those before it
  };
  using members = std::list<member>;

  [[nodiscard]] bool grouped() const noexcept {
    return companions_of(options().strategy) != companions::none;
  }
  [[nodiscard]] bool is_dynamic() const noexcept { return options().strategy == strategy::dynamic; }
  [[nodiscard]] const supervisor_options& options() const noexcept { return spec_->options; }
  members::iterator append(child_spec c);
  [[nodiscard]] members::iterator by_id(const std::string& id) noexcept;
  [[nodiscard]] result<any_ref> start(members::iterator m);
  [[nodiscard]] result<any_ref> start_dynamic(child_spec c);
  void forget(members::iterator m) noexcept;
  [[nodiscard]] result<members::iterator> at_rest(const std::string& id);
  [[nodiscard]] error unknown_child(const std::string& id) const;
  [[nodiscard]] result<any_ref> with_place(result<any_ref> child) const;
  [[nodiscard]] error not_started(error why) const;
  [[nodiscard]] bool runs_already(const std::string& id) const;
  void go_on() noexcept;
  void end_group() noexcept;
  void start_group() noexcept;
  void begin_group(members::iterator first) noexcept;
  void become_steady() noexcept;
  void fail_start(const std::string& id, error why) noexcept;
  [[nodiscard]] bool admit(cell& child, member* m) noexcept;
  [[nodiscard]] bool precedes(members::const_iterator a, members::const_iterator b) const noexcept;
  void replace(members::iterator m) noexcept;
  void replace_dynamic(child_spec c) noexcept;
  [[nodiscard]] bool may_replace(const std::string& id) noexcept;
  void give_up(std::string text, error why) noexcept;
  void apply_auto_shutdown(const cell& child, bool significant) noexcept;

  cell& me_;
  std::shared_ptr<const supervisor_spec> spec_;
  std::shared_ptr<start_report> report_;  // of the tree's root only
  members members_;                       // in the order of their start; none of a dynamic supervisor
  std::unordered_map<const cell*, members::iterator> cells_;
  std::unordered_map<std::string, members::iterator> ids_;
  std::unordered_map<const cell*, child_spec>
      dynamic_;               // children that are not temporary, in case one is wedged
  members::iterator group_;   // the first of those that are restarted together
  members::iterator cursor_;  // whose start is under way or comes next
  members::iterator ending_;  // of a group that ends: this one and all behind it have ended
  std::uint64_t next_place_ = 0;
  phase phase_ = phase::coming_up;
  std::unordered_map<const cell*, std::vector<reply_to<void>>> stops_;  // stop_child calls, by child
  std::uint32_t alive_ = 0;                                             // children of a dynamic supervisor
  std::uint64_t next_id_ = 0;
};

/// Why a child cannot be run under such a supervisor at `path`; std::nullopt when it can.
[[nodiscard]] std::optional<error> wrong_with(const child_spec& c, const supervisor_options& above,
                                              const std::string& path);

/// How many partitions a supervisor has, whether or not they run; 0 when it is not partitioned. Any thread.
[[nodiscard]] std::uint32_t partitions_of(cell& supervisor) noexcept;

/// The cell of a supervisor under `parent`, with one share for the caller.
cell* start_supervisor(cell& parent, const std::shared_ptr<const supervisor_spec>& spec,
                       const spawn_options& o, const std::shared_ptr<start_report>& report);

}  // namespace troupe::detail
