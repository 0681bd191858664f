// The requests of supervisor_ref: start, stop, restart, remove and list children. On the supervisor's strand.
#include "supervision/supervisor_state.hpp"

namespace troupe::detail {

void supervisor_state::handle(start_child m, reply_to<any_ref> reply) {
  const auto refuse = [&](errc code, const std::string& text) {
    reply.send(std::unexpected(error(make_error_code(code), text, me_.path() + "/" + m.spec.id)));
  };
  if (options().strategy == strategy::partitioned) {
    refuse(errc::invalid_argument,
           "a partitioned supervisor starts children in its partitions: partition(key)");
    return;
  }
  if (auto wrong = wrong_with(m.spec, options(), me_.path())) {
    reply.send(std::unexpected(std::move(*wrong)));
    return;
  }
  if (is_dynamic()) {
    if (alive_ >= options().max_children) {
      refuse(errc::full, "it has max_children (" + std::to_string(options().max_children) + ") children");
      return;
    }
    if (runs_already(m.spec.id)) {
      refuse(errc::already_running, "a child with this id runs already");
      return;
    }
    result<any_ref> child = start_dynamic(std::move(m.spec));
    if (!child && child.error() != errc::ignored) child = std::unexpected(not_started(child.error()));
    reply.send(std::move(child));
    return;
  }
  if (m.spec.id.empty()) m.spec.options.name = m.spec.id = "#" + std::to_string(next_id_++);
  if (const auto same = by_id(m.spec.id); same != members_.end()) {
    if (same->child != nullptr) {
      refuse(errc::already_running, "a child with this id runs already");
    } else {
      refuse(errc::not_running,
             "a child with this id exists but does not run: use restart_child or remove_child");
    }
    return;
  }
  const auto fresh = append(std::move(m.spec));
  result<any_ref> child = start(fresh);
  const bool keep =
      child || (child.error() == errc::ignored && fresh->spec.options.restart != restart::temporary);
  if (!keep) forget(fresh);
  reply.send(with_place(std::move(child)));
}

// The outcome of a start, for the caller: a failure gets this supervisor's path around its cause.
result<any_ref> supervisor_state::with_place(result<any_ref> child) const {
  if (child || child.error() == errc::ignored) return child;
  return std::unexpected(not_started(std::move(child.error())));
}

error supervisor_state::not_started(error why) const {
  return {make_error_code(errc::start_failed), "the child could not be started", me_.path(), std::move(why)};
}

bool supervisor_state::runs_already(const std::string& id) const {
  const scoped_lock guard(me_.lock());
  return !id.empty() && me_.child_named(id) != nullptr;
}

error supervisor_state::unknown_child(const std::string& id) const {
  return {make_error_code(errc::not_found), "no child has this id", me_.path() + "/" + id};
}

void supervisor_state::handle(const stop_child& m, reply_to<void> reply) {
  cell* child = nullptr;
  if (is_dynamic()) {
    const scoped_lock guard(me_.lock());
    child = me_.child_named(m.id);
  } else {
    const auto at = by_id(m.id);
    if (at == members_.end()) {
      reply.send(std::unexpected(unknown_child(m.id)));
      return;
    }
    child = at->child;
    at->revive = at->spec.options.restart == restart::permanent;
    at->spared = phase_ == phase::ending_group || phase_ == phase::starting_group;
    if (child != nullptr) at->at = progress::stopping;
  }
  if (child == nullptr) {
    if (is_dynamic()) {
      reply.send(std::unexpected(unknown_child(m.id)));
    } else {
      reply.send({});
    }
    return;
  }
  stops_[child].push_back(std::move(reply));
  me_.end_child(*child, cell::order_stop);
}

// The entry of a child that does not run, or the error.
result<supervisor_state::members::iterator> supervisor_state::at_rest(const std::string& id) {
  const auto at = by_id(id);
  if (at == members_.end()) return std::unexpected(unknown_child(id));
  if (at->child != nullptr) {
    return std::unexpected(error(make_error_code(errc::already_running),
                                 "it is running: use stop_child first", me_.path() + "/" + id));
  }
  return at;
}

void supervisor_state::handle(const restart_child& m, reply_to<any_ref> reply) {
  const auto at = at_rest(m.id);
  reply.send(at ? with_place(start(*at)) : std::unexpected(at.error()));
}

void supervisor_state::handle(const remove_child& m, reply_to<void> reply) {
  const auto at = at_rest(m.id);
  if (at) forget(*at);
  reply.send(at ? result<void>() : std::unexpected(at.error()));
}

std::vector<child_info> supervisor_state::handle(list_children) const {
  std::vector<child_info> all;
  all.reserve(members_.size());
  for (const member& m : members_) {
    using state = child_state;
    state now = state::not_running;
    if (m.child != nullptr) {
      const life l = m.child->state_of_cell();
      now = m.at == progress::stopping                        ? state::stopping
            : l == life::crashed || m.at == progress::waiting ? state::restarting
            : l == life::ending                               ? state::stopping
            : !m.child->is_up()                               ? state::starting
                                                              : state::running;
    }
    if (m.child != nullptr) m.child->share();
    all.push_back({.id = m.spec.id,
                   .ref = any_ref(m.child),
                   .state = now,
                   .restart = m.spec.options.restart,
                   .significant = m.spec.significant,
                   .supervisor = m.spec.below != nullptr});
  }
  return all;
}

}  // namespace troupe::detail
