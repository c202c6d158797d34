#include "pretraining/pretrain_run.hpp"

#include "evaluation/picture_grid.hpp"
#include "run/instruction_set.hpp"
#include "run/network_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>

namespace scoreact {

namespace {

std::vector<MetricInfo> columns(const std::vector<MetricInfo>& figures) {
  std::vector<MetricInfo> all = {
      {"epoch", "1", "number of the row, from 1"},
      {"iteration", "1", "optimiser updates so far"},
      {"loss", "1", "mean training loss since the row before"},
      {"grad_norm", "1", "mean norm of the gradient before clipping, since the row before"},
      {"learning_rate", "1", "learning rate of the last update"},
      {"wall_time", "s", "time since the start of the run, restarts left out"}};
  all.insert(all.end(), figures.begin(), figures.end());
  return all;
}

} // namespace

PretrainRun::PretrainRun(TrainingTask& task, const RunFolderSetup& setup, const PretrainOptions& options,
                         const Communicator& ranks)
    : task_(task), setup_(setup), options_(options), ranks_(ranks), figures_(task.figures()),
      trainer_(task, options, ranks, setup.run.deterministic), folder_(setup, ranks),
      progress_("iteration", options.iterations, setup.quiet || !ranks.root()) {
  if (const auto& checkpoint = folder_.checkpoint()) {
    const std::string where = checkpoint->folder().string();
    const nlohmann::json& state = checkpoint->state();
    restore_weights(checkpoint->policy(), trainer_.optimizer().parameters().named(),
                    where + "/policy.safetensors");
    restore_optimizer(*checkpoint, trainer_.optimizer(), "network/");
    trainer_.restore(state.at("algorithm").get<std::map<std::string, std::vector<double>>>());
    rows_ = state.at("rows").get<long>();
    wall_time_ = state.at("wall_time").get<double>();
    restarts_ = state.at("restarts").get<double>() + 1;
    if (ranks_.root() && !setup_.quiet)
      fmt::print("continuing {} after iteration {}\n", setup_.path.string(), trainer_.iteration());
  }
  folder_.open_run_file(rows_, columns(figures_), {{"kind", std::string("pretrain")}});
}

ExitCode PretrainRun::train() {
  if (trainer_.iteration() == 0 && options_.sample_freq > 0)
    paint();
  progress_.start_from(trainer_.iteration());
  Stopwatch iteration;
  std::string reason = folder_.stop_reason(longest_iteration_);
  while (!last()) {
    if (!reason.empty())
      return requeue(reason);
    trainer_.step();
    if (due(options_.log_freq) || last())
      record();
    else if (progress_.has_bar() && since_shown_.elapsed() > 1) {
      progress_.show(trainer_.iteration(), detail_);
      since_shown_.lap();
    }
    if (options_.sample_freq > 0 && (due(options_.sample_freq) || last()))
      paint();
    if (due(options_.save_freq))
      checkpoint();
    longest_iteration_ = std::max(longest_iteration_, iteration.lap());
    reason = folder_.stop_reason(longest_iteration_);
  }
  return finish();
}

void PretrainRun::record() {
  const TrainingReport report = trainer_.report();
  std::vector<double> held_out;
  ranks_.together([&] { held_out = held_out_if_due(); });
  ++rows_;
  detail_ = fmt::format("loss {:.4f}  |grad| {:.3f}  lr {:.2e}", report.loss, report.grad_norm,
                        report.learning_rate);
  std::map<std::string, double> row = {{"epoch", static_cast<double>(rows_)},
                                       {"iteration", static_cast<double>(report.iteration)},
                                       {"loss", report.loss},
                                       {"grad_norm", report.grad_norm},
                                       {"learning_rate", report.learning_rate},
                                       {"wall_time", wall_time_ + clock_.elapsed()}};
  if (RunFile* const file = folder_.file()) {
    for (std::size_t i = 0; i < figures_.size(); ++i) {
      const bool known = i < held_out.size();
      row[figures_[i].name] = known ? held_out[i] : std::numeric_limits<double>::quiet_NaN();
      if (known)
        detail_ += fmt::format("  {} {:.4f}", figures_[i].name, held_out[i]);
      if (known && last())
        file->set_attribute(figures_[i].name, held_out[i]);
    }
    file->record(row, {{"restarts", restarts_},
                       {"ranks", static_cast<double>(ranks_.size())},
                       {"checkpoint_time", checkpoint_seconds_}});
  }
  checkpoint_seconds_ = 0;
  progress_.show(trainer_.iteration(), detail_);
  since_shown_.lap();
}

/// On rank 0, in the first row of metrics after every eval_freq iterations and in the last one.
std::vector<double> PretrainRun::held_out_if_due() {
  const long now = trainer_.iteration(), before = now - options_.log_freq;
  const bool passed = options_.eval_freq > 0 && now / options_.eval_freq > before / options_.eval_freq;
  std::vector<double> values;
  if (ranks_.root() && !figures_.empty() && (passed || last()))
    trainer_.with_average([&] { values = task_.held_out(); });
  return values;
}

void PretrainRun::paint() {
  ranks_.together([&] {
    if (!ranks_.root())
      return;
    trainer_.with_average([&] {
      const at::Tensor pictures = task_.samples();
      if (pictures.defined())
        write_pictures(folder_.directory().image_file(trainer_.iteration()), pictures, task_.columns());
    });
  });
}

void PretrainRun::checkpoint() {
  const auto state = trainer_.state(); // collective
  checkpoint_seconds_ += folder_.checkpoint(trainer_.iteration(), [&] {
    HostArrays weights, optimizer;
    weights.add(trainer_.optimizer().parameters().named());
    add_optimizer(optimizer, trainer_.optimizer(), "network/");
    CheckpointContent content;
    content.policy = weights.arrays();
    content.optimizer = optimizer.arrays();
    content.state = {{"epoch", trainer_.iteration()},
                     {"rows", rows_},
                     {"wall_time", wall_time_ + clock_.elapsed()},
                     {"restarts", restarts_},
                     {"algorithm", state},
                     {"instruction_set", instruction_set()},
                     {"deck", setup_.deck}};
    content.copies = {folder_.directory().run_file()};
    write_checkpoint(folder_.directory().checkpoints(), trainer_.iteration(), content,
                     setup_.run.num_checkpoint_limit);
  });
}

ExitCode PretrainRun::requeue(const std::string& reason) {
  checkpoint();
  if (ranks_.root())
    fmt::print("\nstopped ({}) after iteration {} of {}; the same command continues {}\n", reason,
               trainer_.iteration(), options_.iterations, setup_.path.string());
  return ExitCode::stopped_early;
}

ExitCode PretrainRun::finish() {
  checkpoint();
  const std::string folder = options_.out.empty() ? (setup_.path / "model").string() : options_.out;
  ranks_.together([&] {
    if (ranks_.root())
      trainer_.with_average([&] { task_.save(folder); });
  });
  if (ranks_.root() && !setup_.quiet)
    fmt::print("{}trained network: {}\n", progress_.has_bar() ? "\n" : "", folder);
  return ExitCode::success;
}

} // namespace scoreact
