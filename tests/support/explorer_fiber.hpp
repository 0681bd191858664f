// A stack that the explorer switches to and from: one per thread of a test.
//
// Owned by the explorer's engine and used on the one operating system thread that explores. Address and
// thread sanitizer are told of each switch, so explorations run under both.
#pragma once

#include <cstddef>
#include <memory>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_EXPLORER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_EXPLORER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TROUPE_EXPLORER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TROUPE_EXPLORER_TSAN 1
#endif
#endif
#ifdef TROUPE_EXPLORER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TROUPE_EXPLORER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace troupe::explorer::detail {

class fiber {
 public:
  /// The stack that runs already.
  fiber() noexcept {
#ifdef TROUPE_EXPLORER_TSAN
    tsan_ = __tsan_get_current_fiber();
#endif
  }

  /// A new stack; the first switch to it calls entry(argument), which must never return.
  fiber(void (*entry)(void*), void* argument, fiber& creator)
      : entry_(entry), argument_(argument), creator_(&creator), stack_(new std::byte[stack_size]) {
    bottom_ = stack_.get();
    size_ = stack_size;
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_size;
    context_.uc_link = nullptr;
    makecontext(&context_, &start, 0);
#ifdef TROUPE_EXPLORER_TSAN
    tsan_ = __tsan_create_fiber(0);
#endif
  }
  fiber(const fiber&) = delete;
  fiber& operator=(const fiber&) = delete;
  ~fiber() {
#ifdef TROUPE_EXPLORER_TSAN
    if (stack_) __tsan_destroy_fiber(tsan_);
#endif
  }

  /// Leaves `from`, which must be the running one, and continues where `to` was left.
  static void switch_to(fiber& from, fiber& to) noexcept {
    target = &to;
#ifdef TROUPE_EXPLORER_ASAN
    __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#ifdef TROUPE_EXPLORER_TSAN
    __tsan_switch_to_fiber(to.tsan_, 0);
#endif
    swapcontext(&from.context_, &to.context_);
#ifdef TROUPE_EXPLORER_ASAN
    __sanitizer_finish_switch_fiber(from.fake_stack_, nullptr, nullptr);
#endif
  }

 private:
  static constexpr std::size_t stack_size = 256UL * 1024;

  // makecontext passes only ints; the new stack finds its object here instead.
  static inline fiber* target = nullptr;

  static void start() {
    fiber* self = target;
#ifdef TROUPE_EXPLORER_ASAN
    // First entered from its creator: the only moment to learn where the creator's own stack lies.
    __sanitizer_finish_switch_fiber(nullptr, &self->creator_->bottom_, &self->creator_->size_);
#endif
    self->entry_(self->argument_);
  }

  ucontext_t context_{};
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  [[maybe_unused]] fiber* creator_ = nullptr;
  std::unique_ptr<std::byte[]> stack_;
  [[maybe_unused]] const void* bottom_ = nullptr;
  [[maybe_unused]] std::size_t size_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] void* tsan_ = nullptr;
};

}  // namespace troupe::explorer::detail
