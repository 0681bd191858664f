// Why an actor ended.
#pragma once

#include <troupe/runtime/error.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

enum class exit_kind : std::uint8_t {
  normal,         ///< it stopped itself, its work done
  shutdown,       ///< its owner stopped it
  error,          ///< it crashed
  killed,         ///< it did not stop in time
  restart_limit,  ///< a supervisor gave up on its children
  wedged,         ///< a handler never returned; its memory is left alone
};

[[nodiscard]] std::string_view to_string(exit_kind k) noexcept;

/// Why an actor ended: the kind, and for abnormal ends the error that caused it.
class exit_reason {
 public:
  exit_reason() noexcept = default;
  exit_reason(exit_kind k) noexcept : kind_(k) {}  // implicit: a kind is a reason
  exit_reason(exit_kind k, error why) noexcept : kind_(k), why_(std::move(why)) {}

  [[nodiscard]] exit_kind kind() const noexcept { return kind_; }
  /// Returns the error, or null. Valid as long as this reason.
  [[nodiscard]] const error* cause() const noexcept { return why_ ? &*why_ : nullptr; }
  /// Returns whether a transient child is restarted after such an end.
  [[nodiscard]] bool abnormal() const noexcept {
    return kind_ != exit_kind::normal && kind_ != exit_kind::shutdown;
  }
  /// Returns the kind and, when there is one, the error behind it.
  [[nodiscard]] std::string to_string() const;

 private:
  exit_kind kind_ = exit_kind::normal;
  std::optional<error> why_;
};

}  // namespace troupe
