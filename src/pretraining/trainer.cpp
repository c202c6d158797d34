#include "pretraining/trainer.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact {

namespace {

NamedTensors all_tensors(const std::vector<ParameterGroup>& groups) {
  NamedTensors all;
  for (const ParameterGroup& group : groups)
    all.insert(all.end(), group.tensors.begin(), group.tensors.end());
  return all;
}

std::vector<RateGroup> rates_of(const std::vector<ParameterGroup>& groups) {
  std::vector<RateGroup> rates;
  for (const ParameterGroup& group : groups) {
    long length = 0;
    for (const auto& [name, tensor] : group.tensors)
      length += tensor.numel();
    rates.push_back({length, group.rate});
  }
  return rates;
}

/// Losses are collected from the device this often at least, iterations: they should not pile up.
constexpr std::size_t kCollectedAfter = 1000;

/// One network call has at most the whole batch; without fixed bits also at most what a rank holds.
Shard shard_of(const PretrainOptions& options, const Communicator& ranks, bool deterministic) {
  long micro_batch = std::min(options.micro_batch_size, options.batch_size);
  if (!deterministic && options.batch_size % ranks.size() == 0)
    micro_batch = largest_divisor(options.batch_size / ranks.size(), micro_batch);
  return make_shard(options.batch_size, micro_batch, ranks.rank(), ranks.size(), "pretrain.micro_batch_size");
}

} // namespace

Trainer::Trainer(TrainingTask& task, const PretrainOptions& options, const Communicator& ranks,
                 bool deterministic)
    : task_(task), options_(options), ranks_(ranks), shard_(shard_of(options, ranks, deterministic)),
      rate_({.peak = options.learning_rate,
             .schedule = "cosine",
             .warmup_steps = std::min(options.warmup_steps, options.iterations / 10),
             .total_steps = static_cast<double>(options.iterations)}),
      optimizer_(FlatParameters(all_tensors(task.parameters())),
                 {.weight_decay = options.weight_decay, .max_grad_norm = 1.0, .ema_decay = options.ema_decay},
                 ranks, deterministic) {
  optimizer_.set_rates(rates_of(task.parameters()));
}

void Trainer::step() {
  const long iteration = optimizer_.steps(), leaves = shard_.total_micro_batches();
  const double share = 1.0 / static_cast<double>(leaves);
  task_.prepare(iteration, shard_, ranks_);
  norms_.push_back(optimizer_.update({leaves, shard_.first_micro_batch(), shard_.micro_batches()},
                                     learning_rate(rate_, iteration), [&](long i) {
                                       const at::Tensor loss =
                                           task_.loss({iteration, shard_.first + i * shard_.micro_batch,
                                                       shard_.micro_batch});
                                       (loss * share).backward();
                                       losses_.push_back(loss.detach());
                                     }));
  if (norms_.size() >= kCollectedAfter)
    collect_figures();
}

/// Here the host waits for the device, not in every step. Sums run over micro-batches, then over iterations,
/// in one order on any number of ranks and however often it is called.
void Trainer::collect_figures() {
  if (norms_.empty())
    return;
  const auto on_host = [](const std::vector<at::Tensor>& scalars) {
    const at::Tensor values = at::stack(scalars).to(at::kCPU, at::kDouble).contiguous();
    return std::vector<double>(values.data_ptr<double>(), values.data_ptr<double>() + values.numel());
  };
  const std::vector<double> norms = on_host(norms_), losses = ranks_.gather_in_order(on_host(losses_));
  const std::size_t iterations = norms.size(), ranks = static_cast<std::size_t>(ranks_.size());
  const std::size_t each = losses.size() / (iterations * ranks); // micro-batches of a rank
  const long first = optimizer_.steps() - static_cast<long>(iterations);
  for (std::size_t i = 0; i < iterations; ++i) {
    double loss = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank)
      for (std::size_t j = 0; j < each; ++j)
        loss += losses[(rank * iterations + i) * each + j];
    loss /= static_cast<double>(each * ranks);
    SCOREACT_REQUIRE(std::isfinite(loss) && std::isfinite(norms[i]), ExitCode::internal,
                     "the loss is {} and the norm of the gradient {} at iteration {}; a smaller "
                     "pretrain.learning_rate than {} may help",
                     loss, norms[i], first + static_cast<long>(i), options_.learning_rate);
    loss_sum_ += loss;
    norm_sum_ += norms[i];
    summed_ += 1;
  }
  losses_.clear();
  norms_.clear();
}

TrainingReport Trainer::report() {
  collect_figures();
  const double count = std::max(summed_, 1.0);
  const TrainingReport report = {iteration(), loss_sum_ / count,
                                 learning_rate(rate_, std::max(0L, iteration() - 1)), norm_sum_ / count};
  loss_sum_ = norm_sum_ = summed_ = 0;
  return report;
}

void Trainer::with_average(const std::function<void()>& work) {
  torch::NoGradGuard no_grad;
  optimizer_.with_average(work);
}

std::map<std::string, std::vector<double>> Trainer::state() {
  collect_figures();
  return {{"since_report", {loss_sum_, norm_sum_, summed_}}};
}

void Trainer::restore(const std::map<std::string, std::vector<double>>& state) {
  const auto found = state.find("since_report");
  SCOREACT_REQUIRE(found != state.end() && found->second.size() == 3, ExitCode::data,
                   "state.json: since_report is no list of three numbers");
  loss_sum_ = found->second[0];
  norm_sum_ = found->second[1];
  summed_ = found->second[2];
}

void train(TrainingTask& task, const PretrainOptions& options, const Communicator& ranks,
           const std::function<void(const TrainingReport&)>& observe) {
  Trainer trainer(task, options, ranks, true);
  while (trainer.iteration() < options.iterations) {
    trainer.step();
    if (trainer.iteration() % options.log_freq == 0 || trainer.iteration() == options.iterations)
      observe(trainer.report());
  }
  if (trainer.optimizer().ema().defined()) {
    torch::NoGradGuard no_grad;
    at::Tensor weights = trainer.optimizer().parameters().values();
    weights.copy_(trainer.optimizer().ema());
  }
}

} // namespace scoreact
