#include "pretraining/training_loop.hpp"

#include "error/error.hpp"
#include "optim/flat_adamw.hpp"
#include "optim/learning_rate.hpp"

#include <torch/torch.h>

#include <cmath>

namespace scoreact {

void training_loop(const NamedTensors& parameters, const std::function<at::Tensor(long)>& loss,
                   const PretrainOptions& options, const Communicator& ranks,
                   const TrainingObserver& observe) {
  const AdamWOptions adamw = {
      .weight_decay = options.weight_decay, .max_grad_norm = 1.0, .ema_decay = options.ema_decay};
  FlatAdamW optimizer(FlatParameters(parameters), adamw, ranks, false);
  const LearningRateOptions schedule = {.peak = options.learning_rate,
                                        .schedule = "cosine",
                                        .warmup_steps = std::min(100L, options.iterations / 10),
                                        .total_steps = static_cast<double>(options.iterations)};
  TrainingReport report;
  long since_report = 0;
  for (long iteration = 0; iteration < options.iterations; ++iteration) {
    double value = 0;
    const double rate = learning_rate(schedule, iteration);
    const at::Tensor norm = optimizer.update({}, rate, [&](long) {
      const at::Tensor term = loss(iteration);
      term.backward();
      value = term.item<double>();
    });
    SCOREACT_REQUIRE(std::isfinite(value), ExitCode::internal,
                     "the loss is {} at iteration {}; a smaller pretrain.learning_rate than {} may help",
                     value, iteration, options.learning_rate);
    report.loss += value;
    report.grad_norm += norm.item<double>();
    report.learning_rate = rate;
    ++since_report;
    if ((iteration + 1) % options.log_freq == 0 || iteration + 1 == options.iterations) {
      report.iteration = iteration + 1;
      report.loss /= static_cast<double>(since_report);
      report.grad_norm /= static_cast<double>(since_report);
      observe(report);
      report = {};
      since_report = 0;
    }
  }
  if (optimizer.ema().defined()) {
    torch::NoGradGuard no_grad;
    optimizer.parameters().values().copy_(optimizer.ema());
  }
}

} // namespace scoreact
