#pragma once
/// run.h5: the metrics and evaluations of a run. One object on rank 0 holds everything in memory (a few
/// hundred numbers an epoch at most) and rewrites the file atomically at each record, so that h5py can open
/// it at any moment, while the run is going and after kill -9. HDF5 alone has no such guarantee.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/hdf5_values.hpp"
#include "store/run_metrics.hpp"

namespace scoreact {

/// The group /evaluation: E evaluated checkpoints, S pairs of (number of steps, solver).
struct EvaluationTable {
  std::vector<std::int64_t> epochs; ///< [E]
  std::vector<std::int64_t> steps;  ///< [S]
  std::vector<std::string> solvers; ///< [S]
  /// [E, S] in C order by name; reward_mean, reward_stderr and kl_path must be there. NaN: not evaluated.
  std::map<std::string, std::vector<double>> tables;
  Attributes attributes;
  bool empty() const { return epochs.empty() && steps.empty(); }
};

class RunFile {
 public:
  /// Root attributes `format` and `format_version` are added; the others (software, version, git, created,
  /// deck, ranks, devices, versions of libraries) come from the caller. Writes the file, with empty columns.
  /// Throws Error{io}.
  static RunFile create(const std::filesystem::path& path, const Attributes& attributes,
                        const std::vector<MetricInfo>& metrics = run_metrics());
  /// Reads a run file, to go on with it or to look at it. Throws Error{missing_input}, Error{data}.
  static RunFile open(const std::filesystem::path& path);

  /// Forgets the rows after the first `epochs` (a run goes on from an older checkpoint) and evaluations of
  /// later epochs. In memory only: the next record() or write() brings it to the disk. Throws Error{data} if
  /// there are fewer rows.
  void truncate_to(long epochs);

  /// Appends one epoch and rewrites the file. `metrics` holds exactly the declared names, else
  /// Error{internal}; a resource that appears late has NaN in earlier rows. If the write fails (Error{io})
  /// the old file is intact.
  void record(const std::map<std::string, double>& metrics,
              const std::map<std::string, double>& resources = {});

  /// Rows recorded so far.
  long epochs() const;
  const std::vector<MetricInfo>& metrics() const { return metrics_; }
  /// A column of /metrics, or of /resources. Throws Error{data} if there is none of that name.
  const std::vector<double>& column(const std::string& name) const;
  const std::map<std::string, std::vector<double>>& resources() const { return resources_; }

  const Attributes& attributes() const { return attributes_; }
  void set_attribute(const std::string& name, AttributeValue value);
  /// Texts that the samples are drawn for; `prompt` of a trajectory file counts them from 0. Empty where
  /// there are none.
  const std::vector<std::string>& prompts() const { return prompts_; }
  /// In memory only; write() or record() brings it to the disk.
  void set_prompts(std::vector<std::string> prompts) { prompts_ = std::move(prompts); }
  const EvaluationTable& evaluation() const { return evaluation_; }
  /// In memory only; write() brings it to the disk. Throws Error{internal} if shapes disagree.
  void set_evaluation(EvaluationTable table);

  /// Rewrites the file. Throws Error{io}; the old file is then intact.
  void write() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Attributes attributes_;
  std::vector<MetricInfo> metrics_;
  std::map<std::string, std::vector<double>> columns_;
  std::map<std::string, std::vector<double>> resources_;
  std::vector<std::string> prompts_;
  EvaluationTable evaluation_;
};

} // namespace scoreact
