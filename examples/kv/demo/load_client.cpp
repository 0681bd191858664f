// The load, the check of each reply, and the verification at the end.
#include "load_client.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace kv_demo {

troupe::task<bool> load_client::handle(run_load m, troupe::context& ctx) {
  auto connection = co_await resp_connection::open(m.port);
  if (!connection) co_return fail(connection.error());
  while (!board_->stop.load(std::memory_order_relaxed)) {
    make_batch(*connection);
    const troupe::time_point start = ctx.now();
    const auto sent = co_await connection->send();
    std::size_t done = 0;
    troupe::error why = sent ? troupe::error(troupe::errc::closed) : sent.error();
    while (sent && done < batch_.size()) {
      const auto r = co_await connection->receive();
      if (!r) {
        why = r.error();
        break;
      }
      answered(batch_[done++], *r);
    }
    board_->operations.fetch_add(done, std::memory_order_relaxed);
    if (done == batch_.size()) {
      board_->round_trips.add(static_cast<std::uint64_t>((ctx.now() - start).count()));
      continue;
    }
    for (; done < batch_.size(); ++done) {
      if (batch_[done].written != 0) keys_[batch_[done].key].uncertain.push_back(batch_[done].written);
    }
    co_return m.server_stops || fail(why);
  }
  co_return true;
}

troupe::task<bool> load_client::handle(verify m) {
  auto connection = co_await resp_connection::open(m.port);
  if (!connection) co_return fail(connection.error());
  for (std::size_t at = 0; at < keys_.size(); ++at) connection->command({"GET", key_name(at)});
  if (const auto sent = co_await connection->send(); !sent) co_return fail(sent.error());
  for (std::size_t at = 0; at < keys_.size(); ++at) {
    const auto r = co_await connection->receive();
    if (!r) co_return fail(r.error());
    if (r->is_error()) {
      std::fprintf(stderr, "client %zu: %.*s\n", index_, static_cast<int>(r->text.size()), r->text.data());
      co_return false;
    }
    check(at, *r);
  }
  co_return true;
}

void load_client::make_batch(resp_connection& c) {
  batch_.clear();
  while (batch_.size() < batch_size) {
    const std::size_t at = random_() % keys_.size();
    const bool writes = random_() % 2 == 0;
    batch_.push_back({at, writes ? next_number_++ : 0});
    if (writes) {
      c.command({"SET", key_name(at), value(at, batch_.back().written)});
    } else {
      c.command({"GET", key_name(at)});
    }
  }
}

void load_client::answered(const operation& o, const reply& r) {
  key& k = keys_[o.key];
  if (r.is_error()) {
    board_->refused.fetch_add(1, std::memory_order_relaxed);
    if (o.written != 0) k.uncertain.push_back(o.written);
  } else if (o.written != 0) {
    k = {.acknowledged = o.written};
    board_->acknowledged.fetch_add(1, std::memory_order_relaxed);
  } else {
    check(o.key, r);
  }
}

void load_client::check(std::size_t at, const reply& r) {
  key& k = keys_[at];
  const std::uint64_t found = r.null ? 0 : number_in(at, r.text);
  const bool expected = found == k.acknowledged || std::ranges::find(k.uncertain, found) != k.uncertain.end();
  if (!expected) {
    if (board_->lost.fetch_add(1, std::memory_order_relaxed) < 5) {
      std::fprintf(stderr, "%s: expected write %llu, found %llu\n", key_name(at).c_str(),
                   static_cast<unsigned long long>(k.acknowledged), static_cast<unsigned long long>(found));
    }
  }
  k = {.acknowledged = found};  // from now on this is the expected value
}

std::string load_client::key_name(std::size_t at) const {
  return "demo:" + std::to_string(index_) + ":" + std::to_string(at);
}

std::string load_client::value(std::size_t at, std::uint64_t number) const {
  return key_name(at) + "=" + std::to_string(number);
}

/// ~0 when `value` is not a value of this key.
std::uint64_t load_client::number_in(std::size_t at, std::string_view value) const {
  const std::string prefix = key_name(at) + "=";
  if (!value.starts_with(prefix)) return ~std::uint64_t{0};
  value.remove_prefix(prefix.size());
  std::uint64_t number = ~std::uint64_t{0};
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

bool load_client::fail(const troupe::error& why) const {
  std::fprintf(stderr, "client %zu: %s\n", index_, why.to_string().c_str());
  return false;
}

}  // namespace kv_demo
