// The actor that tcp_server and tls_server start for each connection.
//
// It is one cell, followed by the user's object and a slot for the socket, and one coroutine frame. It has no
// other heap memory, no name and no timers. On its own strand.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/inbox.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/tcp_stream.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <concepts>
#include <memory>
#include <span>
#include <tuple>

namespace troupe::detail {

class acceptor;

/// One connection counted against the limit: taken by the listener at accept, given back when the actor ends.
class connection_slot {
 public:
  connection_slot() noexcept = default;
  connection_slot(std::shared_ptr<acceptor> core, tcp_stream stream) noexcept;
  connection_slot(connection_slot&&) noexcept = default;
  connection_slot& operator=(connection_slot&&) = delete;
  ~connection_slot() { leave(close_reason::drain); }  // if its actor was not started: the server stops

  /// The connection. Call it once.
  [[nodiscard]] tcp_stream take_stream() noexcept;
  /// Counts the end of the connection; harmless when repeated.
  void leave(close_reason why) noexcept;
  void handshake_failed() noexcept { handshake_failed_ = true; }
  /// Why the connection of an ending actor has ended.
  [[nodiscard]] close_reason reason(const cell& c) const noexcept;
  [[nodiscard]] acceptor& core() const noexcept { return *core_; }

 private:
  std::shared_ptr<acceptor> core_;
  socket_ref socket_;  // the connection, until it is taken; then kept to see how it has ended
  bool handshake_failed_ = false;
};

/// Starts the actor of a connection under a supervisor's cell.
struct connection_factory {
  connection_factory() = default;
  connection_factory(const connection_factory&) = delete;
  connection_factory& operator=(const connection_factory&) = delete;
  virtual ~connection_factory() = default;
  virtual cell* start(cell& parent, const spawn_options& o, connection_slot slot) const = 0;
};

// How long a stopping connection may continue: tcp_server_options::drain.
[[nodiscard]] duration drain_time(connection_slot& slot) noexcept;

/// Does the handshake of a tls_server's connection. Returns a closed stream if it fails, which is counted, or
/// if the actor is stopped.
[[nodiscard]] task<tls_stream> shake_hands(context& ctx, connection_slot& slot);

/// Calls a consumer's on_data(), with or without the context. Type-erased, so that consume() is compiled once
/// for each kind of stream.
template <class Stream>
using data_handler = task<result<std::size_t>> (*)(void* object, std::span<const std::byte>, Stream&,
                                                   context&);
[[nodiscard]] task<void> consume(data_handler<tcp_stream> on_data, void* object, cell& c, tcp_stream peer,
                                 acceptor* core);
[[nodiscard]] task<void> consume(data_handler<tls_stream> on_data, void* object, cell& c, tls_stream peer,
                                 acceptor* core);

template <class T, class Stream>
concept data_consumer = requires(T& t, std::span<const std::byte> b, Stream& s) {
  { t.on_data(b, s) } -> std::same_as<task<result<std::size_t>>>;
} || requires(T& t, std::span<const std::byte> b, Stream& s, context& c) {
  { t.on_data(b, s, c) } -> std::same_as<task<result<std::size_t>>>;
};

template <class T, class Stream>
task<result<std::size_t>> call_on_data(void* object, std::span<const std::byte> b, Stream& s, context& c) {
  if constexpr (requires(T& t) { t.on_data(b, s, c); }) {
    return static_cast<T*>(object)->on_data(b, s, c);
  } else {
    return static_cast<T*>(object)->on_data(b, s);
  }
}

/// How a class T runs its connection; the primary template is for on_data(), the others for run().
template <class T, class Stream>
struct connection_run {
  static_assert(
      data_consumer<T, Stream>,
      "troupe: a connection needs task<void> run(context&, tcp_stream), the same with an inbox<...>, "
      "or task<result<std::size_t>> on_data(std::span<const std::byte>, tcp_stream&); that of a tls_server "
      "needs one of these with a tls_stream");
  struct receiver {};
  static constexpr bool has_inbox = false;
  static bool accepts(const message_kind*) noexcept { return false; }
  static task<void> begin(T& t, cell& c, Stream s, receiver&, connection_slot& slot) {
    return consume(&call_on_data<T, Stream>, &t, c, std::move(s), &slot.core());
  }
};
template <class T, class Stream>
  requires requires(T& t, context& c, Stream s) {
    { t.run(c, std::move(s)) } -> std::same_as<task<void>>;
  }
struct connection_run<T, Stream> {
  struct receiver {};
  static constexpr bool has_inbox = false;
  static bool accepts(const message_kind*) noexcept { return false; }
  static task<void> begin(T& t, cell& c, Stream s, receiver&, connection_slot&) {
    return t.run(static_cast<context&>(c), std::move(s));
  }
};

template <class F, class Stream>
struct inbox_of_run;
template <class T, class Stream, class... Ms>
struct inbox_of_run<task<void> (T::*)(context&, Stream, inbox<Ms...>), Stream> {
  using in = inbox<Ms...>;
  using awaiter = receive_awaiter<Ms...>;
  static bool accepts(const message_kind* k) noexcept { return ((k == message_id<Ms>()) || ...); }
};
template <class T, class Stream>
  requires requires { typename inbox_of_run<decltype(&T::run), Stream>::in; }
struct connection_run<T, Stream> {
  using messages = inbox_of_run<decltype(&T::run), Stream>;
  struct receiver : cell::receiver {
    receiver() noexcept : cell::receiver{&messages::awaiter::take_mail, &messages::awaiter::received} {}
  };
  static constexpr bool has_inbox = true;
  static bool accepts(const message_kind* k) noexcept { return messages::accepts(k); }
  static task<void> begin(T& t, cell& c, Stream s, receiver& r, connection_slot&) {
    return t.run(static_cast<context&>(c), std::move(s), typename messages::in(c, r));
  }
};

/// The state of a connection's cell: the slot, the receiver of an inbox, and the user's object.
template <class T, class Stream>
struct connection_box : state_box<T> {
  using run = connection_run<T, Stream>;

  explicit connection_box(connection_slot s) noexcept : slot(std::move(s)) {}
  static connection_box& of(cell& c) noexcept {
    return *std::launder(static_cast<connection_box*>(c.state()));
  }

  connection_slot slot;
  [[no_unique_address]] typename run::receiver receiver;

  task<void> begin(cell& c) {
    if constexpr (std::same_as<Stream, tcp_stream>) {
      return run::begin(this->state(), c, slot.take_stream(), receiver, slot);
    } else {
      return begin_tls(*this, c);
    }
  }
  static task<void> begin_tls(connection_box& self, cell& c) {
    tls_stream peer = co_await shake_hands(static_cast<context&>(c), self.slot);
    if (!peer.is_open()) co_return;
    co_await run::begin(self.state(), c, std::move(peer), self.receiver, self.slot);
  }

  static void started(cell& c) {
    connection_box& self = of(c);
    if constexpr (run::has_inbox) c.wait_for_mail(&self.receiver);
    begin_life(c, [&] { return self.begin(c); });
  }
  static void destroy(cell& c) noexcept {
    connection_box& self = of(c);
    if constexpr (run::has_inbox) c.wait_for_mail(nullptr);
    self.state().~T();
    self.slot.leave(self.slot.reason(c));
  }

  static constexpr behaviour value = [] {
    behaviour b{
        type_name<T>(),
        sizeof(connection_box),
        &run::accepts,
        [](cell&) {},  // constructed with its arguments, by connection_factory_of::start
        &destroy,
        [](cell& c) noexcept { of(c).~connection_box(); },
        &started,
        nullptr,
        [](cell&, mail& m) { m.kind->dispose(m); },  // not reached: the inbox takes the mail
        false,
    };
    b.stop_within = [](cell& c) noexcept { return drain_time(of(c).slot); };
    return b;
  }();
};

template <class T, class Stream, class... Args>
struct connection_factory_of final : connection_factory {
  static_assert(
      state_box<T>::template takes<const Args&...>,
      "troupe: the connection cannot be constructed from copies of these arguments (with or without a "
      "context& first)");

  explicit connection_factory_of(Args... a) : arguments(std::move(a)...) {}

  cell* start(cell& parent, const spawn_options& o, connection_slot slot) const override {
    using box = connection_box<T, Stream>;
    cell* const child = parent.make_child(box::value, o);
    box* const b = ::new (child->state()) box(std::move(slot));
    try {
      std::apply([&](const Args&... a) { b->construct(*child, a...); }, arguments);
    } catch (...) {
      b->slot.leave(close_reason::crash);
      parent.discard_child(*child);
      throw;
    }
    cell::launch(*child);
    return child;
  }

  std::tuple<Args...> arguments;
};

template <class T, class Stream, class... Args>
std::shared_ptr<const connection_factory> make_connection_factory(Args... args) {
  return std::make_shared<const connection_factory_of<T, Stream, Args...>>(std::move(args)...);
}

}  // namespace troupe::detail
