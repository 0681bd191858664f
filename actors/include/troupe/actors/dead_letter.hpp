// Dead letters: messages that nobody handled, and why.
#pragma once

#include <troupe/actors/message.hpp>

#include <string>

namespace troupe {

/// Why a message became a dead letter.
enum class dead_letter_cause : std::uint8_t {
  closed,     ///< its receiver ended or was stopped before it came to it
  crashed,    ///< its receiver crashed while handling it
  unhandled,  ///< its receiver has no handler for it
  dropped,    ///< the mailbox's policy let it go
};

[[nodiscard]] std::string_view to_string(dead_letter_cause c) noexcept;

/// A lost message, while it is shown to a sink.
class dead_letter {
 public:
  dead_letter(std::string path, dead_letter_cause why, const detail::message_kind& k,
              const void* message) noexcept
      : path_(std::move(path)), why_(why), kind_(&k), message_(message) {}

  /// The receiver's path.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] dead_letter_cause cause() const noexcept { return why_; }
  /// The type of the message, as the compiler writes it.
  [[nodiscard]] const char* type() const noexcept { return kind_->name; }
  /// The message, when it is an M, or null. After a crash its contents may have
  /// been moved from; of a coroutine actor that had received it, only the type is left.
  template <class M>
  [[nodiscard]] const M* get() const noexcept {
    return kind_ == detail::message_id<M>() ? static_cast<const M*>(message_) : nullptr;
  }

 private:
  std::string path_;
  dead_letter_cause why_;
  const detail::message_kind* kind_;
  const void* message_;  // null: it is not there any more
};

/// Is shown every dead letter, on the thread that lost it, also on several threads at a time. Must not throw
/// and should be quick. No lock is held: it may send messages, and take itself back. What write() itself
/// loses in the same system is counted, but shown to no sink.
class dead_letter_sink {
 public:
  dead_letter_sink() = default;
  dead_letter_sink(const dead_letter_sink&) = delete;
  dead_letter_sink& operator=(const dead_letter_sink&) = delete;
  virtual ~dead_letter_sink() = default;
  virtual void write(const dead_letter& letter) noexcept = 0;
};

}  // namespace troupe
