#include <memory>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"
#include "inspection.hpp"
#include "last_report.hpp"

namespace troupe {

namespace {

runtime_options runtime_part(const system_options& o) {
  runtime_options r;
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
  impl(system& self, system_options o, runtime* shared)
      : options(std::move(o)),
        own(shared == nullptr ? std::make_unique<runtime>(runtime_part(options)) : nullptr),
        on(shared == nullptr ? *own : *shared) {
    if (options.shutdown.count() <= 0) {
      throw troupe_error(error(make_error_code(errc::invalid_argument),
                               "system_options.shutdown must be a positive duration"));
    }
    core = std::make_unique<detail::system_core>(self, on.engine(), on.place(), options.shutdown);
  }

  system_options options;
  std::unique_ptr<runtime> own;
  runtime& on;
  std::unique_ptr<detail::system_core> core;
};

system::system(system_options options) : impl_(new impl(*this, std::move(options), nullptr)) {}
system::system(runtime& on, system_options options) : impl_(new impl(*this, std::move(options), &on)) {}

system::~system() {
  if (!shutdown()) {
    // Something never came back from a handler. What it may still touch is left
    // behind on purpose: freeing it would turn a hang into corruption.
    (void)impl_->core.release();
  }
}

bool system::shutdown() {
  detail::system_core& core = *impl_->core;
  if (core.root_has_ended()) return core.wedged().empty();
  core.root().request(detail::cell::order_stop);
  const std::int64_t now = core.home().now();
  if (core.wait_for_root(detail::last_moment(now, impl_->options.shutdown))) {
    return !detail::report_wedged(core);
  }
  detail::report_running(*this);
  return false;
}

detail::cell& system::root() const noexcept {
  return impl_->core->root();
}
runtime& system::on() const noexcept {
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

void system::stop(const any_ref& who) noexcept {
  if (who && !who.ended()) who.cell()->request(detail::cell::order_stop);
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

void system::kill(const any_ref& who) noexcept {
  if (!who || who.ended()) return;
  detail::cell& c = *who.cell();
  c.request(detail::cell::order_slay);
  if (c.parent()->acts().supervises != nullptr) c.parent()->request(detail::cell::order_inspect);
}

result<supervisor_ref> system::supervisor_at(std::string_view path) {
  const any_ref found = find_path(path);
  if (!found || found.cell()->acts().supervises == nullptr) {
    return std::unexpected(error(make_error_code(errc::not_found),
                                 found ? "the actor at this path is no supervisor" : "no actor has this path",
                                 std::string(path)));
  }
  found.cell()->share();
  return supervisor_ref(found.cell());
}

}  // namespace troupe
