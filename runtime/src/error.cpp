#include <troupe/runtime/error.hpp>

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
        return "waiting here would wait for oneself: answer later, or use tell";
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
      case errc::stuck:
        return "nothing is left to run, and what is awaited has not happened";
    }
    return "unknown troupe error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& troupe_category() noexcept {
  static const category instance;
  return instance;
}

struct error::detail {
  std::string text;
  std::string path;
  std::shared_ptr<const error> cause;
};

error::error(std::error_code code, std::string text, std::string path)
    : code_(code),
      detail_(std::make_shared<const detail>(detail{std::move(text), std::move(path), nullptr})) {}

error::error(std::error_code code, std::string text, std::string path, error cause)
    : code_(code),
      detail_(std::make_shared<const detail>(
          detail{std::move(text), std::move(path), std::make_shared<const error>(std::move(cause))})) {}

error error::from_exception(const std::exception_ptr& e, std::string path) {
  try {
    std::rethrow_exception(e);
  } catch (const troupe_error& x) {
    if (path.empty() || !x.why().path().empty()) return x.why();
    return {x.why().code(), std::string(x.why().text()), std::move(path)};
  } catch (const std::system_error& x) {
    return {x.code(), x.what(), std::move(path)};
  } catch (const std::exception& x) {
    return {make_error_code(errc::actor_failed), x.what(), std::move(path)};
  } catch (...) {
    return {make_error_code(errc::actor_failed), "an exception that is no std::exception", std::move(path)};
  }
}

std::string_view error::text() const noexcept {
  return detail_ ? std::string_view(detail_->text) : std::string_view();
}

std::string_view error::path() const noexcept {
  return detail_ ? std::string_view(detail_->path) : std::string_view();
}

const error* error::cause() const noexcept {
  return detail_ ? detail_->cause.get() : nullptr;
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

troupe_error::troupe_error(error e)
    : error_(std::move(e)), what_(std::make_shared<const std::string>(error_.to_string())) {}

const char* troupe_error::what() const noexcept {
  return what_->c_str();
}

}  // namespace troupe
