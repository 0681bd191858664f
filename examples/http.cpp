// A small HTTP/1.1 server: keep-alive, pipelining, and a limit on everything that a client controls. It
// answers GET and HEAD with a greeting, and refuses request bodies.
//
//   troupe-http --port 8080 &
//   curl http://127.0.0.1:8080/
//   wrk -c 100 -d 5 http://127.0.0.1:8080/
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

/// The parts of a request that this server uses.
struct request {
  std::string_view method;
  bool keep_alive = true;
  bool has_body = false;
};

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](unsigned char c) { return std::tolower(c); },
      [](unsigned char c) { return std::tolower(c); });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// Removes the first line of `head` and returns it.
std::string_view take_line(std::string_view& head) {
  const std::size_t end = std::min(head.find("\r\n"), head.size());
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(std::min(end + 2, head.size()));
  return line;
}

/// Parses the header of a request, without the empty line at its end; nullopt when it is malformed.
std::optional<request> parse(std::string_view head) {
  const std::string_view line = take_line(head);
  const std::size_t target = line.find(' ');
  const std::size_t version = line.rfind(' ');
  if (target == 0 || target == line.npos || version <= target + 1) return std::nullopt;
  request r{.method = line.substr(0, target)};
  if (line.substr(version + 1) == "HTTP/1.0") {
    r.keep_alive = false;
  } else if (line.substr(version + 1) != "HTTP/1.1") {
    return std::nullopt;
  }
  while (!head.empty()) {
    const std::string_view field = take_line(head);
    const std::size_t colon = field.find(':');
    const std::string_view name = field.substr(0, colon);
    if (colon == field.npos || name.empty() || name.find_first_of(" \t") != name.npos) return std::nullopt;
    const std::string_view value = trimmed(field.substr(colon + 1));
    if (same_word(name, "connection") && same_word(value, "close")) r.keep_alive = false;
    if (same_word(name, "connection") && same_word(value, "keep-alive")) r.keep_alive = true;
    if (same_word(name, "content-length") && value != "0") r.has_body = true;
    if (same_word(name, "transfer-encoding")) r.has_body = true;
  }
  return r;
}

std::string answer(std::string_view status, std::string_view body, bool keep_alive, bool with_body = true) {
  std::string text("HTTP/1.1 ");
  text.append(status).append("\r\nContent-Type: text/plain\r\nContent-Length: ");
  text.append(std::to_string(body.size())).append(keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
  if (with_body) text.append(body);
  return text;
}

/// One connection: answers requests one after the other.
class session {
 public:
  explicit session(troupe::duration head_deadline) : head_deadline_(head_deadline) {}

  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer) {
    // A client that trickles its header is disconnected by frame_deadline (slowloris), an idle one by
    // read_deadline.
    heads requests(std::move(peer), troupe::delimiter_codec({.delimiter = "\r\n\r\n", .max_frame = 8192}),
                   {.frame_deadline = head_deadline_});
    for (bool more = true; more;) {
      // Answers to pipelined requests are sent together, before the next wait. A stop of the server cuts none
      // of them.
      auto head = requests.try_next();
      if (head && !*head) {
        if (!co_await requests.flush()) co_return;
        head = co_await troupe::until_stopped(ctx, requests.next());
      }
      if (head && !*head) co_return;  // the client has closed the connection
      if (!head && head.error() != std::make_error_code(std::errc::message_size)) break;
      const std::string text =
          head ? reply_to(**head, more) : refuse("431 Request Header Fields Too Large", more);
      if (!co_await requests.bytes().write_all(std::as_bytes(std::span(text)))) co_return;
    }
    co_await troupe::close_gracefully(requests.bytes(), 1s);
  }

 private:
  using heads = troupe::framed<troupe::tcp_stream, troupe::delimiter_codec>;

  static std::string reply_to(std::span<const std::byte> head, bool& more) {
    const auto r = parse({reinterpret_cast<const char*>(head.data()), head.size()});
    if (!r) return refuse("400 Bad Request", more);
    if (r->has_body) return refuse("413 Content Too Large", more);
    if (r->method != "GET" && r->method != "HEAD") return refuse("501 Not Implemented", more);
    more = r->keep_alive;
    return answer("200 OK", "Hello, world!\n", more, r->method == "GET");
  }
  static std::string refuse(std::string_view status, bool& more) {
    more = false;
    return answer(status, "", more);
  }

  troupe::duration head_deadline_;
};

int main(int argc, char** argv) {
  std::uint16_t port = 8080;
  unsigned head_s = 10;
  CLI::App app("An HTTP server on 127.0.0.1");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  app.add_option("--head-timeout", head_s,
                 "Disconnect a client that takes more than N seconds to send the header of a request")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  troupe::system sys({.name = "http"});
  const troupe::tcp_server<session> server("tcp",
                                           {.listen = troupe::ip_endpoint::loopback(port),
                                            .connection = {.read_deadline = 60s},
                                            .on_listening =
                                                [](const troupe::ip_endpoint& at) {
                                                  std::printf("READY port=%u\n", unsigned{at.port()});
                                                  std::fflush(stdout);
                                                }},
                                           troupe::duration(std::chrono::seconds(head_s)));
  return sys.run(troupe::supervisor("app").child(server));
}
