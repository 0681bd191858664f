// The client side of RESP2, as far as the demonstration needs it: pipelined commands out, plain replies in.
// Owned by one actor or task.
#pragma once

#include <troupe/runtime/task.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace kv_demo {

/// One reply, but no array. The text is valid until the next call on the connection.
struct reply {
  char type = 0;  ///< '+', '-', ':' or '$'
  bool null = false;
  std::string_view text;
  bool is_error() const { return type == '-'; }
};

class resp_connection {
 public:
  static troupe::task<troupe::result<resp_connection>> open(std::uint16_t port);

  /// Adds a command to those that the next send() takes along.
  void command(std::initializer_list<std::string_view> words);
  troupe::task<troupe::result<void>> send();

  /// The next reply; one after the other, as many as there were commands.
  troupe::task<troupe::result<reply>> receive();

  /// One command and its reply.
  troupe::task<troupe::result<reply>> ask(std::initializer_list<std::string_view> words);

 private:
  explicit resp_connection(troupe::tcp_stream s) : stream_(std::move(s)) {}
  troupe::task<troupe::result<reply>> send_and_receive();
  /// The next reply if all of it has come already, else false.
  bool take(reply& into);

  troupe::tcp_stream stream_;
  std::string out_;
  std::string in_;
  std::size_t begin_ = 0;  // of what is left in in_
};

}  // namespace kv_demo
