// The receiver of Troupe's own log lines.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// Receives every log line. Owned by the caller that passes it in, and must outlive the runtime. Threads that
/// a runtime abandons log nothing once it has ended.
/// Threads: write() is called on any thread, also on several at once; it must not throw and should not block.
class log_sink {
 public:
  log_sink() = default;
  log_sink(const log_sink&) = delete;
  log_sink& operator=(const log_sink&) = delete;
  virtual ~log_sink() = default;
  virtual void write(log_level level, std::string_view line) noexcept = 0;
};

/// Writes lines of level info and above to standard error. The default.
/// Threads: any.
[[nodiscard]] log_sink& stderr_log() noexcept;
/// Drops every line.
/// Threads: any.
[[nodiscard]] log_sink& silent_log() noexcept;

}  // namespace troupe
