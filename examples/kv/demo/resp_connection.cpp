// Encoding of commands and decoding of replies.
#include "resp_connection.hpp"

#include <charconv>
#include <chrono>
#include <span>

namespace kv_demo {
namespace {

using namespace std::chrono_literals;

// Longer than any pause of the server after a crash: a server that takes longer hangs.
constexpr auto deadline = 10s;
constexpr std::size_t read_bytes = 16 * 1024;

}  // namespace

troupe::task<troupe::result<resp_connection>> resp_connection::open(std::uint16_t port) {
  auto stream = co_await troupe::tcp_stream::connect(troupe::ip_endpoint::loopback(port), deadline,
                                                     {.read_deadline = deadline, .write_deadline = deadline});
  if (!stream) co_return std::unexpected(stream.error());
  co_return resp_connection(std::move(*stream));
}

void resp_connection::command(std::initializer_list<std::string_view> words) {
  out_.append("*").append(std::to_string(words.size())).append("\r\n");
  for (const std::string_view word : words) {
    out_.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
}

troupe::task<troupe::result<void>> resp_connection::send() {
  const std::string bytes = std::exchange(out_, {});
  co_return co_await stream_.write_all(std::as_bytes(std::span(bytes)));
}

bool resp_connection::take(reply& into) {
  const std::string_view all = std::string_view(in_).substr(begin_);
  const std::size_t line = all.find("\r\n");
  if (line == std::string_view::npos) return false;
  into = {.type = all[0], .text = all.substr(1, line - 1)};
  std::size_t used = line + 2;
  if (into.type == '$') {
    std::int64_t size = 0;
    std::from_chars(into.text.data(), into.text.data() + into.text.size(), size);
    into.null = size < 0;
    into.text = {};
    if (!into.null) {
      const auto length = static_cast<std::size_t>(size);
      if (all.size() < used + length + 2) return false;
      into.text = all.substr(used, length);
      used += length + 2;
    }
  }
  begin_ += used;
  return true;
}

troupe::task<troupe::result<reply>> resp_connection::receive() {
  reply r;
  while (!take(r)) {
    in_.erase(0, std::exchange(begin_, 0));
    const std::size_t had = in_.size();
    in_.resize(had + read_bytes);
    const auto got = co_await stream_.read_some(std::as_writable_bytes(std::span(in_).subspan(had)));
    in_.resize(had + (got ? *got : 0));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return std::unexpected(troupe::error(troupe::errc::closed));
  }
  co_return r;
}

troupe::task<troupe::result<reply>> resp_connection::ask(std::initializer_list<std::string_view> words) {
  command(words);  // before the coroutine, which may start after the words are gone
  return send_and_receive();
}

troupe::task<troupe::result<reply>> resp_connection::send_and_receive() {
  if (auto sent = co_await send(); !sent) co_return std::unexpected(sent.error());
  co_return co_await receive();
}

}  // namespace kv_demo
