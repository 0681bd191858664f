// Errors as values: a code, a text, the place, and the cause.
#pragma once

#include <troupe/runtime/config.hpp>

#include <cstdint>
#include <exception>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe {

/// The error codes of Troupe. Every value has a message, by troupe_category().
enum class errc : std::uint8_t {
  timeout = 1,       ///< the deadline passed first
  full,              ///< the receiver's mailbox has no room
  closed,            ///< the receiver has ended, is stopping, or dropped the request
  actor_failed,      ///< the receiver crashed on this request; the cause says why
  would_deadlock,    ///< waiting would close a cycle of waits
  cancelled,         ///< the waiting side was told to stop
  on_worker,         ///< a blocking call was made on a worker thread
  invalid_argument,  ///< an option is out of range; the text names it
  name_taken,        ///< another live actor is registered under this name
  not_found,         ///< no such actor or child
  restart_limit,     ///< a supervisor gave up after too many restarts
  start_failed,      ///< a constructor threw; the cause says why
  already_running,   ///< a child with this id is already running
  not_running,       ///< a child with this id is known, but does not run
  ignored,           ///< the child's constructor said that it is not needed
  stuck,             ///< no work, timer or event is left, and the awaited operation has not completed
  unhandled,         ///< the receiver has no handler for the message
};

/// The category of errc, for std::error_code.
[[nodiscard]] const std::error_category& troupe_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), troupe_category()};
}

/// An error: a code, a text, the path of the actor in which it happened, and the error that caused it.
/// Threads: immutable; copies may be used by different threads.
/// Cost: cheap to move and to copy; only a text, a path or a cause allocates.
class TROUPE_SHARED error {
 public:
  /// A code without a text.
  error(std::error_code code) noexcept : code_(code) {}        // implicit: a code is an error
  error(errc code) noexcept : code_(make_error_code(code)) {}  // likewise
  error(std::error_code code, std::string text, std::string path = {});
  error(std::error_code code, std::string text, std::string path, error cause);
  error(const error& o) noexcept : code_(o.code_), story_(o.story_) {
    if (story_ != nullptr) share();
  }
  error(error&& o) noexcept : code_(o.code_), story_(std::exchange(o.story_, nullptr)) {}
  error& operator=(const error& o) noexcept {
    error copy(o);
    return *this = std::move(copy);
  }
  error& operator=(error&& o) noexcept {
    code_ = o.code_;
    std::swap(story_, o.story_);
    return *this;
  }
  ~error() {
    if (story_ != nullptr) drop();
  }

  /// Converts an exception: std::system_error keeps its code, troupe_error its error; others get
  /// errc::actor_failed.
  [[nodiscard]] static error from_exception(const std::exception_ptr& e, std::string path = {});

  [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
  /// A description of the failure; empty when there is only the code.
  [[nodiscard]] std::string_view text() const noexcept;
  /// The path of the actor in which it happened; empty when in none.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The error that caused this one, or null.
  [[nodiscard]] const error* cause() const noexcept;
  /// One line: path, text and the chain of causes.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const error& e, const std::error_code& c) noexcept { return e.code_ == c; }
  friend bool operator==(const error& e, errc c) noexcept { return e.code_ == make_error_code(c); }

 private:
  struct story;
  void share() const noexcept;
  void drop() const noexcept;

  std::error_code code_;
  const story* story_ = nullptr;  // shared by the copies; null: only a code
};

/// A value, or the error that took its place.
template <class T>
using result = std::expected<T, error>;

/// An error as an exception: thrown where a caller asked for a value and there is none, for example by
/// troupe::value() on a result that holds an error.
class TROUPE_SHARED troupe_error : public std::exception {
 public:
  explicit troupe_error(troupe::error e);
  [[nodiscard]] const char* what() const noexcept override;
  [[nodiscard]] const troupe::error& error() const noexcept { return error_; }

 private:
  troupe::error error_;
  troupe::error what_;  // its text is the line to print, so that copies share it
};

}  // namespace troupe

template <>
struct std::is_error_code_enum<troupe::errc> : std::true_type {};
