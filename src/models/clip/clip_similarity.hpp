#pragma once
/// How near pictures are to texts for a CLIP: cosines of their embeddings (Radford et al. 2021).
#include "models/clip/clip.hpp"

#include <memory>
#include <string>
#include <vector>

namespace scoreact {

class ClipSimilarity {
 public:
  /// Embeds `texts` once with the CLIP in `directory`. Throws Error{missing_input | data}.
  ClipSimilarity(const std::string& directory, const std::vector<std::string>& texts, c10::Device);
  /// Embeddings of pictures x [n, 3, H, W] fp32 in [-1, 1]: [n, width] of norm 1. Records a graph to x when
  /// grad mode is on.
  at::Tensor pictures(const at::Tensor& x) const;
  const at::Tensor& texts() const { return texts_; } ///< [texts, width] of norm 1

 private:
  std::shared_ptr<Clip> clip_;
  at::Tensor texts_;
};

} // namespace scoreact
