// The POSIX implementation of the file interface.
#include "kv/journal/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kv {
namespace {

std::error_code last_error() {
  return {errno, std::generic_category()};
}

/// The descriptor, or -1 with errno set.
int open_descriptor(const std::filesystem::path& path, int flags) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (descriptor >= 0 || errno != EINTR) return descriptor;
  }
}

class posix_file final : public file {
 public:
  explicit posix_file(int descriptor) : descriptor_(descriptor) {}
  posix_file(const posix_file&) = delete;
  posix_file& operator=(const posix_file&) = delete;
  ~posix_file() override { ::close(descriptor_); }

  std::expected<std::size_t, std::error_code> write(std::uint64_t offset, std::string_view bytes) override {
    for (;;) {
      const ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done > 0) return static_cast<std::size_t>(done);
      if (done == 0) return std::unexpected(std::make_error_code(std::errc::no_space_on_device));
      if (errno != EINTR) return std::unexpected(last_error());
    }
  }

  std::expected<std::size_t, std::error_code> read(std::uint64_t offset, std::span<char> into) override {
    for (;;) {
      const ssize_t done = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      if (done >= 0) return static_cast<std::size_t>(done);
      if (errno != EINTR) return std::unexpected(last_error());
    }
  }

  std::expected<std::uint64_t, std::error_code> size() override {
    struct ::stat status{};
    if (::fstat(descriptor_, &status) != 0) return std::unexpected(last_error());
    return static_cast<std::uint64_t>(status.st_size);
  }

  std::error_code truncate(std::uint64_t size) override {
    return ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0 ? std::error_code{} : last_error();
  }

  std::error_code sync() override {
    while (::fdatasync(descriptor_) != 0) {
      if (errno != EINTR) return last_error();
    }
    return {};
  }

 private:
  int descriptor_;
};

class posix_file_system final : public file_system {
 public:
  std::expected<std::shared_ptr<file>, std::error_code> open(const std::filesystem::path& path,
                                                             open_mode mode) override {
    const int flags = O_RDWR | (mode == open_mode::existing ? 0 : O_CREAT | O_TRUNC);
    const int descriptor = open_descriptor(path, flags);
    if (descriptor < 0) return std::unexpected(last_error());
    return std::make_shared<posix_file>(descriptor);
  }

  bool exists(const std::filesystem::path& path) override {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }

  std::error_code link(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return ::link(from.c_str(), to.c_str()) == 0 ? std::error_code{} : last_error();
  }

  std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? std::error_code{} : last_error();
  }

  std::error_code remove(const std::filesystem::path& path) override {
    return ::unlink(path.c_str()) == 0 ? std::error_code{} : last_error();
  }

  std::error_code sync_directory(const std::filesystem::path& path) override {
    const int descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return last_error();
    const std::error_code result = ::fsync(descriptor) == 0 ? std::error_code{} : last_error();
    ::close(descriptor);
    return result;
  }
};

}  // namespace

file_system& posix_files() {
  static posix_file_system instance;
  return instance;
}

std::expected<directory_lock, std::string> directory_lock::acquire(const std::filesystem::path& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) {
    return std::unexpected("cannot create the data directory '" + directory.string() +
                           "': " + failed.message());
  }
  const int descriptor = open_descriptor(directory / "lock", O_RDWR | O_CREAT);
  if (descriptor < 0) {
    return std::unexpected("cannot use the data directory '" + directory.string() +
                           "': " + last_error().message());
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    const std::string why =
        taken ? "another server uses it; stop that one or pass another --dir" : last_error().message();
    ::close(descriptor);
    return std::unexpected("cannot lock the data directory '" + directory.string() + "': " + why);
  }
  return directory_lock(descriptor);
}

directory_lock::~directory_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace kv
