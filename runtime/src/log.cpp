// The two log sinks that come with the runtime. They are never destroyed.
#include "memory/lasting.hpp"

#include <troupe/runtime/log.hpp>

#include <cstdio>
#include <ctime>
#include <string>

namespace troupe {

namespace {

class stderr_sink final : public log_sink {
 public:
  void write(log_level level, std::string_view line) noexcept override {
    if (level < log_level::info) return;
    static constexpr const char* names[] = {"debug", "info", "warn", "error"};
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    std::tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    // One call for each line, so that the lines of several threads do not mix.
    std::fprintf(stderr, "%02d:%02d:%02d.%03ld %-5s %.*s\n", parts.tm_hour, parts.tm_min, parts.tm_sec,
                 now.tv_nsec / 1000000, names[static_cast<int>(level)], static_cast<int>(line.size()),
                 line.data());
  }
};

class silent_sink final : public log_sink {
 public:
  void write(log_level, std::string_view) noexcept override {}
};

}  // namespace

log_sink& stderr_log() noexcept {
  return detail::lasting<stderr_sink>();
}

log_sink& silent_log() noexcept {
  return detail::lasting<silent_sink>();
}

}  // namespace troupe
