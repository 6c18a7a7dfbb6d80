#include <array>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <sherd/wire/backend.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/copy.hpp>
#include <sherd/wire/frame.hpp>

namespace sherd::wire {
namespace {

constexpr std::size_t kChunkBytes = 16 * 1024;  // a receive slot
constexpr int kRows = 20'000;

// Rows as of a point query: an integer and a text of `text_bytes`.
std::string make_rows(std::size_t text_bytes) {
  std::string stream;
  const std::string text(text_bytes, 'x');
  for (int i = 0; i < kRows; ++i) {
    const std::string number = fmt::format("{}", i);
    if (!append_data_row(stream, std::array<Value, 2>{as_bytes(number), as_bytes(text)})) {
      std::abort();
    }
  }
  return stream;
}

template <class Step>
void over_chunks(Bytes stream, Step step) {
  while (!stream.empty()) {
    Bytes chunk = stream.first(std::min(kChunkBytes, stream.size()));
    stream = stream.subspan(chunk.size());
    step(chunk);
  }
}

void report(benchmark::State& state, std::size_t messages, std::size_t bytes, bool is_right) {
  if (!is_right) {
    state.SkipWithError("wrong number of messages");
  }
  const auto rounds = static_cast<std::int64_t>(state.iterations());
  state.SetItemsProcessed(rounds * static_cast<std::int64_t>(messages));
  state.SetBytesProcessed(rounds * static_cast<std::int64_t>(bytes));
}

void BM_ScanFrames(benchmark::State& state) {
  const std::string stream = make_rows(static_cast<std::size_t>(state.range(0)));
  int ended = 0;
  for (auto _ : state) {
    ended = 0;
    FrameScanner scanner(Side::kBackend);
    over_chunks(as_bytes(stream), [&](Bytes chunk) {
      Frame frame;
      while (scanner.next(chunk, frame) == Scan::kFound) {
        ended += frame.ends ? 1 : 0;
      }
    });
    benchmark::DoNotOptimize(ended);
  }
  report(state, kRows, stream.size(), ended == kRows);
}
BENCHMARK(BM_ScanFrames)->Arg(8)->Arg(100)->Arg(1000);

void BM_AssembleAndDecodeRows(benchmark::State& state) {
  const std::string stream = make_rows(static_cast<std::size_t>(state.range(0)));
  int rows = 0;
  for (auto _ : state) {
    rows = 0;
    MessageAssembler assembler(Side::kBackend);
    std::size_t bytes = 0;
    over_chunks(as_bytes(stream), [&](Bytes chunk) {
      Message message;
      while (assembler.next(chunk, message) == Scan::kFound) {
        if (const auto row = DataRow::decode(message.body)) {
          for (const Value value : *row) {
            bytes += value->size();
          }
          ++rows;
        }
      }
    });
    benchmark::DoNotOptimize(bytes);
  }
  report(state, kRows, stream.size(), rows == kRows);
}
BENCHMARK(BM_AssembleAndDecodeRows)->Arg(8)->Arg(100)->Arg(1000);

void BM_BuildRows(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  const std::array<Value, 2> values{as_bytes("12345"), as_bytes(text)};
  std::string out;
  bool is_right = true;
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < kRows; ++i) {
      is_right = append_data_row(out, values).has_value() && is_right;
    }
    benchmark::DoNotOptimize(out.data());
  }
  report(state, kRows, out.size(), is_right);
}
BENCHMARK(BM_BuildRows)->Arg(8)->Arg(100);

void BM_SplitCopy(benchmark::State& state) {
  const auto kind = static_cast<CopyFormat::Kind>(state.range(0));
  const CopyFormat format =
      kind == CopyFormat::Kind::kText ? CopyFormat::text() : CopyFormat::csv();
  std::string stream;
  for (int i = 0; i < kRows; ++i) {
    stream += fmt::format(
        "{0}{1}some text of a row{1}2024-01-01 00:00:00{1}{2}\n", i, format.delimiter, i * 7
    );
  }
  std::uint64_t rows = 0;
  for (auto _ : state) {
    CopyRowSplitter splitter(format, {.key_field = 0});
    over_chunks(as_bytes(stream), [&](Bytes chunk) {
      CopyRow row;
      while (splitter.next(chunk, row) == CopyRowSplitter::Next::kRow) {
        benchmark::DoNotOptimize(row.key);
      }
    });
    rows = splitter.rows();
  }
  report(state, kRows, stream.size(), rows == kRows);
}
BENCHMARK(BM_SplitCopy)
    ->Arg(static_cast<int>(CopyFormat::Kind::kText))
    ->Arg(static_cast<int>(CopyFormat::Kind::kCsv));

}  // namespace
}  // namespace sherd::wire
