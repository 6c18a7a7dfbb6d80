#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/exec/sink.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/wire/copy.hpp>

namespace sherd::exec {

struct CopyInOptions {
  wire::CopyFormat format{};
  std::optional<std::uint32_t> key_field{};  // none: every row goes to every shard
  std::string table{};                       // for messages
};

/// COPY FROM STDIN split over shards by row. Rows go on as they were sent; nothing is decoded but
/// the key. Bounded: `congested()` says when to stop feeding.
class CopyIn {
 public:
  /// Which of the connections (by index) the row with this key belongs to.
  using Router = std::function<Result<std::size_t>(std::optional<Bytes> key)>;

  CopyIn(
      net::Loop& loop, std::vector<pgconn::Connection*> connections, CopyInOptions options,
      Router router
  );
  ~CopyIn();
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  /// Sends the COPY statement to all (one each, or one for all) and waits until each takes data.
  /// @return the first shard's CopyInResponse message, to be passed on to the client.
  [[nodiscard]] net::Task<Result<std::string>> begin(std::vector<std::string> sql);
  /// Takes a piece of the client's data, cut anywhere. After an error: `abort`.
  [[nodiscard]] Result<> feed(Bytes data);
  [[nodiscard]] bool congested() const noexcept;
  /// Until no shard is behind any more, or one has failed.
  [[nodiscard]] net::Task<void> drained();
  /// The client is done. @return rows copied (of one copy each, where replicated).
  [[nodiscard]] net::Task<Result<std::uint64_t>> finish();
  /// The client gave up, or a row was bad: no shard keeps anything. Waits for their answers.
  [[nodiscard]] net::Task<void> abort(std::string reason);
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  class Stream;
  friend class Stream;
  [[nodiscard]] Result<> take_rows(Bytes data, bool is_last);
  [[nodiscard]] Result<> on_row(const wire::CopyRow& row);
  void append_to_all(Bytes raw);
  void flush(std::size_t index);
  [[nodiscard]] net::Task<void> all_done();

  net::Loop& loop_;
  CopyInOptions options_;
  Router router_;
  wire::CopyRowSplitter splitter_;
  std::vector<std::unique_ptr<Stream>> streams_{};
  std::optional<Error> error_{};
};

/// COPY TO STDOUT of one shard after the other, as one stream to the client.
/// @param drop_later_headers  leave out the first CopyData of all shards but the first.
/// @return rows. The client has got everything but CommandComplete.
[[nodiscard]] net::Task<Result<std::uint64_t>> copy_out(
    net::Loop& loop, ResultSink& sink, std::vector<pgconn::Connection*> connections,
    std::string sql, bool drop_later_headers
);

}  // namespace sherd::exec
