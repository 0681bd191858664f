// What one sees: the tree, drawn anew whenever it changes, a sentence that says what happens, and the
// latest events. On a terminal it stays in place; elsewhere every change is a line of its own.
// Used on the main thread; note() and write() come from any.
#pragma once

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace demo {

/// The actor at a path within a snapshot of the tree, or null.
const troupe::actor_info* find(const troupe::actor_info& tree, std::string_view path);

/// Whether there are notes that contain `wanted`, each later than the one before it.
bool in_order(const std::vector<std::string>& notes, const std::vector<std::string>& wanted);

class view final : public troupe::log_sink {
 public:
  view(std::string title, bool terminal);

  /// From now on this is the tree that is shown; until the guard ends.
  class [[nodiscard]] guard {
   public:
    explicit guard(view& v) : view_(v) {}
    ~guard() { view_.system_ = nullptr; }
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;

   private:
    view& view_;
  };
  guard show(const troupe::system& s);

  /// What the spectator is to know now.
  void say(std::string sentence);
  /// Something happened. Any thread.
  void note(std::string text);
  /// A line of the system's log is an event, too.
  void write(troupe::log_level level, std::string_view line) noexcept override;
  [[nodiscard]] std::vector<std::string> notes() const;

  /// Looks at the tree until it is as wanted; false when the time is up first.
  bool until(const std::function<bool(const troupe::actor_info&)>& as_wanted, troupe::duration limit);
  /// Lets the spectator look.
  void hold(troupe::duration d);
  /// Shows the tree while `f`, which blocks, runs on a thread of its own. Its result.
  template <class F>
  auto during(F f) {
    decltype(f()) value{};
    std::atomic<bool> done = false;
    {
      const std::jthread other([&] {
        value = f();
        done = true;
      });
      while (!done) look_and_wait();
    }
    refresh();
    return value;
  }

 private:
  struct row {
    std::string indent;
    std::string name;
    std::string path;
    std::string state;
    std::string details;
  };
  struct event {
    double seconds;
    std::string text;
  };
  using seen = std::map<std::string, std::string>;

  static void collect(const troupe::actor_info& a, const std::string& indent, bool last,
                      std::vector<row>& rows);
  void look_and_wait();
  void refresh();
  void draw(const std::vector<row>& rows);
  void print_changes(const std::vector<row>& rows);
  [[nodiscard]] double elapsed() const;

  const std::string title_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const troupe::system* system_ = nullptr;
  std::string sentence_;
  std::string drawn_;
  std::size_t lines_ = 0;    // of the last drawing
  std::size_t printed_ = 0;  // events, without a terminal
  seen shown_;
  mutable std::mutex lock_;  // for events_
  std::vector<event> events_;
};

}  // namespace demo
