// An idiomatic echo server on CAF: a broker for each connection, forked from the broker that accepts. CAF's
// brokers speak TCP; its datagram servants are not documented, so UDP is left out.
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

caf::behavior serve(caf::io::broker* self, caf::io::connection_handle connection, std::size_t buffer) {
  self->configure_read(connection, caf::io::receive_policy::at_most(buffer));
  return {
      [=](const caf::io::new_data_msg& m) {
        self->write(m.handle, m.buf.size(), m.buf.data());
        self->flush(m.handle);
      },
      [=](const caf::io::connection_closed_msg&) { self->quit(); },
  };
}

caf::behavior accept(caf::io::broker* self, std::size_t buffer) {
  return {
      [=](const caf::io::new_connection_msg& m) { self->fork(serve, m.handle, buffer); },
      [=](const caf::io::acceptor_closed_msg&) { self->quit(); },
  };
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  std::size_t buffer = 4096;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--buf") == 0) buffer = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--proto") == 0 && std::strcmp(argv[i + 1], "udp") == 0) {
      std::fprintf(stderr, "caf-echo: TCP only\n");
      return 2;
    }
  }
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  config.set("scheduler.max-threads", 1);
  caf::actor_system system(config);
  const auto server = system.middleman().spawn_server(accept, port, buffer);
  if (!server) {
    std::fprintf(stderr, "caf-echo: %s\n", system.render(server.error()).c_str());
    return 1;
  }
  std::puts("READY");
  std::fflush(stdout);
  system.await_all_actors_done();
}
