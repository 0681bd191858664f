// A listening unix socket as awaitables.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/unix_options.hpp>
#include <troupe/transport/unix_stream.hpp>

#include <cstdint>
#include <string>

namespace troupe {

/// Move-only; closes in its destructor, and removes its file, unless that has
/// been replaced by another one. Owned by one strand at a time, as a
/// tcp_listener. Not available on the simulated runtime.
class unix_listener {
 public:
  /// Not listening: every operation yields errc::closed.
  unix_listener() noexcept = default;
  unix_listener(unix_listener&& other) noexcept = default;
  unix_listener& operator=(unix_listener&& other) noexcept;
  ~unix_listener() { close(); }

  /// Listens at `path` (unix_options.hpp). A socket file without a listener,
  /// as a crash leaves it behind, is replaced; one in use, or a file of another
  /// kind, is an error that says so. Any thread; does not block.
  [[nodiscard]] static result<unix_listener> bind(std::string path, unix_listen_options options = {});

  /// The next connection; as tcp_listener::accept().
  [[nodiscard]] task<result<unix_stream>> accept();

  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  unix_listener(detail::socket_ref socket, std::string path) noexcept
      : socket_(std::move(socket)), path_(std::move(path)) {}

  detail::socket_ref socket_;
  std::string path_;
  // Which file is ours; 0: none is.
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace troupe
