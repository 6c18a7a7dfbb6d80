#include "apportion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <fmt/format.h>

namespace sherd::strategy {
namespace {

constexpr std::uint64_t kMaxMantissa = 1'000'000'000'000'000'000;

// A weight as mantissa × 10^exponent, mantissa not a multiple of ten.
struct Decimal {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};

// The shortest decimal that reads back as `weight`: what the operator wrote. At most 17 digits.
Decimal decimal_of(double weight) {
  const std::string text = fmt::format("{}", weight);
  const std::size_t e = std::min(text.find('e'), text.size());
  Decimal decimal;
  bool in_fraction = false;
  for (const char c : text.substr(0, e)) {
    if (c == '.') {
      in_fraction = true;
      continue;
    }
    decimal.mantissa = decimal.mantissa * 10 + static_cast<std::uint64_t>(c - '0');
    decimal.exponent -= in_fraction ? 1 : 0;
  }
  decimal.exponent += e == text.size() ? 0 : std::stoi(text.substr(e + 1));
  while (decimal.mantissa % 10 == 0) {
    decimal.mantissa /= 10;
    ++decimal.exponent;
  }
  return decimal;
}

}  // namespace

std::vector<std::uint32_t> apportion(
    std::uint32_t total, std::span<const double> weights, std::span<const std::uint32_t> held
) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::uint32_t> shares(weights.size());
  std::vector<std::int64_t> remainders(weights.size()
  );  // in 1e-9: what is nearer than that is equal
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double exact = static_cast<double>(total) * (weights[i] / sum);
    const double floor = std::floor(exact + 1e-9);
    shares[i] = static_cast<std::uint32_t>(floor);
    remainders[i] = std::max<std::int64_t>(0, std::llround((exact - floor) * 1e9));
    given += shares[i];
  }
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto keeps = [&](std::size_t i) { return remainders[i] > 0 && held[i] > shares[i]; };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    if (keeps(a) != keeps(b)) {
      return keeps(a);
    }
    return remainders[a] != remainders[b] ? remainders[a] > remainders[b] : a < b;
  });
  for (std::size_t i = 0; given < total; i = (i + 1) % order.size()) {
    ++shares[order[i]];
    ++given;
  }
  return shares;
}

Result<std::vector<std::uint32_t>> smallest_integers(
    std::span<const double> weights, std::uint32_t max_sum
) {
  const auto refused = [&] {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("the weights need more than {} equal parts", max_sum),
        "use weights in a simple proportion, such as 1, 2 and 0.5"
    );
  };
  std::vector<Decimal> decimals;
  int least = 1000;
  for (const double weight : weights) {
    decimals.push_back(decimal_of(weight));
    least = std::min(least, decimals.back().exponent);
  }
  std::vector<std::uint64_t> scaled;
  std::uint64_t divisor = 0;
  for (const Decimal& decimal : decimals) {
    std::uint64_t value = decimal.mantissa;
    for (int e = decimal.exponent; e > least; --e) {
      if (value > kMaxMantissa / 10) {
        return refused();
      }
      value *= 10;
    }
    scaled.push_back(value);
    divisor = std::gcd(divisor, value);
  }
  std::vector<std::uint32_t> integers;
  std::uint64_t sum = 0;
  for (const std::uint64_t value : scaled) {
    sum += value / divisor;
    if (value / divisor > max_sum || sum > max_sum) {
      return refused();
    }
    integers.push_back(static_cast<std::uint32_t>(value / divisor));
  }
  return integers;
}

}  // namespace sherd::strategy
