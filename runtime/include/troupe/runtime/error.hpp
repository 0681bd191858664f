// Errors as values: what went wrong, where, and what caused it.
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

/// What Troupe itself reports. Every value has a message that says what to do.
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
  start_failed,      ///< a constructor threw; the cause says what
  already_running,   ///< a child with this id runs already
  not_running,       ///< a child with this id is known, but does not run
  ignored,           ///< the child's constructor said that it is not needed
  stuck,             ///< nothing can run any more, and the awaited thing has not happened
  unhandled,         ///< the receiver has no handler for the message
};

/// The category of errc, for std::error_code.
[[nodiscard]] const std::error_category& troupe_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), troupe_category()};
}

/// An error: a code, a text, the path of the actor it happened in, and the
/// error that caused it. Cheap to move and to copy; immutable; thread-safe to
/// share. Only a text, a path or a cause allocates.
class TROUPE_SHARED error {
 public:
  /// Just a code.
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

  /// What an exception says, as an error: std::system_error keeps its code.
  [[nodiscard]] static error from_exception(const std::exception_ptr& e, std::string path = {});

  [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
  /// What happened, in words; empty when the code says it all.
  [[nodiscard]] std::string_view text() const noexcept;
  /// The actor it happened in; empty when in none.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The error behind this one, or null.
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
  const story* story_ = nullptr;  // shared by the copies; null: the code says it all
};

/// A value, or the error that took its place.
template <class T>
using result = std::expected<T, error>;

/// An error as an exception: thrown where a caller asked for a value and no
/// value can come, e.g. by troupe::value() on an empty result.
class TROUPE_SHARED troupe_error : public std::exception {
 public:
  explicit troupe_error(troupe::error e);
  [[nodiscard]] const char* what() const noexcept override;
  [[nodiscard]] const troupe::error& error() const noexcept { return error_; }

 private:
  troupe::error error_;
  troupe::error what_;  // whose text is the line to print, so that copies share it
};

}  // namespace troupe

template <>
struct std::is_error_code_enum<troupe::errc> : std::true_type {};
