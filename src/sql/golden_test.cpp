#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sherd/sql/analyze.hpp>
#include <sherd/sql/print.hpp>

// Each file of tests/golden/sql holds cases: "### " and a statement, "===" and the print of its
// facts. SHERD_UPDATE_GOLDEN=1 writes the files anew; read the difference before you commit it.

namespace sherd::sql {
namespace {

struct Case {
  std::string statement;
  std::string expected;
};

std::filesystem::path golden_folder() {
  return std::filesystem::path(SHERD_SOURCE_DIR) / "tests" / "golden" / "sql";
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string* into = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### ")) {
      cases.push_back({line.substr(4), {}});
      into = &cases.back().statement;
    } else if (line == "===") {
      into = &cases.back().expected;
    } else if (into == &cases.back().statement) {
      *into += "\n" + line;
    } else if (into != nullptr) {
      *into += line + "\n";
    }
  }
  return cases;
}

std::string facts_of(const std::string& statement) {
  Lifted lifted;
  lift(statement, true, lifted);
  const auto analysis = analyze(statement, lifted.literals);
  if (!analysis) {
    return "ERROR " + std::string(analysis.error().sqlstate()) + " " + to_string(analysis.error())
           + " at " + std::to_string(analysis.error().position) + "\n";
  }
  std::string text;
  for (const auto& item : analysis->statements) {
    text += to_text(*item);
  }
  return text;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, FactsAreAsWritten) {
  const auto path = golden_folder() / GetParam();
  const std::vector<Case> cases = read_cases(path);
  ASSERT_FALSE(cases.empty()) << path;
  if (std::getenv("SHERD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream file(path);
    for (const Case& item : cases) {
      file << "### " << item.statement << "\n===\n" << facts_of(item.statement);
    }
    return;
  }
  for (const Case& item : cases) {
    EXPECT_EQ(facts_of(item.statement), item.expected) << item.statement;
  }
}

std::vector<std::string> golden_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(golden_files()), [](const auto& file) {
  return std::filesystem::path(file.param).stem().string();
});

}  // namespace
}  // namespace sherd::sql
