// The file operations that a journal needs, as an interface: tests can make each of them fail, and simulate a
// power loss at any byte. All calls block. Failures are error codes; only bad_alloc is thrown.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace kv {

class file {
 public:
  virtual ~file() = default;

  /// Writes at `offset`, maybe only a part. Returns the number of bytes written, at least 1.
  virtual std::expected<std::size_t, std::error_code> write(std::uint64_t offset, std::string_view bytes) = 0;

  /// Reads from `offset`, maybe only a part. Returns the number of bytes read; 0 at the end.
  virtual std::expected<std::size_t, std::error_code> read(std::uint64_t offset, std::span<char> into) = 0;

  virtual std::expected<std::uint64_t, std::error_code> size() = 0;
  virtual std::error_code truncate(std::uint64_t size) = 0;

  /// Makes all written bytes durable.
  /// Threads: may run on another thread, concurrently with the other calls.
  virtual std::error_code sync() = 0;
};

class file_system {
 public:
  enum class open_mode { existing, new_or_emptied };

  virtual ~file_system() = default;
  virtual std::expected<std::shared_ptr<file>, std::error_code> open(const std::filesystem::path& path,
                                                                     open_mode mode) = 0;
  virtual bool exists(const std::filesystem::path& path) = 0;
  virtual std::error_code link(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual std::error_code remove(const std::filesystem::path& path) = 0;

  /// Makes earlier links, renames and removals in a directory durable.
  virtual std::error_code sync_directory(const std::filesystem::path& path) = 0;
};

/// The file system of the host. Lives as long as the process; any thread.
file_system& posix_files();

/// Keeps a second server out of a data directory, by an advisory lock on a file in it. Holds the lock for its
/// lifetime.
class directory_lock {
 public:
  /// Creates the directory when it is missing.
  /// Errors: a sentence that names the directory and the cause.
  static std::expected<directory_lock, std::string> acquire(const std::filesystem::path& directory);

  directory_lock(directory_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  directory_lock& operator=(directory_lock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~directory_lock();

 private:
  explicit directory_lock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace kv
