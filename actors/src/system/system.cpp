// troupe::system: start, end, shutdown, lookups. Any thread, except where a function says otherwise.
#include "cell/extras.hpp"
#include "system/inspection.hpp"
#include "system/last_report.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>

#include <cstdlib>
#include <memory>

namespace troupe {

namespace {

system_options valid(system_options o) {
  if (o.shutdown.count() <= 0) {
    throw troupe_error(error(make_error_code(errc::invalid_argument),
                             "system_options.shutdown must be a positive duration"));
  }
  return o;
}

runtime_options runtime_part(const system_options& o) {
  runtime_options r;
  r.shutdown = o.shutdown;
  r.workers = o.workers;
  r.current_thread = o.current_thread;
  r.name = o.name;
  r.blocking_threads = o.blocking_threads;
  r.long_handler = o.long_handler;
  r.log = o.log;
  return r;
}

}  // namespace

struct system::impl {
  struct own_runtime : troupe::runtime {
    using troupe::runtime::end_by;
    using troupe::runtime::runtime;
  };
  struct end_core {
    void operator()(detail::system_core* c) const noexcept {
      c->end();
      c->release();
    }
  };
  impl(system& self, system_options o, troupe::runtime* shared)
      : options(valid(std::move(o))),
        own(shared == nullptr ? std::make_unique<own_runtime>(runtime_part(options)) : nullptr),
        on(shared == nullptr ? *own : *shared) {
    core.reset(new detail::system_core(self, on.engine(), on.place(), options.shutdown));
  }

  result<void> end();

  system_options options;
  std::unique_ptr<own_runtime> own;
  troupe::runtime& on;
  std::unique_ptr<detail::system_core, end_core> core;
};

system::system(system_options options) : impl_(new impl(*this, std::move(options), nullptr)) {}
system::system(troupe::runtime& on, system_options options)
    : impl_(new impl(*this, std::move(options), &on)) {}

system::~system() {
  const detail::worker* const here = detail::this_worker();
  if (here != nullptr && &here->home() == &impl_->on.engine()) {
    impl_->on.engine().log(log_level::error,
                           options().name + ": destroyed by one of its own actors, which it would wait for");
    std::abort();
  }
  const std::int64_t last = detail::last_moment(impl_->core->home().now(), options().shutdown);
  const bool ended = impl_->end().has_value();
  if (impl_->own != nullptr) impl_->own->end_by(last);
  if (!ended) {
    // A handler has not returned. The memory that it may still use is leaked on purpose: freeing it would
    // turn a hang into corruption.
    (void)impl_->core.release();
  }
}

result<void> system::impl::end() {
  if (!core->root_has_ended()) {
    core->root().request(detail::cell::order_stop);
    const std::int64_t last = detail::last_moment(core->home().now(), options.shutdown);
    if (!core->wait_for_root(last)) return std::unexpected(detail::report_running(core->owner()));
    if (auto wedged = detail::report_wedged(*core)) return std::unexpected(std::move(*wedged));
    return {};
  }
  if (auto wedged = detail::wedged_now(*core)) return std::unexpected(std::move(*wedged));
  return {};
}

result<void> system::shutdown() {
  if (detail::this_worker() != nullptr) {
    return std::unexpected(error(make_error_code(errc::on_worker),
                                 "shutdown would block a worker thread: request_shutdown() does not wait"));
  }
  return impl_->end();
}

void system::request_shutdown() noexcept {
  impl_->core->root().request(detail::cell::order_stop);
}

detail::cell& system::root() const noexcept {
  return impl_->core->root();
}
troupe::runtime& system::runtime() const noexcept {
  return impl_->on;
}
detail::system_core& system::core() const noexcept {
  return *impl_->core;
}
const system_options& system::options() const noexcept {
  return impl_->options;
}
time_point system::now() const noexcept {
  return impl_->on.now();
}
runtime_counters system::counters() const {
  return impl_->on.counters();
}
void system::subscribe(dead_letter_sink& sink) {
  impl_->core->subscribe(sink);
}
void system::unsubscribe(dead_letter_sink& sink) noexcept {
  impl_->core->unsubscribe(sink);
}
actor_info system::inspect() const {
  actor_info tree = detail::inspection::look(root());
  for (const std::string& path : impl_->core->wedged()) {
    actor_info lost;
    lost.name = path.substr(path.rfind('/') + 1);
    lost.path = path;
    lost.type = "?";
    lost.state = actor_state::wedged;
    tree.children.push_back(std::move(lost));
  }
  return tree;
}

namespace {

// From any thread. Tells the parent too, which supervises the end.
void end_from_outside(const any_ref& who, std::uint32_t order) noexcept {
  if (!who || who.ended()) return;
  detail::cell& c = *who.cell();
  c.request(order);
  if (c.parent() != nullptr) c.parent()->look_after_children_soon();
}

}  // namespace

void system::stop(const any_ref& who) noexcept {
  end_from_outside(who, detail::cell::order_stop);
}

void system::kill(const any_ref& who) noexcept {
  end_from_outside(who, detail::cell::order_kill_incarnation);
}

// -- names ------------------------------------------------------------------------

bool system::register_name(const std::string& name, const any_ref& who) {
  return who && impl_->core->register_name(name, *who.cell());
}

any_ref system::find_name(std::string_view name) {
  return any_ref(impl_->core->find_name(name));
}
any_ref system::find_path(std::string_view path) {
  return any_ref(impl_->core->find_path(path));
}

error system::lookup_error(const any_ref& found, std::string_view name) {
  if (!found) {
    return {make_error_code(errc::not_found), "no actor is called '" + std::string(name) + "'"};
  }
  return {make_error_code(errc::invalid_argument),
          "the actor called '" + std::string(name) + "' is a " + found.cell()->acts().name +
              ", which does not accept all messages of the ref that was asked for",
          found.path()};
}

// -- trees ------------------------------------------------------------------------

result<supervisor_ref> system::supervisor_at(std::string_view path) {
  const any_ref found = find_path(path);
  if (!found || found.cell()->acts().supervises == nullptr) {
    return std::unexpected(error(
        make_error_code(errc::not_found),
        found ? "the actor at this path is not a supervisor" : "no actor has this path", std::string(path)));
  }
  found.cell()->share();
  return supervisor_ref(found.cell());
}

}  // namespace troupe
