// What a full mailbox may lose: reject (nothing), drop_newest, drop_oldest, coalesce.
#pragma once

#include <troupe/actors/message.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace troupe {

namespace detail {

/// What tells messages apart that replace one another.
struct coalescing_key {
  std::uint64_t number = 0;
  std::string text = {};
  friend bool operator==(const coalescing_key&, const coalescing_key&) = default;
};

}  // namespace detail

/// Given as spawn_options{.mailbox = {.policy = troupe::drop_oldest}}. Each message that is
/// lost is a dead letter with the cause `dropped`; a lost request is answered with errc::full.
/// A mailbox that drops the oldest or coalesces takes a lock for each message, and bounds what
/// is queued; the message in work does not count.
struct mailbox_policy {
  enum class loss : std::uint8_t { nothing, newest, oldest };
  loss loses = loss::nothing;
  /// Coalescing: the key of a message, false when it is not of the type that coalesces.
  bool (*key_of)(detail::mail&, detail::coalescing_key&) = nullptr;

  friend constexpr bool operator==(const mailbox_policy&, const mailbox_policy&) noexcept = default;
};

/// Nothing is lost: tell() says `full`, send() waits, ask() gets errc::full. The default.
inline constexpr mailbox_policy reject{};
/// tell() to a full mailbox says `ok`, and its message is lost. send() waits, and ask() gets
/// errc::full, as ever.
inline constexpr mailbox_policy drop_newest{mailbox_policy::loss::newest};
/// A full mailbox loses the message that has waited longest. No sender ever waits.
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

/// Of messages with the same key only the last is kept, in the place of the first: a slow
/// receiver sees the latest value of each. When there are more keys than room, and for
/// messages of other types, as drop_oldest. `Key` is a member of the message, or a function:
///
/// It is called on the sender's thread. A message whose key throws crashes the actor when it comes to it, as
/// if its handler had thrown; a key function may send, but should be quick.
///
///   .policy = troupe::coalesce<&price::symbol>
///   .policy = troupe::coalesce<[](const price& p) { return p.market * 1000 + p.symbol; }>
template <auto Key>
inline constexpr mailbox_policy coalesce{mailbox_policy::loss::oldest, &detail::coalescing_key_of<Key>};

}  // namespace troupe
