#include "deck/schema.hpp"

#include "deck/toml_document.hpp"
#include "diffusion/step.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <string_view>

namespace scoreact::deck {
namespace {

/// Follows pointers to members from a Deck to one option: slot<&Deck::train, &TrainOptions::clip_range>.
template <auto... Members> Slot slot(Deck& deck) { return Slot(&(deck.*....*Members)); }

constexpr double largest_integer = 1e9;

constexpr Range any_number{};
constexpr Range positive{0, std::numeric_limits<double>::infinity(), true, false};
constexpr Range not_negative{0, std::numeric_limits<double>::infinity()};
constexpr Range unit_interval{0, 1};
constexpr Range below_one{0, 1, false, true};
constexpr Range share{0, 1, true, false};
constexpr Range between_zero_and_one{0, 1, true, true};
constexpr Range count{0, largest_integer};
constexpr Range at_least_one{1, largest_integer};
constexpr Range seed{0, 9223372036854775807.0};

#define SCOREACT_ALGORITHM(name, what) #name,
const std::vector<std::string> algorithm_names = {
#include "rl/algorithms.inc"
};
#undef SCOREACT_ALGORITHM
#define SCOREACT_ALGORITHM(name, what) #name ": " what "; "
constexpr std::string_view algorithm_help =
#include "rl/algorithms.inc"
    ;
#undef SCOREACT_ALGORITHM

const std::vector<std::string> lora_targets = {"to_q",          "to_k",     "to_v",    "to_out.0",
                                               "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"};

using D = Deck;
using Run = RunOptions;
using Model = ModelOptions;
using Analytic = AnalyticOptions;
using Sample = SampleOptions;
using Prompts = PromptOptions;
using RewardKeys = RewardOptions;
using Algorithm = AlgorithmOptions;
using Train = TrainOptions;
using Value = ValueOptions;
using Statistics = PromptStatOptions;
using Evaluate = EvaluateOptions;
using Store = StoreOptions;
using Data = DataOptions;
using Network = NetworkOptions;
using Pretrain = PretrainOptions;

std::vector<Key> rows() {
  return {
      // clang-format off
{"run.name", slot<&D::run, &Run::name>, {}, {}, "", "name of the run; its folder is runs/NAME unless --out says otherwise"},
{"run.seed", slot<&D::run, &Run::seed>, seed, {}, "", "key of every random number of the run"},
{"run.epochs", slot<&D::run, &Run::epochs>, at_least_one, {}, "epochs", "rounds of sampling and updating"},
{"run.device", slot<&D::run, &Run::device>, {}, {"auto", "cpu", "cuda"}, "", "where networks run; auto takes CUDA devices if there are any"},
{"run.precision", slot<&D::run, &Run::precision>, {}, {"fp32", "tf32", "bf16"}, "", "arithmetic inside networks on a GPU; bookkeeping stays fp32 and fp64; bf16: the frozen weights of a LoRA run, on the CPU too"},
{"run.deterministic", slot<&D::run, &Run::deterministic>, {}, {}, "", "the same bits on any number of ranks: fixed micro-batches and a fixed tree of sums"},
{"run.save_freq", slot<&D::run, &Run::save_freq>, count, {}, "epochs", "between checkpoints; 0: only the last one"},
{"run.num_checkpoint_limit", slot<&D::run, &Run::num_checkpoint_limit>, at_least_one, {}, "", "checkpoints that are kept"},
{"run.eval_freq", slot<&D::run, &Run::eval_freq>, count, {}, "epochs", "between evaluations while training, with the settings of [evaluate], into /evaluation of run.h5; 0: never (scoreact evaluate RUN_DIR does it afterwards)"},
{"run.communication_timeout", slot<&D::run, &Run::communication_timeout>, {}, {}, "hh:mm:ss", "that a rank waits for another before the run ends with the name of the missing one; empty: for ever", Form::duration},
{"run.max_time", slot<&D::run, &Run::max_time>, {}, {}, "hh:mm:ss", "time after which the run writes a checkpoint and exits with 75; empty: no limit", Form::duration},

{"model.kind", slot<&D::model, &Model::kind>, {}, {"pixel_unet", "stable_diffusion", "analytic"}, "", "what the policy's mean is: a U-Net on pixels, Stable Diffusion on latents, or a mixture of Gaussians with known score and a small trained residual"},
{"model.path", slot<&D::model, &Model::path>, {}, {}, "", "Hugging Face model directory of the base model (not for analytic)", Form::network},
{"model.lora_rank", slot<&D::model, &Model::lora_rank>, at_least_one, {}, "", "rank of the low-rank update, with train = lora"},
{"model.lora_alpha", slot<&D::model, &Model::lora_alpha>, positive, {}, "", "the low-rank update is scaled by lora_alpha / lora_rank"},
{"model.lora_targets", slot<&D::model, &Model::lora_targets>, {}, lora_targets, "", "linear maps of the U-Net that carry a low-rank update, by the ends of their names; to_q, to_k, to_v, to_out.0: the attention projections", Form::plain, 1},
{"model.train", slot<&D::model, &Model::train>, {}, {"lora", "full"}, "", "what is trained: a low-rank update or all weights"},

{"model.analytic.weights", slot<&D::model, &Model::analytic, &Analytic::weights>, positive, {}, "", "weights of the M Gaussians, normalised to sum 1", Form::plain, 1},
{"model.analytic.means", slot<&D::model, &Model::analytic, &Analytic::means>, any_number, {}, "", "means, M lists of d numbers", Form::plain, 1},
{"model.analytic.stds", slot<&D::model, &Model::analytic, &Analytic::stds>, positive, {}, "", "standard deviations of the M isotropic Gaussians", Form::plain, 1},
{"model.analytic.policy", slot<&D::model, &Model::analytic, &Analytic::policy>, {}, {"constant", "affine", "mlp"}, "", "trained residual on the score, as a function of the state"},
{"model.analytic.hidden", slot<&D::model, &Model::analytic, &Analytic::hidden>, at_least_one, {}, "", "width of the mlp residual"},

{"schedule.kind", slot<&D::schedule, &ScheduleOptions::kind>, {}, {"from_model", "linear", "scaled_linear", "cosine"}, "", "noise schedule; from_model: the one in the model directory, for analytic models linear from 1e-4 to 0.02"},
{"schedule.beta_start", slot<&D::schedule, &ScheduleOptions::beta_start>, between_zero_and_one, {}, "", "first beta (linear, scaled_linear)"},
{"schedule.beta_end", slot<&D::schedule, &ScheduleOptions::beta_end>, between_zero_and_one, {}, "", "last beta (linear, scaled_linear)"},
{"schedule.num_train_timesteps", slot<&D::schedule, &ScheduleOptions::num_train_timesteps>, {2, 1e6}, {}, "", "noise levels of the schedule"},

{"sample.solver", slot<&D::sample, &Sample::solver>, {}, solver_names(), "", "discretisation of the backward process"},
{"sample.grid", slot<&D::sample, &Sample::grid>, {}, {"leading", "trailing", "linspace", "uniform", "quadratic", "log_snr", "karras", "stratified"}, "", "noise times of the steps"},
{"sample.num_steps", slot<&D::sample, &Sample::num_steps>, {1, 1e6}, {}, "steps", "network evaluations a sample (heun_sde: twice that)"},
{"sample.eta", slot<&D::sample, &Sample::eta>, unit_interval, {}, "", "stochasticity: 1 is the reverse SDE of the paper, 0 the probability-flow ODE"},
{"sample.guidance_scale", slot<&D::sample, &Sample::guidance_scale>, not_negative, {}, "", "classifier-free guidance g: s_null + g (s_cond - s_null); 1: none, 0: without the prompt"},
{"sample.samples_per_epoch", slot<&D::sample, &Sample::samples_per_epoch>, at_least_one, {}, "samples", "drawn an epoch, all ranks together"},
{"sample.micro_batch_size", slot<&D::sample, &Sample::micro_batch_size>, at_least_one, {}, "samples", "in one network call on one rank; divides what a rank holds"},

{"prompts.file", slot<&D::prompts, &Prompts::file>, {}, {}, "", "text file, one prompt a line", Form::path},
{"prompts.list", slot<&D::prompts, &Prompts::list>, {}, {}, "", "the prompts themselves"},
{"prompts.negative", slot<&D::prompts, &Prompts::negative>, {}, {}, "", "what guidance leads away from, with text models"},
{"prompts.classes", slot<&D::prompts, &Prompts::classes>, count, {}, "", "class labels of a class-conditional model; empty: all it knows"},
{"prompts.cycle", slot<&D::prompts, &Prompts::cycle>, {}, {"random", "round_robin"}, "", "how samples get their prompts"},

{"reward.kind", slot<&D::reward, &RewardKeys::kind>, {}, {"classifier", "jpeg_compressibility", "jpeg_incompressibility", "image_reward", "clip_score", "aesthetic", "linear", "quadratic"}, "", "the reward RM of a final sample, or a list for a weighted sum; clip_score: the plain cosine, not times 100 or 2.5", Form::one_or_many, 1},
{"reward.weights", slot<&D::reward, &RewardKeys::weights>, any_number, {}, "", "one a kind; empty: all 1"},
{"reward.path", slot<&D::reward, &RewardKeys::path>, {}, {}, "", "directory of the reward's network (classifier, image_reward, clip_score, aesthetic)", Form::network},
{"reward.clip_path", slot<&D::reward, &RewardKeys::clip_path>, {}, {}, "", "directory of the CLIP of clip_score and aesthetic, where reward.path is another reward's; empty: reward.path", Form::network},
{"reward.aesthetic_path", slot<&D::reward, &RewardKeys::aesthetic_path>, {}, {}, "", "weights of the aesthetic head; empty: sac+logos+ava1-l14-linearMSE in the directory of the CLIP", Form::path},
{"reward.jpeg_header", slot<&D::reward, &RewardKeys::jpeg_header>, {}, {}, "", "the size of a JPEG file is that of the whole file; false: without header and tables, which are most of a small one"},
{"reward.vector", slot<&D::reward, &RewardKeys::vector>, any_number, {}, "", "linear: RM = vector . x"},
{"reward.strength", slot<&D::reward, &RewardKeys::strength>, any_number, {}, "", "quadratic: RM = -strength/2 |x - center|^2"},
{"reward.center", slot<&D::reward, &RewardKeys::center>, any_number, {}, "", "quadratic: the point of highest reward"},

{"algorithm.name", slot<&D::algorithm, &Algorithm::name>, {}, algorithm_names, "", std::string(algorithm_help.substr(0, algorithm_help.size() - 2))},
{"algorithm.action", slot<&D::algorithm, &Algorithm::action>, {}, {"score", "transition"}, "", "what the Gaussian policy draws: the score (eq. 13), or the sampler's own next state"},
{"algorithm.exploration", slot<&D::algorithm, &Algorithm::exploration>, not_negative, {}, "", "action = score: its standard deviation s_a = constant * sigma(tau)^power; a number is {constant = number, power = 0}"},
{"algorithm.advantage", slot<&D::algorithm, &Algorithm::advantage>, {}, {"finite_difference", "gradient", "increment"}, "", "how g^2 a . grad V is got: two evaluations of V (paper), one backward pass, or the change of V over a step (released code)"},
{"algorithm.update", slot<&D::algorithm, &Algorithm::update>, {}, {"clipped", "policy_gradient", "pathwise"}, "", "eq. 27, eq. 23, or eq. 23 with its exact mean over actions"},
{"algorithm.baseline", slot<&D::algorithm, &Algorithm::baseline>, {}, {"none", "centred", "antithetic"}, "", "what is subtracted from the advantage rate; antithetic is a central difference"},
{"algorithm.standardise", slot<&D::algorithm, &Algorithm::standardise>, {}, {"none", "per_time", "global"}, "", "mean and deviation of the advantage are taken out: never, time by time (released code; stratum by stratum if num_times are drawn), or over all samples and times"},
{"algorithm.fd_scale", slot<&D::algorithm, &Algorithm::fd_scale>, positive, {}, "", "step of the finite difference, in units of g^2 |a|"},
{"algorithm.kl_weight", slot<&D::algorithm, &Algorithm::kl_weight>, not_negative, {}, "reward per nat", "lambda, the paper's beta: price of leaving the pretrained model"},
{"algorithm.policy_kl_limit", slot<&D::algorithm, &Algorithm::policy_kl_limit>, not_negative, {}, "nats", "inner updates of an epoch stop above this KL of new and old policy; 0: no limit"},

{"train.minibatch_size", slot<&D::train, &Train::minibatch_size>, at_least_one, {}, "samples", "an optimiser update, all ranks together"},
{"train.micro_batch_size", slot<&D::train, &Train::micro_batch_size>, at_least_one, {}, "samples", "of one forward and backward pass on one rank, each with all its trained times; divides what a rank holds"},
{"train.learning_rate", slot<&D::train, &Train::learning_rate>, positive, {}, "", "of AdamW"},
{"train.lr_schedule", slot<&D::train, &Train::lr_schedule>, {}, {"constant", "cosine"}, "", "cosine falls to 0 at the last epoch"},
{"train.warmup_steps", slot<&D::train, &Train::warmup_steps>, count, {}, "updates", "of linear warm-up"},
{"train.adam_beta1", slot<&D::train, &Train::adam_beta1>, below_one, {}, "", "decay of the first moment"},
{"train.adam_beta2", slot<&D::train, &Train::adam_beta2>, below_one, {}, "", "decay of the second moment"},
{"train.adam_weight_decay", slot<&D::train, &Train::adam_weight_decay>, not_negative, {}, "", "decoupled weight decay"},
{"train.adam_epsilon", slot<&D::train, &Train::adam_epsilon>, positive, {}, "", "added to the root of the second moment"},
{"train.max_grad_norm", slot<&D::train, &Train::max_grad_norm>, not_negative, {}, "", "gradients are scaled down to this norm; 0: never"},
{"train.num_inner_epochs", slot<&D::train, &Train::num_inner_epochs>, at_least_one, {}, "", "passes over the samples of an epoch"},
{"train.num_times", slot<&D::train, &Train::num_times>, {0, 1e6}, {}, "", "trained times of a sample, K of its num_steps, its own random ones; 0: timestep_fraction decides"},
{"train.timestep_fraction", slot<&D::train, &Train::timestep_fraction>, share, {}, "", "trained times as a share of num_steps"},
{"train.clip_range", slot<&D::train, &Train::clip_range>, between_zero_and_one, {}, "", "clip of the true likelihood ratio, scaled by 1/d in log space"},
{"train.clip_range_mean", slot<&D::train, &Train::clip_range_mean>, below_one, {}, "", "clip of the ratio of densities averaged over dimensions (DDPO, TRL); 0: clip_range holds"},
{"train.adv_clip_max", slot<&D::train, &Train::adv_clip_max>, not_negative, {}, "", "advantages are clipped to +- this; 0: never"},
{"train.ema_decay", slot<&D::train, &Train::ema_decay>, below_one, {}, "", "of the moving average of the policy's weights, which policy/, pictures and evaluations are made with; 0: none, they are made with the weights themselves"},

{"value.network", slot<&D::value, &Value::network>, {}, {"small", "reward_copy", "auto"}, "", "the trained branch: a small network on the states, or a copy of the reward's network whose last layers are trained (image_reward); auto: the copy if the reward has one"},
{"value.predictor", slot<&D::value, &Value::predictor>, {}, {"x0hat", "x"}, "", "input of the frozen reward branch of V (eq. 20)"},
{"value.corrector", slot<&D::value, &Value::corrector>, {}, {"x", "x0hat"}, "", "input of the trained branch"},
{"value.c_out", slot<&D::value, &Value::c_out>, {}, {"sin", "one_minus_cos", "linear", "none"}, "", "weight of the trained branch; that of the frozen one is cos(pi tau/2), with linear 1 - tau; none: V = RM(predictor) alone"},
{"value.learning_rate", slot<&D::value, &Value::learning_rate>, positive, {}, "", "of the value's AdamW"},
{"value.batch_size", slot<&D::value, &Value::batch_size>, at_least_one, {}, "(sample, time) pairs", "an optimiser update, all ranks together"},
{"value.steps_per_epoch", slot<&D::value, &Value::steps_per_epoch>, count, {}, "updates", "of the value an epoch"},
{"value.pretrain_epochs", slot<&D::value, &Value::pretrain_epochs>, count, {}, "epochs", "of sampling from the unchanged policy on which the value is fitted first"},
{"value.include_kl", slot<&D::value, &Value::include_kl>, {}, {}, "", "the target has the running cost (eq. 18); the released code leaves it out"},
{"value.frozen_fraction", slot<&D::value, &Value::frozen_fraction>, unit_interval, {}, "", "of the layers of a trained branch that starts as a copy of the reward's network"},
{"value.hidden", slot<&D::value, &Value::hidden>, at_least_one, {}, "", "width of the trained branch of small models"},

{"per_prompt_stat_tracking.buffer_size", slot<&D::per_prompt_stat_tracking, &Statistics::buffer_size>, count, {}, "rewards", "remembered a prompt to standardise rewards; 0: statistics of the batch"},
{"per_prompt_stat_tracking.min_count", slot<&D::per_prompt_stat_tracking, &Statistics::min_count>, at_least_one, {}, "rewards", "a prompt needs before its own statistics are used"},

{"evaluate.steps", slot<&D::evaluate, &Evaluate::steps>, {1, 1e6}, {}, "steps", "step counts that are compared", Form::plain, 1},
{"evaluate.solvers", slot<&D::evaluate, &Evaluate::solvers>, {}, solver_names(), "", "solvers that are compared; empty: the one of training"},
{"evaluate.num_samples", slot<&D::evaluate, &Evaluate::num_samples>, at_least_one, {}, "samples", "for each pair of solver and step count"},
{"evaluate.seed", slot<&D::evaluate, &Evaluate::seed>, seed, {}, "", "noise of the evaluation, the same for every checkpoint"},
{"evaluate.judge", slot<&D::evaluate, &Evaluate::judge>, {}, {}, "", "directory of a network that was never a reward: a classifier, or a CLIP for texts; empty: none", Form::network},
{"evaluate.reference", slot<&D::evaluate, &Evaluate::reference>, {}, {}, "", "real images for the Frechet distance, in the [data] formats, with evaluate.inception as `scoreact fid` takes them; empty: none", Form::path},
{"evaluate.inception", slot<&D::evaluate, &Evaluate::inception>, {}, {}, "", "file or folder of Inception weights: the Frechet distance is the FID; empty: of pixels", Form::network},
{"evaluate.base_samples", slot<&D::evaluate, &Evaluate::base_samples>, at_least_one, {}, "samples", "of the unchanged model, for the attainable optimum J*"},

{"store.trajectories", slot<&D::store, &Store::trajectories>, {}, {}, "", "which epochs leave their trajectories: none, all or every:N", Form::trajectories},
{"store.means", slot<&D::store, &Store::means>, {}, {}, "", "also the mean scores mu and mu_pre of every step"},
{"store.images_per_epoch", slot<&D::store, &Store::images_per_epoch>, count, {}, "pictures", "of a progress grid; 0: none"},
{"store.images_freq", slot<&D::store, &Store::images_freq>, count, {}, "epochs", "between progress grids; 0: about eight over the run"},
{"store.compression", slot<&D::store, &Store::compression>, {0, 9}, {}, "", "gzip level of trajectory files"},

{"data.path", slot<&D::data, &Data::path>, {}, {}, "", "training images of pretrain", Form::path},
{"data.format", slot<&D::data, &Data::format>, {}, {"csv", "idx", "cifar10", "imagefolder"}, "", "csv: pixels and a label a line, .gz or not; idx: MNIST's; cifar10: its binary batches; imagefolder: a folder of pictures with captions in metadata.jsonl"},
{"data.height", slot<&D::data, &Data::height>, {1, 4096}, {}, "pixels", "of an image"},
{"data.width", slot<&D::data, &Data::width>, {1, 4096}, {}, "pixels", "of an image"},
{"data.channels", slot<&D::data, &Data::channels>, {1, 4}, {}, "", "1 grey, 3 colour"},
{"data.max_value", slot<&D::data, &Data::max_value>, positive, {}, "", "pixel value that becomes 1; 0 becomes -1"},
{"data.num_classes", slot<&D::data, &Data::num_classes>, {1, 1e6}, {}, "", "labels are 0 .. num_classes - 1"},
{"data.test_fraction", slot<&D::data, &Data::test_fraction>, below_one, {}, "", "held out, the same images for every network"},
{"data.label_noise", slot<&D::data, &Data::label_noise>, unit_interval, {}, "", "share of training labels replaced by another one, at random"},
{"data.on_bad_item", slot<&D::data, &Data::on_bad_item>, {}, {"refuse", "skip"}, "", "imagefolder: what happens to a line or picture that can't be read"},

{"network.kind", slot<&D::network, &Network::kind>, {}, {"pixel_unet", "text_to_image", "classifier_cnn", "classifier_mlp", "autoencoder_kl", "autoencoder_kl_decoder", "clip"}, "", "what pretrain trains"},
{"network.block_out_channels", slot<&D::network, &Network::block_out_channels>, {1, 65536}, {}, "", "U-Net: channels of each resolution", Form::plain, 1},
{"network.down_block_types", slot<&D::network, &Network::down_block_types>, {}, {"DownBlock2D", "AttnDownBlock2D", "CrossAttnDownBlock2D"}, "", "U-Net: one a resolution; those with CrossAttn read the text", Form::plain, 1},
{"network.up_block_types", slot<&D::network, &Network::up_block_types>, {}, {"UpBlock2D", "AttnUpBlock2D", "CrossAttnUpBlock2D"}, "", "U-Net: one a resolution, from the lowest up", Form::plain, 1},
{"network.layers_per_block", slot<&D::network, &Network::layers_per_block>, {1, 100}, {}, "", "U-Net: residual blocks a resolution"},
{"network.norm_num_groups", slot<&D::network, &Network::norm_num_groups>, at_least_one, {}, "", "U-Net: groups of group normalisation; divides every block_out_channels"},
{"network.hidden", slot<&D::network, &Network::hidden>, at_least_one, {}, "", "classifiers: width"},

{"network.heads", slot<&D::network, &Network::heads>, at_least_one, {}, "", "text-to-image: heads of the U-Net's transformers (diffusers calls it attention_head_dim)"},
{"network.text_hidden", slot<&D::network, &Network::text_hidden>, at_least_one, {}, "", "text encoder: width, and that of the U-Net's cross-attention"},
{"network.text_intermediate", slot<&D::network, &Network::text_intermediate>, at_least_one, {}, "", "text encoder: width inside its MLPs"},
{"network.text_layers", slot<&D::network, &Network::text_layers>, at_least_one, {}, "", "text encoder: layers"},
{"network.text_heads", slot<&D::network, &Network::text_heads>, at_least_one, {}, "", "text encoder: attention heads; divides text_hidden"},
{"network.text_positions", slot<&D::network, &Network::text_positions>, {3, 1e6}, {}, "tokens", "text encoder: longest text, start and end included"},
{"network.vocab_size", slot<&D::network, &Network::vocab_size>, {514, 1e9}, {}, "tokens", "of the byte-level BPE that is made from the captions"},
{"network.start", slot<&D::network, &Network::start>, {}, {}, "", "clip, text_to_image: folder of a trained one to go on from; its shape and tokenizer then hold, not those of [network]; empty: random weights", Form::network},
{"network.tokenizer", slot<&D::network, &Network::tokenizer>, {}, {}, "", "folder of a CLIP tokenizer; empty: one is made from the captions", Form::network},
{"network.vae", slot<&D::network, &Network::vae>, {}, {}, "", "folder of a trained AutoencoderKL: text-to-image works in its latents, autoencoder_kl_decoder goes on with its decoder", Form::network},
{"network.latent_channels", slot<&D::network, &Network::latent_channels>, at_least_one, {}, "", "autoencoder: numbers at each place of a latent"},
{"network.vision_hidden", slot<&D::network, &Network::vision_hidden>, at_least_one, {}, "", "clip: width of the vision tower"},
{"network.vision_intermediate", slot<&D::network, &Network::vision_intermediate>, at_least_one, {}, "", "clip: width inside its MLPs"},
{"network.vision_layers", slot<&D::network, &Network::vision_layers>, at_least_one, {}, "", "clip: layers of the vision tower"},
{"network.vision_heads", slot<&D::network, &Network::vision_heads>, at_least_one, {}, "", "clip: attention heads of the vision tower; divides vision_hidden"},
{"network.patch_size", slot<&D::network, &Network::patch_size>, at_least_one, {}, "pixels", "clip: edge of a patch; divides data.height = data.width"},
{"network.projection_dim", slot<&D::network, &Network::projection_dim>, at_least_one, {}, "", "clip: width of the embeddings of pictures and texts"},

{"pretrain.iterations", slot<&D::pretrain, &Pretrain::iterations>, at_least_one, {}, "updates", "of the optimiser"},
{"pretrain.batch_size", slot<&D::pretrain, &Pretrain::batch_size>, at_least_one, {}, "images", "an update, all ranks together"},
{"pretrain.micro_batch_size", slot<&D::pretrain, &Pretrain::micro_batch_size>, at_least_one, {}, "images", "of one network call on one rank; the batch is one call if it is larger; divides what a rank holds"},
{"pretrain.learning_rate", slot<&D::pretrain, &Pretrain::learning_rate>, positive, {}, "", "of AdamW; falls to 0 by a half cosine"},
{"pretrain.warmup_steps", slot<&D::pretrain, &Pretrain::warmup_steps>, count, {}, "updates", "of linear warm-up; a tenth of the iterations at most"},
{"pretrain.weight_decay", slot<&D::pretrain, &Pretrain::weight_decay>, not_negative, {}, "", "decoupled weight decay"},
{"pretrain.ema_decay", slot<&D::pretrain, &Pretrain::ema_decay>, below_one, {}, "", "of the moving average that is written; 0: none"},
{"pretrain.text_learning_rate", slot<&D::pretrain, &Pretrain::text_learning_rate>, positive, {}, "", "text-to-image: of the text encoder; learning_rate is that of the U-Net"},
{"pretrain.caption_dropout", slot<&D::pretrain, &Pretrain::caption_dropout>, unit_interval, {}, "", "text-to-image: share of empty captions, for classifier-free guidance"},
{"pretrain.min_snr_gamma", slot<&D::pretrain, &Pretrain::min_snr_gamma>, not_negative, {}, "", "text-to-image: weights min(SNR, gamma) / SNR of the loss; 0: all 1"},
{"pretrain.label_dropout", slot<&D::pretrain, &Pretrain::label_dropout>, unit_interval, {}, "", "share of null labels, for classifier-free guidance"},
{"pretrain.label_smoothing", slot<&D::pretrain, &Pretrain::label_smoothing>, below_one, {}, "", "classifiers"},
{"pretrain.input_noise", slot<&D::pretrain, &Pretrain::input_noise>, not_negative, {}, "", "classifiers, clip: largest standard deviation of noise added to the images"},
{"pretrain.blur", slot<&D::pretrain, &Pretrain::blur>, unit_interval, {}, "", "clip: largest share of the blurred picture that is mixed into a picture"},
{"pretrain.neighbour_rows", slot<&D::pretrain, &Pretrain::neighbour_rows>, count, {}, "rows", "clip: three in four rows of a batch lie at most so far, in the data's order, from the first of their four: hard negatives, where neighbours are alike; 0: all are drawn from anywhere"},
{"pretrain.mse_weight", slot<&D::pretrain, &Pretrain::mse_weight>, not_negative, {}, "", "autoencoder: of the mean squared error, beside the mean absolute error of weight 1"},
{"pretrain.gradient_weight", slot<&D::pretrain, &Pretrain::gradient_weight>, not_negative, {}, "", "autoencoder: of the mean absolute error of differences of neighbouring pixels"},
{"pretrain.kl_weight", slot<&D::pretrain, &Pretrain::kl_weight>, not_negative, {}, "", "autoencoder: of the KL of a latent number to N(0, 1), mean over them"},
{"pretrain.log_freq", slot<&D::pretrain, &Pretrain::log_freq>, at_least_one, {}, "updates", "between lines of the log and rows of metrics"},
{"pretrain.save_freq", slot<&D::pretrain, &Pretrain::save_freq>, count, {}, "updates", "between checkpoints; 0: only the last one"},
{"pretrain.eval_freq", slot<&D::pretrain, &Pretrain::eval_freq>, count, {}, "updates", "between held-out figures, which come with the next row of metrics; 0: only at the end"},
{"pretrain.sample_freq", slot<&D::pretrain, &Pretrain::sample_freq>, count, {}, "updates", "between grids of samples in images/; 0: never"},
{"pretrain.out", slot<&D::pretrain, &Pretrain::out>, {}, {}, "", "folder of the trained network; empty: model/ in the run's folder", Form::path},
      // clang-format on
  };
}

const std::map<std::string, std::string> section_lines = {
    {"run", "identity, length, device and stopping"},
    {"model", "which network is the policy, and what of it is trained"},
    {"model.analytic", "a mixture of isotropic Gaussians with exact score, for kind = analytic"},
    {"schedule", "noise schedule"},
    {"sample", "solver, grid and size of the sampling of an epoch"},
    {"prompts", "what the samples are conditioned on"},
    {"reward", "what fine-tuning maximises"},
    {"algorithm", "how the reward becomes an update"},
    {"train", "optimisation of the policy"},
    {"value", "the value function V"},
    {"per_prompt_stat_tracking", "standardisation of rewards prompt by prompt (ddpo)"},
    {"evaluate", "what scoreact evaluate draws and compares"},
    {"store", "what a run leaves on disk beside its metrics"},
    {"data", "training images of scoreact pretrain"},
    {"network", "the network that scoreact pretrain trains"},
    {"pretrain", "optimisation of scoreact pretrain"},
};

} // namespace

std::string Range::text() const {
  const auto plain = [](double value) { return fmt::format("{}", value); };
  const bool bounded = std::isfinite(high) && high != largest_integer && high != seed.high;
  if (std::isfinite(low) && bounded)
    return fmt::format("{}{}, {}{}", low_open ? '(' : '[', plain(low), plain(high), high_open ? ')' : ']');
  if (std::isfinite(low))
    return fmt::format("{} {}", low_open ? ">" : ">=", plain(low));
  return "";
}

bool Range::contains(double value) const {
  if (!std::isfinite(value))
    return false;
  return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

const std::vector<Key>& schema() {
  static const std::vector<Key> keys = rows();
  return keys;
}

const Key* find_key(const std::string& name) {
  static const std::map<std::string, const Key*> index = [] {
    std::map<std::string, const Key*> result;
    for (const Key& key : schema())
      result.emplace(key.name, &key);
    return result;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

const std::string& section_help(const std::string& section) { return section_lines.at(section); }

const std::vector<std::vector<std::string>>& alternatives() {
  static const std::vector<std::vector<std::string>> groups = {
      {"train.clip_range_mean", "train.clip_range"},
      {"train.num_times", "train.timestep_fraction"},
      {"prompts.file", "prompts.list", "prompts.classes"}};
  return groups;
}

bool in_force(const Key& key, const Deck& deck) {
  if (key.name == "train.clip_range")
    return deck.train.clip_range_mean == 0;
  if (key.name == "train.clip_range_mean")
    return deck.train.clip_range_mean > 0;
  if (key.name == "train.timestep_fraction")
    return deck.train.num_times == 0;
  if (key.name == "train.num_times")
    return deck.train.num_times > 0;
  if (key.name == "prompts.file")
    return !deck.prompts.file.empty();
  if (key.name == "prompts.list")
    return !deck.prompts.list.empty();
  if (key.name == "prompts.classes")
    return !deck.prompts.classes.empty();
  return true;
}

} // namespace scoreact::deck
