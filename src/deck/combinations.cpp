#include "deck/combinations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace scoreact {
namespace deck {
namespace {

bool contains(const std::vector<std::string>& list, const char* word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Steps without noise: a probability-flow ODE (docs/mathematics.md section 2 with chi = 0).
bool deterministic(const SampleOptions& sample) {
  return sample.solver == "dpmpp_2m" || (sample.solver != "ddpm" && sample.eta == 0);
}

class Rules {
 public:
  template <class... Args>
  void require(bool holds, std::vector<std::string> keys, fmt::format_string<Args...> text, Args&&... args) {
    if (!holds)
      broken.push_back({std::move(keys), fmt::format(text, std::forward<Args>(args)...)});
  }
  std::vector<Conflict> broken;
};

void check_model(const Deck& deck, DeckUse use, Rules& rules) {
  const AnalyticOptions& analytic = deck.model.analytic;
  const std::size_t components = analytic.weights.size();
  rules.require(analytic.means.size() == components, {"model.analytic.means", "model.analytic.weights"},
                "expected one mean a weight ({}), found {}", components, analytic.means.size());
  rules.require(analytic.stds.size() == components, {"model.analytic.stds", "model.analytic.weights"},
                "expected one standard deviation a weight ({}), found {}", components, analytic.stds.size());
  const bool same_length = std::all_of(analytic.means.begin(), analytic.means.end(), [&](const auto& mean) {
    return !mean.empty() && mean.size() == analytic.means[0].size();
  });
  rules.require(same_length, {"model.analytic.means"}, "expected means of one common dimension, at least 1");
  rules.require(
      deck.schedule.beta_start <= deck.schedule.beta_end, {"schedule.beta_start", "schedule.beta_end"},
      "expected beta_start <= beta_end, found {} and {}", deck.schedule.beta_start, deck.schedule.beta_end);
  if (deck.model.kind == "analytic") {
    rules.require(deck.model.train == "full", {"model.train", "model.kind"},
                  "an analytic model has no matrices for a low-rank update: expected full");
  } else if (use == DeckUse::policy || use == DeckUse::training) {
    rules.require(!deck.model.path.empty(), {"model.path"},
                  "missing: expected the directory of the base model");
  }
  const bool text = deck.model.kind == "stable_diffusion";
  const PromptOptions& prompts = deck.prompts;
  if (text) {
    rules.require(prompts.classes.empty(), {"prompts.classes", "model.kind"},
                  "Stable Diffusion is conditioned on texts: expected prompts.list or prompts.file");
    rules.require(use != DeckUse::training || !prompts.list.empty() || !prompts.file.empty(),
                  {"prompts.list"},
                  "missing: Stable Diffusion needs prompts, in prompts.list or prompts.file");
  } else if (use == DeckUse::policy || use == DeckUse::training) {
    rules.require(
        prompts.list.empty() && prompts.file.empty() && prompts.negative.empty(),
        {prompts.list.empty() ? prompts.file.empty() ? "prompts.negative" : "prompts.file" : "prompts.list",
         "model.kind"},
        "only stable_diffusion is conditioned on texts: expected prompts.classes, or none");
    rules.require(deck.model.kind != "pixel_unet" || deck.model.train == "full",
                  {"model.train", "model.kind"}, "a pixel_unet is trained in full; found \"{}\"",
                  deck.model.train);
  }
}

void check_reward(const Deck& deck, DeckUse use, Rules& rules) {
  const RewardOptions& reward = deck.reward;
  rules.require(reward.weights.empty() || reward.weights.size() == reward.kind.size(),
                {"reward.weights", "reward.kind"}, "expected one weight a kind ({}), found {}",
                reward.kind.size(), reward.weights.size());
  if (use != DeckUse::training)
    return;
  const std::pair<const char*, const std::string*> folders[] = {{"image_reward", &reward.path},
                                                                {"clip_score", &reward.clip_path},
                                                                {"aesthetic", &reward.aesthetic_path}};
  for (const auto& [kind, folder] : folders)
    rules.require(!contains(reward.kind, kind) || !reward.path.empty() || !folder->empty(),
                  {"reward.path", "reward.kind"}, "missing: kind = {} needs the directory of its network",
                  kind);
  rules.require((!contains(reward.kind, "image_reward") && !contains(reward.kind, "clip_score")) ||
                    deck.model.kind == "stable_diffusion",
                {"reward.kind", "model.kind"},
                "image_reward and clip_score judge a picture by its text: expected model.kind = "
                "stable_diffusion");
  rules.require(!contains(reward.kind, "classifier") || !reward.path.empty(), {"reward.path", "reward.kind"},
                "missing: kind = classifier needs the directory of a classifier");
  rules.require(!contains(reward.kind, "linear") || !reward.vector.empty(), {"reward.vector", "reward.kind"},
                "missing: kind = linear needs its vector");
  rules.require(!contains(reward.kind, "quadratic") || !reward.center.empty(),
                {"reward.center", "reward.kind"}, "missing: kind = quadratic needs its center");
}

/// Keys whose other values the schema reserves; refused rather than ignored.
void check_reserved(const Deck& deck, Rules& rules) {
  rules.require(deck.run.precision != "bf16" ||
                    (deck.model.kind == "stable_diffusion" && deck.model.train == "lora"),
                {"run.precision", "model.train"},
                "bf16 is for frozen weights: expected model.kind = stable_diffusion with model.train = lora");
}

void check_batches(const Deck& deck, Rules& rules) {
  const long samples = deck.sample.samples_per_epoch, minibatch = deck.train.minibatch_size;
  rules.require(samples % minibatch == 0, {"train.minibatch_size", "sample.samples_per_epoch"},
                "expected a divisor of sample.samples_per_epoch = {}, found {}", samples, minibatch);
  if (deck.run.deterministic) { // otherwise too large a micro-batch is reduced to what a rank holds
    rules.require(samples % deck.sample.micro_batch_size == 0,
                  {"sample.micro_batch_size", "sample.samples_per_epoch"},
                  "expected a divisor of sample.samples_per_epoch = {}, found {}", samples,
                  deck.sample.micro_batch_size);
    rules.require(
        minibatch % deck.train.micro_batch_size == 0, {"train.micro_batch_size", "train.minibatch_size"},
        "expected a divisor of train.minibatch_size = {}, found {}", minibatch, deck.train.micro_batch_size);
  }
  rules.require(deck.train.num_times <= deck.sample.num_steps, {"train.num_times", "sample.num_steps"},
                "expected at most sample.num_steps = {}, found {}", deck.sample.num_steps,
                deck.train.num_times);
  const PromptStatOptions& statistics = deck.per_prompt_stat_tracking;
  rules.require(statistics.buffer_size == 0 || statistics.min_count <= statistics.buffer_size,
                {"per_prompt_stat_tracking.min_count", "per_prompt_stat_tracking.buffer_size"},
                "expected at most buffer_size = {}, found {}", statistics.buffer_size, statistics.min_count);
}

void check_algorithm(const Deck& deck, Rules& rules) {
  const AlgorithmOptions& algorithm = deck.algorithm;
  const std::string sampler = deck.sample.solver == "dpmpp_2m" ? "solver = dpmpp_2m" : "sample.eta = 0";
  const bool ode = deterministic(deck.sample);
  const std::string where = deck.sample.solver == "dpmpp_2m" ? "sample.solver" : "sample.eta";
  if (algorithm.action == "transition") {
    rules.require(!ode, {where, "algorithm.action"},
                  "{} takes steps without noise, and action = transition is the density of that noise: "
                  "expected eta > 0 with a "
                  "stochastic solver, or action = score",
                  sampler);
    rules.require(deck.sample.solver != "heun_sde", {"sample.solver", "algorithm.action"},
                  "a step of heun_sde evaluates the score twice, so that its transition is not Gaussian in "
                  "the score: expected a "
                  "one-stage solver, or action = score");
  }
  if (algorithm.name != "ctrl") {
    rules.require(
        algorithm.update != "pathwise", {"algorithm.update", "algorithm.name"},
        "pathwise needs the value function of ctrl: expected clipped or policy_gradient with name = {}",
        algorithm.name);
    return;
  }
  rules.require(!ode || algorithm.kl_weight == 0, {"algorithm.kl_weight", where},
                "{} is a probability-flow ODE, which has no path KL: expected kl_weight = 0 or eta > 0 with "
                "a stochastic solver, "
                "found kl_weight = {}",
                sampler, algorithm.kl_weight);
  rules.require(algorithm.update != "pathwise" || algorithm.advantage == "gradient",
                {"algorithm.advantage", "algorithm.update"},
                "update = pathwise is the exact mean of the gradient estimator: expected gradient, found {}",
                algorithm.advantage);
  rules.require(
      algorithm.baseline != "antithetic" || algorithm.advantage == "finite_difference",
      {"algorithm.baseline", "algorithm.advantage"},
      "antithetic is a central difference: expected none or centred with advantage = {}, or advantage = "
      "finite_difference",
      algorithm.advantage);
  rules.require(algorithm.action != "score" || algorithm.update == "pathwise" ||
                    algorithm.exploration.constant > 0,
                {"algorithm.exploration", "algorithm.action"},
                "without exploration the policy has no density: expected a constant > 0 with action = score "
                "and update = {}",
                algorithm.update);
}

/// Networks that are trained on pictures with captions.
void check_captioned(const Deck& deck, DeckUse use, Rules& rules) {
  const NetworkOptions& network = deck.network;
  const bool autoencoder = network.kind.starts_with("autoencoder_kl"), clip = network.kind == "clip",
             text = network.kind == "text_to_image";
  rules.require(network.start.empty() || clip || text, {"network.start", "network.kind"},
                "expected kind = clip or text_to_image, which can go on from a trained network, found {}",
                network.kind);
  if (!autoencoder && !clip && !text)
    return;
  rules.require(
      deck.data.format == "imagefolder" && deck.data.channels == 3,
      {"data.format", "data.channels", "network.kind"},
      "kind = {} is trained on captioned pictures: expected imagefolder with 3 channels, found {} with {}",
      network.kind, deck.data.format, deck.data.channels);
  if (text) {
    rules.require(use != DeckUse::pretrain || !network.vae.empty(), {"network.vae", "network.kind"},
                  "missing: kind = text_to_image works in the latents of a trained AutoencoderKL");
    rules.require(
        deck.schedule.kind != "from_model", {"schedule.kind", "network.kind"},
        "a network that is trained from nothing has no schedule yet: expected scaled_linear, linear "
        "or cosine");
  }
  rules.require(network.kind != "autoencoder_kl_decoder" || !network.vae.empty(),
                {"network.vae", "network.kind"},
                "missing: autoencoder_kl_decoder needs the folder of a trained autoencoder");
  if (network.kind == "autoencoder_kl") {
    const long factor = 1L << std::min<std::size_t>(network.block_out_channels.size() - 1, 30);
    rules.require(deck.data.height % factor == 0 && deck.data.width % factor == 0,
                  {"data.height", "network.block_out_channels"},
                  "expected height and width in multiples of {}, found {} x {}", factor, deck.data.height,
                  deck.data.width);
    for (const long channels : network.block_out_channels)
      rules.require(channels % network.norm_num_groups == 0,
                    {"network.norm_num_groups", "network.block_out_channels"},
                    "expected a divisor of every block_out_channels, found {} with {} channels",
                    network.norm_num_groups, channels);
  }
  if (clip) {
    rules.require(deck.data.height == deck.data.width && deck.data.height % network.patch_size == 0,
                  {"network.patch_size", "data.height"},
                  "expected square pictures in multiples of the patch, found {} x {} and {}",
                  deck.data.height, deck.data.width, network.patch_size);
    rules.require(network.vision_hidden % network.vision_heads == 0, {"network.vision_heads"},
                  "expected a divisor of vision_hidden = {}, found {}", network.vision_hidden,
                  network.vision_heads);
  }
  if (clip || text)
    rules.require(network.text_hidden % network.text_heads == 0, {"network.text_heads"},
                  "expected a divisor of text_hidden = {}, found {}", network.text_hidden,
                  network.text_heads);
}

void check_network(const Deck& deck, Rules& rules) {
  const NetworkOptions& network = deck.network;
  const bool text = network.kind == "text_to_image";
  if (network.kind != "pixel_unet" && !text)
    return;
  for (const auto& [key, types] : {std::pair{"network.down_block_types", &network.down_block_types},
                                   std::pair{"network.up_block_types", &network.up_block_types}})
    for (const std::string& type : *types)
      rules.require(!type.starts_with(text ? "Attn" : "CrossAttn"), {key, "network.kind"},
                    "kind = {} has no {}: expected blocks with or without {}", network.kind, type,
                    text ? "CrossAttn" : "Attn");
  const std::size_t blocks = network.block_out_channels.size();
  rules.require(network.down_block_types.size() == blocks,
                {"network.down_block_types", "network.block_out_channels"},
                "expected one a resolution ({}), found {}", blocks, network.down_block_types.size());
  rules.require(network.up_block_types.size() == blocks,
                {"network.up_block_types", "network.block_out_channels"},
                "expected one a resolution ({}), found {}", blocks, network.up_block_types.size());
  for (const long channels : network.block_out_channels)
    rules.require(channels % network.norm_num_groups == 0,
                  {"network.norm_num_groups", "network.block_out_channels"},
                  "expected a divisor of every block_out_channels, found {} with {} channels",
                  network.norm_num_groups, channels);
}

} // namespace

std::vector<Conflict> conflicts(const Deck& deck, DeckUse use) {
  Rules rules;
  check_model(deck, use, rules);
  check_reward(deck, use, rules);
  if (use == DeckUse::any || use == DeckUse::training) {
    check_reserved(deck, rules);
    check_batches(deck, rules);
    check_algorithm(deck, rules);
  }
  check_network(deck, rules);
  check_captioned(deck, use, rules);
  rules.require(use != DeckUse::pretrain || !deck.data.path.empty(), {"data.path"},
                "missing: expected the training images");
  return std::move(rules.broken);
}

} // namespace deck

std::vector<std::string> warnings(const Deck& deck) {
  std::vector<std::string> result;
  const AlgorithmOptions& algorithm = deck.algorithm;
  const bool ctrl = algorithm.name == "ctrl";
  // by the spread of the reward, which is a nat for a classifier and a tenth for a cosine
  const bool cosine = deck.reward.kind == std::vector<std::string>{"clip_score"};
  const double least = cosine ? 0.003 : 0.1;
  if (ctrl && algorithm.update == "pathwise" && algorithm.kl_weight < least)
    result.push_back(fmt::format(
        "algorithm.kl_weight = {}: pathwise updates are known to collapse below {} (reward hacking); "
        "algorithm.policy_kl_limit can stop that",
        algorithm.kl_weight, least));
  const bool jpeg = std::any_of(deck.reward.kind.begin(), deck.reward.kind.end(),
                                [](const std::string& kind) { return kind.rfind("jpeg", 0) == 0; });
  if (ctrl && jpeg && algorithm.advantage == "gradient")
    result.push_back("reward.kind: a JPEG size has no gradient, so that only the trained branch of the value "
                     "function guides the "
                     "update; algorithm.advantage = finite_difference sees the reward too");
  if (ctrl && algorithm.kl_weight > 0 && deck.sample.solver != "ddpm" && deck.sample.eta < 1)
    result.push_back(
        fmt::format("sample.eta = {}: below 1 the optimum depends on the initial noise and is not the tilted "
                    "distribution exp(reward / kl_weight)",
                    deck.sample.eta));
  if (!ctrl && deck.train.num_times == 0 && deck.train.timestep_fraction < 1)
    result.push_back("train.timestep_fraction < 1: ddpo loses more by fewer trained times than it saves");
  return result;
}

} // namespace scoreact
