// Which messages a full mailbox loses: reject (none), drop_newest, drop_oldest, coalesce.
//
// A policy is a value of mailbox_policy; src/mailbox/lossy_mailbox.hpp is the queue of those that lose the
// oldest.
#pragma once

#include <troupe/actors/message.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace troupe {

namespace detail {

/// The key of a message: a later message with the same key replaces it.
struct coalescing_key {
  std::uint64_t number = 0;
  std::string text = {};
  friend bool operator==(const coalescing_key&, const coalescing_key&) = default;
};

}  // namespace detail

/// The policy of a mailbox; set by spawn_options{.mailbox = {.policy = troupe::drop_oldest}}. Each message
/// that is lost is a dead letter with the cause `dropped`; a lost request is answered with errc::full.
/// Cost: a mailbox that drops the oldest or coalesces takes a lock for each message. Its capacity bounds the
/// queued messages; the message being handled does not count.
struct mailbox_policy {
  enum class loss : std::uint8_t { nothing, newest, oldest };
  loss loses = loss::nothing;
  /// For coalesce: yields the key of a message; false when the message is not of the type that coalesces.
  bool (*key_of)(detail::mail&, detail::coalescing_key&) = nullptr;

  friend constexpr bool operator==(const mailbox_policy&, const mailbox_policy&) noexcept = default;
};

/// Loses nothing: tell() returns `full`, send() waits, ask() gets errc::full. The default.
inline constexpr mailbox_policy reject{};
/// Loses the message of a tell() to a full mailbox, and tell() returns `ok`. send() waits and ask() gets
/// errc::full, as with reject.
inline constexpr mailbox_policy drop_newest{mailbox_policy::loss::newest};
/// Loses the message that has waited longest when the mailbox is full. No sender waits.
inline constexpr mailbox_policy drop_oldest{mailbox_policy::loss::oldest};

namespace detail {

template <class F>
struct key_function : key_function<decltype(&F::operator())> {};
template <class M, class K>
struct key_function<K M::*> {
  using message = std::conditional_t<std::is_member_object_pointer_v<K M::*>, M, void>;
};
template <class R, class C, class M>
struct key_function<R (C::*)(const M&) const> {
  using message = M;
};
template <class R, class M>
struct key_function<R (*)(const M&)> {
  using message = M;
};

template <auto Key>
bool coalescing_key_of(mail& m, coalescing_key& out) {
  using M = typename key_function<std::remove_cvref_t<decltype(Key)>>::message;
  if (m.kind != message_id<M>()) return false;
  const auto& message = *static_cast<const M*>(kind_of(m).payload(m));
  const auto key = [&]() -> decltype(auto) {
    if constexpr (std::is_member_object_pointer_v<decltype(Key)>) {
      return (message.*Key);
    } else {
      return Key(message);
    }
  };
  using K = std::remove_cvref_t<decltype(key())>;
  static_assert(std::integral<K> || std::is_enum_v<K> || std::convertible_to<K, std::string_view>,
                "troupe: a coalescing key is a number, an enumerator or a text");
  if constexpr (std::integral<K> || std::is_enum_v<K>) {
    out.number = static_cast<std::uint64_t>(key());
  } else {
    out.text = std::string_view(key());
  }
  return true;
}

}  // namespace detail

/// Keeps only the last of the queued messages with the same key, in the place of the first: a slow receiver
/// sees the latest value of each. When there are more keys than room, and for messages of other types, it is
/// drop_oldest. `Key` is a member of the message, or a function of it, and yields a number, an enumerator or
/// a text.
/// Errors: a message whose key throws crashes the actor when its turn comes, as if the handler had thrown.
/// Threads: a key function runs on the sender's thread; it may send, and should be quick.
///
///   .policy = troupe::coalesce<&price::symbol>
///   .policy = troupe::coalesce<[](const price& p) { return p.market * 1000 + p.symbol; }>
template <auto Key>
inline constexpr mailbox_policy coalesce{mailbox_policy::loss::oldest, &detail::coalescing_key_of<Key>};

}  // namespace troupe
