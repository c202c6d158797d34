#pragma once
/// What the command line asked for, and the functions that do it: one a subcommand, each in
/// drivers/<name>.cpp. They run between MPI_Init and MPI_Finalize with Kokkos started, torch's threads set
/// and this rank's device chosen.
#include "deck/deck.hpp"
#include "error/error.hpp"
#include "parallel/communicator.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace scoreact {

/// Options of `sample`; what is not set comes from the deck (or its defaults, for a bare model directory).
struct SampleRequest {
  std::optional<long> count; ///< pictures; 0 or more
  std::optional<long> steps;
  std::optional<std::string> solver, grid;
  std::optional<double> eta, guidance;
  std::optional<std::uint64_t> seed;
  std::optional<std::string> prompt, negative_prompt;
  std::optional<long> class_label;
  std::string lora;                        ///< file or folder of a LoRA
  std::string init_latents;                ///< safetensors with the initial noise, key `latents`
  std::optional<std::uint64_t> torch_seed; ///< the initial noise of PyTorch's CPU generator
};

/// Options of `evaluate`; empty or unset: the deck's [evaluate].
struct EvaluateRequest {
  std::vector<long> steps;
  std::vector<std::string> solvers;
  std::optional<long> count;
  std::optional<std::uint64_t> seed;
};

/// Options of `forward`.
struct ForwardRequest {
  std::string inputs; ///< safetensors file, names of the original Python forward
  bool grad = false;  ///< also gradients of <output, cotangent> to every floating input
  std::string lora;   ///< file or folder of a LoRA; with grad also the gradients to its tensors
};

/// Options of `convert`; empty: as in the input.
struct ConvertRequest {
  std::string dtype;  ///< fp32 | fp16 | bf16
  std::string format; ///< diffusers | peft | kohya: the input is a LoRA
};

/// Options of `make-fixture`.
struct FixtureRequest {
  std::uint64_t seed = 0; ///< key of the random weights
  bool half = false;      ///< weights in float16 instead of float32
};

/// Options of `fid`.
struct FidRequest {
  std::string other;                            ///< the second set of pictures; may be empty with save_stats
  std::string input_convention = "pytorch-fid"; ///< pytorch-fid | torch-fidelity
  std::string weights;                          ///< file or folder; empty: where PyTorch keeps downloads
  long dims = 2048;                             ///< 64, 192, 768 or 2048
  long batch = 50;                              ///< pictures in one network call
  std::string save_stats;                       ///< .npz for the statistics of the first set
};

/// Options of `goldens`.
struct GoldensRequest {
  std::string weights;     ///< which published weights MODEL_DIR holds
  std::string files = "."; ///< folder of pictures, arrays and LoRAs that goldens need
  std::string table;       ///< JSON; empty: the built-in table
};

struct Invocation {
  std::string command; ///< pretrain, finetune, ...
  std::string target;  ///< DECK, RUN_DIR, MODEL_DIR, FILE, IN or NAME as the user wrote it; empty for verify
  std::vector<std::string> overrides; ///< --set, in order; already applied to `deck`
  /// The validated deck: of DECK, or of RUN_DIR/deck.toml for evaluate and for sample on a run directory.
  /// --max-time and --device stand in run.max_time and run.device.
  /// Absent for a model directory and for commands without a deck.
  std::optional<Deck> deck;
  /// --out. If not given: runs/<run.name> for pretrain, finetune and value-study, RUN_DIR for evaluate,
  /// "samples" for sample; always given for forward and make-fixture,
  /// and OUT of convert.
  std::string out;
  bool check = false; ///< build everything, run one tiny step, stop
  bool json = false;  ///< one JSON object on standard output
  bool quiet = false;
  SampleRequest sample;
  EvaluateRequest evaluate;
  ForwardRequest forward;
  FixtureRequest fixture;
  ConvertRequest convert;
  FidRequest fid;
  GoldensRequest goldens;

  std::string device = "auto"; ///< auto | cpu | cuda, what the user wants (run.device, --device)

  // Filled in by main after MPI_Init.
  int threads = 1;                           ///< host threads of this rank
  int device_id = -1;                        ///< CUDA device of this rank; -1: host
  double patience = Communicator::kPatience; ///< seconds that a rank waits for another; 0: for ever
};

ExitCode run_pretrain(const Invocation&);
ExitCode run_finetune(const Invocation&);
ExitCode run_sample(const Invocation&);
ExitCode run_evaluate(const Invocation&);
ExitCode run_value_study(const Invocation&);
ExitCode run_verify(const Invocation&);
ExitCode run_forward(const Invocation&);
ExitCode run_inspect(const Invocation&);
ExitCode run_make_fixture(const Invocation&);
ExitCode run_convert(const Invocation&);
ExitCode run_fid(const Invocation&);
ExitCode run_goldens(const Invocation&);

} // namespace scoreact
