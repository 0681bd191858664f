// Where Troupe's own log lines go.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// Receives every log line. Called from any thread, also several at once;
/// must not throw and should not block. Owned by whoever passes it in, and
/// must outlive the runtime. Threads that a runtime leaves behind log nothing once it has ended.
class log_sink {
 public:
  log_sink() = default;
  log_sink(const log_sink&) = delete;
  log_sink& operator=(const log_sink&) = delete;
  virtual ~log_sink() = default;
  virtual void write(log_level level, std::string_view line) noexcept = 0;
};

/// Writes lines of `info` and above to standard error. The default.
[[nodiscard]] log_sink& stderr_log() noexcept;
/// Drops every line.
[[nodiscard]] log_sink& silent_log() noexcept;

}  // namespace troupe
