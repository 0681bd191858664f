// The kinds of mail in the tests of the mailbox. Such mail is only queued and counted: running it and
// dropping it do nothing.
#pragma once

#include <troupe/runtime/detail/mail.hpp>

namespace troupe_test {

inline constexpr troupe::detail::mail_kind user_kind{nullptr, [](troupe::detail::mail&) noexcept {}};
inline constexpr troupe::detail::mail_kind system_kind{
    [](troupe::detail::mail&, troupe::detail::strand&) noexcept {}, [](troupe::detail::mail&) noexcept {}};

}  // namespace troupe_test
