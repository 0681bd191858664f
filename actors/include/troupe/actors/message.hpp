// Messages, and the envelopes they travel in.
//
// A message is any movable type. One that names a `reply` type is a request.
// An envelope is a mail with the message behind it, allocated from the slab by
// the sender, and freed where it is handled or lost. A request's envelope also
// holds the place of its reply and travels back with it: a reply is never
// refused, and costs no memory of its own.
#pragma once

#include <troupe/runtime/detail/completion.hpp>
#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

/// A message that is answered: it names its reply, `using reply = int;`.
template <class M>
concept request_message = requires { typename M::reply; };

namespace detail {

// -- names --------------------------------------------------------------------

template <class T>
constexpr std::string_view raw_type_name() noexcept {
#if defined(__clang__)
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  constexpr std::size_t begin = text.find("T = ") + 4;
  return text.substr(begin, text.rfind(']') - begin);
#else
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  constexpr std::size_t begin = text.find("T = ") + 4;
  constexpr std::size_t end = text.find(';', begin);
  return text.substr(begin, (end == std::string_view::npos ? text.rfind(']') : end) - begin);
#endif
}

template <class T>
struct type_name_storage {
  static constexpr std::string_view view = raw_type_name<T>();
  struct text {
    char chars[view.size() + 1];
  };
  static constexpr text make() noexcept {
    text t{};
    for (std::size_t i = 0; i < view.size(); ++i) t.chars[i] = view[i];
    return t;
  }
  static constexpr text value = make();
};

/// The name of a type as the compiler writes it; null-terminated, static.
template <class T>
constexpr const char* type_name() noexcept {
  return type_name_storage<T>::value.chars;
}

// -- kinds --------------------------------------------------------------------

/// What there is to know of a message type; one for each, its address is its id. In a process of several
/// shared libraries, too: tests/consume/plugin.
struct message_kind : mail_kind {
  const char* name;
  std::size_t size;
  /// The message inside an envelope.
  void* (*payload)(mail&) noexcept;
  /// Takes the envelope: tells an asker why there will be no reply, and frees it.
  void (*refuse)(mail&, error) noexcept;
  /// Takes the envelope: sends the answer it holds, if any, and frees it.
  void (*retire)(mail&) noexcept;
  bool is_request;
};

inline const message_kind& kind_of(const mail& m) noexcept {
  return static_cast<const message_kind&>(*m.kind);
}

// -- envelopes ----------------------------------------------------------------

template <class M>
struct tell_envelope final : mail {
  explicit tell_envelope(M&& m) : mail(kind), message(std::move(m)) {}
  M message;

  static void dispose(mail& m) noexcept { slab_delete(static_cast<tell_envelope*>(&m)); }
  static void refuse(mail& m, error) noexcept { dispose(m); }
  static void* payload(mail& m) noexcept { return &static_cast<tell_envelope&>(m).message; }
  TROUPE_SHARED static const message_kind kind;
};

template <class M>
constexpr message_kind tell_envelope<M>::kind{{nullptr, &tell_envelope::dispose},
                                              type_name<M>(),
                                              sizeof(M),
                                              &tell_envelope::payload,
                                              &tell_envelope::refuse,
                                              &tell_envelope::dispose,
                                              false};

struct ask_canceller;
struct ask_envelope_base;
void end_wait(ask_envelope_base& e) noexcept;
void hand_on_wait(ask_envelope_base& e) noexcept;

/// Whether a request is to be handled. moving: it is being forwarded; its asker waits with taking it back.
enum class request_state : std::uint8_t { wanted, moving, abandoned };

/// The part of a request's envelope that does not depend on its type.
struct ask_envelope_base : completion {
  using completion::completion;

  /// The receiver is about to answer, or to give the request away: the asker
  /// does not wait for the receiver any more.
  void let_go() noexcept {
    held.store(false, std::memory_order_release);
    if (wait.load(std::memory_order_relaxed) != 0) end_wait(*this);
  }
  /// The same for a request that another actor or thread may answer, at any time.
  void hand_on() noexcept {
    held.store(false, std::memory_order_release);
    if (awaited_later) seq_cst_fence();
    if (wait.load(std::memory_order_relaxed) != 0) hand_on_wait(*this);
  }
  /// The asker does not want it to be handled any more.
  void take_back() noexcept;

  std::int64_t due = INT64_MAX;     // when the asker gives up, on the runtime's clock
  ask_canceller* cancel = nullptr;  // the asker's; for the receiver an identity, no more
  bool awaited_later = false;       // it was sent by request(); who does so may await it at any time
  bool answered = false;            // an answer is stored, and waits to be sent
  // state: abandoned is set by an asker that takes the request back; the receiver drops it unhandled when it
  // comes to it. Read relaxed, a request; acquire and release against a receiver that changes whom the
  // canceller goes to, while it is moving. Broken by: tests/actors/messaging/forward_test. held: until
  // let_go(). wait: the asker's edge in the wait-for graph (wait_edge.hpp). Written before the request is
  // sent, and read by let_go(); or, of one that is awaited later, when it is: then both sides have a fence
  // between what they write and what they read. Broken by: tests/actors/messaging/deadlock_test.
  atomic<request_state> state{request_state::wanted};
  atomic<bool> held{true};
  atomic<std::uint64_t> wait{0};
};

template <class M>
struct ask_envelope final : ask_envelope_base {
  using reply_type = typename M::reply;
  using result_type = result<reply_type>;

  explicit ask_envelope(M&& m) : ask_envelope_base(kind), message(std::move(m)) {}

  /// Stores the answer; send() makes it known.
  void answer(result_type r) {
    reply.emplace(std::move(r));
    answered = true;
  }
  /// Sends the stored answer back, or frees the envelope when there is no asker.
  void send() noexcept {
    if (waiter == nullptr) {
      slab_delete(this);
    } else {
      let_go();
      finish(reply_kind);
    }
  }

  M message;
  std::optional<result_type> reply;
  void (*resume)(leaf&) noexcept = nullptr;

  static void dispose(mail& m) noexcept { slab_delete(static_cast<ask_envelope*>(&m)); }
  static void refuse(mail& m, error why) noexcept {
    auto& self = static_cast<ask_envelope&>(m);
    if (!self.answered) self.answer(std::unexpected(std::move(why)));
    self.send();
  }
  static void retire(mail& m) noexcept {
    auto& self = static_cast<ask_envelope&>(m);
    if (!self.answered) {
      refuse(m, errc::closed);
    } else {
      self.send();
    }
  }
  static void* payload(mail& m) noexcept { return &static_cast<ask_envelope&>(m).message; }
  // The way back: on the strand of the asker.
  static void act(mail& m, strand&) noexcept {
    auto& self = static_cast<ask_envelope&>(m);
    if (still_wanted(self)) self.resume(*self.target);
  }
  static void dispose_reply(mail& m) noexcept { dispose_late(static_cast<ask_envelope&>(m)); }
  TROUPE_SHARED static const message_kind kind;
  static constexpr mail_kind reply_kind{&act, &dispose_reply};
};

template <class M>
constexpr message_kind ask_envelope<M>::kind{{nullptr, &ask_envelope::dispose},
                                             type_name<M>(),
                                             sizeof(M),
                                             &ask_envelope::payload,
                                             &ask_envelope::refuse,
                                             &ask_envelope::retire,
                                             true};

/// Lazy, for ask_envelope<M> does not exist for an M that names no reply.
template <class M>
struct envelope_choice : std::type_identity<tell_envelope<M>> {};
template <request_message M>
struct envelope_choice<M> : std::type_identity<ask_envelope<M>> {};
template <class M>
using envelope = typename envelope_choice<M>::type;

template <class M>
constexpr const message_kind* message_id() noexcept {
  return &envelope<M>::kind;
}

}  // namespace detail

// -- protocols ----------------------------------------------------------------

/// The set of messages an actor accepts.
template <class... Ms>
struct protocol {
  static constexpr std::size_t size = sizeof...(Ms);
};

namespace detail {

template <class M, class... Ms>
inline constexpr bool one_of = (std::same_as<M, Ms> || ...);

/// Named so that a failed assertion reads as a sentence.
template <class M, class... Ms>
inline constexpr bool is_accepted_by_protocol = one_of<M, Ms...>;

template <class M>
inline constexpr bool is_movable_message = std::is_object_v<M> && std::move_constructible<M>;

template <class P>
struct protocol_traits;
template <class... Ms>
struct protocol_traits<protocol<Ms...>> {
  template <template <class...> class F>
  using apply = F<Ms...>;
};

}  // namespace detail
}  // namespace troupe
