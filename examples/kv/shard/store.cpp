// The operations of a store, on its keyspace.
#include "kv/shard/store.hpp"

#include "kv/integer.hpp"

namespace kv {

const entry* store::set(std::string_view key, std::string_view value, unix_ms now, set_options how) {
  const std::uint64_t hash = keys_.hash(key);
  entry* e = live(key, hash, now);
  if (how.previous != nullptr && e != nullptr) *how.previous = std::string(e->value());
  if ((how.condition == set_condition::if_absent && e != nullptr) ||
      (how.condition == set_condition::if_present && e == nullptr)) {
    return nullptr;
  }
  if (e == nullptr) return &keys_.insert(key, hash, value, how.expires_at);
  e->set_value(value);
  if (!how.keep_expiry) {
    e->expires_at = how.expires_at;
    keys_.note_expiry(hash, how.expires_at);
  }
  return e;
}

bool store::erase(std::string_view key, unix_ms now) {
  entry* e = live(key, keys_.hash(key), now);
  if (e == nullptr) return false;
  keys_.erase(e);
  return true;
}

std::expected<const entry*, value_error> store::add(std::string_view key, std::int64_t delta, unix_ms now) {
  const std::uint64_t hash = keys_.hash(key);
  entry* e = live(key, hash, now);
  if (e == nullptr) return &keys_.insert(key, hash, integer_text(delta).view(), never);
  const auto before = parse_integer(e->value());
  if (!before) return std::unexpected(value_error::not_an_integer);
  std::int64_t after = 0;
  if (__builtin_add_overflow(*before, delta, &after)) return std::unexpected(value_error::overflow);
  e->set_value(integer_text(after).view());
  return e;
}

std::expected<const entry*, value_error> store::append(std::string_view key, std::string_view suffix,
                                                       unix_ms now) {
  const std::uint64_t hash = keys_.hash(key);
  entry* e = live(key, hash, now);
  if (e == nullptr) return &keys_.insert(key, hash, suffix, never);
  if (suffix.size() > max_value_ || e->value().size() > max_value_ - suffix.size()) {
    return std::unexpected(value_error::too_long);
  }
  e->append_value(suffix);
  return e;
}

expire_outcome store::expire(std::string_view key, unix_ms at, unsigned conditions, unix_ms now) {
  const std::uint64_t hash = keys_.hash(key);
  entry* e = live(key, hash, now);
  if (e == nullptr) return expire_outcome::refused;
  const auto wants = [conditions](expire_condition c) {
    return (conditions & static_cast<unsigned>(c)) != 0;
  };
  if ((wants(expire_condition::if_never) && e->expires_at != never) ||
      (wants(expire_condition::if_expiring) && e->expires_at == never) ||
      (wants(expire_condition::if_later) && at <= e->expires_at) ||
      (wants(expire_condition::if_earlier) && at >= e->expires_at)) {
    return expire_outcome::refused;
  }
  if (at <= now) {
    keys_.erase(e);
    return expire_outcome::erased;
  }
  e->expires_at = at;
  keys_.note_expiry(hash, at);
  return expire_outcome::changed;
}

bool store::persist(std::string_view key, unix_ms now) {
  entry* e = live(key, keys_.hash(key), now);
  if (e == nullptr || e->expires_at == never) return false;
  e->expires_at = never;
  return true;
}

std::size_t store::expire_some(unix_ms now, std::size_t limit) {
  std::size_t removed = 0;
  std::size_t looked_at = 0;
  do {
    sweep_ = keys_.sweep_segment(sweep_, now, [&](const entry&) { ++removed; });
    ++looked_at;
  } while (sweep_ != 0 && removed < limit && looked_at < limit);
  return removed;
}

void store::apply(const effect& e) {
  const std::uint64_t hash = e.kind == effect_kind::clear ? 0 : keys_.hash(e.key);
  entry* const found = e.kind == effect_kind::clear ? nullptr : keys_.find(e.key, hash);
  switch (e.kind) {
    case effect_kind::set:
      if (found == nullptr) {
        keys_.insert(e.key, hash, e.value, e.expires_at);
      } else {
        found->set_value(e.value);
        found->expires_at = e.expires_at;
        keys_.note_expiry(hash, e.expires_at);
      }
      break;
    case effect_kind::erase:
      if (found != nullptr) keys_.erase(found);
      break;
    case effect_kind::expire:
      if (found != nullptr) {
        found->expires_at = e.expires_at;
        keys_.note_expiry(hash, e.expires_at);
      }
      break;
    case effect_kind::append:
      if (found == nullptr) {
        keys_.insert(e.key, hash, e.value, never);
      } else {
        found->append_value(e.value);
      }
      break;
    case effect_kind::clear:
      clear();
      break;
  }
}

}  // namespace kv
