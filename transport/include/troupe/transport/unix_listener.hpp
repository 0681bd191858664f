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

/// A listening unix socket. Move-only; its destructor closes it.
/// Threads: one strand at a time, as a tcp_listener; it may be bound, and moved to its strand, on any
/// thread.
class unix_listener {
 public:
  /// Not listening: every operation yields errc::closed.
  unix_listener() noexcept = default;
  unix_listener(unix_listener&& other) noexcept = default;
  unix_listener& operator=(unix_listener&& other) noexcept;
  ~unix_listener() { close(); }

  /// Listens at `path` (unix_options.hpp). A socket file without a listener, as a crash leaves it behind, is
  /// replaced. Waits for no other process.
  /// Errors: invalid_argument for an invalid name; std::errc::address_in_use if another socket has the file;
  /// std::errc::file_exists for a file of another kind; std::errc::address_family_not_supported on the
  /// simulated runtime; otherwise the system's code. The text says what to do.
  /// Threads: any.
  [[nodiscard]] static result<unix_listener> bind(std::string path, unix_listen_options options = {});

  /// The next connection; errors and cancellation as tcp_listener::accept().
  [[nodiscard]] task<result<unix_stream>> accept();

  /// Stops listening, and removes its file, unless that has been replaced by another one. An accept under way
  /// yields errc::closed.
  void close() noexcept;
  /// Whether it listens: bound, and not closed.
  [[nodiscard]] bool is_open() const noexcept;
  /// The name at which it was bound.
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
