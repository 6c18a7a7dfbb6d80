#include <algorithm>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/session/settings.hpp>

namespace sherd::session {
namespace {

constexpr std::uint64_t kFnvOffset = 14695981039346656037U;
constexpr std::uint64_t kFnvPrime = 1099511628211U;

void mix(std::uint64_t& hash, std::string_view text) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  }
  hash = (hash ^ 0xFFU) * kFnvPrime;  // a byte that UTF-8 never holds: ("a","bc") is not ("ab","c")
}

}  // namespace

std::uint64_t fingerprint(const SettingMap& settings) {
  if (settings.empty()) {
    return 0;
  }
  std::uint64_t hash = kFnvOffset;
  for (const auto& [name, value] : settings) {
    mix(hash, name);
    mix(hash, value);
  }
  return hash;
}

std::string transition(const SettingMap& applied, const SettingMap& wanted) {
  std::string sql;
  for (const auto& [name, value] : applied) {
    if (!wanted.contains(name)) {
      sql += fmt::format("RESET {};", quote_identifier(name));
    }
  }
  for (const auto& [name, value] : wanted) {
    const auto have = applied.find(name);
    if (have == applied.end() || have->second != value) {
      sql += fmt::format("SET {} TO {};", quote_identifier(name), value);
    }
  }
  return sql;
}

Settings::Settings(SettingMap startup) : startup_(std::move(startup)) {
  now_.session = startup_;
  changed();
  at_begin_ = now_;
}

void Settings::changed() {
  now_.fingerprint = fingerprint(now_.session);
}

void Settings::forget_startup(std::string_view name) {
  if (const auto found = startup_.find(name); found != startup_.end()) {
    now_.session.erase(found->first);
    startup_.erase(found);
    changed();
    at_begin_ = now_;
  }
}

void Settings::set(std::string name, std::string value) {
  now_.local.erase(name
  );  // SET after SET LOCAL of one name wins for the rest of the transaction too
  now_.session.insert_or_assign(std::move(name), std::move(value));
  changed();
}

void Settings::set_local(std::string name, std::string value) {
  now_.local.insert_or_assign(std::move(name), std::move(value));
}

void Settings::reset(std::string_view name) {
  if (const auto local = now_.local.find(name); local != now_.local.end()) {
    now_.local.erase(local);
  }
  if (const auto initial = startup_.find(name); initial != startup_.end()) {
    now_.session.insert_or_assign(initial->first, initial->second);
  } else if (const auto found = now_.session.find(name); found != now_.session.end()) {
    now_.session.erase(found);
  }
  changed();
}

void Settings::reset_all() {
  now_.session = startup_;
  now_.local.clear();
  changed();
}

void Settings::begin() {
  at_begin_ = now_;
  savepoints_.clear();
}

void Settings::commit() {
  now_.local.clear();
  savepoints_.clear();
}

void Settings::rollback() {
  now_ = at_begin_;
  now_.local.clear();
  savepoints_.clear();
}

void Settings::savepoint(std::string name) {
  savepoints_.push_back({std::move(name), now_});
}

std::optional<std::size_t> Settings::find(std::string_view name) const {
  for (std::size_t i = savepoints_.size(); i-- > 0;) {
    if (savepoints_[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

Result<> Settings::rollback_to(std::string_view name) {
  const auto index = find(name);
  if (!index) {
    return fail(ErrorCode::kInvalidSavepoint, fmt::format("savepoint \"{}\" does not exist", name));
  }
  now_ = savepoints_[*index].saved;
  savepoints_.resize(*index + 1);  // the savepoint itself stays
  return {};
}

Result<> Settings::release(std::string_view name) {
  const auto index = find(name);
  if (!index) {
    return fail(ErrorCode::kInvalidSavepoint, fmt::format("savepoint \"{}\" does not exist", name));
  }
  savepoints_.resize(*index);
  return {};
}

bool Settings::session_is_same_at_savepoints() const {
  return std::ranges::all_of(savepoints_, [&](const Savepoint& savepoint) {
    return savepoint.saved.session == now_.session;
  });
}

std::vector<std::string> Settings::savepoints() const {
  std::vector<std::string> names;
  for (const Savepoint& savepoint : savepoints_) {
    names.push_back(savepoint.name);
  }
  return names;
}

namespace {

void append_locals(std::string& sql, const SettingMap& before, const SettingMap& after) {
  for (const auto& [name, value] : after) {
    const auto had = before.find(name);
    if (had == before.end() || had->second != value) {
      sql += fmt::format("SET LOCAL {} TO {};", quote_identifier(name), value);
    }
  }
}

}  // namespace

std::string Settings::replay() const {
  std::string sql;
  const SettingMap none;
  const SettingMap* before = &none;
  for (const Savepoint& savepoint : savepoints_) {
    append_locals(sql, *before, savepoint.saved.local);
    sql += fmt::format("SAVEPOINT {};", quote_identifier(savepoint.name));
    before = &savepoint.saved.local;
  }
  append_locals(sql, *before, now_.local);
  return sql;
}

std::optional<std::string_view> Settings::effective(std::string_view name) const {
  if (const auto local = now_.local.find(name); local != now_.local.end()) {
    if (local->second != kDefault) {
      return local->second;
    }
    const auto initial = startup_.find(name);
    return initial != startup_.end() ? std::optional<std::string_view>(initial->second)
                                     : std::nullopt;
  }
  if (const auto found = now_.session.find(name); found != now_.session.end()) {
    return found->second;
  }
  return std::nullopt;
}

}  // namespace sherd::session
