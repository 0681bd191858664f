// The handshake between a suspended coroutine and whoever completes it from
// elsewhere: a reply, a blocking call, a socket that became ready.
//
//                 finish()                        act(), on the waiter's strand
//   pending ------------------> done (mail posted) ---> the leaf resumes, or, when
//      |                                                it was abandoned, nothing
//      | abandon()
//      v
//   abandoned ----> the completer sees it in finish() and frees the completion
//
// So the completer never touches a frame that is gone, a late answer is dropped
// safely, and the waiter is kept alive by exactly the mail that is under way.
#pragma once

#include <cstdint>
#include <troupe/runtime/atomic.hpp>
#include <troupe/runtime/strand.hpp>

namespace troupe::detail {

/// Base of what is shared. Lives in the slab, not in a frame; freed by kind->dispose.
struct completion : mail {
  explicit completion(const mail_kind& k) noexcept : mail(k) {}

  /// The waiter, before it lets the completer see this.
  void wait_on(strand& s) noexcept { waiter = &s; }

  /// The completer, once the outcome is stored: tells the waiter, and must not
  /// touch the completion afterwards. False when nobody waits any more: the
  /// caller still owns it and disposes of it.
  [[nodiscard]] bool finish(const mail_kind& as) noexcept {
    strand* const s = waiter;
    kind = &as;
    if (state.exchange(done, std::memory_order_acq_rel) == abandoned) return false;
    s->post(*this);
    return true;
  }

  /// The waiter gives up. True: the completer will free it. False: the mail is
  /// under way; the strand waits for it (expect_mail), and act() frees it.
  [[nodiscard]] bool abandon() noexcept {
    target = nullptr;
    std::uint8_t expected = pending;
    if (state.compare_exchange_strong(expected, abandoned, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      return true;
    }
    waiter->expect_mail();
    return false;
  }

  static constexpr std::uint8_t pending = 0;
  static constexpr std::uint8_t done = 1;
  static constexpr std::uint8_t abandoned = 2;

  // state: whoever moves it away from pending first decides who frees the
  // completion. Release in finish publishes the outcome, acquire in the
  // mailbox (the mail) and in abandon sees it. Broken by: tests/stress/ask_stress_test.
  atomic<std::uint8_t> state{pending};
  strand* waiter = nullptr;
  leaf* target = nullptr;  // touched on the waiter's strand only
};

}  // namespace troupe::detail
