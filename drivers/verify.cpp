/// scoreact verify: the closed forms of docs/mathematics.md section 6 against the library (docs/verify.md).
#include "command.hpp"
#include "parallel/communicator.hpp"
#include "parallel/stopwatch.hpp"
#include "store/atomic_file.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "verification/estimator_checks.hpp"
#include "verification/fine_tuning_checks.hpp"
#include "verification/identity_checks.hpp"
#include "verification/order_checks.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>

namespace scoreact {
namespace {

using verification::CheckRow;
using verification::CheckRows;

CheckRows all_checks(const verification::VerifyOptions& options) {
  CheckRows rows = verification::identity_checks(options);
  for (const auto& more : {verification::order_checks(), verification::estimator_checks(options),
                           verification::fine_tuning_checks(options)}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

void print_table(const CheckRows& rows, bool failures_only) {
  std::size_t width = 0;
  for (const CheckRow& row : rows) {
    width = std::max(width, row.name.size());
  }
  fmt::print("{:{}} {:>14} {:>14} {:>10} {:>7}\n", "name", width, "estimate", "exact", "stderr", "z");
  for (const CheckRow& row : rows) {
    if (!failures_only || !row.pass()) {
      fmt::print("{:{}} {:14.7g} {:14.7g} {:10.2g} {:7.2f}{}\n", row.name, width, row.estimate, row.exact,
                 row.standard_error, row.z(), row.pass() ? "" : "  FAILED");
    }
  }
}

void print_json(const CheckRows& rows) {
  nlohmann::ordered_json result;
  result["rows"] = nlohmann::ordered_json::array();
  for (const CheckRow& row : rows) {
    result["rows"].push_back({{"name", row.name},
                              {"estimate", row.estimate},
                              {"exact", row.exact},
                              {"stderr", row.standard_error},
                              {"z", row.z()},
                              {"pass", row.pass()}});
  }
  fmt::print("{}\n", result.dump(1));
}

void write_file(const std::filesystem::path& path, const CheckRows& rows) {
  const auto image = build_hdf5_image(path, [&](hid_t file) {
    const Hdf5Values root(file, path);
    root.write_attribute("format", std::string("scoreact-verify"));
    root.write_attribute("format_version", std::int64_t{1});
    std::vector<std::string> names;
    for (const CheckRow& row : rows) {
      names.push_back(row.name);
    }
    root.write_texts("name", names);
    const auto column = [&](const char* name, const auto& number) {
      std::vector<double> values;
      for (const CheckRow& row : rows) {
        values.push_back(number(row));
      }
      root.write_dataset(name, {DType::f64, {static_cast<std::int64_t>(values.size())}, values.data()});
    };
    column("estimate", [](const CheckRow& row) { return row.estimate; });
    column("exact", [](const CheckRow& row) { return row.exact; });
    column("stderr", [](const CheckRow& row) { return row.standard_error; });
    column("z", [](const CheckRow& row) { return row.z(); });
    column("pass", [](const CheckRow& row) { return row.pass() ? 1.0 : 0.0; });
  });
  write_atomically(path, image);
}

} // namespace

ExitCode run_verify(const Invocation& invocation) {
  const Communicator ranks;
  std::int64_t failed = 0;
  if (ranks.root()) { // small problems, one rank's work; the others wait
    const Stopwatch clock;
    verification::VerifyOptions options;
    if (invocation.check) {
      options.samples = 64;
      options.num_steps = 6;
    }
    const CheckRows rows = all_checks(options);
    const std::filesystem::path folder = invocation.out.empty() ? "." : invocation.out;
    std::filesystem::create_directories(folder);
    write_file(folder / "verify.h5", rows);
    failed = std::count_if(rows.begin(), rows.end(), [](const CheckRow& row) { return !row.pass(); });
    if (invocation.json) {
      print_json(rows);
    } else {
      print_table(rows, invocation.quiet);
      fmt::print("{} of {} checks passed in {:.0f} s\n", static_cast<std::int64_t>(rows.size()) - failed,
                 rows.size(), clock.elapsed());
    }
  }
  const double worst = ranks.maximum(static_cast<double>(failed));
  return worst > 0 ? ExitCode::check_failed : ExitCode::success;
}

} // namespace scoreact
