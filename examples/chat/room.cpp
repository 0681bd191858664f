// Membership and announcements of a room, and the lobby's look-up.
#include "room.hpp"

#include <algorithm>
#include <utility>

namespace chat {

bool room::handle(join m, troupe::context& ctx) {
  if (std::ranges::find(members_, m.nick, &member::nick) != members_.end()) return false;
  if (const auto me = find(m.who); me != members_.end()) {
    announce(me->nick + " is now " + m.nick);
    me->nick = std::move(m.nick);
    return true;
  }
  ctx.watch(m.who);
  announce(m.nick + " has come");
  members_.push_back({std::move(m.nick), std::move(m.who)});
  return true;
}

void room::handle(const leave& m, troupe::context& ctx) {
  ctx.unwatch(m.who);
  remove(m.who);
}

void room::handle(const troupe::down& d) {
  remove(d.who);
}

void room::handle(const say& m) {
  if (const auto from = find(m.who); from != members_.end()) announce(from->nick + ": " + m.text);
}

std::string room::handle(list) const {
  std::string all = "in " + name_ + ":";
  for (const member& m : members_) all += " " + m.nick;
  return all;
}

std::vector<room::member>::iterator room::find(const troupe::any_ref& who) {
  return std::ranges::find_if(members_, [&](const member& m) { return m.who == who; });
}

void room::announce(const std::string& text) {
  for (member& m : members_) {
    std::string all = m.missed == 0 ? text : "(" + std::to_string(m.missed) + " lines missed)\n" + text;
    m.missed = m.who.tell(line{std::move(all)}) == troupe::send_result::ok ? 0 : m.missed + 1;
  }
}

void room::remove(const troupe::any_ref& who) {
  const auto gone = find(who);
  if (gone == members_.end()) return;
  const std::string nick = gone->nick;
  members_.erase(gone);
  announce(nick + " has left");
}

troupe::result<room_ref> lobby::handle(const enter& m, troupe::context& ctx) {
  const auto at = rooms_.find(m.name);
  if (at != rooms_.end()) return at->second;
  if (rooms_.size() == max_rooms) return std::unexpected(troupe::error(troupe::errc::full));
  return rooms_.emplace(m.name, ctx.spawn<room>({.name = m.name}, m.name)).first->second;
}

}  // namespace chat
