// An actor that is one client: it writes and reads its own keys, remembers the acknowledged writes, and
// checks every value it reads against them.
//
// A write that was answered with an error, or not at all, may or may not have been executed. Until the next
// acknowledged write, or a read that shows which, both its value and the last acknowledged one are accepted.
#pragma once

#include "resp_connection.hpp"
#include "scoreboard.hpp"

#include <troupe/actors.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace kv_demo {

/// Writes and reads until scoreboard::stop, or until the server closes the connection when it is about to be
/// stopped.
struct run_load {
  using reply = bool;
  std::uint16_t port;
  bool server_stops = false;
};

/// Reads every key and counts the lost writes.
struct verify {
  using reply = bool;
  std::uint16_t port;
};

class load_client {
 public:
  using accepts = troupe::protocol<run_load, verify>;

  load_client(std::size_t index, std::shared_ptr<scoreboard> board)
      : index_(index),
        board_(std::move(board)),
        keys_(key_count),
        random_(static_cast<std::uint32_t>(index)) {}

  /// False, and a line on stderr, when the server gave a wrong answer or none.
  troupe::task<bool> handle(run_load m, troupe::context& ctx);
  troupe::task<bool> handle(verify m);

 private:
  struct key {
    std::uint64_t acknowledged = 0;          // the number in its value; 0: none yet
    std::vector<std::uint64_t> uncertain{};  // numbers of writes whose outcome is unknown
  };
  struct operation {
    std::size_t key;
    std::uint64_t written;  // 0: a read
  };
  static constexpr std::size_t key_count = 1000;
  static constexpr std::size_t batch_size = 16;

  void make_batch(resp_connection& c);
  void answered(const operation& o, const reply& r);
  void check(std::size_t at, const reply& r);
  std::string key_name(std::size_t at) const;
  std::string value(std::size_t at, std::uint64_t number) const;
  std::uint64_t number_in(std::size_t at, std::string_view value) const;
  bool fail(const troupe::error& why) const;

  std::size_t index_;
  std::shared_ptr<scoreboard> board_;
  std::vector<key> keys_;
  std::vector<operation> batch_;
  std::uint64_t next_number_ = 1;
  std::minstd_rand random_;
};

}  // namespace kv_demo
