// Datagrams that are received or sent with one system call.
#pragma once

#include <troupe/transport/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>

namespace troupe {

namespace detail {
struct batch_memory;
struct batch_memory_delete {
  void operator()(batch_memory* m) const noexcept;
};
}  // namespace detail

/// Room for a number of datagrams, with their peers, allocated once and used again and again. Move-only; one
/// that was moved from can only be destroyed or assigned to. An echo is
///
///     while (co_await s.receive_batch(batch)) co_await s.send_batch(batch);
///
/// Datagrams of one size that follow each other to one peer go through the kernel as one message, which it
/// splits at the end, where it can: keep them together.
/// Threads: one at a time. While a receive_batch() or send_batch() with it is under way, that operation owns
/// it.
class datagram_batch {
 public:
  /// Up to `capacity` datagrams (1 to 1024) of up to `datagram_bytes` (1 to 65535) each; both are clamped.
  /// Errors: throws bad_alloc.
  /// Cost: allocates all memory here, `capacity` times `datagram_bytes` and headers; no other function
  /// allocates.
  explicit datagram_batch(std::size_t capacity = 64, std::size_t datagram_bytes = 2048);

  [[nodiscard]] std::size_t capacity() const noexcept;
  /// The longest datagram it holds; longer ones that arrive are truncated().
  [[nodiscard]] std::size_t datagram_bytes() const noexcept;
  /// Datagrams in it now.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Removes all datagrams.
  void clear() noexcept;

  // -- the i-th datagram, i < size() --------------------------------------------

  /// Its bytes.
  [[nodiscard]] std::span<std::byte> operator[](std::size_t i) noexcept;
  [[nodiscard]] std::span<const std::byte> operator[](std::size_t i) const noexcept;
  /// It was longer than datagram_bytes(), and its end is lost.
  [[nodiscard]] bool truncated(std::size_t i) const noexcept;
  /// Its sender, or its receiver; 0.0.0.0:0 if it was added without one.
  [[nodiscard]] ip_endpoint peer(std::size_t i) const noexcept;
  /// Makes `to` its receiver.
  void set_peer(std::size_t i, const ip_endpoint& to) noexcept;
  /// Gives it another length, to be filled through operator[]; at most datagram_bytes().
  void resize(std::size_t i, std::size_t bytes) noexcept;

  // -- for sending ---------------------------------------------------------------

  /// Adds a copy. False: the batch is full, or the datagram too long for it.
  [[nodiscard]] bool push(std::span<const std::byte> bytes, const ip_endpoint& to) noexcept;
  /// The same for a connected socket.
  [[nodiscard]] bool push(std::span<const std::byte> bytes) noexcept;
  /// How many of them the kernel refused to send in the last send_batch().
  [[nodiscard]] std::size_t refused() const noexcept;
  /// Why it refused the first of those; no error if there is none.
  [[nodiscard]] std::error_code why_refused() const noexcept;

 private:
  friend class udp_socket;
  std::unique_ptr<detail::batch_memory, detail::batch_memory_delete> memory_;
};

}  // namespace troupe
