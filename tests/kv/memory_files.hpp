// A file system in memory that logs every change, for tests of the journal: any write can be made short or
// fail, and the state after a crash at any byte can be rebuilt. Changes take effect in order, and the last
// write may be partial.
#pragma once

#include "kv/journal/files.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

namespace kv_test {

using contents = std::map<std::string, std::shared_ptr<std::string>>;

class memory_files final : public kv::file_system {
 public:
  memory_files() = default;
  /// Starts with existing files, which no crash changes.
  explicit memory_files(const contents& state) {
    for (const auto& [name, bytes] : state) {
      files_[name] = std::make_shared<std::string>(*bytes);
      ids_[files_[name].get()] = opened_++;
      log({0, [name, text = *bytes](contents& s, copies_list& copies, std::size_t) {
             copies.push_back(std::make_shared<std::string>(text));
             s[name] = copies.back();
             return std::size_t{0};
           }});
    }
  }

  /// The number of bytes that the next write accepts; 0 makes it fail with ENOSPC. Unset: all.
  std::function<std::size_t(std::size_t size)> write_limit;
  bool fail_sync = false;
  bool fail_rename = false;
  bool fail_directory_sync = false;
  int syncs = 0;
  int writes = 0;

  contents& files() { return files_; }
  std::string& bytes(const std::filesystem::path& path) { return *files_.at(path.string()); }

  /// The number of crash points so far: one after every change, and one after every byte of a write.
  std::size_t crash_points() const { return points_; }

  /// The crash point of the last sync: a power loss keeps everything up to here, and any part of the rest.
  std::size_t synced_point() const { return synced_; }

  /// The files after a crash at that point.
  contents after_crash(std::size_t point) const {
    contents state;
    std::vector<std::shared_ptr<std::string>> copies;
    for (const change& c : log_) {
      if (point == 0 && c.points != 0) break;
      point -= c.apply(state, copies, point);
    }
    return state;
  }

  std::expected<std::shared_ptr<kv::file>, std::error_code> open(const std::filesystem::path& path,
                                                                 open_mode mode) override {
    const std::string name = path.string();
    if (mode == open_mode::existing) {
      if (!files_.contains(name))
        return std::unexpected(std::make_error_code(std::errc::no_such_file_or_directory));
    } else {
      files_[name] = std::make_shared<std::string>();
      ids_[files_[name].get()] = opened_++;
      log({1, [name](contents& state, auto& copies, std::size_t) {
             copies.push_back(std::make_shared<std::string>());
             state[name] = copies.back();
             return std::size_t{1};
           }});
    }
    return std::make_shared<handle>(*this, files_[name]);
  }
  bool exists(const std::filesystem::path& path) override { return files_.contains(path.string()); }
  std::error_code link(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return move(from.string(), to.string(), true);
  }
  std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (fail_rename) return std::make_error_code(std::errc::io_error);
    return move(from.string(), to.string(), false);
  }
  std::error_code remove(const std::filesystem::path& path) override {
    if (files_.erase(path.string()) == 0) return std::make_error_code(std::errc::no_such_file_or_directory);
    log({1, [name = path.string()](contents& state, auto&, std::size_t) {
           state.erase(name);
           return std::size_t{1};
         }});
    return {};
  }
  std::error_code sync_directory(const std::filesystem::path&) override {
    return fail_directory_sync ? std::make_error_code(std::errc::io_error) : std::error_code{};
  }

 private:
  using copies_list = std::vector<std::shared_ptr<std::string>>;
  struct change {
    std::size_t points;
    std::function<std::size_t(contents&, copies_list&, std::size_t points)> apply;
  };

  class handle final : public kv::file {
   public:
    handle(memory_files& owner, std::shared_ptr<std::string> bytes)
        : owner_(owner), bytes_(std::move(bytes)) {}

    std::expected<std::size_t, std::error_code> write(std::uint64_t offset, std::string_view from) override {
      ++owner_.writes;
      const std::size_t size =
          owner_.write_limit ? std::min(owner_.write_limit(from.size()), from.size()) : from.size();
      if (size == 0) return std::unexpected(std::make_error_code(std::errc::no_space_on_device));
      put(*bytes_, offset, from.substr(0, size));
      const auto id = owner_.ids_.find(bytes_.get());
      if (id != owner_.ids_.end()) {
        owner_.log({size, [n = id->second, offset, text = std::string(from.substr(0, size))](
                              contents&, copies_list& copies, std::size_t points) {
                      const std::size_t part = std::min(points, text.size());
                      put(*copies[n], offset, std::string_view(text).substr(0, part));
                      return part;
                    }});
      }
      return size;
    }
    std::expected<std::size_t, std::error_code> read(std::uint64_t offset, std::span<char> into) override {
      if (offset >= bytes_->size()) return 0;
      return bytes_->copy(into.data(), into.size(), offset);
    }
    std::expected<std::uint64_t, std::error_code> size() override { return bytes_->size(); }
    std::error_code truncate(std::uint64_t size) override {
      bytes_->resize(size);
      const auto id = owner_.ids_.find(bytes_.get());
      if (id != owner_.ids_.end()) {
        owner_.log({1, [n = id->second, size](contents&, copies_list& copies, std::size_t) {
                      copies[n]->resize(size);
                      return std::size_t{1};
                    }});
      }
      return {};
    }
    std::error_code sync() override {
      ++owner_.syncs;
      if (!owner_.fail_sync) owner_.synced_ = owner_.points_;
      return owner_.fail_sync ? std::make_error_code(std::errc::io_error) : std::error_code{};
    }

   private:
    memory_files& owner_;
    std::shared_ptr<std::string> bytes_;
  };

  static void put(std::string& bytes, std::uint64_t offset, std::string_view from) {
    if (bytes.size() < offset + from.size()) bytes.resize(offset + from.size());
    bytes.replace(offset, from.size(), from);
  }

  std::error_code move(const std::string& from, const std::string& to, bool keep) {
    const auto at = files_.find(from);
    if (at == files_.end()) return std::make_error_code(std::errc::no_such_file_or_directory);
    files_[to] = at->second;
    if (!keep) files_.erase(from);
    log({1, [from, to, keep](contents& state, auto&, std::size_t) {
           state[to] = state[from];
           if (!keep) state.erase(from);
           return std::size_t{1};
         }});
    return {};
  }

  void log(change c) {
    points_ += c.points;
    log_.push_back(std::move(c));
  }

  contents files_;
  std::map<const std::string*, std::size_t> ids_;  // the number of the opened file that a string belongs to
  std::size_t opened_ = 0;
  std::vector<change> log_;
  std::size_t points_ = 0;
  std::size_t synced_ = 0;
};

}  // namespace kv_test
