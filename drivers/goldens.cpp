/// scoreact goldens MODEL_DIR: published pictures and rewards of real weights, drawn again and compared.
#include "command.hpp"
#include "evaluation/golden_runner.hpp"
#include "parallel/stopwatch.hpp"
#include "run/network_setup.hpp"

#include <fmt/ranges.h>

#include <cstdio>
#include <fstream>
#include <iterator>

namespace scoreact {
namespace {

constexpr std::size_t kShown = 9; ///< numbers of a row

GoldenTable table_of(const GoldensRequest& request) {
  if (request.table.empty())
    return read_goldens(published_goldens(), "the built-in table");
  std::ifstream file(request.table);
  SCOREACT_REQUIRE(file.good(), ExitCode::missing_input, "{}: cannot open this file", request.table);
  return read_goldens(std::string(std::istreambuf_iterator<char>(file), {}), request.table);
}

/// The goldens of --weights.
std::vector<Golden> chosen(const GoldenTable& table, const std::string& weights) {
  std::vector<std::string> known;
  for (const auto& [name, published] : table.weights)
    known.push_back(fmt::format("{} ({})", name, published));
  SCOREACT_REQUIRE(table.weights.count(weights) > 0, ExitCode::usage,
                   "goldens: --weights: expected what MODEL_DIR is, one of {}; found {}",
                   fmt::join(known, ", "), weights.empty() ? "none" : '"' + weights + '"');
  std::vector<Golden> goldens;
  for (const Golden& golden : table.goldens)
    if (golden.weights == weights)
      goldens.push_back(golden);
  return goldens;
}

void print_numbers(const char* label, const std::vector<double>& values) {
  fmt::print("  {:<9}", label);
  for (std::size_t i = 0; i < std::min(values.size(), kShown); ++i)
    fmt::print(" {:8.5f}", values[i]);
  fmt::print("{}\n", values.size() > kShown ? " ..." : "");
}

void print_row(const Golden& golden, const GoldenResult& result, bool met, double seconds) {
  fmt::print("{}, {}: {} {:.1e}, allowed {:.0e}  {}  ({:.0f} s)\n  source    {}\n", golden.weights,
             golden.name, golden.cosine_distance ? "cosine distance" : "largest difference",
             result.difference, golden.tolerance, met ? "met" : "FAILED", seconds, golden.source);
  print_numbers("expected", result.expected);
  print_numbers("found", result.found);
  std::fflush(stdout); // the next one may take many minutes
}

nlohmann::ordered_json json_row(const Golden& golden, const GoldenResult& result, bool met) {
  const auto first = [](const std::vector<double>& values) {
    const auto end = values.begin() + static_cast<long>(std::min(values.size(), kShown));
    return std::vector<double>(values.begin(), end);
  };
  return {{"weights", golden.weights},
          {"name", golden.name},
          {"source", golden.source},
          {"measure", golden.cosine_distance ? "cosine distance" : "largest difference"},
          {"difference", result.difference},
          {"tolerance", golden.tolerance},
          {"expected", first(result.expected)},
          {"found", first(result.found)},
          {"pass", met}};
}

ExitCode compare(const Invocation& invocation) {
  const GoldensRequest& request = invocation.goldens;
  const bool tell = !invocation.json && !invocation.quiet;
  GoldenRunner runner(invocation.target, request.files, device_of(invocation.device_id));
  long failed = 0, ran = 0;
  std::vector<std::string> left_out;
  nlohmann::ordered_json report;
  report["rows"] = nlohmann::ordered_json::array();
  for (const Golden& golden : chosen(table_of(request), request.weights)) {
    if (const auto file = runner.missing_file(golden)) {
      left_out.push_back(fmt::format("{}: needs {} in --files", golden.name, *file));
      continue;
    }
    const Stopwatch clock;
    const GoldenResult result = runner.run(golden);
    const bool met = result.difference < golden.tolerance; // not for NaN
    ++ran;
    failed += met ? 0 : 1;
    report["rows"].push_back(json_row(golden, result, met));
    if (tell || (!met && !invocation.json))
      print_row(golden, result, met, clock.elapsed());
  }
  report["left_out"] = left_out;
  if (invocation.json)
    fmt::print("{}\n", report.dump(1));
  if (tell) {
    for (const std::string& line : left_out)
      fmt::print("left out: {}\n", line);
    fmt::print("{} of {} goldens met, {} left out\n", ran - failed, ran, left_out.size());
  }
  SCOREACT_REQUIRE(ran > 0, ExitCode::missing_input, "goldens: nothing was compared: {}",
                   fmt::join(left_out, "; "));
  return failed > 0 ? ExitCode::check_failed : ExitCode::success;
}

} // namespace

ExitCode run_goldens(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  ExitCode code = ExitCode::success;
  if (ranks.root()) // one picture at a time, one rank's work; the others wait
    code = compare(invocation);
  return ranks.maximum(code == ExitCode::check_failed ? 1 : 0) > 0 ? ExitCode::check_failed
                                                                   : ExitCode::success;
}

} // namespace scoreact
