// A text that is nearly always empty: one pointer, so that options which have one stay cheap to make and to
// copy.
#pragma once

#include <string>
#include <utility>

namespace troupe::detail {

/// As a std::string of 8 bytes. Owned by its holder, not thread-safe.
class rare_text {
 public:
  rare_text() noexcept = default;
  rare_text(std::string text)
      : text_(text.empty() ? nullptr : new std::string(std::move(text))) {}  // implicit
  rare_text(const char* text) : rare_text(std::string(text)) {}              // implicit
  rare_text(const rare_text& o) {
    if (o.text_ != nullptr) [[unlikely]]
      text_ = copy(*o.text_);
  }
  rare_text(rare_text&& o) noexcept : text_(std::exchange(o.text_, nullptr)) {}
  rare_text& operator=(rare_text o) noexcept {
    std::swap(text_, o.text_);
    return *this;
  }
  ~rare_text() {
    if (text_ != nullptr) [[unlikely]]
      delete text_;
  }

  [[nodiscard]] bool empty() const noexcept { return text_ == nullptr; }
  /// Not when it is empty.
  [[nodiscard]] const std::string& operator*() const noexcept { return *text_; }

 private:
  [[gnu::noinline]] static const std::string* copy(const std::string& text) { return new std::string(text); }

  const std::string* text_ = nullptr;
};

}  // namespace troupe::detail
