#include "error/error.hpp"
#include "rewards/aesthetic_score.hpp"
#include "rewards/classifier_reward.hpp"
#include "rewards/clip_score.hpp"
#include "rewards/decoded_reward.hpp"
#include "rewards/image_reward_score.hpp"
#include "rewards/jpeg_reward.hpp"
#include "rewards/polynomial_reward.hpp"
#include "rewards/weighted_sum.hpp"

namespace scoreact {
namespace {

/// A folder that the deck must name under `key`.
const std::string& folder_of(const std::string& path, const char* key, const char* network,
                             const std::string& kind) {
  SCOREACT_REQUIRE(!path.empty(), ExitCode::data, "{}: expected the folder of {} for reward.kind = {}", key,
                   network, kind);
  return path;
}

std::shared_ptr<Reward> make_one(const std::string& kind, const RewardOptions& options,
                                 const std::vector<long>& sample_shape, const RewardContext& context) {
  if (kind == "classifier") {
    return make_classifier_reward(folder_of(options.path, "reward.path", "a classifier", kind), sample_shape);
  }
  if (kind == "image_reward") {
    return make_image_reward(folder_of(options.path, "reward.path", "ImageReward", kind), context.prompts,
                             context.device);
  }
  if (kind == "clip_score" || kind == "aesthetic") {
    const std::string& clip =
        folder_of(options.clip_path.empty() ? options.path : options.clip_path, "reward.path", "CLIP", kind);
    return kind == "aesthetic" ? make_aesthetic_score(clip, options.aesthetic_path, context.device)
                               : make_clip_score(clip, context.prompts, context.device);
  }
  if (kind == "jpeg_compressibility" || kind == "jpeg_incompressibility") {
    return make_jpeg_reward(kind, sample_shape, options.jpeg_header);
  }
  if (kind == "linear") {
    return make_linear_reward(options, sample_shape);
  }
  SCOREACT_REQUIRE(kind == "quadratic", ExitCode::data,
                   "reward.kind: expected classifier, jpeg_compressibility, jpeg_incompressibility, "
                   "image_reward, clip_score, "
                   "aesthetic, linear or quadratic, found \"{}\"",
                   kind);
  return make_quadratic_reward(options, sample_shape);
}

} // namespace

std::shared_ptr<Reward> make_reward(const RewardOptions& options, const std::vector<long>& sample_shape,
                                    const RewardContext& context) {
  SCOREACT_REQUIRE(!options.kind.empty(), ExitCode::data, "reward.kind: expected at least one reward");
  SCOREACT_REQUIRE(options.weights.empty() || options.weights.size() == options.kind.size(), ExitCode::data,
                   "reward.weights: expected {} numbers, one for each reward.kind, found {}",
                   options.kind.size(), options.weights.size());
  std::vector<WeightedReward> terms;
  for (std::size_t i = 0; i < options.kind.size(); ++i) {
    terms.push_back({options.weights.empty() ? 1.0 : options.weights[i],
                     make_one(options.kind[i], options, sample_shape, context)});
  }
  auto reward =
      terms.size() == 1 && terms[0].weight == 1.0 ? terms[0].reward : make_weighted_sum(std::move(terms));
  return context.to_pixels ? make_decoded_reward(std::move(reward), context) : reward; // decodes once for all
}

} // namespace scoreact
