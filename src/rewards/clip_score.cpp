#include "rewards/clip_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip_similarity.hpp"
#include "rewards/prompt_rows.hpp"

#include <torch/torch.h>

namespace scoreact {
namespace {

class ClipScore : public Reward {
 public:
  explicit ClipScore(ClipSimilarity similarity) : similarity_(std::move(similarity)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    const at::Tensor text = prompt_rows(similarity_.texts(), prompt, name());
    return (similarity_.pictures(x) * text).sum(1);
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "clip_score"; }

 private:
  ClipSimilarity similarity_;
};

} // namespace

std::shared_ptr<Reward> make_clip_score(const std::string& directory, const std::vector<std::string>& prompts,
                                        c10::Device device) {
  SCOREACT_REQUIRE(!prompts.empty(), ExitCode::data,
                   "reward.kind = clip_score: this reward reads prompts, but this model has no texts");
  return std::make_shared<ClipScore>(ClipSimilarity(directory, prompts, device));
}

} // namespace scoreact
