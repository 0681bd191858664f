// The scenarios: each builds a tree, makes an actor in it fail, and checks the outcome. Called by main, one
// per run.
#pragma once

#include "supervision/view.hpp"

#include <troupe/actors.hpp>

#include <string>

namespace demo {

/// The observations of a scenario, and its unmet expectations.
class findings {
 public:
  /// Records an expectation; `what` describes it when it does not hold.
  void expect(bool holds, const std::string& what) {
    if (!holds) wrong_ += (wrong_.empty() ? "" : "; ") + what;
  }
  void fact(const std::string& key, const std::string& value) { facts_ += " " + key + "=" + value; }
  void fact(const std::string& key, std::uint64_t value) { fact(key, std::to_string(value)); }

  [[nodiscard]] bool ok() const { return wrong_.empty(); }
  [[nodiscard]] std::string to_string() const { return facts_ + (ok() ? "" : " wrong: " + wrong_); }

 private:
  std::string facts_;
  std::string wrong_;
};

findings one_for_one(view& v);
findings one_for_all(view& v);
findings rest_for_one(view& v);
findings escalation(view& v);
findings backoff(view& v);
findings wedged(view& v);
findings shutdown(view& v);
findings deadlock(view& v);

struct crash {};
/// Asks for the number of the incarnation.
struct which {
  using reply = std::uint32_t;
};

/// Crashes on request; notes the start and the end of each incarnation.
class worker {
 public:
  using accepts = troupe::protocol<crash, which>;

  worker(troupe::context& ctx, view* v) : view_(v), path_(ctx.path()), epoch_(ctx.epoch()) {
    view_->note(path_ + " started, incarnation " + std::to_string(epoch_));
  }
  void stopping(troupe::context& /*ctx*/, const troupe::exit_reason& why) {
    view_->note(path_ + " stopping: " + std::string(to_string(why.kind())));
  }
  void handle(crash) { throw std::runtime_error("crashed on purpose"); }
  [[nodiscard]] std::uint32_t handle(which) const { return epoch_; }

 private:
  view* view_;
  std::string path_;
  std::uint32_t epoch_;
};

/// The current state of the actor at `path`; an absent actor has epoch UINT32_MAX.
inline troupe::actor_info look(const troupe::system& sys, std::string_view path) {
  const troupe::actor_info tree = sys.inspect();
  if (const auto* const found = find(tree, path)) return *found;
  troupe::actor_info absent;
  absent.state = troupe::actor_state::ended;
  absent.epoch = UINT32_MAX;
  return absent;
}

/// True when the actor at `path` runs in this incarnation.
inline bool runs(const troupe::actor_info& tree, std::string_view path, std::uint32_t epoch) {
  const auto* const a = find(tree, path);
  return a != nullptr && a->state == troupe::actor_state::running && a->epoch == epoch;
}

}  // namespace demo
