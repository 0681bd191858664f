// The actors of the conformance tests.
#pragma once

#include "world.hpp"

#include <stdexcept>

namespace conformance {

struct boom {
  std::string why = "boom";
};
struct leave {
  troupe::exit_reason why = exit_kind::normal;
};
struct nap {
  troupe::duration length;
};
struct epoch_now {
  using reply = int;
};

/// Writes +name when it is made and -name when it is gone; ends in every way there is.
struct member {
  using accepts = troupe::protocol<boom, leave, nap, epoch_now>;
  member(troupe::context& ctx, record* h) : name(name_of(ctx)), history(h) { history->put("+" + name); }
  member(const member&) = delete;
  member& operator=(const member&) = delete;
  ~member() { history->put("-" + name); }
  static std::string name_of(const troupe::context& ctx) {
    const std::string path = ctx.path();
    return path.substr(path.rfind('/') + 1);
  }
  void handle(const boom& m) { throw std::runtime_error(m.why); }
  void handle(leave m, troupe::context& ctx) { ctx.stop(std::move(m.why)); }
  troupe::task<void> handle(nap m) { co_await troupe::sleep_for(m.length); }
  int handle(epoch_now, troupe::context& ctx) { return static_cast<int>(ctx.epoch()); }
  std::string name;
  record* history;
};
using member_ref = troupe::ref_of<member>;

/// Writes down its stopping hook too.
struct hooked : member {
  using member::member;
  void stopping(troupe::context&, const troupe::exit_reason& why) {
    history->put("hook " + name + " " + std::string(to_string(why.kind())));
  }
};

/// Its incarnations from `first` to `last` cannot be made; each attempt is written down as !name.
struct faulty : member {
  faulty(troupe::context& ctx, record* h, unsigned first, unsigned last)
      : member(checked(ctx, h, first, last), h) {}
  static troupe::context& checked(troupe::context& ctx, record* h, unsigned first, unsigned last) {
    if (ctx.epoch() >= first && ctx.epoch() <= last) {
      h->put("!" + name_of(ctx));
      throw std::runtime_error("no port left");
    }
    return ctx;
  }
};

/// Throws ignore_start from incarnation `first` on.
struct needless : member {
  needless(troupe::context& ctx, record* h, unsigned first) : member(checked(ctx, first), h) {}
  static troupe::context& checked(troupe::context& ctx, unsigned first) {
    if (ctx.epoch() >= first) throw troupe::ignore_start{};
    return ctx;
  }
};

struct watch_it {
  troupe::any_ref who;
};

/// Writes down which actor has ended, and why.
struct witness {
  using accepts = troupe::protocol<watch_it>;
  explicit witness(record* h) : history(h) {}
  void handle(const watch_it& m, troupe::context& ctx) { ctx.watch(m.who); }
  void handle(const troupe::down& d) {
    const std::string path = d.who.path();
    history->put(path.substr(path.rfind('/') + 1) + ": " + std::string(to_string(d.reason.kind())));
  }
  record* history;
};

/// Naps through being told to stop: it drains, and has a nap in its mailbox.
constexpr troupe::mailbox_options draining{.when_stopped = troupe::on_stop::drain};

inline member_ref member_at(world& w, std::string_view path) {
  auto found = w.sys.at<boom, leave, nap, epoch_now>(path);
  INFO(path);
  REQUIRE(found);
  return *found;
}

inline void crash(world& w, std::string_view path) {
  w.tell(member_at(w, path), boom{});
}

/// Crashes the member at `path`, and waits for the next incarnation.
inline void crash_and_wait(world& w, std::string_view path) {
  const int before = w.epoch(path);
  crash(w, path);
  REQUIRE(w.eventually([&] { return w.epoch(path) > before; }));
}

}  // namespace conformance
