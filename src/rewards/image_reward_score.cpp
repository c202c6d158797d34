#include "rewards/image_reward_score.hpp"

#include "error/error.hpp"
#include "models/clip/clip_pixels.hpp"
#include "models/image_reward/image_reward.hpp"
#include "rewards/prompt_rows.hpp"
#include "text/bert_vocabulary.hpp"
#include "text/wordpiece_tokenizer.hpp"

#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

/// F of eq. 20 as the released code has it: ImageReward with its last layers free.
class ImageRewardCopy : public TrainableReward {
 public:
  ImageRewardCopy(std::shared_ptr<ImageReward> network, ImageRewardPrompts prompts)
      : network_(std::move(network)), prompts_(std::move(prompts)) {}

  at::Tensor features(const at::Tensor& x) override {
    return network_->front(clip_pixel_values_for(x, network_->image_size()));
  }
  long feature_elements() const override { return network_->front_elements(); }
  at::Tensor rear(const at::Tensor& features, const at::Tensor& prompt) override {
    const std::string name = "value.network = reward_copy";
    return ImageReward::normalised(network_->rear(features, prompt_rows(prompts_.input_ids, prompt, name),
                                                  prompt_rows(prompts_.attention_mask, prompt, name)));
  }
  NamedTensors parameters() override { return network_->trainable_parameters(); }

 private:
  std::shared_ptr<ImageReward> network_;
  ImageRewardPrompts prompts_;
};

class ImageRewardScore : public Reward {
 public:
  ImageRewardScore(std::shared_ptr<ImageReward> network, ImageRewardPrompts prompts)
      : network_(std::move(network)), prompts_(std::move(prompts)) {}

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& prompt) override {
    const at::Tensor ids = prompt_rows(prompts_.input_ids, prompt, name());
    const at::Tensor mask = prompt_rows(prompts_.attention_mask, prompt, name());
    const at::Tensor pixels = clip_pixel_values_for(x, network_->image_size());
    return ImageReward::normalised(network_->forward(pixels, ids, mask));
  }
  bool differentiable() const override { return true; }
  std::string name() const override { return "image_reward"; }
  std::unique_ptr<TrainableReward> trainable_copy(double frozen_fraction) const override {
    return std::make_unique<ImageRewardCopy>(network_->trainable_copy(frozen_fraction), prompts_);
  }

 private:
  std::shared_ptr<ImageReward> network_;
  ImageRewardPrompts prompts_;
};

} // namespace

ImageRewardPrompts image_reward_prompts(const std::string& directory, const ImageReward& network,
                                        const std::vector<std::string>& prompts, c10::Device device) {
  const std::vector<std::string> added = {"[DEC]", "[ENC]"}; // BLIP's own two
  const auto file = std::filesystem::path(directory) / "vocab.txt";
  const auto tokenizer = std::filesystem::exists(file)
                             ? WordPieceTokenizer(file.string(), added)
                             : WordPieceTokenizer::of_lines(bert_vocabulary(), "bert-base-uncased", added);
  const long words = network.config().text.vocab_size;
  SCOREACT_REQUIRE(static_cast<long>(tokenizer.size()) == words, ExitCode::data,
                   "{}: ImageReward's text tower knows {} tokens, but its vocabulary has {}", directory,
                   words, tokenizer.size());
  SCOREACT_REQUIRE(!prompts.empty(), ExitCode::data,
                   "reward.kind = image_reward: this reward reads prompts, but this model has no texts");
  std::vector<at::Tensor> ids, masks;
  for (const std::string& prompt : prompts) {
    const MaskedIds encoded = tokenizer.encode(prompt, ImageReward::prompt_length);
    ids.push_back(torch::tensor(encoded.ids, at::kLong));
    masks.push_back(torch::tensor(encoded.mask, at::kLong));
  }
  return {at::stack(ids).to(device), at::stack(masks).to(device)};
}

std::shared_ptr<Reward> make_image_reward(const std::string& directory,
                                          const std::vector<std::string>& prompts, c10::Device device) {
  auto network = ImageReward::load(directory, device);
  auto encoded = image_reward_prompts(directory, *network, prompts, device);
  return make_image_reward(std::move(network), std::move(encoded));
}

std::shared_ptr<Reward> make_image_reward(std::shared_ptr<ImageReward> network, ImageRewardPrompts prompts) {
  return std::make_shared<ImageRewardScore>(std::move(network), std::move(prompts));
}

} // namespace scoreact
