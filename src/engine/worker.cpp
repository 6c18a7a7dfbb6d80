#include <algorithm>

#include <fmt/format.h>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/pinning.hpp>
#include <sherd/engine/worker.hpp>

namespace sherd::engine {
namespace {

constexpr Duration kReapInterval = std::chrono::seconds(10);
constexpr std::uint32_t kWorkerBits = 8;  // of a process id: up to 256 workers
constexpr std::size_t kMaxGreetings = 1'000;
constexpr std::size_t kMaxSearchPaths = 1'000;  // before those that nobody uses are forgotten

// A statement's facts on the heap, by rule of thumb: what the analysis keeps is a few times its
// text.
std::size_t size_of(const sql::Statement& facts) {
  return 2048 + 12 * facts.text.size();
}

}  // namespace

Worker::Worker(net::Loop& loop, Cluster& cluster, std::size_t index)
    : loop_(loop),
      cluster_(cluster),
      index_(index),
      reader_(cluster.topology()),
      cache_(cluster.options().plan_cache_bytes) {
  schedule_reap();
}

Worker::~Worker() {
  loop_.cancel_timer(reap_timer_);
}

void Worker::schedule_reap() {
  reap_timer_ = loop_.start_timer(loop_.now() + kReapInterval, [this] {
    reap();
    schedule_reap();
  });
}

void Worker::reap() {
  for (const auto& [key, pool] : pools_) {
    pool->reap(loop_.now());
  }
}

void Worker::for_each_idle(const std::function<void(const pgconn::Connection&)>& visit) const {
  for (const auto& [key, pool] : pools_) {
    pool->for_each_idle(visit);
  }
}

void Worker::renew_pools() {
  for (const auto& [key, pool] : pools_) {
    pool->renew();
  }
}

Deadline Worker::query_deadline() const {
  const Duration limit = cluster_.options().query_wait_timeout;
  return limit.count() == 0 ? Deadline::never() : Deadline::after(loop_.clock(), limit);
}

pool::ShardPool* Worker::pool(ShardId shard, const Account& account) {
  const topology::Shard* info = snapshot()->shard(shard);
  if (info == nullptr) {
    return nullptr;
  }
  const auto key = std::pair(index_of(shard), account.shard_user);
  if (const auto found = pools_.find(key); found != pools_.end()) {
    return found->second.get();
  }
  const Options& options = cluster_.options();
  const bool is_own_user = account.shard_user.empty();
  pgconn::ConnectOptions connect{
      .address = {.host = info->primary.host, .port = info->primary.port},
      .user = is_own_user ? info->primary.user : account.shard_user,
      .password = is_own_user ? info->primary.password : account.shard_password,
      .database = info->primary.database,
      .shard = info->name,
      .max_message_bytes = wire::kMaxMessageBytes
  };
  const std::size_t share =
      std::max<std::size_t>(1, options.pool_size / std::max<std::size_t>(1, options.workers));
  auto made = std::make_unique<pool::ShardPool>(
      loop_, std::move(connect),
      pool::PoolOptions{
          .size = share,
          .connect_timeout = options.connect_timeout,
          .idle_timeout = options.idle_timeout,
          .max_lifetime = options.max_lifetime
      }
  );
  return pools_.emplace(key, std::move(made)).first->second.get();
}

net::Task<Result<pool::Lease>> Worker::acquire(ShardId shard, Deadline deadline) {
  pool::ShardPool* const from = pool(shard, {});
  if (from == nullptr) {
    co_return fail(
        ErrorCode::kUndefinedObject, fmt::format("there is no shard number {}", index_of(shard))
    );
  }
  SHERD_CO_TRY(pool::Lease lease, co_await from->acquire(deadline));
  if (!lease->applied().values.empty() || !lease->applied().is_known) {
    // A client's settings must not change what the router's own statements mean.
    SHERD_CO_TRY_VOID(
        co_await lease->query("RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE", deadline)
    );
    lease->applied() = {};
  }
  co_return std::move(lease);
}

std::string Worker::shard_name(ShardId shard) const {
  const auto current = cluster_.topology().current();
  const topology::Shard* info = current ? current->shard(shard) : nullptr;
  return info != nullptr ? info->name : fmt::format("#{}", index_of(shard));
}

std::vector<Worker::PoolInfo> Worker::pool_infos() const {
  std::vector<PoolInfo> infos;
  for (const auto& [key, pool] : pools_) {
    infos.push_back(
        {.shard = pool->connect_options().shard,
         .user = pool->connect_options().user,
         .counts = pool->counts()}
    );
  }
  return infos;
}

CachedStatement* Worker::find_cached(std::string_view text, const SearchPath& search_path) {
  sql::lift(text, true, lifted_);
  lifted_.hash = lifted_.hash * 31 + search_path.key;
  // The key of the cache is the lifted text and the search path that names were resolved by.
  lifted_.key.append(reinterpret_cast<const char*>(&search_path.key), sizeof search_path.key);
  return lifted_.certain ? cache_.find(lifted_.hash, lifted_.key) : nullptr;
}

void Worker::remember_accepted(
    std::string_view text, const SearchPath& search_path, Epoch epoch, std::uint64_t accepted
) {
  if (CachedStatement* found = find_cached(text, search_path);
      found != nullptr && found->epoch == epoch) {
    found->accepted = accepted;
  }
}

Result<const CachedStatement*> Worker::look_up(
    std::string_view text, const SearchPath& search_path
) {
  CachedStatement* found = find_cached(text, search_path);
  if (found != nullptr && found->epoch == snapshot()->epoch) [[likely]] {
    return found;
  }
  if (found != nullptr) {
    *found = compile(found->facts, search_path);
    return found;
  }
  SHERD_TRY(const sql::Analysis analysis, sql::analyze(text, lifted_.literals));
  const bool is_one = analysis.statements.size() == 1;
  uncached_ = is_one ? compile(analysis.statements.front(), search_path)
                     : CachedStatement{.epoch = snapshot()->epoch};
  const bool is_cacheable =
      lifted_.certain && is_one && !analysis.statements.front()->literal_dependent;
  if (is_cacheable) {
    cache_.insert(lifted_.hash, lifted_.key, uncached_, size_of(*uncached_.facts));
  }
  return &uncached_;
}

CachedStatement Worker::compile(
    std::shared_ptr<const sql::Statement> facts, const SearchPath& search_path
) {
  const plan::Context context{.topology = snapshot().get(), .search_path = search_path.schemas};
  CachedStatement compiled{.facts = std::move(facts), .epoch = snapshot()->epoch};
  const bool is_plain = !needs_pin(*compiled.facts)
                        && !hidden_tables().reached_by(*compiled.facts, compiled.facts->text);
  if (snapshot()->switching.empty() && is_plain) {
    compiled.route = plan::Route::compile(*compiled.facts, context);
  }
  return compiled;
}

const HiddenTables& Worker::hidden_tables() {
  if (hidden_tables_epoch_ != snapshot()->epoch) {
    hidden_tables_ = HiddenTables(*snapshot());
    hidden_tables_epoch_ = snapshot()->epoch;
  }
  return hidden_tables_;
}

SearchPathPtr Worker::search_path(const std::vector<std::string>& schemas) {
  if (const auto found = search_paths_.find(schemas); found != search_paths_.end()) {
    if (auto path = found->second.lock()) {
      return path;
    }
  }
  if (search_paths_.size() >= kMaxSearchPaths) {
    std::erase_if(search_paths_, [](const auto& entry) { return entry.second.expired(); });
  }
  auto path = std::make_shared<const SearchPath>(SearchPath{schemas, ++next_search_path_});
  search_paths_.insert_or_assign(schemas, path);
  return path;
}

const Worker::Greeting* Worker::greeting(const Account& account, std::uint64_t settings) const {
  const auto found = greetings_.find({account.shard_user, settings});
  return found == greetings_.end() ? nullptr : &found->second;
}

const Worker::Greeting* Worker::remember_greeting(
    const Account& account, std::uint64_t settings, Greeting greeting
) {
  if (greetings_.size() >= kMaxGreetings) {
    greetings_.clear();
  }
  return &greetings_.insert_or_assign({account.shard_user, settings}, std::move(greeting))
              .first->second;
}

std::uint32_t Worker::add_session(Session& session) {
  std::uint32_t process_id = 0;
  do {
    ++next_session_;
    process_id =
        ((next_session_ << kWorkerBits) | static_cast<std::uint32_t>(index_)) & 0x7FFFFFFFU;
  } while (process_id == 0 || sessions_.contains(process_id));
  sessions_.emplace(process_id, &session);
  return process_id;
}

void Worker::remove_session(std::uint32_t process_id) {
  sessions_.erase(process_id);
}

Session* Worker::session(std::uint32_t process_id) const {
  const auto found = sessions_.find(process_id);
  return found == sessions_.end() ? nullptr : found->second;
}

}  // namespace sherd::engine
