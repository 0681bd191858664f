// A room, and the lobby, which owns the rooms. Both are actors.
#pragma once

#include <troupe/actors.hpp>

#include <map>
#include <string>
#include <vector>

namespace chat {

/// A line for a member to write to its client.
struct line {
  std::string text;
  bool last = false;  // from the member itself: its client has ended its input
};
using member_ref = troupe::ref<line>;

/// Sends each line to all members, in the same order for all. It never waits: a line that does not fit into a
/// member's mailbox is lost for that member, which is told the number of missed lines once there is room
/// again.
class room {
 public:
  struct join {
    using reply = bool;  // true when the nick was free
    std::string nick;
    member_ref who;
  };
  /// Answered after all earlier lines have been sent.
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

  /// Also changes the nick of a present member.
  bool handle(join m, troupe::context& ctx);
  void handle(const leave& m, troupe::context& ctx);
  void handle(const troupe::down& d);
  void handle(const say& m);
  [[nodiscard]] std::string handle(list) const;

 private:
  struct member {
    std::string nick;
    member_ref who;
    unsigned missed = 0;  // lines lost since the last one that was sent
  };

  std::vector<member>::iterator find(const troupe::any_ref& who);
  void announce(const std::string& text);
  void remove(const troupe::any_ref& who);

  std::string name_;
  std::vector<member> members_;
};
using room_ref = troupe::ref_of<room>;

/// Finds rooms by name and creates missing ones, as its children.
class lobby {
 public:
  struct enter {
    using reply = room_ref;
    std::string name;
  };
  using accepts = troupe::protocol<enter>;
  static constexpr std::size_t max_rooms = 1000;

  troupe::result<room_ref> handle(const enter& m, troupe::context& ctx);

 private:
  std::map<std::string, room_ref> rooms_;
};

}  // namespace chat
