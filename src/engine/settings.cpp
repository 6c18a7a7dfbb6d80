#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/engine/set_config.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

constexpr std::string_view kForcedShard = "sherd.shard";

// The right side of SET name TO …, from its values.
std::string value_list(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    text += text.empty() ? "" : ", ";
    text += quote_literal(value);
  }
  return text;
}

// The reverse, for lists of names: "'a', 'b''c'".
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  std::string name;
  bool is_quoted = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] != '\'') {
      if (is_quoted) {
        name += list[i];
      }
    } else if (is_quoted && i + 1 < list.size() && list[i + 1] == '\'') {
      name += list[++i];
    } else {
      is_quoted = !is_quoted;
      if (!is_quoted) {
        names.push_back(std::exchange(name, {}));
      }
    }
  }
  return names;
}

// As PostgreSQL reads names of encodings: letters and digits only, of any case.
bool is_utf8(std::string_view name) {
  std::string bare;
  for (const char c : to_lower(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      bare += c;
    }
  }
  return bare == "utf8" || bare == "unicode";
}

bool is_of_transaction(std::string_view name) {
  return name == "transaction_isolation" || name == "transaction_read_only"
         || name == "transaction_deferrable";
}

bool is_off(std::string_view value) {
  static constexpr std::array<std::string_view, 6> kOff = {"off", "false", "no", "0", "f", "n"};
  return std::ranges::any_of(kOff, [&](std::string_view known) {
    return equals_ignoring_case(known, value);
  });
}

// Settings under which the router would read a statement otherwise than the shard.
Result<> check_value(std::string_view name, std::string_view value) {
  if (name == "client_encoding" && !is_utf8(value)) {
    return fail(
        ErrorCode::kUnsupported, fmt::format("client_encoding \"{}\" is not available", value),
        "use UTF8"
    );
  }
  if (name == "standard_conforming_strings" && is_off(value)) {
    return fail(
        ErrorCode::kUnsupported, "standard_conforming_strings = off is not available",
        "write strings with backslash escapes as E'...'"
    );
  }
  return {};
}

}  // namespace

net::Task<Result<std::map<std::string, std::string>>> Session::start() {
  for (const auto& [name, value] : settings_.session_values()) {
    const std::vector<std::string> values = names_in(value);
    SHERD_CO_TRY_VOID(check_value(name, values.empty() ? std::string_view(value) : values.front()));
  }
  settings_.forget_startup("client_encoding");  // UTF8, which server connections speak already
  is_busy_ = true;
  auto known = worker_.greeting(account_, settings_.session_fingerprint());
  if (known == nullptr) {
    auto borrowed = co_await borrow(worker_.snapshot()->home, false);
    if (!borrowed) {
      is_busy_ = false;
      co_return std::unexpected(std::move(borrowed).error());
    }
    const auto& parameters = borrowed->connection->parameters();
    known = worker_.remember_greeting(
        account_, settings_.session_fingerprint(), {parameters.begin(), parameters.end()}
    );
    co_await give_back(&*borrowed);
  }
  is_busy_ = false;
  reported_ = *known;
  co_return reported_;
}

// How shards print floats for this session; computed ones must look the same.
int Session::extra_float_digits() const {
  constexpr int kDefault = 1;
  const auto value = settings_.effective("extra_float_digits");
  if (!value) {
    return kDefault;
  }
  const std::vector<std::string> texts = names_in(*value);
  int digits = kDefault;
  if (!texts.empty()) {
    std::from_chars(texts.front().data(), texts.front().data() + texts.front().size(), digits);
  }
  return digits;
}

void Session::update_search_path() {
  std::vector<std::string> schemas = worker_.cluster().default_search_path();
  if (const auto value = settings_.effective("search_path")) {
    schemas = names_in(*value);
  }
  const topology::Shard* home = worker_.snapshot()->shard(worker_.snapshot()->home);
  const std::string user =
      account_.shard_user.empty() && home != nullptr ? home->primary.user : account_.shard_user;
  std::ranges::replace(schemas, "$user", user);
  search_path_ = worker_.search_path(schemas);
}

void Session::report_parameters(pgconn::Connection& connection) {
  std::string bytes;
  for (const auto& [name, value] : connection.parameters()) {
    if (std::string& told = reported_[name]; told != value) {
      told = value;
      wire::append_parameter_status(bytes, name, value);
    }
  }
  if (!bytes.empty()) {
    port_.send_copy(bytes);
  }
}

// What the router itself must know or refuse. True: done, no shard is asked.
Result<bool> Session::set_here(const sql::SetVariable& facts) {
  using enum sql::SetVariable::Verb;
  if (facts.name == kForcedShard) {
    if (facts.verb != kSet || facts.values.empty()) {
      forced_shard_.reset();
      return true;
    }
    const topology::Shard* shard = worker_.snapshot()->shard_named(facts.values.front());
    if (shard == nullptr) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("there is no shard \"{}\"", facts.values.front()),
          "see SHOW SHARDS in the database \"sherd\""
      );
    }
    forced_shard_ = shard->id;
    return true;
  }
  if (facts.verb == kSet && !facts.values.empty()) {
    SHERD_TRY_VOID(check_value(facts.name, facts.values.front()));
  }
  if (facts.local && !is_explicit_ && !txn_.is_open()) {
    send_warning("25P01", "SET LOCAL can only be used in transaction blocks");
    return true;
  }
  if (facts.verb == kSetTransaction && !is_explicit_) {
    send_warning("25P01", "SET TRANSACTION can only be used in transaction blocks");
    return true;
  }
  return false;
}

// Of the transaction alone: shards that join later must hear it after BEGIN.
void Session::note_characteristic(std::string name, std::string value) {
  if (!txn_.is_open()) {
    return;  // it held for its own statement only
  }
  if (name == "transaction_isolation") {
    const std::vector<std::string> values = names_in(value);
    isolation_ = values.empty() ? isolation_ : to_lower(values.front());
  }
  settings_.set_local(std::move(name), std::move(value));
}

void Session::note_set(const sql::SetVariable& facts) {
  using enum sql::SetVariable::Verb;
  switch (facts.verb) {
    case kSet:
      if (is_of_transaction(facts.name)) {
        note_characteristic(facts.name, value_list(facts.values));
      } else if (facts.local) {
        settings_.set_local(facts.name, value_list(facts.values));
      } else {
        settings_.set(facts.name, value_list(facts.values));
      }
      break;
    case kSetDefault:
    case kReset:
      if (facts.local) {
        settings_.set_local(facts.name, std::string(session::Settings::kDefault));
      } else {
        settings_.reset(facts.name);
      }
      break;
    case kResetAll:
      settings_.reset_all();
      break;
    case kSetTransaction:
      if (!facts.isolation.empty()) {
        note_characteristic("transaction_isolation", quote_literal(facts.isolation));
      }
      if (facts.read_only) {
        note_characteristic("transaction_read_only", *facts.read_only ? "'on'" : "'off'");
      }
      if (facts.deferrable) {
        note_characteristic("transaction_deferrable", *facts.deferrable ? "'on'" : "'off'");
      }
      break;
    case kSetCharacteristics:
      if (!facts.isolation.empty()) {
        settings_.set("default_transaction_isolation", quote_literal(facts.isolation));
      }
      if (facts.read_only) {
        settings_.set("default_transaction_read_only", *facts.read_only ? "'on'" : "'off'");
      }
      if (facts.deferrable) {
        settings_.set("default_transaction_deferrable", *facts.deferrable ? "'on'" : "'off'");
      }
      break;
  }
  update_search_path();
}

net::Task<Session::Answer> Session::run_set(Request* request) {
  const auto& facts = std::get<sql::SetVariable>(request->facts->body);
  using enum sql::SetVariable::Verb;
  SHERD_CO_TRY(const bool is_done, set_here(facts));
  if (is_done) {
    send_complete(facts.verb == kReset || facts.verb == kResetAll ? "RESET" : "SET");
    co_return Told::kSuccess;
  }
  co_return co_await set_on_shards(request, facts, std::string(request->text));
}

// SELECT set_config(…): the shard's own answer, and the setting everywhere.
net::Task<Session::Answer> Session::run_set_config(Request* request) {
  std::vector<std::optional<std::string>> parameters;
  for (const auto& value : request->values) {
    parameters.push_back(value ? std::optional(std::string(as_text(*value))) : std::nullopt);
  }
  const sql::Span span = find_set_config(*request->facts)->arguments;
  SHERD_CO_TRY(
      const std::vector<Argument> arguments, parse_arguments(text_of(*request, span), parameters)
  );
  SHERD_CO_TRY(const sql::SetVariable facts, to_set(arguments));
  if (facts.local && !txn_.is_open()) {  // it ends with its statement
    SHERD_CO_TRY(Borrowed borrowed, co_await borrow(worker_.snapshot()->home, false));
    auto told = co_await relay(request, &borrowed);
    co_await give_back(&borrowed);
    co_return told;
  }
  SHERD_CO_TRY(const bool is_done, set_here(facts));
  if (is_done) {
    co_return fail(ErrorCode::kInternal, "a setting of the router by set_config()");
  }
  std::string again = fmt::format(
      "SELECT pg_catalog.set_config({}, {}, {})", quote_literal(*arguments[0].value),
      quote_literal(*arguments[1].value), facts.local
  );
  co_return co_await set_on_shards(request, facts, std::move(again));
}

// The home shard judges the value; every participant of the transaction gets it; other connections
// get it when this session uses them.
net::Task<Session::Answer> Session::set_on_shards(
    Request* request, const sql::SetVariable& facts, std::string again
) {
  using enum sql::SetVariable::Verb;
  ShardId first = worker_.snapshot()->home;
  if (!txn_.participants().empty()) {
    first = txn_.participants().front()->shard;
  }
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(first, false));
  const bool in_transaction = txn_.is_open();
  set_in_transaction_ = set_in_transaction_ || in_transaction;
  const auto told = co_await relay(request, &borrowed);
  const bool succeeded = told && *told == Told::kSuccess;
  if (succeeded) {
    for (const auto& [name, value] : borrowed.connection->parameters()) {
      reported_[name] = value;  // changes went through with the answer
    }
    note_set(facts);
  }
  pgconn::AppliedSettings& applied = borrowed.connection->applied();
  if (!in_transaction && succeeded && facts.verb == kSet) {
    applied.values = settings_.session_values();
    applied.fingerprint = settings_.session_fingerprint();
  } else {
    applied.is_known = false;
  }
  co_await give_back(&borrowed);
  if (succeeded && txn_.participants().size() > 1) {
    for (const auto& participant : txn_.participants()) {
      if (participant->shard == first) {
        continue;
      }
      SHERD_CO_TRY_VOID(co_await participant->lease->query(again, worker_.query_deadline()));
    }
  }
  co_return told;
}

net::Task<Session::Answer> Session::run_show(Request* request) {
  const auto& facts = std::get<sql::Show>(request->facts->body);
  if (facts.name == kForcedShard) {
    send_one_value(
        "sherd.shard", forced_shard_ ? worker_.shard_name(*forced_shard_) : std::string(), *request
    );
    send_complete("SHOW");
    co_return Told::kSuccess;
  }
  plan::Plan plan{.shards = {worker_.snapshot()->home}, .any_shard = true};
  co_return co_await run_single(request, &plan);
}

net::Task<Session::Answer> Session::run_discard(Request* request) {
  const std::string what = to_lower(std::get<sql::Discard>(request->facts->body).what);
  if (what == "all") {
    if (txn_.is_open()) {
      co_return fail(
          ErrorCode::kActiveTransaction, "DISCARD ALL cannot run inside a transaction block"
      );
    }
    settings_.reset_all();
    update_search_path();
    prepared_.clear();
    prepared_bytes_ = 0;
    portals_.clear();
    forced_shard_.reset();
    pinned_.reset();
    pin_wanted_ = false;
    send_complete("DISCARD ALL");
    co_return Told::kSuccess;
  }
  if (pinned_) {
    plan::Plan plan{.shards = {worker_.snapshot()->home}};
    co_return co_await run_single(request, &plan);
  }
  send_complete(
      what == "plans"  ? "DISCARD PLANS"
      : what == "temp" ? "DISCARD TEMP"
                       : "DISCARD SEQUENCES"
  );
  co_return Told::kSuccess;
}

}  // namespace sherd::engine
