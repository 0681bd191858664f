// The report on actors that did not stop. Any thread.
#include "system/last_report.hpp"

#include "system/inspection.hpp"

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/system.hpp>

namespace troupe::detail {

namespace {

void list_running(const actor_info& tree, std::string& out, unsigned most) {
  for_each_actor(tree, [&](const actor_info& a) {
    if (a.state == actor_state::ended || !a.children.empty() || most == 0) return;
    --most;
    out += "\n  " + a.path + " (" + a.type + ", " + std::string(to_string(a.state)) + ")";
  });
}

}  // namespace

std::optional<error> wedged_now(system_core& core) {
  const std::vector<std::string> wedged = core.wedged();
  if (wedged.empty()) return std::nullopt;
  std::string text = "stopped, but for actors whose handlers never returned:";
  for (const std::string& path : wedged) text += "\n  " + path;
  return error(make_error_code(errc::stuck), std::move(text));
}

std::optional<error> report_wedged(system_core& core) {
  std::optional<error> wedged = wedged_now(core);
  if (wedged) core.home().log(log_level::error, wedged->text());
  return wedged;
}

error report_running(const system& sys) {
  constexpr unsigned most = 20;
  std::string text = sys.options().name + ": did not stop in time; still running:";
  list_running(sys.inspect(), text, most);
  sys.core().home().log(log_level::error, text);
  return error(make_error_code(errc::timeout), std::move(text));
}

}  // namespace troupe::detail
