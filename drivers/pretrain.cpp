#include "command.hpp"

#include "data/image_data.hpp"
#include "pretraining/train_classifier.hpp"
#include "pretraining/train_denoiser.hpp"
#include "run/stopwatch.hpp"
#include "run/versions.hpp"
#include "store/atomic_file.hpp"
#include "store/run_directory.hpp"
#include "store/run_file.hpp"

#include <fmt/chrono.h>
#include <torch/torch.h>

#include <cstdio>
#include <ctime>

namespace scoreact {
namespace {

/// Metrics, progress and files of one pretraining run.
class PretrainRun {
 public:
  PretrainRun(const Invocation& invocation)
      : options_(invocation.deck->pretrain), quiet_(invocation.quiet),
        directory_(RunDirectory::create(invocation.out)), lock_(directory_),
        file_(RunFile::create(directory_.run_file(), attributes(*invocation.deck), columns())) {
    write_text_atomically(directory_.deck(), dump_deck(*invocation.deck));
    model_folder_ = options_.out.empty() ? (directory_.root() / "model").string() : options_.out;
  }

  void observe(const TrainingReport& report) {
    const double seconds = clock_.elapsed(), done = static_cast<double>(report.iteration);
    const double left = seconds / done * (static_cast<double>(options_.iterations) - done);
    file_.record({{"epoch", static_cast<double>(file_.epochs() + 1)},
                  {"iteration", done},
                  {"loss", report.loss},
                  {"grad_norm", report.grad_norm},
                  {"learning_rate", report.learning_rate},
                  {"wall_time", seconds}});
    say("iteration {:>6}/{}  loss {:.4f}  |grad| {:.3f}  lr {:.2e}  {:.1f} it/s  {} left\n", report.iteration,
        options_.iterations, report.loss, report.grad_norm, report.learning_rate, done / seconds,
        fmt::format("{:%H:%M:%S}", std::chrono::seconds(static_cast<long>(left))));
  }

  /// A figure of the trained network: an attribute of run.h5 and a line of the log.
  void conclude(const std::string& name, double value) {
    file_.set_attribute(name, value);
    file_.write();
    say("{} {:.4f}\n", name, value);
  }

  void saved() const { say("model: {}\n", model_folder_); }
  const std::string& model_folder() const { return model_folder_; }

 private:
  static Attributes attributes(const Deck& deck) {
    Attributes all = {{"software", "scoreact"},
                      {"kind", "pretrain"},
                      {"created", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
                      {"deck", dump_deck(deck)},
                      {"ranks", std::int64_t{1}}};
    for (const auto& [library, version] : library_versions()) {
      all.emplace(library == "scoreact" ? "version" : library, version);
    }
    return all;
  }

  static std::vector<MetricInfo> columns() {
    return {{"epoch", "1", "number of the row, from 1"},
            {"iteration", "1", "optimiser updates so far"},
            {"loss", "1", "mean training loss since the row before"},
            {"grad_norm", "1", "mean norm of the gradient before clipping, since the row before"},
            {"learning_rate", "1", "learning rate of the last update"},
            {"wall_time", "s", "time since the start"}};
  }

  template <class... Args> void say(fmt::format_string<Args...> text, Args&&... args) const {
    if (!quiet_) {
      fmt::print(text, std::forward<Args>(args)...);
      std::fflush(stdout);
    }
  }

  PretrainOptions options_;
  bool quiet_;
  RunDirectory directory_;
  RunLock lock_;
  RunFile file_;
  std::string model_folder_;
  Stopwatch clock_;
};

UnetConfig unet_config(const NetworkOptions& network, const DataOptions& data) {
  UnetConfig config;
  config.sample_height = data.height;
  config.sample_width = data.width;
  config.in_channels = config.out_channels = data.channels;
  config.block_out_channels = network.block_out_channels;
  config.down_block_types = network.down_block_types;
  config.up_block_types = network.up_block_types;
  config.layers_per_block = network.layers_per_block;
  config.norm_num_groups = network.norm_num_groups;
  config.num_class_embeds = data.num_classes + 1; // the last one is the null condition
  check_unet_config(config, "network");
  return config;
}

struct TrainingData {
  TrainingBatches train, test;
};

TrainingData load_data(const Deck& deck, c10::Device device) {
  const ImageData data = read_images(deck.data);
  const Split split = split_rows(data.count(), deck.data.test_fraction);
  const auto labels = noisy_labels(data.labels, deck.data.label_noise, data.num_classes, deck.run.seed);
  return {.train = TrainingBatches(data, split.train, labels, deck.run.seed, device),
          .test = TrainingBatches(data, split.test, data.labels, deck.run.seed, device)};
}

void pretrain_denoiser(const Deck& deck, c10::Device device, bool check, PretrainRun& run,
                       const Communicator& ranks) {
  const TrainingData data = load_data(deck, device);
  PixelUnet model(unet_config(deck.network, deck.data), scheduler_from_options(deck.schedule), deck.run.seed);
  model.to(device);
  train_denoiser(model, data.train, deck.pretrain, ranks,
                 [&run](const TrainingReport& report) { run.observe(report); });
  const ImageBatch held_out = data.test.all();
  if (!check && held_out.labels.numel() > 0) {
    torch::NoGradGuard no_grad;
    run.conclude(
        "test_loss",
        denoising_loss(model, held_out, 0.0, deck.run.seed, deck.pretrain.iterations).item<double>());
  }
  if (!check) {
    model.save(run.model_folder());
    run.saved();
  }
}

void pretrain_classifier(const Deck& deck, c10::Device device, bool check, PretrainRun& run,
                         const Communicator& ranks) {
  const TrainingData data = load_data(deck, device);
  Classifier classifier({.kind = deck.network.kind,
                         .in_channels = deck.data.channels,
                         .height = deck.data.height,
                         .width = deck.data.width,
                         .num_classes = deck.data.num_classes,
                         .hidden = deck.network.hidden},
                        deck.run.seed);
  classifier.to(device);
  train_classifier(classifier, data.train, deck.pretrain, ranks,
                   [&run](const TrainingReport& report) { run.observe(report); });
  const ImageBatch held_out = data.test.all();
  if (!check && held_out.labels.numel() > 0) {
    const ClassifierScore score = evaluate_classifier(classifier, held_out);
    run.conclude("test_accuracy", score.accuracy);
    run.conclude("test_log_likelihood", score.log_likelihood);
  }
  if (!check) {
    classifier.save(run.model_folder());
    run.saved();
  }
}

} // namespace

ExitCode run_pretrain(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  SCOREACT_REQUIRE(ranks.size() == 1, ExitCode::usage, "pretrain runs on one rank; expected 1, found {}",
                   ranks.size());
  SCOREACT_REQUIRE(invocation.deck->run.max_time.empty(), ExitCode::usage,
                   "pretrain writes no checkpoints, so run.max_time (--max-time) has no meaning for it");
  Invocation effective = invocation;
  Deck& deck = *effective.deck;
  if (invocation.check) {
    deck.pretrain.iterations = 1;
  }
  const c10::Device device =
      invocation.device_id >= 0 ? c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(invocation.device_id))
                                : c10::Device(c10::kCPU);
  PretrainRun run(effective);
  if (deck.network.kind == "pixel_unet") {
    pretrain_denoiser(deck, device, invocation.check, run, ranks);
  } else {
    pretrain_classifier(deck, device, invocation.check, run, ranks);
  }
  return ExitCode::success;
}

} // namespace scoreact
