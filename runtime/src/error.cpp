// The messages of errc, and the shared part of an error: text, path and cause.
#include "memory/lasting.hpp"

#include <troupe/runtime/detail/share_count.hpp>
#include <troupe/runtime/error.hpp>

#include <optional>

namespace troupe {

namespace {

class category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "troupe"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::timeout:
        return "the deadline passed before the answer came";
      case errc::full:
        return "the receiver's mailbox is full: shed load, wait with send, or raise its capacity";
      case errc::closed:
        return "the receiver has ended or is stopping";
      case errc::actor_failed:
        return "the receiver crashed while it handled this request";
      case errc::would_deadlock:
        return "waiting here would close a cycle of waits: answer later, or use tell";
      case errc::cancelled:
        return "cancelled: the waiting side was told to stop";
      case errc::on_worker:
        return "a blocking call on a worker thread: use co_await instead";
      case errc::invalid_argument:
        return "an option is out of range";
      case errc::name_taken:
        return "the name belongs to another live actor";
      case errc::not_found:
        return "no such actor";
      case errc::restart_limit:
        return "too many restarts within the allowed time";
      case errc::start_failed:
        return "the actor could not be constructed";
      case errc::already_running:
        return "a child with this id runs already";
      case errc::not_running:
        return "a child with this id is known, but does not run: restart it, or remove it first";
      case errc::ignored:
        return "the child's constructor said that it is not needed";
      case errc::unhandled:
        return "the receiver has no handler for this message: name it in its protocol";
      case errc::stuck:
        return "no work, timer or event is left, and the awaited operation has not completed";
    }
    return "unknown troupe error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& troupe_category() noexcept {
  return detail::lasting<category>();
}

struct error::story {
  story(std::string t, std::string p) noexcept : text(std::move(t)), path(std::move(p)) {}
  story(std::string t, std::string p, error c) noexcept
      : text(std::move(t)), path(std::move(p)), cause(std::move(c)) {}

  const std::string text;
  const std::string path;
  const std::optional<error> cause;
  mutable troupe::detail::share_count shares;  // of the errors that have this story
};

error::error(std::error_code code, std::string text, std::string path)
    : code_(code), story_(new story(std::move(text), std::move(path))) {}

error::error(std::error_code code, std::string text, std::string path, error cause)
    : code_(code), story_(new story(std::move(text), std::move(path), std::move(cause))) {}

void error::share() const noexcept {
  story_->shares.add();
}

void error::drop() const noexcept {
  if (story_->shares.drop()) delete story_;
}

namespace {

// The what() of a user's exception may return null.
const char* text_of(const std::exception& x) noexcept {
  const char* const text = x.what();
  return text != nullptr ? text : "an exception without a text";
}

}  // namespace

error error::from_exception(const std::exception_ptr& e, std::string path) {
  try {
    std::rethrow_exception(e);
  } catch (const troupe_error& x) {
    if (path.empty() || !x.error().path().empty()) return x.error();
    std::string text(x.error().text());
    if (const error* const cause = x.error().cause()) {
      return {x.error().code(), std::move(text), std::move(path), *cause};
    }
    return {x.error().code(), std::move(text), std::move(path)};
  } catch (const std::system_error& x) {
    return {x.code(), text_of(x), std::move(path)};
  } catch (const std::exception& x) {
    return {make_error_code(errc::actor_failed), text_of(x), std::move(path)};
  } catch (...) {
    return {make_error_code(errc::actor_failed), "an exception not derived from std::exception",
            std::move(path)};
  }
}

std::string_view error::text() const noexcept {
  return story_ != nullptr ? std::string_view(story_->text) : std::string_view();
}

std::string_view error::path() const noexcept {
  return story_ != nullptr ? std::string_view(story_->path) : std::string_view();
}

const error* error::cause() const noexcept {
  return story_ != nullptr && story_->cause ? &*story_->cause : nullptr;
}

std::string error::to_string() const {
  std::string out;
  for (const error* e = this; e != nullptr; e = e->cause()) {
    if (e != this) out += "; caused by ";
    if (!e->path().empty()) out.append(e->path()).append(": ");
    if (e->text().empty()) {
      out += e->code().message();
    } else {
      out += e->text();
    }
  }
  return out;
}

troupe_error::troupe_error(troupe::error e)
    : error_(std::move(e)), what_(error_.code(), error_.to_string()) {}

const char* troupe_error::what() const noexcept {
  return what_.text().data();  // of a std::string, and so terminated
}

}  // namespace troupe
