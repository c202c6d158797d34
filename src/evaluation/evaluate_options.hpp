#pragma once
/// Deck section [evaluate]: what `scoreact evaluate` draws and compares.
#include <cstdint>
#include <string>
#include <vector>

namespace scoreact {

struct EvaluateOptions {
  std::vector<long> steps = {10, 25, 50, 100};
  std::vector<std::string> solvers = {}; ///< empty = the training solver
  long num_samples = 400;                ///< pictures a (steps, solver) pair
  std::uint64_t seed = 1000;
  std::string judge = "";     ///< directory of a classifier or CLIP that was never a reward
  std::string reference = ""; ///< images for the Frechet distance (the [data] formats of pretrain decks)
  std::string inception = ""; ///< its weights: the distance is the FID, reference is what `fid` takes
  long base_samples = 4096;   ///< samples of the unchanged model for the attainable optimum J*
};

} // namespace scoreact
