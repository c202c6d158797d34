#include "command_line.hpp"

#include "deck/schema.hpp"
#include "deck/suggest.hpp"
#include "deck/toml_document.hpp"
#include "diffusion/pndm.hpp"
#include "diffusion/step.hpp"
#include "evaluation/golden_table.hpp"
#include "fixtures/fixtures.hpp"
#include "models/inception/inception_fid.hpp"
#include "models/inception/inception_input.hpp"
#include "models/model_folder.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace scoreact {
namespace {

struct Command {
  const char* name;
  const char* target; ///< what stands behind the command; nullptr: nothing
  const char* summary;
  bool deck;     ///< a deck belongs to it: --set, --dump-deck, --check, --max-time
  bool out;      ///< has --out
  bool json;     ///< has --json
  bool computes; ///< has --device
};

const Command commands[] = {
    {"pretrain", "DECK", "train a base diffusion model or a classifier from image data", true, true, false,
     true},
    {"finetune", "DECK", "fine-tune it by RL; the same command line continues a stopped run", true, true,
     false, true},
    {"sample", "DECK|RUN_DIR|MODEL_DIR", "draw images", true, true, false, true},
    {"evaluate", "RUN_DIR", "reward, KL and Frechet distance of checkpoints over step counts and solvers",
     true, true, true, true},
    {"value-study", "DECK", "fit every value design on the same trajectories, report errors", true, true,
     true, true},
    {"verify", nullptr, "estimates against closed forms; exit 1 if one fails", false, true, true, true},
    {"forward", "MODEL_DIR", "one pass of one network, for comparison with other implementations", false,
     true, false, true},
    {"convert", "IN", "weights in another file, precision or LoRA spelling; reads what torch.save wrote",
     false, false, false, false},
    {"fid", "A", "Frechet inception distance between two sets of pictures", false, false, true, true},
    {"goldens", "MODEL_DIR",
     "published pictures and rewards of real weights, compared; exit 1 if one differs", false, false, true,
     true},
    {"inspect", "FILE", "what is in a run file, a checkpoint, a safetensors file", false, false, true, false},
    {"make-fixture", "NAME", "a model folder in a published layout, with random weights", false, true, false,
     false},
};

/// Values as they stand on the command line, where they differ from what Invocation holds.
struct Raw {
  bool dump_deck = false;
  std::string max_time, device, evaluate_steps, evaluate_solvers, fixture_precision = "fp32";
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1)
    parts.push_back(text.substr(start, end - start));
  parts.push_back(text.substr(start));
  return parts;
}

std::vector<std::string> known_solvers() {
  std::vector<std::string> names = deck::find_key("sample.solver")->allowed;
  for (const std::string& name : solver_names())
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  names.emplace_back(kPndm); // has no transition density, so decks don't have it
  return names;
}

void check_choice(const char* option, const std::string& value, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end())
    return;
  const std::string near = nearest(value, known);
  SCOREACT_FAIL(ExitCode::usage, "{}: expected one of {}, found {}{}", option, fmt::join(known, ", "),
                deck::quoted(value), near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

void add_common_options(CLI::App& app, const Command& command, Invocation& invocation, Raw& raw) {
  if (command.deck) {
    app.add_option("--set", invocation.overrides,
                   "override a deck key (repeatable); the value is read as TOML, else as a string")
        ->type_name("SECTION.KEY=VALUE")
        ->allow_extra_args(false);
    app.add_flag("--check", invocation.check, "build everything, run one tiny step, stop");
    app.add_flag("--dump-deck", raw.dump_deck, "print the effective deck, defaults included, and stop");
    app.add_option("--max-time", raw.max_time, "write a checkpoint and exit with 75 after this time")
        ->type_name("hh:mm:ss");
  }
  if (command.out)
    app.add_option("--out", invocation.out, "where results go")->type_name("PATH");
  if (command.json)
    app.add_flag("--json", invocation.json, "print one JSON object on standard output");
  if (command.computes)
    app.add_option("--device", raw.device, "auto, cpu or cuda (run.device of the deck)")->type_name("DEVICE");
  app.add_flag("--quiet", invocation.quiet, "print errors and results only");
}

/// CLI11 reads "-3" as an unsigned number.
const CLI::Range seeds(0L, 9223372036854775807L);

/// The names that make-fixture knows, for its help.
std::string fixture_names() {
  std::string text = "NAME is one of";
  for (const Fixture& fixture : fixtures())
    text += fmt::format("\n  {:<20} {}", fixture.name, fixture.summary);
  return text;
}

/// The weights whose goldens are built in.
std::string golden_names() {
  std::string text = "NAME is one of";
  for (const auto& [name, published] : read_goldens(published_goldens(), "the built-in table").weights)
    text += fmt::format("\n  {:<20} {}", name, published);
  return text;
}

void add_own_options(CLI::App& app, const std::string& command, Invocation& invocation, Raw& raw) {
  if (command == "sample") {
    SampleRequest& sample = invocation.sample;
    app.add_option("--count", sample.count, "pictures")->type_name("N")->check(CLI::Range(1L, 1000000000L));
    app.add_option("--steps", sample.steps, "solver steps")->type_name("N")->check(CLI::Range(1L, 1000000L));
    app.add_option("--solver", sample.solver, "as sample.solver in a deck; for Stable Diffusion also pndm")
        ->type_name("NAME");
    app.add_option("--grid", sample.grid, "as sample.grid in a deck")->type_name("NAME");
    app.add_option("--eta", sample.eta, "stochasticity, 0 to 1")->type_name("X")->check(CLI::Range(0.0, 1.0));
    app.add_option("--guidance", sample.guidance, "classifier-free guidance, 1: none")
        ->type_name("X")
        ->check(CLI::Range(0.0, 1e6));
    app.add_option("--seed", sample.seed, "key of the noise")->type_name("N")->check(seeds);
    app.add_option("--prompt", sample.prompt, "text")->type_name("TEXT");
    app.add_option("--negative-prompt", sample.negative_prompt, "what guidance leads away from")
        ->type_name("TEXT");
    app.add_option("--class", sample.class_label, "class label")
        ->type_name("N")
        ->check(CLI::Range(0L, 1000000000L));
    app.add_option("--lora", sample.lora,
                   "LoRA weights: diffusers, peft or kohya spelling; peft's may be a folder")
        ->type_name("PATH");
    app.add_option("--init-latents", sample.init_latents, "safetensors with the initial noise, key latents")
        ->type_name("FILE");
    app.add_option(
           "--torch-seed", sample.torch_seed,
           "the initial noise that diffusers draws with torch.Generator(\"cpu\").manual_seed(N), to the bit")
        ->type_name("N")
        ->check(seeds)
        ->excludes("--init-latents");
  } else if (command == "evaluate") {
    EvaluateRequest& evaluate = invocation.evaluate;
    app.add_option("--steps", raw.evaluate_steps, "step counts, separated by commas")->type_name("N,N,...");
    app.add_option("--solver", raw.evaluate_solvers, "solvers, separated by commas")->type_name("NAME,...");
    app.add_option("--count", evaluate.count, "samples for each pair")
        ->type_name("N")
        ->check(CLI::Range(1L, 1000000000L));
    app.add_option("--seed", evaluate.seed, "key of the noise")->type_name("N")->check(seeds);
  } else if (command == "forward") {
    app.add_option("--inputs", invocation.forward.inputs,
                   "safetensors: arguments of the original Python forward, by name")
        ->type_name("FILE")
        ->required();
    app.add_flag("--grad", invocation.forward.grad, "also grad.<input> of <output, cotangent>");
    app.add_option("--lora", invocation.forward.lora,
                   "LoRA weights of a U-Net; with --grad also grad.unet.M.lora.down.weight, .up.weight")
        ->type_name("PATH");
    app.get_option("--out")->required();
  } else if (command == "convert") {
    app.add_option("OUT", invocation.out, "a .safetensors file; a folder for a LoRA as peft keeps it")
        ->type_name("")
        ->required();
    app.add_option("--dtype", invocation.convert.dtype, "of floating tensors: fp32, fp16 or bf16")
        ->type_name("NAME");
    app.add_option("--format", invocation.convert.format,
                   "IN is a LoRA of any spelling: write it as diffusers, peft or kohya")
        ->type_name("NAME");
    app.footer(
        "IN is a .safetensors, .bin, .pt or .pth file, the index (.json) of shards, or the folder of one "
        "network.");
  } else if (command == "make-fixture") {
    app.add_option("--seed", invocation.fixture.seed, "key of the random weights")
        ->type_name("N")
        ->check(seeds);
    app.add_option("--precision", raw.fixture_precision, "of the weights: fp32 (default) or fp16")
        ->type_name("NAME");
    app.get_option("--out")->required();
    app.footer(fixture_names());
  } else if (command == "goldens") {
    GoldensRequest& goldens = invocation.goldens;
    app.add_option("--weights", goldens.weights, "which published weights MODEL_DIR holds")
        ->type_name("NAME");
    app.add_option("--files", goldens.files, "folder with pictures, arrays and LoRAs that some of them need")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option("--table", goldens.table, "other goldens, JSON as src/evaluation/published_goldens.json")
        ->type_name("FILE");
    app.footer(golden_names());
  } else if (command == "fid") {
    FidRequest& fid = invocation.fid;
    app.add_option("B", fid.other, "what to compare A with; may be left out with --save-stats")
        ->type_name("");
    app.add_option("--weights", fid.weights,
                   "pt_inception-2015-12-05-6726825d.pth, or a folder with it; default: PyTorch's cache")
        ->type_name("PATH");
    app.add_option("--input-convention", fid.input_convention,
                   "scaling of the pictures: pytorch-fid or torch-fidelity")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--dims", fid.dims, "features: 64, 192, 768 or 2048")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--batch", fid.batch, "pictures in one call of the network")
        ->type_name("N")
        ->check(CLI::Range(1L, 100000L))
        ->capture_default_str();
    app.add_option("--save-stats", fid.save_stats, "write mean and covariance of A's features")
        ->type_name("FILE.npz");
    app.footer("A and B: a folder of PNG or JPEG files, a folder or file of scoreact sample (samples.h5), "
               "another HDF5 "
               "file with a\ndataset images, CIFAR-10's data_batch_*.bin, or statistics in a .npz file.");
  }
}

/// Checks and converts what CLI11 left as text.
void interpret(Invocation& invocation, const Raw& raw) {
  if (invocation.sample.solver)
    check_choice("--solver", *invocation.sample.solver, known_solvers());
  if (invocation.sample.grid)
    check_choice("--grid", *invocation.sample.grid, deck::find_key("sample.grid")->allowed);
  if (!raw.evaluate_solvers.empty())
    for (const std::string& name : split(raw.evaluate_solvers, ',')) {
      check_choice("--solver", name, deck::find_key("sample.solver")->allowed);
      invocation.evaluate.solvers.push_back(name);
    }
  if (!raw.evaluate_steps.empty())
    for (const std::string& word : split(raw.evaluate_steps, ',')) {
      const bool digits =
          !word.empty() && word.size() <= 6 && word.find_first_not_of("0123456789") == std::string::npos;
      const long steps = digits ? std::stol(word) : 0;
      SCOREACT_REQUIRE(steps > 0, ExitCode::usage,
                       "--steps: expected positive integers separated by commas, found {}",
                       deck::quoted(raw.evaluate_steps));
      invocation.evaluate.steps.push_back(steps);
    }
  if (!invocation.convert.dtype.empty())
    check_choice("--dtype", invocation.convert.dtype, {"fp32", "fp16", "bf16"});
  if (!invocation.convert.format.empty())
    check_choice("--format", invocation.convert.format, {"diffusers", "peft", "kohya"});
  if (invocation.command == "make-fixture") {
    std::vector<std::string> names;
    for (const Fixture& fixture : fixtures())
      names.push_back(fixture.name);
    check_choice("make-fixture", invocation.target, names);
    check_choice("--precision", raw.fixture_precision, {"fp32", "fp16"});
    invocation.fixture.half = raw.fixture_precision == "fp16";
  }
  if (invocation.command == "fid") {
    check_choice("--input-convention", invocation.fid.input_convention, input_convention_names());
    SCOREACT_REQUIRE(std::count(InceptionFid::kDims.begin(), InceptionFid::kDims.end(), invocation.fid.dims) >
                         0,
                     ExitCode::usage, "--dims: expected one of {}, found {}",
                     fmt::join(InceptionFid::kDims, ", "), invocation.fid.dims);
    SCOREACT_REQUIRE(invocation.fid.save_stats.empty() || invocation.fid.save_stats.ends_with(".npz"),
                     ExitCode::usage, "--save-stats: expected a name that ends in .npz, found {}",
                     deck::quoted(invocation.fid.save_stats));
  }
  if (!raw.device.empty())
    check_choice("--device", raw.device, deck::find_key("run.device")->allowed);
  if (!raw.max_time.empty())
    seconds_of_duration(raw.max_time, "--max-time");
  invocation.device = raw.device.empty() ? "auto" : raw.device;
}

/// The deck file of the target, or "" if the target is a bare model directory.
std::string deck_file(const Invocation& invocation) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path target = invocation.target;
  if (!fs::is_directory(target, ignored)) {
    SCOREACT_REQUIRE(invocation.command != "evaluate" || !fs::exists(target, ignored), ExitCode::usage,
                     "evaluate: expected the directory of a run, found the file {}", invocation.target);
    SCOREACT_REQUIRE(fs::exists(target, ignored), ExitCode::missing_input, "{}: no such file or directory",
                     invocation.target);
    return invocation.target;
  }
  if (invocation.command != "sample" && invocation.command != "evaluate")
    return invocation.target; // read_deck refuses it
  const fs::path in_run = target / "deck.toml";
  if (fs::exists(in_run, ignored))
    return in_run.string();
  SCOREACT_REQUIRE(invocation.command == "sample", ExitCode::missing_input,
                   "{}: expected the directory of a run, found no deck.toml in it", invocation.target);
  SCOREACT_REQUIRE(invocation.overrides.empty(), ExitCode::usage,
                   "--set: {} is a model directory and has no deck", invocation.target);
  return "";
}

DeckUse use_of(const std::string& command) {
  if (command == "pretrain")
    return DeckUse::pretrain;
  return command == "finetune" || command == "value-study" ? DeckUse::training : DeckUse::policy;
}

void attach_deck(Invocation& invocation, const Raw& raw) {
  const std::string file = deck_file(invocation);
  if (!raw.device.empty() && !file.empty())
    invocation.overrides.push_back("run.device=" + deck::quoted(raw.device));
  if (!raw.max_time.empty())
    invocation.overrides.push_back("run.max_time=" + deck::quoted(raw.max_time));
  if (!file.empty()) {
    invocation.deck = read_deck(file, invocation.overrides, use_of(invocation.command));
    for (const deck::Key& key : deck::schema()) {
      if (key.form == deck::Form::network) {
        std::string& folder = *std::get<std::string*>(key.slot(*invocation.deck));
        folder = resolve_model_folder(folder);
      }
    }
    invocation.device = invocation.deck->run.device;
  }
  if (!invocation.out.empty())
    return;
  if (invocation.command == "sample")
    invocation.out = "samples";
  else if (invocation.command == "verify")
    invocation.out = ".";
  else if (invocation.command == "evaluate")
    invocation.out = invocation.target;
  else
    invocation.out = "runs/" + invocation.deck->run.name;
}

/// CLI11's message, with the nearest option if one was mistyped.
std::string usage_message(const CLI::ParseError& error, const CLI::App* app,
                          const std::vector<std::string>& words) {
  std::string message = error.what();
  if (!app)
    return message + "; see scoreact --help";
  std::vector<std::string> known;
  for (const CLI::Option* option : app->get_options())
    for (const std::string& name : option->get_lnames())
      known.push_back("--" + name);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || std::find(known.begin(), known.end(), name) != known.end())
      continue;
    const std::string near = nearest(name, known);
    return fmt::format("{}: unknown option {}{}; see scoreact {} --help", app->get_name(), name,
                       near.empty() ? "" : fmt::format("; did you mean {}?", near), app->get_name());
  }
  return fmt::format("{}: {}; see scoreact {} --help", app->get_name(), message, app->get_name());
}

} // namespace

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands)
    names.push_back(command.name);
  return names;
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "help" && words[1] == "deck")
    return {{}, true, help_deck()};
  if (words.size() == 3 && words[0] == "help" && words[1] == "deck" && words[2] == "--markdown")
    return {{}, true, help_deck_markdown()};
  if (!words.empty() && words[0] == "help") { // help COMMAND is COMMAND --help
    words.erase(words.begin());
    words.push_back("--help");
  }
  const auto first = std::find_if(words.begin(), words.end(),
                                  [](const std::string& word) { return !word.starts_with("-"); });
  const std::vector<std::string> names = command_names();
  if (first != words.end() && std::find(names.begin(), names.end(), *first) == names.end()) {
    const std::string near = nearest(*first, names);
    SCOREACT_FAIL(ExitCode::usage, "unknown command {}{}; expected one of {}", deck::quoted(*first),
                  near.empty() ? "" : fmt::format("; did you mean {}?", near), fmt::join(names, ", "));
  }

  CLI::App app("Fine-tunes diffusion models by reinforcement learning in continuous time.", "scoreact");
  app.footer(help_footer());
  bool version = false;
  app.add_flag("--version", version, "versions of the program and of every library");
  app.require_subcommand(0, 1);
  app.set_help_flag("--help,-h", "this text");
  Raw raw;
  const CLI::App* chosen = nullptr;
  for (const Command& command : commands) {
    CLI::App& own = *app.add_subcommand(command.name, command.summary);
    if (command.target)
      own.add_option(command.target, line.invocation.target)->type_name("")->required();
    add_common_options(own, command, line.invocation, raw);
    add_own_options(own, command.name, line.invocation, raw);
    if (first != words.end() && *first == command.name)
      chosen = &own;
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    return {{}, true, chosen ? chosen->help("scoreact") : app.help()};
  } catch (const CLI::ParseError& error) {
    SCOREACT_FAIL(ExitCode::usage, "{}", usage_message(error, chosen ? chosen : &app, words));
  }
  if (version)
    return {{}, true, version_text()};
  SCOREACT_REQUIRE(chosen, ExitCode::usage, "expected a command: one of {}; see scoreact --help",
                   fmt::join(names, ", "));

  line.invocation.command = chosen->get_name();
  interpret(line.invocation, raw);
  const Command& command = *std::find_if(std::begin(commands), std::end(commands),
                                         [&](const Command& c) { return c.name == line.invocation.command; });
  if (line.invocation.command == "sample" || line.invocation.command == "forward" ||
      line.invocation.command == "goldens")
    line.invocation.target = resolve_model_folder(line.invocation.target);
  if (command.deck)
    attach_deck(line.invocation, raw);
  if (raw.dump_deck) {
    SCOREACT_REQUIRE(line.invocation.deck, ExitCode::usage, "--dump-deck: {} has no deck",
                     line.invocation.target);
    line.answered = true;
    line.answer = dump_deck(*line.invocation.deck);
  }
  return line;
}

} // namespace scoreact
