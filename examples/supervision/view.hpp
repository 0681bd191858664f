// The picture of a scenario: the tree, a sentence about the current step, and the latest events. On a
// terminal it is redrawn in place; elsewhere every change is a line. Used on the main thread; any thread may
// call note() and write().
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

/// True when there are notes that contain the texts of `wanted`, in this order.
bool in_order(const std::vector<std::string>& notes, const std::vector<std::string>& wanted);

class view final : public troupe::log_sink {
 public:
  view(std::string title, bool terminal);

  /// Shows the tree of `s` until the guard ends.
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

  /// Shows a sentence about the current step.
  void say(std::string sentence);
  /// Adds an event. Any thread.
  void note(std::string text);
  /// Adds a line of the system's log as an event. Any thread.
  void write(troupe::log_level level, std::string_view line) noexcept override;
  [[nodiscard]] std::vector<std::string> notes() const;

  /// Shows the tree until `as_wanted` holds for it; false after `limit`.
  bool until(const std::function<bool(const troupe::actor_info&)>& as_wanted, troupe::duration limit);
  /// Shows the tree for this time.
  void hold(troupe::duration d);
  /// Shows the tree while `f`, which may block, runs on another thread. Returns its result.
  template <class F>
  auto during(F f) {
    decltype(f()) value{};
    std::atomic<bool> done = false;
    {
      const std::jthread other([&] {
        value = f();
        done = true;
      });
      while (!done) refresh_and_wait();
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
  void refresh_and_wait();
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
  std::size_t lines_ = 0;    // of the last picture
  std::size_t printed_ = 0;  // number of printed events, without a terminal
  seen shown_;
  mutable std::mutex lock_;
  std::vector<event> events_;  // guarded by lock_
};

}  // namespace demo
