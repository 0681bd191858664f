// Drawing of the tree on a terminal, and printing of its changes elsewhere.
#include "supervision/view.hpp"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace demo {

namespace {

constexpr auto refresh_period = 50ms;
constexpr std::size_t events_shown = 9;

/// The first `width` characters of a line of UTF-8.
std::string cut(const std::string& line, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xc0U) == 0x80) continue;
    if (++characters > width) return line.substr(0, i);
  }
  return line;
}

std::string pad(std::string text, std::size_t width) {
  std::size_t characters = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) ++characters;
  }
  if (characters < width) text.append(width - characters, ' ');
  return text;
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string in_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%6.2f s", seconds);
  return text;
}

const char* colour_of(const std::string& state) {
  if (state == "running" || state == "suspended") return "\x1b[32m";
  return state == "ended" ? "\x1b[31m" : "\x1b[33m";
}

}  // namespace

const troupe::actor_info* find(const troupe::actor_info& tree, std::string_view path) {
  if (tree.path == path) return &tree;
  for (const troupe::actor_info& c : tree.children) {
    if (const auto* const found = find(c, path)) return found;
  }
  return nullptr;
}

bool in_order(const std::vector<std::string>& notes, const std::vector<std::string>& wanted) {
  auto at = notes.begin();
  for (const std::string& text : wanted) {
    at = std::find_if(at, notes.end(), [&](const std::string& n) { return n.contains(text); });
    if (at == notes.end()) return false;
    ++at;
  }
  return true;
}

view::view(std::string title, bool terminal) : title_(std::move(title)), terminal_(terminal) {
  if (!terminal_) std::printf("%s\n", title_.c_str());
}

view::guard view::show(const troupe::system& s) {
  system_ = &s;
  return guard(*this);
}

void view::say(std::string sentence) {
  sentence_ = std::move(sentence);
  refresh();
  if (!terminal_) std::printf("%s  * %s\n", in_seconds(elapsed()).c_str(), sentence_.c_str());
}

void view::note(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  const std::scoped_lock hold_events(lock_);
  events_.push_back({elapsed(), std::move(text)});
}

void view::write(troupe::log_level /*level*/, std::string_view line) noexcept {
  note("log: " + std::string(line));
}

std::vector<std::string> view::notes() const {
  const std::scoped_lock hold_events(lock_);
  std::vector<std::string> all;
  for (const event& e : events_) all.push_back(e.text);
  return all;
}

bool view::until(const std::function<bool(const troupe::actor_info&)>& as_wanted, troupe::duration limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    refresh_and_wait();
    if (as_wanted(system_->inspect())) break;
    if (std::chrono::steady_clock::now() >= end) return false;
  }
  refresh();
  return true;
}

void view::hold(troupe::duration d) {
  const auto end = std::chrono::steady_clock::now() + d;
  while (std::chrono::steady_clock::now() < end) refresh_and_wait();
}

void view::refresh_and_wait() {
  refresh();
  std::this_thread::sleep_for(refresh_period);
}

void view::collect(const troupe::actor_info& a, const std::string& indent, bool last,
                   std::vector<row>& rows) {
  std::string details = "epoch " + std::to_string(a.epoch) + "  restarts " + std::to_string(a.restarts);
  if (a.depth != 0) details += "  mailbox " + std::to_string(a.depth) + "/" + std::to_string(a.capacity);
  rows.push_back(
      {indent + (last ? "└─ " : "├─ "), a.name, a.path, std::string(to_string(a.state)), std::move(details)});
  for (const troupe::actor_info& c : a.children)
    collect(c, indent + (last ? "   " : "│  "), &c == &a.children.back(), rows);
}

void view::refresh() {
  std::vector<row> rows;
  if (system_ != nullptr) {
    const troupe::actor_info tree = system_->inspect();
    for (const troupe::actor_info& c : tree.children) collect(c, "  ", &c == &tree.children.back(), rows);
  }
  if (terminal_) {
    draw(rows);
  } else {
    print_changes(rows);
  }
  std::fflush(stdout);
}

void view::draw(const std::vector<row>& rows) {
  const std::size_t columns = terminal_columns();
  std::string text;
  std::size_t lines = 0;
  const auto add = [&](const std::string& line) {
    text += cut(line, columns - 1) + "\n";
    ++lines;
  };
  // The continuation of a long line is indented like its start.
  const auto add_wrapped = [&](const std::string& before, std::string rest) {
    const std::size_t room = columns > before.size() + 20 ? columns - before.size() - 1 : 20;
    std::string start = before;
    while (rest.size() > room) {
      std::size_t end = rest.rfind(' ', room);
      if (end == std::string::npos || end == 0) end = room;
      add(start + rest.substr(0, end));
      rest.erase(0, rest[end] == ' ' ? end + 1 : end);
      start.assign(before.size(), ' ');
    }
    add(start + rest);
  };
  add(title_);
  add("");
  if (rows.empty()) add("  (nothing runs)");
  for (const row& r : rows) {
    // Colours are added after the text is cut, because escape sequences have no width.
    const std::string name = cut(pad(r.indent + r.name, 28), columns - 1);
    const std::string state = pad(r.state, 12);
    if (columns < 80) {
      add(name + state);
      continue;
    }
    text += name + colour_of(r.state) + state + "\x1b[0m" + cut(r.details, columns - 41) + "\n";
    ++lines;
  }
  add("");
  add_wrapped("  > ", sentence_);
  add("");
  {
    const std::scoped_lock hold_events(lock_);
    const std::size_t first = events_.size() - std::min(events_.size(), events_shown);
    for (std::size_t i = first; i < events_.size(); ++i) {
      add_wrapped("  " + in_seconds(events_[i].seconds) + "  ", events_[i].text);
    }
  }
  if (text == drawn_) return;
  if (lines_ > 0) std::printf("\x1b[%zuA\x1b[J", lines_);
  std::fputs(text.c_str(), stdout);
  drawn_ = std::move(text);
  lines_ = lines;
}

void view::print_changes(const std::vector<row>& rows) {
  {
    const std::scoped_lock hold_events(lock_);
    for (; printed_ < events_.size(); ++printed_) {
      const event& e = events_[printed_];
      std::printf("%s    %s\n", in_seconds(e.seconds).c_str(), e.text.c_str());
    }
  }
  const std::string now = in_seconds(elapsed());
  seen fresh;
  for (const row& r : rows) {
    std::string state = r.state + ", " + r.details;
    const auto before = shown_.find(r.path);
    if (before == shown_.end() || before->second != state)
      std::printf("%s    tree: %s is %s\n", now.c_str(), r.path.c_str(), state.c_str());
    fresh.emplace(r.path, std::move(state));
  }
  for (const auto& [path, state] : shown_) {
    if (!fresh.contains(path)) std::printf("%s    tree: %s is gone\n", now.c_str(), path.c_str());
  }
  shown_ = std::move(fresh);
}

double view::elapsed() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace demo
