#include "rewards/clip_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip.hpp"
#include "models/clip/clip_pixels.hpp"
#include "rewards/prompt_rows.hpp"
#include "text/clip_tokenizer.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, 1, /*keepdim=*/true); }

class ClipScore : public Reward {
 public:
  /// text [prompts, width] of norm 1
  ClipScore(std::shared_ptr<Clip> clip, at::Tensor text) : clip_(std::move(clip)), text_(std::move(text)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    const at::Tensor text = prompt_rows(text_, prompt, name());
    const at::Tensor pixels = clip_pixel_values_for(x, clip_->config().vision.image_size);
    return (unit_rows(clip_->image_embeds(pixels)) * text).sum(1);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "clip_score"; }

 private:
  std::shared_ptr<Clip> clip_;
  at::Tensor text_;
};

} // namespace

std::shared_ptr<Reward> make_clip_score(const std::string& directory, const std::vector<std::string>& prompts,
                                        c10::Device device) {
  SCOREACT_REQUIRE(!prompts.empty(), ExitCode::data,
                   "reward.kind = clip_score: this reward reads prompts, but this model has no texts");
  auto clip = Clip::load(directory, device);
  const ClipTokenizer tokenizer(directory);
  const ClipTextConfig& config = clip->config().text;
  SCOREACT_REQUIRE(static_cast<long>(tokenizer.size()) <= config.vocab_size, ExitCode::data,
                   "{}: this CLIP knows {} tokens, but its vocabulary has {}", directory, config.vocab_size,
                   tokenizer.size());
  std::vector<at::Tensor> ids;
  for (const std::string& prompt : prompts) {
    ids.push_back(torch::tensor(tokenizer.encode(prompt, config.max_position_embeddings), at::kLong));
  }
  torch::NoGradGuard no_grad;
  at::Tensor text = unit_rows(clip->text_embeds(at::stack(ids).to(device)));
  return std::make_shared<ClipScore>(std::move(clip), std::move(text));
}

} // namespace scoreact
