/// scoreact sample DECK|RUN_DIR|MODEL_DIR: draws pictures from a base model, from the newest checkpoint of a
/// run, or from a bare model directory.
#include "command.hpp"
#include "evaluation/draw_as_scheduler.hpp"
#include "evaluation/inference.hpp"
#include "evaluation/known_noise.hpp"
#include "evaluation/sample_files.hpp"
#include "models/json_file.hpp"
#include "models/registry.hpp"
#include "models/stable_diffusion/stable_diffusion.hpp"
#include "models/weights.hpp"
#include "parallel/stopwatch.hpp"
#include "rl/prompts.hpp"
#include "rl/rollout.hpp"
#include "rl/rollout_steps.hpp"
#include "run/network_setup.hpp"
#include "run/run_state.hpp"
#include "store/run_directory.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <charconv>

namespace scoreact {
namespace {

/// Whether a folder is a StableDiffusionPipeline.
bool is_text_to_image(const std::string& folder) {
  const std::filesystem::path index = std::filesystem::path(folder) / "model_index.json";
  if (!std::filesystem::exists(index))
    return false;
  const nlohmann::json json = read_json(index.string());
  return json_value<std::string>(json, "_class_name", "", index.string()).starts_with("StableDiffusion");
}

/// What a bare model directory is drawn with: the defaults of a deck, on the schedule of the model.
Deck deck_of(const Invocation& invocation) {
  if (invocation.deck)
    return *invocation.deck;
  Deck deck;
  deck.model.path = invocation.target;
  if (is_text_to_image(invocation.target)) { // the pipeline's defaults
    deck.model.kind = "stable_diffusion";
    deck.model.train = "nothing";
    if (!invocation.sample.solver)
      deck.sample.solver = solver_of(read_scheduler_config(invocation.target));
    deck.sample.eta = 0;
    deck.sample.guidance_scale = 7.5;
    deck.sample.micro_batch_size = 4;
    deck.store.images_per_epoch = 1;
  }
  return deck;
}

bool conditioned_on_text(const Deck& deck) { return deck.model.kind == "stable_diffusion"; }

/// Options that belong to text models.
void refuse_text_options(const SampleRequest& request) {
  SCOREACT_REQUIRE(!request.negative_prompt, ExitCode::usage,
                   "--negative-prompt: belongs to text models; this one is conditioned on class labels");
  SCOREACT_REQUIRE(request.lora.empty(), ExitCode::usage,
                   "--lora: belongs to text models; give the directory of a fine-tuned model instead");
  SCOREACT_REQUIRE(request.solver.value_or("") != kPndm, ExitCode::usage,
                   "--solver pndm: is there for Stable Diffusion only; expected one of {}",
                   fmt::join(solver_names(), ", "));
}

/// The texts that are drawn: --prompt, else the deck's, else the empty one.
TextConditions texts_of(const Deck& deck, const SampleRequest& request) {
  SCOREACT_REQUIRE(!request.class_label, ExitCode::usage,
                   "--class: this model is conditioned on text; expected --prompt");
  TextConditions texts;
  texts.prompts = request.prompt ? std::vector<std::string>{*request.prompt} : prompt_texts(deck.prompts);
  if (texts.prompts.empty())
    texts.prompts = {""};
  texts.negative = request.negative_prompt.value_or(deck.prompts.negative);
  return texts;
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

/// @param as_scheduler take the steps of the model's own scheduler file, as diffusers would, not those of a
/// deck
Drawn draw_samples(const std::shared_ptr<Denoiser>& network, const Deck& deck, bool as_scheduler,
                   const Shard& shard, const at::Tensor& prompt, const at::Tensor& noise,
                   const RolloutKey& key) {
  const SampleOptions& sample = deck.sample;
  const auto* pipeline = dynamic_cast<const StableDiffusion*>(network.get());
  if (pipeline != nullptr && (as_scheduler || sample.solver == kPndm))
    return draw_as_scheduler(network, pipeline->scheduler(), sample, shard, prompt, noise, key);
  const StepTable table = step_table(network->schedule(), sample, key);
  ScorePolicy policy(network, sample.guidance_scale);
  return {draw(policy, table, mean_actions(table), shard, prompt, key, noise), table.solver, table.eta};
}

/// All ranks' rows in the order of samples, fp32 on the host.
at::Tensor gathered(const at::Tensor& rows, long count, const Communicator& ranks) {
  const at::Tensor host = rows.to(at::kCPU, at::kDouble).contiguous();
  const std::vector<double> all = ranks.gather_in_order(
      std::vector<double>(host.data_ptr<double>(), host.data_ptr<double>() + host.numel()));
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] = count;
  return at::from_blob(const_cast<double*>(all.data()), shape, at::kDouble).to(at::kFloat);
}

} // namespace

ExitCode run_sample(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  const SampleRequest& request = invocation.sample;
  Deck deck = deck_of(invocation);
  const bool text = conditioned_on_text(deck);
  if (!text)
    refuse_text_options(request);
  apply_request(deck, invocation);

  const at::Device device = device_of(invocation.device_id);
  const TextConditions texts = text ? texts_of(deck, request) : TextConditions{};
  const auto network = make_denoiser(deck.model, deck.schedule, device, texts, deck.run.precision == "bf16");
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
  if (!request.lora.empty())
    dynamic_cast<StableDiffusion&>(*network).load_lora(request.lora);

  at::Tensor initial = read_initial(request.init_latents, network->sample_shape());
  SCOREACT_REQUIRE(!initial.defined() || !request.count || *request.count == initial.size(0), ExitCode::usage,
                   "--count {}: --init-latents has {} samples; leave --count out", request.count.value_or(0),
                   initial.defined() ? initial.size(0) : 0);
  long count =
      initial.defined() ? initial.size(0) : request.count.value_or(std::max(1L, deck.store.images_per_epoch));
  if (invocation.check)
    count = std::min(count, 2L);
  if (request.torch_seed) {
    std::vector<std::int64_t> shape = network->sample_shape();
    shape.insert(shape.begin(), count);
    initial = torch_noise(torch_generator(*request.torch_seed), shape);
  }

  if (!text)
    if (const std::optional<long> label = fixed_class(request, network->num_prompts()))
      deck.prompts.classes = {*label};
  const Prompts prompts(deck.prompts, network->num_prompts());
  const RolloutKey key{request.seed.value_or(deck.evaluate.seed), 0};
  const Shard shard = deal_samples(count, deck.sample.micro_batch_size, ranks.rank(), ranks.size());
  const at::Tensor prompt = prompts.in_turn(shard.first, shard.count).to(device);
  const at::Tensor noise = initial.defined() ? initial.narrow(0, shard.first, shard.count).to(device)
                                             : initial_states(key, shard, network->sample_shape(), device);
  const Stopwatch clock;
  const Drawn drawn =
      draw_samples(network, deck, !invocation.deck && !request.grid, shard, prompt, noise, key);
  const at::Tensor latents = gathered(drawn.finals, count, ranks);
  const at::Tensor images = text ? gathered(network->to_pixels(drawn.finals), count, ranks) : latents;
  if (ranks.root()) {
    const std::filesystem::path folder = invocation.check ? std::filesystem::path(invocation.out) / "check"
                                                          : std::filesystem::path(invocation.out);
    const long columns = static_cast<long>(prompts.all().size());
    write_samples(
        folder,
        {latents, images, prompts.in_turn(0, count), text ? texts.prompts : std::vector<std::string>()},
        columns,
        {{"model", model},
         {"solver", drawn.solver},
         {"steps", static_cast<std::int64_t>(deck.sample.num_steps)},
         {"grid", deck.sample.grid},
         {"eta", drawn.eta},
         {"guidance", deck.sample.guidance_scale},
         {"seed", static_cast<std::int64_t>(key.seed)},
         {"lora", request.lora},
         {"negative_prompt", texts.negative},
         {"init_latents", request.init_latents},
         {"deck", invocation.deck ? dump_deck(deck) : std::string()}});
    if (!invocation.quiet)
      fmt::print("{} samples in {:.1f} s: {}\n", count, clock.elapsed(), folder.string());
  }
  ranks.barrier();
  return ExitCode::success;
}

} // namespace scoreact
