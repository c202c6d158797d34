#include "error/error.hpp"
#include "rewards/classifier_reward.hpp"
#include "rewards/decoded_reward.hpp"
#include "rewards/jpeg_reward.hpp"
#include "rewards/polynomial_reward.hpp"
#include "rewards/weighted_sum.hpp"

namespace scoreact {
namespace {

std::shared_ptr<Reward> make_one(const std::string& kind, const RewardOptions& options,
                                 const std::vector<long>& sample_shape, const RewardContext&) {
  if (kind == "classifier") {
    SCOREACT_REQUIRE(!options.path.empty(), ExitCode::data,
                     "reward.path: expected the folder of a classifier for reward.kind = classifier");
    return make_classifier_reward(options.path, sample_shape);
  }
  if (kind == "jpeg_compressibility" || kind == "jpeg_incompressibility") {
    return make_jpeg_reward(kind, sample_shape);
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
