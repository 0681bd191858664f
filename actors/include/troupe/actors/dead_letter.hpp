// Dead letters: messages that no actor handled, and why; and the sinks that are shown them.
#pragma once

#include <troupe/actors/message.hpp>

#include <string>

namespace troupe {

/// Why a message became a dead letter.
enum class dead_letter_cause : std::uint8_t {
  closed,     ///< its receiver ended or was stopped before it handled the message
  crashed,    ///< its receiver crashed while handling it
  unhandled,  ///< its receiver has no handler for it
  dropped,    ///< the mailbox's policy dropped it
};

[[nodiscard]] std::string_view to_string(dead_letter_cause c) noexcept;

/// A lost message, as a sink is shown it. Valid during that call only.
class dead_letter {
 public:
  dead_letter(std::string path, dead_letter_cause why, const detail::message_kind& k,
              const void* message) noexcept
      : path_(std::move(path)), why_(why), kind_(&k), message_(message) {}

  /// Returns the receiver's path.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] dead_letter_cause cause() const noexcept { return why_; }
  /// Returns the type of the message, as the compiler spells it.
  [[nodiscard]] const char* type() const noexcept { return kind_->name; }
  /// Returns the message when it is an M, else null. After a crash its contents may have been moved from;
  /// when a coroutine actor had received it, only the type is known, and this is null.
  template <class M>
  [[nodiscard]] const M* get() const noexcept {
    return kind_ == detail::message_id<M>() ? static_cast<const M*>(message_) : nullptr;
  }

 private:
  std::string path_;
  dead_letter_cause why_;
  const detail::message_kind* kind_;
  const void* message_;  // null: the message is gone
};

/// Receives every dead letter of the systems it is subscribed to.
/// Threads: write() runs on the thread that lost the message, on several threads at a time.
/// Blocks: no lock is held, so write() may send messages and unsubscribe itself; it should be quick.
/// Errors: write() must not throw. Messages that it loses in the same system are counted, but shown to no
/// sink.
class dead_letter_sink {
 public:
  dead_letter_sink() = default;
  dead_letter_sink(const dead_letter_sink&) = delete;
  dead_letter_sink& operator=(const dead_letter_sink&) = delete;
  virtual ~dead_letter_sink() = default;
  virtual void write(const dead_letter& letter) noexcept = 0;
};

}  // namespace troupe
