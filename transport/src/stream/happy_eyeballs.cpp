// Connecting to a name: its addresses are tried one after the other, each a
// little later than the one before, and the first that answers is taken (RFC 8305).
// So an address that is dead, or a family that does not work, costs a quarter of
// a second and not the whole deadline.
#include "socket/readiness.hpp"
#include "socket/socket_error.hpp"
#include "stream/task_group.hpp"
#include "stream/tcp_connect.hpp"

#include <troupe/transport/tcp_stream.hpp>

#include <algorithm>
#include <deque>

namespace troupe {

using detail::socket_ref;

namespace {

struct attempt {
  ip_endpoint to;
  std::optional<result<socket_ref>> outcome;
};

struct race {
  std::vector<attempt> attempts;
  std::size_t next = 0;  // the first attempt that has not begun
  std::int64_t deadline;
  tcp_options options;

  [[nodiscard]] attempt* winner() noexcept {
    const auto won = [](const attempt& a) { return a.outcome && *a.outcome; };
    const auto found = std::ranges::find_if(attempts, won);
    return found != attempts.end() ? &*found : nullptr;
  }
};

std::int64_t now() noexcept {
  return detail::due_in(duration::zero());
}

// Alternates the families, beginning with that of the best address.
std::vector<attempt> interleaved(const std::vector<ip_endpoint>& all) {
  std::deque<ip_endpoint> own;
  std::deque<ip_endpoint> other;
  for (const ip_endpoint& e : all) (e.is_v6() == all.front().is_v6() ? own : other).push_back(e);
  std::vector<attempt> order;
  while (!own.empty() || !other.empty()) {
    for (std::deque<ip_endpoint>* const from : {&own, &other}) {
      if (from->empty()) continue;
      order.push_back({from->front(), std::nullopt});
      from->pop_front();
    }
  }
  return order;
}

task<void> try_one(attempt& a, std::int64_t deadline, tcp_options options) {
  a.outcome = co_await detail::connect_to(a.to, deadline, options);
}

// Whether the next address is to be tried now: no attempt is under way, or the
// delay after the last one has passed.
bool may_begin(const race& r, std::size_t running, std::int64_t due) noexcept {
  return r.next < r.attempts.size() && (running == 0 || now() >= due);
}

result<socket_ref> outcome_of(race& r, const std::string& host, std::uint16_t port) {
  if (attempt* const w = r.winner()) return std::move(*w->outcome);
  std::string text = "connect to " + host + ":" + std::to_string(port) + ": no address answered";
  const error* first = nullptr;
  for (const attempt& a : r.attempts) {
    text.append(first == nullptr && &a == r.attempts.data() ? ": " : "; ").append(a.to.to_string());
    if (a.outcome) {
      const error& why = a.outcome->error();
      if (first == nullptr) first = &why;
      text.append(" ").append(why == errc::timeout ? "was silent" : why.code().message());
    } else {
      text += &a < &r.attempts[r.next] ? " was silent" : " was not tried";
    }
  }
  const bool silent = now() >= r.deadline || first == nullptr;
  const std::error_code code = silent ? make_error_code(errc::timeout) : first->code();
  if (silent) text += "; the deadline passed";
  if (first == nullptr) return std::unexpected(error(code, std::move(text)));
  return std::unexpected(error(code, std::move(text), {}, *first));
}

task<result<socket_ref>> connect_first(std::string host, std::uint16_t port, duration within,
                                       connect_options options) {
  const std::int64_t deadline = detail::deadline_in(within);
  result<std::vector<ip_endpoint>> addresses =
      co_await resolve(host, port, within, {.family = options.family, .resolver = options.resolver});
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  race r{interleaved(*addresses), 0, deadline, options.stream};
  {
    detail::task_group side;  // after `r`: its tasks write there
    std::int64_t due = 0;
    while (r.winner() == nullptr && now() < deadline) {
      if (may_begin(r, side.running(), due)) {
        attempt& a = r.attempts[r.next++];
        due = detail::due_in(options.attempt_delay);
        side.start(try_one(a, deadline, r.options));
      } else if (side.running() == 0) {
        break;
      } else {
        co_await side.wait(r.next < r.attempts.size() ? std::min(due, deadline) : deadline);
      }
    }
  }
  co_return outcome_of(r, host, port);
}

}  // namespace

task<result<tcp_stream>> tcp_stream::connect(std::string host, std::uint16_t port, duration deadline,
                                             connect_options options) {
  result<socket_ref> s = co_await connect_first(std::move(host), port, deadline, options);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return tcp_stream(std::move(*s));
}

}  // namespace troupe
