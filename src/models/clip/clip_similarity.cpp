#include "models/clip/clip_similarity.hpp"

#include "error/error.hpp"
#include "models/clip/clip_pixels.hpp"
#include "models/clip/clip_tokens.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, 1, /*keepdim=*/true); }

} // namespace

ClipSimilarity::ClipSimilarity(const std::string& directory, const std::vector<std::string>& texts,
                               c10::Device device)
    : clip_(Clip::load(directory, device)) {
  const ClipTokenizer tokenizer(directory);
  const ClipTextConfig& config = clip_->config().text;
  SCOREACT_REQUIRE(static_cast<long>(tokenizer.size()) <= config.vocab_size, ExitCode::data,
                   "{}: this CLIP knows {} tokens, but its vocabulary has {}", directory, config.vocab_size,
                   tokenizer.size());
  torch::NoGradGuard no_grad;
  texts_ =
      unit_rows(clip_->text_embeds(clip_tokens(tokenizer, texts, config.max_position_embeddings).to(device)));
}

at::Tensor ClipSimilarity::pictures(const at::Tensor& x) const {
  return unit_rows(clip_->image_embeds(clip_pixel_values_for(x, clip_->config().vision.image_size)));
}

} // namespace scoreact
