#include "deck/deck.hpp"
#include "error/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scoreact {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What is wrong with the default deck under these overrides; "" if nothing.
std::string refusal(const std::vector<std::string>& overrides, DeckUse use = DeckUse::any) {
  try {
    parse_deck("", "deck.toml", overrides, use);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
}

TEST(Combinations, BatchesDivideOneAnother) {
  EXPECT_THAT(refusal({"train.minibatch_size=48"}),
              HasSubstr("expected a divisor of sample.samples_per_epoch = 256, found 48"));
  EXPECT_THAT(refusal({"train.micro_batch_size=48"}),
              HasSubstr("expected a divisor of train.minibatch_size = 64"));
  EXPECT_THAT(refusal({"sample.micro_batch_size=512"}), HasSubstr("sample.micro_batch_size"));
  EXPECT_EQ(refusal({"sample.micro_batch_size=512", "run.deterministic=false"}), "");
  EXPECT_THAT(refusal({"train.num_times=51"}), HasSubstr("at most sample.num_steps = 50"));
  EXPECT_THAT(refusal({"per_prompt_stat_tracking.buffer_size=8"}),
              HasSubstr("at most buffer_size = 8, found 16"));
}

TEST(Combinations, ReservedValuesAreRefusedRatherThanIgnored) {
  EXPECT_EQ(refusal({"run.precision=tf32"}), "");
  EXPECT_THAT(refusal({"run.precision=bf16"}), HasSubstr("bf16 is for frozen weights"));
  EXPECT_EQ(refusal({"run.eval_freq=5"}), "");
}

TEST(Combinations, DeterministicStepsHaveNeitherTransitionDensityNorPathKl) {
  EXPECT_THAT(refusal({"sample.eta=0"}), HasSubstr("action = transition is the density of that noise"));
  EXPECT_THAT(refusal({"sample.eta=0", "algorithm.action=score"}), HasSubstr("has no path KL"));
  EXPECT_THAT(refusal({"sample.solver=dpmpp_2m", "algorithm.action=score"}),
              HasSubstr("solver = dpmpp_2m is a probability-flow ODE"));
  EXPECT_EQ(refusal({"sample.eta=0", "algorithm.action=score", "algorithm.kl_weight=0"}), "");
  EXPECT_EQ(refusal({"sample.eta=0", "sample.solver=ddpm"}), "")
      << "ddpm is ddim at eta = 1, whatever eta says";
  EXPECT_EQ(refusal({"sample.eta=0", "model.path=m"}, DeckUse::policy), "") << "sampling needs no noise";
}

TEST(Combinations, StochasticHeunHasNoGaussianTransition) {
  EXPECT_THAT(refusal({"sample.solver=heun_sde"}), HasSubstr("not Gaussian in the score"));
  EXPECT_EQ(refusal({"sample.solver=heun_sde", "algorithm.action=score"}), "");
}

TEST(Combinations, EstimatorsFitTheUpdate) {
  EXPECT_THAT(refusal({"algorithm.advantage=finite_difference"}), HasSubstr("update = pathwise"));
  EXPECT_THAT(refusal({"algorithm.update=clipped", "algorithm.baseline=antithetic"}),
              HasSubstr("antithetic is a central difference"));
  EXPECT_EQ(refusal({"algorithm.update=clipped", "algorithm.baseline=antithetic",
                     "algorithm.advantage=finite_difference"}),
            "");
  EXPECT_THAT(refusal({"algorithm.name=ddpo"}), HasSubstr("pathwise needs the value function of ctrl"));
  EXPECT_EQ(refusal({"algorithm.name=ddpo", "algorithm.update=clipped"}), "");
  EXPECT_THAT(refusal({"algorithm.action=score", "algorithm.update=clipped", "algorithm.exploration=0"}),
              HasSubstr("no density"));
}

TEST(Combinations, ListsThatBelongTogetherHaveOneLength) {
  EXPECT_THAT(refusal({"model.analytic.weights=[1, 2]"}),
              HasSubstr("expected one mean a weight (2), found 1"));
  EXPECT_THAT(refusal({"model.analytic.means=[[1, 2], [3]]", "model.analytic.weights=[1, 1]"}),
              HasSubstr("common dimension"));
  EXPECT_THAT(refusal({"reward.weights=[1, 2]"}), HasSubstr("expected one weight a kind (1), found 2"));
  EXPECT_THAT(refusal({"network.block_out_channels=[8]"}), HasSubstr("network.down_block_types"));
  EXPECT_THAT(refusal({"network.norm_num_groups=3"}),
              HasSubstr("expected a divisor of every block_out_channels"));
  EXPECT_THAT(refusal({"model.kind=analytic", "model.train=lora"}), HasSubstr("no matrices"));
}

TEST(Combinations, NetworksOfCaptionedPicturesFitTheirPictures) {
  const auto with = [](std::vector<std::string> more) {
    std::vector<std::string> all = {"data.path=d", "data.format=imagefolder", "data.channels=3",
                                    "data.height=32", "data.width=32"};
    all.insert(all.end(), more.begin(), more.end());
    return refusal(all, DeckUse::pretrain);
  };
  EXPECT_EQ(with({"network.kind=autoencoder_kl"}), "");
  EXPECT_THAT(with({"network.kind=autoencoder_kl", "data.format=idx"}), HasSubstr("expected imagefolder"));
  EXPECT_THAT(with({"network.kind=clip", "data.channels=1"}), HasSubstr("imagefolder with 3 channels"));
  EXPECT_THAT(with({"network.kind=autoencoder_kl", "data.width=31"}),
              HasSubstr("in multiples of 2, found 32 x 31"));
  EXPECT_THAT(with({"network.kind=autoencoder_kl", "network.norm_num_groups=3"}),
              HasSubstr("found 3 with 16"));
  EXPECT_THAT(with({"network.kind=autoencoder_kl_decoder"}),
              HasSubstr("the folder of a trained autoencoder"));
  EXPECT_EQ(with({"network.kind=clip"}), "");
  EXPECT_THAT(with({"network.kind=clip", "network.patch_size=5"}), HasSubstr("multiples of the patch"));
  EXPECT_THAT(with({"network.kind=clip", "data.width=64"}), HasSubstr("square pictures"));
  EXPECT_THAT(with({"network.kind=clip", "network.text_heads=5"}), HasSubstr("text_hidden = 768, found 5"));
  EXPECT_THAT(with({"network.kind=clip", "network.vision_heads=5"}),
              HasSubstr("vision_hidden = 768, found 5"));
}

TEST(Combinations, WhatACommandNeedsIsRequired) {
  EXPECT_THAT(refusal({}, DeckUse::training), HasSubstr("model.path: missing"));
  EXPECT_THAT(refusal({}, DeckUse::training), HasSubstr("reward.path: missing"));
  EXPECT_THAT(refusal({"reward.kind=linear"}, DeckUse::training), HasSubstr("reward.vector: missing"));
  EXPECT_THAT(refusal({"reward.kind=quadratic"}, DeckUse::training), HasSubstr("reward.center: missing"));
  EXPECT_THAT(refusal({}, DeckUse::policy), HasSubstr("model.path: missing"));
  EXPECT_THAT(refusal({}, DeckUse::pretrain), HasSubstr("data.path: missing"));
  EXPECT_EQ(refusal({"model.path=a", "reward.path=b"}, DeckUse::training), "");
  EXPECT_EQ(refusal({"data.path=a"}, DeckUse::pretrain), "");
}

TEST(Warnings, TellWhatIsKnownToGoWrong) {
  EXPECT_THAT(warnings(Deck{}), IsEmpty());
  EXPECT_THAT(warnings(parse_deck("algorithm.kl_weight = 0.03", "d")), ElementsAre(HasSubstr("collapse")));
  EXPECT_THAT(warnings(parse_deck("reward.kind = \"jpeg_compressibility\"", "d")),
              ElementsAre(HasSubstr("no gradient")));
  EXPECT_THAT(warnings(parse_deck("sample.eta = 0.5", "d")), ElementsAre(HasSubstr("initial noise")));
}

} // namespace
} // namespace scoreact
