// named_ref<Ms...>: an address that survives the actor behind it.
//
// A ref names one logical actor: it outlives crashes and restarts, but not a supervisor that gives up, or a
// child that is removed and started again. What takes its place under the same name has another ref. A
// named_ref holds the name (register_as, system::register_name) or the path ("/app/cache"), and looks it up
// again when the actor it found has ended: a sibling that holds one is not stranded.
#pragma once

#include <troupe/actors/ref.hpp>
#include <troupe/actors/system.hpp>

#include <string>
#include <utility>

namespace troupe {

/// The address of the actor that has a name now. Must not outlive the system.
/// Threads: one actor or thread, which owns it; copies are independent.
/// Cost: as a ref, and one look-up (a lock, O(log n)) each time the actor found before has ended.
template <class... Ms>
class named_ref {
 public:
  /// Refers to the actor that is registered as `name`, or, when it begins with '/', to the one at that path.
  /// Need not exist yet.
  named_ref(system& sys, std::string name) : system_(&sys), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Returns the actor that has the name now.
  /// Errors: not_found, or invalid_argument when it does not accept each of Ms.
  [[nodiscard]] result<ref<Ms...>> get() {
    if (found_.ended()) {
      auto now = name_.starts_with('/') ? system_->at<Ms...>(name_) : system_->find<Ms...>(name_);
      if (!now) {
        found_ = {};
        return now;
      }
      found_ = *std::move(now);
    }
    return found_;
  }

  /// Sends as ref::tell(). When the actor ends meanwhile the name is looked up once more.
  /// Errors: as ref::tell(); closed also when no actor has the name, or one that does not accept each of Ms.
  template <class M>
  [[nodiscard("a full mailbox refuses messages: handle it, or use co_await send()")]] send_result tell(
      M&& m) {
    const send_result first = current().tell(std::forward<M>(m));
    if (first != send_result::closed || !found_.ended()) return first;
    if constexpr (detail::is_moved_in<M> && !detail::can_be_given_back<std::remove_cvref_t<M>>) {
      return first;  // the message is gone
    }
    return current().tell(
        std::forward<M>(m));  // NOLINT(bugprone-use-after-move): a refused message is given back
  }
  /// Sends as ref::send(), to the actor that has the name now.
  /// Errors: as ref::send(); closed also as for tell().
  template <class M>
  detail::send_awaiter_of<M> send(M&& m, duration deadline = default_send_deadline) {
    return current().send(std::forward<M>(m), deadline);
  }
  /// Asks as ref::ask(), the actor that has the name now.
  /// Errors: as ref::ask(); closed also as for tell().
  template <class M>
  detail::ask_awaiter<M> ask(M m, duration deadline = default_ask_deadline) {
    return current().ask(std::move(m), deadline);
  }
  /// Asks as ref::request(), the actor that has the name now.
  /// Errors: as ref::request(); closed also as for tell().
  template <class M>
  pending_reply<M> request(M m, duration deadline = default_ask_deadline) {
    return current().request(std::move(m), deadline);
  }

 private:
  const ref<Ms...>& current() {
    (void)get();
    return found_;
  }

  system* system_;
  std::string name_;
  ref<Ms...> found_;  // empty, or the actor found last
};

}  // namespace troupe
