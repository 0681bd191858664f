// A room, and the lobby that has the rooms.
#pragma once

#include <troupe/actors.hpp>

#include <map>
#include <string>
#include <vector>

namespace chat {

/// To a member: something to show.
struct line {
  std::string text;
  bool last = false;  // from the member itself: its client says no more
};
using member_ref = troupe::ref<line>;

/// Tells everybody in it what anybody says, in one order for all. It never waits: what does not fit into a
/// member's mailbox is lost for that member, who is told how much it was as soon as there is room again.
class room {
 public:
  struct join {
    using reply = bool;  // whether the nick was free
    std::string nick;
    member_ref who;
  };
  /// Answered when all that was said before has been told.
  struct leave {
    using reply = void;
    member_ref who;
  };
  struct say {
    member_ref who;
    std::string text;
  };
  struct list {
    using reply = std::string;
  };
  using accepts = troupe::protocol<join, leave, say, list>;

  explicit room(std::string name) : name_(std::move(name)) {}

  /// Also for a new nick of somebody who is here.
  bool handle(join m, troupe::context& ctx);
  void handle(const leave& m, troupe::context& ctx);
  void handle(const troupe::down& d);
  void handle(const say& m);
  [[nodiscard]] std::string handle(list) const;

 private:
  struct member {
    std::string nick;
    member_ref who;
    unsigned missed = 0;  // lines since the last one that fitted in
  };

  std::vector<member>::iterator find(const troupe::any_ref& who);
  void announce(const std::string& text);
  void remove(const troupe::any_ref& who);

  std::string name_;
  std::vector<member> members_;
};
using room_ref = troupe::ref_of<room>;

/// Knows the rooms, which are its children; makes those that are not there yet.
class lobby {
 public:
  struct enter {
    using reply = room_ref;
    std::string name;
  };
  using accepts = troupe::protocol<enter>;
  static constexpr std::size_t most_rooms = 1000;

  troupe::result<room_ref> handle(const enter& m, troupe::context& ctx);

 private:
  std::map<std::string, room_ref> rooms_;
};

}  // namespace chat
