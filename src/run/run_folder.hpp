#pragma once
/// The folder of a run that may be stopped and continued: its lock, deck.toml, the newest sound checkpoint,
/// run.h5, and why the run should stop. It knows nothing of what is trained.
#include "error/error.hpp"
#include "parallel/communicator.hpp"
#include "parallel/stopwatch.hpp"
#include "run/run_options.hpp"
#include "run/stop_request.hpp"
#include "store/checkpoint.hpp"
#include "store/run_directory.hpp"
#include "store/run_file.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace scoreact {

struct RunFolderSetup {
  std::filesystem::path path;
  RunOptions run;
  std::string deck; ///< effective deck, TOML
  std::string device_name;
  bool quiet = false;
  Stopwatch since_start; ///< begun when the program began
};

class RunFolder {
 public:
  /// Makes the folder or finds it: takes its lock, forgets an old `stop`, looks for the newest sound
  /// checkpoint. Collective. Throws Error{data} when all checkpoints are damaged, or when the run was started
  /// with another deck.
  RunFolder(RunFolderSetup, const Communicator&);

  /// What the run goes on from; nothing for a new one.
  const std::optional<LoadedCheckpoint>& checkpoint() const { return checkpoint_; }
  /// Once every rank has loaded the checkpoint: writes deck.toml and opens run.h5 with its first `rows` rows,
  /// those of the checkpoint. Collective. `more`: attributes beside the usual ones.
  void open_run_file(long rows, const std::vector<MetricInfo>& metrics, const Attributes& more = {});
  /// run.h5 on rank 0, nullptr on the others.
  RunFile* file() { return file_ ? &*file_ : nullptr; }
  const RunDirectory& directory() const { return directory_; }

  /// Calls `write` on rank 0, unless the newest checkpoint has this number already and is not to be replaced.
  /// Collective. Returns the seconds that it took.
  double checkpoint(long number, const std::function<void()>& write, bool replace = false);
  /// Empty, or why the run must stop now (signal, stop file, time limit). Collective. `longest_step` is the
  /// time of the longest step so far with all that follows it but checkpoints, seconds: one more and a
  /// checkpoint must fit before the time limit; 0: none was done, and one at least is, however short the
  /// limit.
  std::string stop_reason(double longest_step) const;

 private:
  std::optional<LoadedCheckpoint> find_checkpoint() const;
  /// When ranks compute with different machine instructions, or the run before did. Collective.
  void warn_of_other_instructions() const;

  RunFolderSetup setup_;
  const Communicator& ranks_;
  RunDirectory directory_;
  std::optional<RunLock> lock_;
  std::optional<LoadedCheckpoint> checkpoint_;
  std::optional<RunFile> file_; ///< rank 0
  StopRequest stop_;
  long last_checkpoint_ = -1;
  double checkpoint_seconds_ = 0; ///< of the last one
};

} // namespace scoreact
