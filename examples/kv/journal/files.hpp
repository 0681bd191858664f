// The few file operations a journal needs, as an interface, so that tests can fail each of them and cut the
// power at any byte. All calls block. Failures are error codes; nothing throws but bad_alloc.
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

  /// Writes at `offset`, maybe less than all: returns how many bytes, at least 1.
  virtual std::expected<std::size_t, std::error_code> write(std::uint64_t offset, std::string_view bytes) = 0;

  /// Reads from `offset`, maybe less than asked for; 0 at the end.
  virtual std::expected<std::size_t, std::error_code> read(std::uint64_t offset, std::span<char> into) = 0;

  virtual std::expected<std::uint64_t, std::error_code> size() = 0;
  virtual std::error_code truncate(std::uint64_t size) = 0;

  /// Puts what was written on the medium. May run on another thread than the other calls, beside them.
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

/// The machine's files. Lives as long as the process; any thread.
file_system& posix_files();

/// Keeps a second server out of a data directory: an advisory lock on a file in it, for as long as the object
/// lives.
class directory_lock {
 public:
  /// Creates the directory when it is missing. The error says which directory and why.
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
