#pragma once
/// Names, units and meanings of the columns of run.h5. `/metrics` holds what is reproducible bit for bit for
/// a deck, whatever the machine does, and times; `/resources` what depends on the machine or on restarts.
#include <string>
#include <vector>

namespace scoreact {

struct MetricInfo {
  std::string name;
  std::string units; ///< "1" for pure numbers
  std::string long_name;
};

/// One value an epoch of every one of these; docs/files.md lists them.
const std::vector<MetricInfo>& run_metrics();

/// The usual columns of /resources; a run may record any subset, and others.
const std::vector<MetricInfo>& run_resources();

} // namespace scoreact
