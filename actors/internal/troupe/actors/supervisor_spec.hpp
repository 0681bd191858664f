// The parts of a supervision tree, and the requests to a running supervisor. Internal: users declare a
// troupe::supervisor and hold a supervisor_ref.
#pragma once

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/supervisor.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::detail {

struct child_spec {
  std::string id;
  spawn_options options;
  std::shared_ptr<const child_factory> factory;
  std::shared_ptr<const supervisor_spec> below = nullptr;  // of a supervisor
  std::optional<restart_budget> budget = {};
  bool significant = false;
};

struct supervisor_spec {
  std::string name;
  supervisor_options options;
  std::vector<child_spec> children;
};

[[nodiscard]] child_spec make_child_spec(std::string id, const child_options& o,
                                         std::shared_ptr<const child_factory> f);
[[nodiscard]] child_spec make_child_spec(std::shared_ptr<const supervisor_spec> below);

struct start_child {
  using reply = any_ref;
  child_spec spec;
};
using supervisor_orders = ref<start_child, stop_child, restart_child, remove_child, list_children>;

/// The ref to which these requests are sent.
[[nodiscard]] supervisor_orders orders_of(const supervisor_ref& s);

}  // namespace troupe::detail
