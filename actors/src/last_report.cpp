#include "last_report.hpp"

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/system.hpp>

namespace troupe::detail {

namespace {

void list_running(const actor_info& a, std::string& out, unsigned& left) {
  if (a.state != actor_state::ended && a.children.empty() && left > 0) {
    --left;
    out += "\n  " + a.path + " (" + a.type + ", " + std::string(to_string(a.state)) + ")";
  }
  for (const actor_info& c : a.children) list_running(c, out, left);
}

}  // namespace

bool report_wedged(system_core& core) {
  const std::vector<std::string> wedged = core.wedged();
  if (wedged.empty()) return false;
  std::string text = "stopped, but for actors whose handlers never returned:";
  for (const std::string& path : wedged) text += "\n  " + path;
  core.home().log(log_level::error, text);
  return true;
}

void report_running(const system& sys) {
  constexpr unsigned most = 20;
  std::string text = sys.options().name + ": did not stop in time; still running:";
  unsigned left = most;
  list_running(sys.inspect(), text, left);
  sys.core().home().log(log_level::error, text);
}

}  // namespace troupe::detail
