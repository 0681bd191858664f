// Elements by number: a hash table whose chains run through the elements, so that adding and removing never
// fail, and removing needs no search.
//
// Owned by the extras of a cell, and used on its strand only. The first few elements need no memory; after
// that the table doubles. When there is no memory for that, the chains get longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace troupe::detail {

/// The links of an element of an index.
template <class T>
struct index_hook {
  T* next = nullptr;
  T** at = nullptr;  // the pointer to the element; null when it is not in an index
};

/// T has a member `index_hook<T> hook`, and `std::uint64_t key() const`, whose value does not change.
template <class T>
class intrusive_index {
 public:
  intrusive_index() = default;
  intrusive_index(const intrusive_index&) = delete;
  intrusive_index& operator=(const intrusive_index&) = delete;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// O(1) on average.
  [[nodiscard]] T* find(std::uint64_t key) const noexcept {
    for (T* t = chains()[place_of(key)]; t != nullptr; t = t->hook.next) {
      if (t->key() == key) return t;
    }
    return nullptr;
  }

  /// `t` must not be in an index. O(1) on average, amortized.
  void add(T& t) noexcept {
    if (size_ >= 2 * (std::size_t{1} << bits_)) resize(bits_ + 2);
    link(t);
    ++size_;
  }

  /// Harmless when `t` is not in an index. O(1), amortized.
  void remove(T& t) noexcept {
    if (t.hook.at == nullptr) return;
    unlink(t);
    if (bits_ > kept_bits && size_ < (std::size_t{1} << bits_) / 8) resize(bits_ - 2);
  }

  /// Removes all elements, each before `f` is called with it. `f` may add others, which are removed too.
  template <class F>
  void clear(F&& f) noexcept {
    while (size_ != 0) {
      for (std::size_t i = 0; size_ != 0 && i < (std::size_t{1} << bits_); ++i) {
        while (T* const t = chains()[i]) {
          unlink(*t);
          f(*t);
          if (i >= (std::size_t{1} << bits_)) break;  // elements that f removed made the table smaller
        }
      }
    }
    resize(first_bits);
  }

 private:
  static constexpr unsigned first_bits = 1;
  static constexpr unsigned kept_bits = 10;  // a table of this size is kept when its elements go

  [[nodiscard]] T* const* chains() const noexcept { return bits_ == first_bits ? first_ : more_.get(); }
  [[nodiscard]] T** chains() noexcept { return bits_ == first_bits ? first_ : more_.get(); }
  // Mixed as in MurmurHash3: addresses and numbers that differ by a multiple of a power of two must not
  // collide.
  [[nodiscard]] std::size_t place_of(std::uint64_t key) const noexcept {
    key = (key ^ (key >> 33)) * 0xff51afd7ed558ccdULL;
    key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return static_cast<std::size_t>(key >> (64 - bits_));
  }

  void link(T& t) noexcept {
    T*& first = chains()[place_of(t.key())];
    t.hook = {first, &first};
    if (first != nullptr) first->hook.at = &t.hook.next;
    first = &t;
  }

  void unlink(T& t) noexcept {
    *t.hook.at = t.hook.next;
    if (t.hook.next != nullptr) t.hook.next->hook.at = t.hook.at;
    t.hook = {};
    --size_;
  }

  void resize(unsigned bits) noexcept {
    if (bits == bits_) return;
    std::unique_ptr<T*[]> fresh;
    if (bits != first_bits) {
      fresh.reset(new (std::nothrow) T*[std::size_t{1} << bits]());
      if (!fresh) return;
    }
    T* all = nullptr;
    for (std::size_t i = 0; i < (std::size_t{1} << bits_); ++i) {
      for (T* t = std::exchange(chains()[i], nullptr); t != nullptr;) {
        T* const next = t->hook.next;
        t->hook.next = all;
        all = t;
        t = next;
      }
    }
    more_ = std::move(fresh);
    bits_ = bits;
    while (all != nullptr) link(*std::exchange(all, all->hook.next));
  }

  std::uint32_t size_ = 0;
  std::uint32_t bits_ = first_bits;
  T* first_[std::size_t{1} << first_bits] = {};
  std::unique_ptr<T*[]> more_;  // null while first_ is in use
};

}  // namespace troupe::detail
