#pragma once
/// Deck section [store]: what a run leaves on disk beside its metrics.
#include <string>

namespace scoreact {

struct StoreOptions {
  std::string trajectories = "none"; ///< none | all | every:N
  bool means = false;                ///< also mu and mu_pre of every step
  long images_per_epoch = 64;        ///< pictures of the progress grid, 0 = none
  long images_freq = 0;              ///< epochs between grids, 0 = about eight over the run
  long compression = 0;              ///< gzip level of trajectory files, 0 = none
};

} // namespace scoreact
