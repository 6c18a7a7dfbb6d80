#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/exec/sink.hpp>
#include <sherd/merge/merger.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>

namespace sherd::exec {

/// One shard's part of a statement.
struct ScatterPart {
  pgconn::Connection* connection = nullptr;
  net::Slice request{};  // whole messages; their answer ends with one ReadyForQuery
  bool answers = true;   // its rows, notices and tag count; else only its errors do
};

struct ScatterOptions {
  merge::Recipe recipe{};  // empty: concatenation
  merge::MergeOptions merge{};
  bool describe = true;          // send a RowDescription
  bool sums_tags = false;        // the tag's count is the sum of the shards' (writes)
  bool answering_first = false;  // the others begin when the parts that answer have ended
  std::uint64_t max_rows = 0;    // of the client's Execute; 0: all
};

struct ScatterOutcome {
  std::string tag{};       // "SELECT 3"; "" when suspended
  bool suspended = false;  // max_rows were sent, and there were more
};

/// One statement on several shards at once: rows go through a merger to one client, tags are put
/// together, the first error wins and the others are cancelled. Sends RowDescription and rows; what
/// ends the answer is for the caller to send.
///
/// Memory is bounded: a shard that is ahead, and every shard while the client is behind, is paused.
class Scatter {
 public:
  /// @param parts  at least one; connections borrowed until run() ends.
  Scatter(
      net::Loop& loop, ResultSink& sink, std::vector<ScatterPart> parts, ScatterOptions options
  );
  ~Scatter();
  Scatter(const Scatter&) = delete;
  Scatter& operator=(const Scatter&) = delete;

  /// The first error of a shard (kShardError), of the merge, or kConnectionFailed. When it returns,
  /// no reply is outstanding on any connection that is not broken.
  [[nodiscard]] net::Task<Result<ScatterOutcome>> run();
  /// Something has gone to the client.
  [[nodiscard]] bool has_sent() const noexcept { return has_sent_; }

 private:
  class Stream;
  friend class Stream;

  void on_description(std::size_t index, Bytes body);
  void on_row(std::size_t index, Bytes body);
  void on_tag(std::size_t index, Bytes body);
  void on_end(std::size_t index);
  void on_error(Error error);
  void start_others();
  void begin_merge();
  [[nodiscard]] std::size_t position_of(std::size_t index) const;
  void push(std::size_t position, Bytes row);
  void finish(std::size_t position);
  void schedule();
  void pump();
  void balance();
  void cancel_others();
  [[nodiscard]] net::Task<void> cancel_one(pgconn::Connection& connection);
  [[nodiscard]] ScatterOutcome outcome() const;

  net::Loop& loop_;
  ResultSink& sink_;
  ScatterOptions options_;
  std::vector<std::unique_ptr<Stream>> streams_{};
  std::vector<merge::ShardColumn> columns_{};
  std::unique_ptr<merge::Merger> merger_{};
  std::optional<Error> error_{};
  std::string verb_{};         // of the first tag
  std::uint64_t counted_ = 0;  // sum of the tags' counts
  bool has_count_ = false;
  std::size_t descriptions_missing_ = 0;
  std::size_t answers_unfinished_ = 0;
  std::size_t running_ = 0;
  bool has_sent_ = false;
  bool has_columns_ = false;
  bool is_waiting_for_client_ = false;
  bool is_scheduled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  net::OneShot<> all_ready_;
  net::TaskGroup cancelling_;
};

/// Formats as a Bind carries them, for MergeOptions and for the shards.
[[nodiscard]] std::vector<std::int16_t> to_formats(const wire::IntegerList<std::int16_t>& codes);

}  // namespace sherd::exec
