// The forms that a mailbox has, for tests that run on each: TEMPLATE_LIST_TEST_CASE("...", "",
// mailbox_forms).
#pragma once

#include <troupe/runtime/detail/mailbox.hpp>

#include <tuple>
#include <type_traits>

namespace troupe_test {

/// One word that refers to a mailbox of two: the form of an actor with a large bound.
struct large_mailbox : troupe::detail::one_word_mailbox {
  large_mailbox() noexcept { live_in(there); }
  troupe::detail::two_word_mailbox there;
};

using mailbox_forms =
    std::tuple<troupe::detail::one_word_mailbox, troupe::detail::two_word_mailbox, large_mailbox>;

/// Whether peek_single() and take_single_system() hand a mail out: where the mailbox lives elsewhere they do
/// not.
template <class Mailbox>
inline constexpr bool has_short_ways = !std::is_same_v<Mailbox, large_mailbox>;

}  // namespace troupe_test
