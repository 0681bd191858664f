// The part of a RESP2 client that the demonstration needs: pipelined commands, and replies without arrays.
// Owned by one actor or task.
#pragma once

#include <troupe/runtime/task.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace kv_demo {

/// One reply; arrays are not supported. The text is valid until the next call on the connection.
struct reply {
  char type = 0;  ///< '+', '-', ':' or '$'
  bool null = false;
  std::string_view text;
  bool is_error() const { return type == '-'; }
};

class resp_connection {
 public:
  static troupe::task<troupe::result<resp_connection>> open(std::uint16_t port);

  /// Adds a command to the buffer of the next send().
  void command(std::initializer_list<std::string_view> words);
  troupe::task<troupe::result<void>> send();

  /// The next reply. Call it once for each command.
  troupe::task<troupe::result<reply>> receive();

  /// Sends one command and receives its reply.
  troupe::task<troupe::result<reply>> ask(std::initializer_list<std::string_view> words);

 private:
  explicit resp_connection(troupe::tcp_stream s) : stream_(std::move(s)) {}
  troupe::task<troupe::result<reply>> send_and_receive();
  /// Takes the next reply; false when it has not arrived completely.
  bool take(reply& into);

  troupe::tcp_stream stream_;
  std::string out_;
  std::string in_;
  std::size_t begin_ = 0;  // of the unread bytes in in_
};

}  // namespace kv_demo
