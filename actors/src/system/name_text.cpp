// Names and paths of cells. Any thread.
#include "system/name_text.hpp"

#include "cell/extras.hpp"

#include <charconv>

namespace troupe::detail {

name_text::name_text(const cell& c) noexcept {
  if (const cell_extras* const x = c.extras_if_any(); x != nullptr && !x->name.empty()) {
    text_ = x->name;
    return;
  }
  serial_[0] = '~';
  const char* const end = std::to_chars(serial_ + 1, serial_ + sizeof(serial_), c.serial()).ptr;
  text_ = {serial_, end};
}

std::string cell::name() const {
  return std::string(name_text(*this).view());
}

// Computes the length first, then writes from the end to the front: linear in the length, one allocation.
std::string cell::path() const {
  std::size_t length = 0;
  for (const cell* c = this; c->parent_ != nullptr; c = c->parent_) length += 1 + name_text(*c).view().size();
  if (length == 0) return "/";
  std::string text(length, '/');
  char* at = text.data() + length;
  for (const cell* c = this; c->parent_ != nullptr; c = c->parent_) {
    const name_text name(*c);
    at -= name.view().size();
    name.view().copy(at, name.view().size());
    --at;  // the '/' is there
  }
  return text;
}

}  // namespace troupe::detail
