// The memory of TLS connections: when idle, and for each message.
#include "support/catch.hpp"
#include "support/sanitized.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <troupe/runtime/detail/slab.hpp>

#include <openssl/crypto.h>

#include <cstdio>
#include <malloc.h>

using namespace troupe;
using namespace troupe_test;

namespace {

// The sanitizers have their own malloc, whose calls are not counted here.
constexpr bool counts_memory = !sanitized;

std::size_t allocated() {
  const struct mallinfo2 now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

// OpenSSL's own memory for both ends, with a margin; a buffer that is not freed adds 16 KiB.
// Since 3.2 a connection has a record layer object of 4.4 KiB for each direction, and since 3.5 the key
// exchange is X25519MLKEM768 by default, whose keys stay until the end: 14 KiB.
std::size_t openssl_keeps() {
  const unsigned long version = ::OpenSSL_version_num();
  const std::size_t kib = version < 0x30200000L ? 40 : version < 0x30500000L ? 58 : 72;
  return kib * 1024;
}

task<void> exchange(tls_pair& p, std::size_t bytes) {
  const std::string text(bytes, 'x');
  must(co_await p.client.write_all(bytes_of(text)));
  (void)co_await read_exactly(p.server, bytes);
  must(co_await p.server.write_all(bytes_of(text)));
  (void)co_await read_exactly(p.client, bytes);
}

}  // namespace

TEST_CASE("tls memory: an idle connection holds no buffers, after large messages too") {
  constexpr std::size_t pairs = 100;
  runtime rt({.workers = 1});
  const tls_context server = server_context();
  const tls_context client = client_context();
  std::vector<tls_pair> all;
  all.reserve(pairs);
  const auto add = [&] {
    all.push_back(make_tls_pair(rt, server, client, {.server_name = "localhost"}));
    must(rt.block_on(exchange(all.back(), 20'000)));
  };
  for (int i = 0; i < 10; ++i) add();  // so that memory allocated once is not counted
  const std::size_t before = allocated();
  const std::size_t slab_before = detail::slab_statistics().live_objects;
  while (all.size() < pairs) add();
  const std::size_t both = (allocated() - before) / (pairs - 10);
  const std::size_t objects = (detail::slab_statistics().live_objects - slab_before) / (pairs - 10);
  if (counts_memory) {
    std::printf("tls memory: %zu bytes for both ends of an idle connection\n", both);
    CHECK(both < openssl_keeps());
  }
  CHECK(objects <= 8);  // for each end its channel and its socket; the rest is OpenSSL's
}

TEST_CASE("tls memory: a message needs no heap allocation for our frames and buffers") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt, {.read_deadline = 60s}, {.read_deadline = 60s});
  const auto answer = [](tls_stream s) -> task<void> {
    std::byte chunk[512];
    for (;;) {
      const std::size_t n = must(co_await s.read_some(chunk));
      if (n == 0) co_return;
      must(co_await s.write_all(std::span(chunk, n)));
    }
  };
  const auto ask = [](tls_stream s) -> task<std::uint64_t> {
    std::byte chunk[64] = {};
    std::uint64_t before = 0;
    for (int i = 0; i < 600; ++i) {
      if (i == 100) before = detail::slab_statistics().heap_calls;
      must(co_await s.write_all(chunk));
      if (i % 2 == 0) must(co_await s.wait_readable());
      must(co_await s.read_some(chunk));
    }
    co_return detail::slab_statistics().heap_calls - before;
  };
  rt.spawn(answer(std::move(p.server)));
  CHECK(must(rt.block_on(ask(std::move(p.client)))) == 0);
}
