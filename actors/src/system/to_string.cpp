// Enumerations and reasons as text.
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/exit_reason.hpp>

namespace troupe {

std::string_view to_string(exit_kind k) noexcept {
  switch (k) {
    case exit_kind::normal:
      return "normal";
    case exit_kind::shutdown:
      return "shutdown";
    case exit_kind::error:
      return "error";
    case exit_kind::killed:
      return "killed";
    case exit_kind::restart_limit:
      return "restart_limit";
    case exit_kind::wedged:
      return "wedged";
  }
  return "?";
}

std::string exit_reason::to_string() const {
  std::string out(troupe::to_string(kind_));
  if (why_) out.append(": ").append(why_->to_string());
  return out;
}

std::string_view to_string(dead_letter_cause c) noexcept {
  switch (c) {
    case dead_letter_cause::closed:
      return "closed";
    case dead_letter_cause::crashed:
      return "crashed";
    case dead_letter_cause::unhandled:
      return "unhandled";
    case dead_letter_cause::dropped:
      return "dropped";
  }
  return "?";
}

}  // namespace troupe
