/// scoreact sample DECK|RUN_DIR|MODEL_DIR: draws pictures from a base model, from the newest checkpoint of a
/// run, or from a bare model directory.
#include "command.hpp"
#include "evaluation/inference.hpp"
#include "evaluation/sample_files.hpp"
#include "models/registry.hpp"
#include "models/weights.hpp"
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"
#include "run/network_setup.hpp"
#include "run/run_state.hpp"
#include "run/stopwatch.hpp"
#include "store/run_directory.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <charconv>

namespace scoreact {
namespace {

/// What a bare model directory is drawn with: the defaults of a deck, on the schedule of the model.
Deck deck_of(const Invocation& invocation) {
  if (invocation.deck)
    return *invocation.deck;
  Deck deck;
  deck.model.path = invocation.target;
  return deck;
}

/// Options that belong to text models.
void refuse_text_options(const SampleRequest& request) {
  SCOREACT_REQUIRE(!request.negative_prompt, ExitCode::usage,
                   "--negative-prompt: belongs to text models; this one is conditioned on class labels");
  SCOREACT_REQUIRE(request.lora.empty(), ExitCode::usage,
                   "--lora: belongs to text models; give the directory of a fine-tuned model instead");
}

/// The class that all samples have, if the user fixed one.
std::optional<long> fixed_class(const SampleRequest& request, long num_prompts) {
  SCOREACT_REQUIRE(!request.prompt || !request.class_label, ExitCode::usage,
                   "--prompt and --class both name the class: expected one of them");
  std::optional<long> label = request.class_label;
  if (request.prompt) {
    const std::string& text = *request.prompt;
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    SCOREACT_REQUIRE(
        error == std::errc() && end == text.data() + text.size(), ExitCode::usage,
        "--prompt: this model knows {}, no text; found \"{}\"",
        num_prompts > 0 ? fmt::format("the class labels 0 to {}", num_prompts - 1) : "no prompts", text);
    label = value;
  }
  if (!label)
    return label;
  SCOREACT_REQUIRE(num_prompts > 0, ExitCode::usage,
                   "--class: this model is unconditional and knows no classes, found {}", *label);
  SCOREACT_REQUIRE(*label >= 0 && *label < num_prompts, ExitCode::usage,
                   "--class: expected a label from 0 to {}, which the model knows, found {}", num_prompts - 1,
                   *label);
  return label;
}

/// The noise in `file`, [n, ...] fp32; undefined without a file.
at::Tensor read_initial(const std::string& file, const std::vector<long>& sample_shape) {
  if (file.empty())
    return {};
  const auto weights = read_weights(file);
  const auto found = weights.find("latents");
  SCOREACT_REQUIRE(found != weights.end(), ExitCode::data, "--init-latents {}: expected a tensor `latents`",
                   file);
  const at::Tensor& noise = found->second;
  const bool fits = noise.dim() == static_cast<long>(sample_shape.size()) + 1 && noise.numel() > 0 &&
                    noise.size(1) == sample_shape[0] && noise.is_floating_point();
  SCOREACT_REQUIRE(
      fits, ExitCode::data,
      "--init-latents {}: expected floating-point `latents` of shape [n, {}], height and width free, "
      "found {} of shape [{}]",
      file, fmt::join(sample_shape, ", "), toString(noise.scalar_type()),
      fmt::join(noise.sizes().vec(), ", "));
  return noise.to(at::kFloat).contiguous();
}

/// Deck first, command line over it; --check: the smallest problem.
void apply_request(Deck& deck, const Invocation& invocation) {
  const SampleRequest& request = invocation.sample;
  SampleOptions& sample = deck.sample;
  sample.num_steps = request.steps.value_or(sample.num_steps);
  sample.solver = request.solver.value_or(sample.solver);
  sample.grid = request.grid.value_or(sample.grid);
  sample.eta = request.eta.value_or(sample.eta);
  sample.guidance_scale = request.guidance.value_or(sample.guidance_scale);
  if (invocation.check)
    sample.num_steps = std::min(sample.num_steps, 2L);
}

} // namespace

ExitCode run_sample(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  const SampleRequest& request = invocation.sample;
  refuse_text_options(request);
  Deck deck = deck_of(invocation);
  apply_request(deck, invocation);

  const at::Device device = device_of(invocation.device_id);
  const auto network = make_denoiser(deck.model, deck.schedule, device);
  std::string model = deck.model.path;
  if (invocation.deck && std::filesystem::is_directory(invocation.target)) {
    const RunDirectory directory(invocation.target);
    const auto checkpoint = latest_checkpoint(directory.checkpoints(), [&](const std::string& line) {
      if (ranks.root())
        fmt::print(stderr, "scoreact: warning: {}\n", line);
    });
    SCOREACT_REQUIRE(checkpoint, ExitCode::missing_input, "{}: the run has no sound checkpoint (yet)",
                     invocation.target);
    load_policy_weights(*checkpoint, *network);
    model = checkpoint->folder().string();
  }

  const at::Tensor initial = read_initial(request.init_latents, network->sample_shape());
  SCOREACT_REQUIRE(!initial.defined() || !request.count || *request.count == initial.size(0), ExitCode::usage,
                   "--count {}: --init-latents has {} samples; leave --count out", request.count.value_or(0),
                   initial.defined() ? initial.size(0) : 0);
  long count =
      initial.defined() ? initial.size(0) : request.count.value_or(std::max(1L, deck.store.images_per_epoch));
  if (invocation.check)
    count = std::min(count, 2L);

  const std::optional<long> label = fixed_class(request, network->num_prompts());
  if (label)
    deck.prompts.classes = {*label};
  const Prompts prompts(deck.prompts, network->num_prompts());
  const RolloutKey key{request.seed.value_or(deck.evaluate.seed), 0};
  const StepTable table = step_table(network->schedule(), deck.sample, key);
  const Shard shard = deal_samples(count, deck.sample.micro_batch_size, ranks.rank(), ranks.size());
  const at::Tensor prompt = prompts.in_turn(shard.first, shard.count).to(device);
  const Stopwatch clock;
  ScorePolicy policy(network, deck.sample.guidance_scale);
  const at::Tensor finals =
      draw(policy, table, mean_actions(table), shard, prompt, key,
           initial.defined() ? initial.narrow(0, shard.first, shard.count).to(device) : at::Tensor());

  const at::Tensor host = finals.to(at::kCPU, at::kDouble).contiguous();
  std::vector<double> all = ranks.gather_in_order(
      std::vector<double>(host.data_ptr<double>(), host.data_ptr<double>() + host.numel()));
  if (ranks.root()) {
    std::vector<std::int64_t> shape = finals.sizes().vec();
    shape[0] = count;
    const std::filesystem::path folder = invocation.check ? std::filesystem::path(invocation.out) / "check"
                                                          : std::filesystem::path(invocation.out);
    const long classes = static_cast<long>(prompts.all().size());
    write_samples(folder, at::from_blob(all.data(), shape, at::kDouble).to(at::kFloat),
                  prompts.in_turn(0, count), classes,
                  {{"model", model},
                   {"solver", table.solver},
                   {"steps", static_cast<std::int64_t>(table.size())},
                   {"grid", deck.sample.grid},
                   {"eta", table.eta},
                   {"guidance", deck.sample.guidance_scale},
                   {"seed", static_cast<std::int64_t>(key.seed)},
                   {"init_latents", request.init_latents},
                   {"deck", invocation.deck ? dump_deck(deck) : std::string()}});
    if (!invocation.quiet)
      fmt::print("{} samples in {:.1f} s: {}\n", count, clock.elapsed(), folder.string());
  }
  ranks.barrier();
  return ExitCode::success;
}

} // namespace scoreact
