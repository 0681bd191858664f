// Where a parked worker waits: its own io_context.
#pragma once

#include <cstdint>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace troupe::detail {

/// Owned by a worker. Sockets, timers and wake-ups have this one waiting place.
class io_driver {
 public:
  io_driver();
  ~io_driver();
  io_driver(const io_driver&) = delete;
  io_driver& operator=(const io_driver&) = delete;

  /// Runs completions, after waiting up to `timeout_ns` (negative: without
  /// limit) for the first one or for wake(). The owner only.
  void wait(std::int64_t timeout_ns) noexcept;
  /// Runs the completions that are ready. Any thread; completions only post mail.
  unsigned poll() noexcept;
  /// Ends a wait(), the present or the next one. Any thread; one system call.
  void wake() noexcept;
  /// For transport. Any thread.
  [[nodiscard]] boost::asio::io_context& context() noexcept;
  /// Whether anything of transport lives here, so that polling pays.
  [[nodiscard]] bool in_use() const noexcept;
  void add_user() noexcept;
  void remove_user() noexcept;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace troupe::detail
