#include <algorithm>

#include <fmt/format.h>

#include <sherd/exec/scatter.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::exec {
namespace {

constexpr std::size_t kDrainBytes = 64 * 1024;
constexpr Duration kCancelLimit = std::chrono::seconds(5);

Bytes body_of(const net::Slice& whole) {
  return whole.bytes().subspan(wire::kHeaderBytes);
}

std::vector<merge::ShardColumn> columns_of(const wire::RowDescription& description) {
  std::vector<merge::ShardColumn> columns;
  columns.reserve(description.size());
  for (const wire::FieldView field : description) {
    columns.push_back(
        {.name = std::string(field.name),
         .type = field.type_oid,
         .typmod = field.type_modifier,
         .format = static_cast<std::int16_t>(field.format),
         .type_size = field.type_length,
         .table = field.table_oid,
         .table_column = field.attnum}
    );
  }
  return columns;
}

// Shards must agree on what a row is. Object ids of a user's own types may differ from shard to
// shard while the values' text is the same; those are the first shard's business.
constexpr Oid kFirstUserOid = 16384;

std::optional<Error> difference(
    const std::vector<merge::ShardColumn>& a, const std::vector<merge::ShardColumn>& b,
    const std::string& shard
) {
  if (a.size() != b.size()) {
    return Error{
        .code = ErrorCode::kUnsupported,
        .message =
            fmt::format("shard {} returns {} columns, another {}", shard, b.size(), a.size()),
        .hint = "the shards' schemas differ: run `sherd check`"
    };
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_built_in = a[i].type < kFirstUserOid || b[i].type < kFirstUserOid;
    if (a[i].format != b[i].format || (both_built_in && a[i].type != b[i].type)) {
      return Error{
          .code = ErrorCode::kUnsupported,
          .message = fmt::format("column \"{}\" has another type on shard {}", a[i].name, shard),
          .hint = "the shards' schemas differ: run `sherd check`"
      };
    }
  }
  return std::nullopt;
}

}  // namespace

// One shard's replies, handed on to the scatter.
class Scatter::Stream final : public pgconn::ReplyHandler {
 public:
  Stream(Scatter& scatter, std::size_t index, ScatterPart part)
      : scatter_(scatter), index_(index), part_(std::move(part)) {}

  void start() {
    is_started_ = true;
    part_.connection->expect(*this, pgconn::ReplyMode::kMessages);
    part_.connection->send(std::move(part_.request));
  }
  void on_message(char type, const net::Slice& whole) override {
    switch (type) {
      case 'E':
        return on_error(body_of(whole));
      case 'T':
        return scatter_.on_description(index_, body_of(whole));
      case 'D':
        return scatter_.on_row(index_, body_of(whole));
      case 'C':
        return scatter_.on_tag(index_, body_of(whole));
      case 'N':
        return on_notice(whole);
      default:
        return;  // completions of the extended protocol, parameters
    }
  }
  void on_ready(wire::TransactionStatus) override {
    set_running(true);  // paused behind its last byte: the next request needs its ears
    is_done_ = true;
    scatter_.on_end(index_);
  }
  void on_lost(const Error& error) override {
    is_done_ = true;
    is_lost_ = true;
    scatter_.on_error(error);
    scatter_.on_end(index_);
  }

  [[nodiscard]] const std::string& shard() const { return part_.connection->options().shard; }
  [[nodiscard]] pgconn::Connection& connection() const { return *part_.connection; }
  [[nodiscard]] bool answers() const noexcept { return part_.answers; }
  [[nodiscard]] bool is_started() const noexcept { return is_started_; }
  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  /// Worth a CancelRequest: one that comes late could hit the next statement.
  [[nodiscard]] bool is_working() const noexcept { return !is_done_ && !has_failed_; }
  void set_running(bool run) {
    if (!is_started_ || is_done_ || is_lost_ || run == is_running_) {
      return;
    }
    is_running_ = run;
    run ? part_.connection->resume() : part_.connection->pause();
  }

  std::vector<std::string> early{};  // rows that came before every shard had described its own
  bool described = false;
  bool finished = false;

 private:
  void on_error(Bytes body) {
    has_failed_ = true;
    const auto fields = wire::ErrorFields::decode(body);
    scatter_.on_error(fields ? wire::to_error(*fields, shard()) : fields.error());
  }
  void on_notice(const net::Slice& whole) {
    if (part_.answers && index_ == 0) {  // once, not once per shard
      scatter_.sink_.send(whole);
    }
  }

  Scatter& scatter_;
  std::size_t index_;
  ScatterPart part_;
  bool is_started_ = false;
  bool is_done_ = false;
  bool is_lost_ = false;
  bool has_failed_ = false;
  bool is_running_ = true;
};

Scatter::Scatter(
    net::Loop& loop, ResultSink& sink, std::vector<ScatterPart> parts, ScatterOptions options
)
    : loop_(loop), sink_(sink), options_(std::move(options)), all_ready_(loop), cancelling_(loop) {
  for (ScatterPart& part : parts) {
    descriptions_missing_ += part.answers ? 1 : 0;
    streams_.push_back(std::make_unique<Stream>(*this, streams_.size(), std::move(part)));
  }
  answers_unfinished_ = descriptions_missing_;
  running_ = streams_.size();
  std::optional<std::uint64_t>& limit = options_.recipe.limit;
  if (options_.max_rows != 0 && limit.value_or(options_.max_rows) >= options_.max_rows) {
    limit = options_.max_rows;
  }
}

Scatter::~Scatter() {
  *alive_ = false;
  if (is_waiting_for_client_) {
    sink_.when_drained({});
  }
}

net::Task<Result<ScatterOutcome>> Scatter::run() {
  for (const auto& stream : streams_) {
    if (!options_.answering_first || stream->answers()) {
      stream->start();
    }
  }
  co_await all_ready_.wait();
  co_await cancelling_.join();
  pump();
  while (!error_ && merger_ && !merger_->done()) {
    net::OneShot<> drained(loop_);  // the client is behind: wait before sending the rest
    is_waiting_for_client_ = true;
    sink_.when_drained([this, &drained] {
      is_waiting_for_client_ = false;
      drained.set();
    });
    co_await drained.wait();
    pump();
  }
  if (error_) {
    co_return std::unexpected(*error_);
  }
  co_return outcome();
}

ScatterOutcome Scatter::outcome() const {
  // PostgreSQL suspends a portal as soon as it has given the rows asked for, also when they were
  // the last.
  if (merger_ && options_.max_rows != 0 && merger_->rows_drained() == options_.max_rows) {
    return {.tag = {}, .suspended = true};
  }
  wire::CommandTag tag{.verb = verb_};
  if (options_.sums_tags) {
    if (has_count_) {
      tag.rows = counted_;
    }
    if (verb_ == "INSERT") {
      tag.oid = 0;
    }
  } else if (merger_) {
    tag.rows = merger_->rows_drained();
  } else if (has_count_) {
    tag.rows = counted_;
  }
  return {.tag = wire::to_text(tag)};
}

void Scatter::on_description(std::size_t index, Bytes body) {
  Stream& stream = *streams_[index];
  if (error_ || !stream.answers() || stream.described) {
    return;  // after an error nobody would set a paused stream running again
  }
  const auto description = wire::RowDescription::decode(body);
  if (!description) {
    return on_error(description.error());
  }
  stream.described = true;
  std::vector<merge::ShardColumn> columns = columns_of(*description);
  if (!has_columns_) {
    columns_ = std::move(columns);
    has_columns_ = true;
  } else if (auto differs = difference(columns_, columns, stream.shard())) {
    return on_error(*std::move(differs));
  }
  if (--descriptions_missing_ == 0) {
    begin_merge();
  } else {
    stream.set_running(false);  // its rows would only wait here
  }
}

void Scatter::begin_merge() {
  if (error_) {
    return;
  }
  std::size_t answering = 0;
  for (const auto& stream : streams_) {
    answering = stream->answers() ? answering + 1 : answering;
  }
  if (options_.recipe.outputs.empty()) {
    for (std::uint32_t i = 0; i < columns_.size(); ++i) {
      options_.recipe.outputs.push_back({.column = i});
    }
  }
  auto merger = merge::Merger::create(options_.recipe, columns_, answering, options_.merge);
  if (!merger) {
    return on_error(std::move(merger).error());
  }
  merger_ = *std::move(merger);
  if (options_.describe) {
    std::vector<wire::FieldDescription> fields;
    for (const merge::OutputColumn& column : merger_->outputs()) {
      fields.push_back(
          {.name = column.name,
           .table_oid = column.table,
           .attnum = column.table_column,
           .type_oid = column.type,
           .type_length = column.type_size,
           .type_modifier = column.typmod,
           .format = static_cast<wire::Format>(column.format)}
      );
    }
    std::string bytes;
    if (auto built = wire::append_row_description(bytes, fields); !built) {
      return on_error(std::move(built).error());
    }
    sink_.send(net::Slice::adopt(std::move(bytes)));
    has_sent_ = true;
  }
  std::size_t position = 0;
  for (const auto& stream : streams_) {
    if (!stream->answers()) {
      continue;
    }
    for (const std::string& row : std::exchange(stream->early, {})) {
      push(position, as_bytes(row));
    }
    if (stream->is_done() && !error_) {  // it ended before the others had described their rows
      finish(position);
    }
    ++position;
    stream->set_running(true);
  }
  schedule();
}

// Of a stream among those that answer: how the merger counts.
std::size_t Scatter::position_of(std::size_t index) const {
  std::size_t position = 0;
  for (std::size_t i = 0; i < index; ++i) {
    position += streams_[i]->answers() ? 1 : 0;
  }
  return position;
}

void Scatter::on_row(std::size_t index, Bytes body) {
  Stream& stream = *streams_[index];
  if (error_ || !stream.answers()) {
    return;
  }
  if (!merger_) {
    stream.early.emplace_back(as_text(body));
    return;
  }
  push(position_of(index), body);
  schedule();
}

void Scatter::push(std::size_t position, Bytes row) {
  if (error_) {
    return;
  }
  if (auto pushed = merger_->push(position, row); !pushed) {
    on_error(std::move(pushed).error());
  }
}

void Scatter::finish(std::size_t position) {
  if (auto finished = merger_->finish(position); !finished) {
    on_error(std::move(finished).error());
  }
}

void Scatter::on_tag(std::size_t index, Bytes body) {
  Stream& stream = *streams_[index];
  const auto complete = wire::CommandComplete::decode(body);
  if (!stream.answers() || !complete) {
    return;
  }
  const wire::CommandTag tag = wire::parse_command_tag(complete->tag);
  if (verb_.empty()) {
    verb_ = tag.verb;
  }
  if (tag.rows) {
    has_count_ = true;
    counted_ += *tag.rows;
  }
  stream.finished = true;
}

void Scatter::on_end(std::size_t index) {
  Stream& stream = *streams_[index];
  if (stream.answers() && merger_ && !error_) {
    finish(position_of(index));
  }
  if (stream.answers() && --answers_unfinished_ == 0) {
    start_others();
  }
  if (--running_ == 0) {
    all_ready_.set();
  } else {
    schedule();
  }
}

void Scatter::start_others() {
  for (const auto& stream : streams_) {
    if (!stream->is_started() && !error_) {
      stream->start();
    } else if (!stream->is_started()) {
      --running_;  // never to run
    }
  }
}

void Scatter::on_error(Error error) {
  if (error_) {
    return;  // the first one wins; the others are most often its consequence
  }
  error_ = std::move(error);
  cancel_others();
}

// A statement that has failed must not keep the other shards busy.
void Scatter::cancel_others() {
  for (const auto& stream : streams_) {
    stream->set_running(true);
    if (stream->is_started() && stream->is_working() && !stream->connection().is_broken()) {
      cancelling_.spawn(cancel_one(stream->connection()));
    }
  }
}

net::Task<void> Scatter::cancel_one(pgconn::Connection& connection) {
  const pgconn::ConnectOptions& options = connection.options();
  const auto done = co_await pgconn::Connection::cancel(
      loop_, options.address, connection.cancel_key(), Deadline::after(loop_.clock(), kCancelLimit)
  );
  (void)done;  // not reached: the shard ends its statement by itself, we wait for it in any case
}

// Once per wake-up, not once per row.
void Scatter::schedule() {
  if (is_scheduled_) {
    return;
  }
  is_scheduled_ = true;
  loop_.defer([this, alive = alive_] {
    if (*alive) {
      is_scheduled_ = false;
      pump();
    }
  });
}

void Scatter::pump() {
  while (merger_ && !error_ && sink_.queued_bytes() <= sink_.limit_bytes()) {
    std::string rows;
    const auto drained = merger_->drain(rows, kDrainBytes);
    if (!drained) {
      on_error(drained.error());
      return;
    }
    if (rows.empty()) {
      break;
    }
    has_sent_ = true;
    sink_.send(net::Slice::adopt(std::move(rows)));
  }
  balance();
}

void Scatter::balance() {
  if (!merger_ || error_) {
    return;
  }
  const bool is_client_behind = sink_.queued_bytes() > sink_.limit_bytes();
  std::size_t position = 0;
  for (const auto& stream : streams_) {
    if (!stream->answers()) {
      continue;
    }
    stream->set_running(!is_client_behind && (merger_->done() || merger_->wants(position)));
    ++position;
  }
  if (is_client_behind && !is_waiting_for_client_ && running_ > 0) {
    is_waiting_for_client_ = true;
    sink_.when_drained([this] {
      is_waiting_for_client_ = false;
      pump();
    });
  }
}

std::vector<std::int16_t> to_formats(const wire::IntegerList<std::int16_t>& codes) {
  return {codes.begin(), codes.end()};
}

}  // namespace sherd::exec
