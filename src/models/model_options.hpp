#pragma once
/// Deck section [model]: which network is the policy and what of it is trained.
#include <string>
#include <vector>

namespace scoreact {

/// [model.analytic]: a mixture of M isotropic Gaussians with exact score (docs/mathematics.md, G1 and G5) and
/// a residual policy.
struct AnalyticOptions {
  std::vector<double> weights = {1.0};                   ///< [M], normalised to sum 1
  std::vector<std::vector<double>> means = {{0.0, 0.0}}; ///< [M][d]
  std::vector<double> stds = {1.0};                      ///< [M]
  std::string policy = "affine"; ///< residual on the score: constant or affine in x (basis over time) | mlp
  long hidden = 64;              ///< width of the mlp residual
};

struct ModelOptions {
  std::string kind = "pixel_unet"; ///< pixel_unet | stable_diffusion | analytic
  std::string path = "";           ///< Hugging Face model directory
  long lora_rank = 4;              ///< diffusers train_text_to_image_lora.py default
  double lora_alpha = 4.0;         ///< scale = alpha / rank
  /// Ends of the names of the U-Net's linear maps that carry a LoRA; diffusers train_text_to_image_lora.py
  std::vector<std::string> lora_targets = {"to_q", "to_k", "to_v", "to_out.0"};
  std::string train = "full"; ///< lora | full; "nothing" for drawing alone (not in decks)
  AnalyticOptions analytic;
};

} // namespace scoreact
