#pragma once
/// Deck section [reward]: one reward or a weighted sum of several.
#include <string>
#include <vector>

namespace scoreact {

struct RewardOptions {
  std::vector<std::string> kind = {"classifier"}; ///< classifier | jpeg_compressibility |
                                                  ///< jpeg_incompressibility | linear | quadratic | ...
  std::vector<double> weights = {};               ///< one a kind; empty = all 1
  std::string path = "";                          ///< classifier directory or reward model files
  std::string clip_path = "";                     ///< CLIP of clip_score and aesthetic; empty: path
  std::string aesthetic_path = "";                ///< weights of the LAION head; empty: in the CLIP's folder
  bool jpeg_header = true;                        ///< counts in the size of a JPEG file
  std::vector<double> vector = {};                ///< linear: RM = vector . x
  double strength = 1.0;                          ///< quadratic: RM = -strength/2 |x - center|^2
  std::vector<double> center = {};                ///< quadratic
};

} // namespace scoreact
