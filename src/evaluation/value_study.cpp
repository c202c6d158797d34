#include "evaluation/value_study.hpp"

#include "error/error.hpp"
#include "evaluation/inference.hpp"
#include "kernels/normal_noise.hpp"
#include "rl/value_function.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scoreact {

namespace {

/// Rows as they come, joined at the end.
struct RowParts {
  std::vector<at::Tensor> x, x0hat, tau, prompt, sample, time;

  void add(const StepView& view, const at::Tensor& picked, long first_sample, long time_number) {
    const auto pick = [&](const at::Tensor& all) { return all.index_select(0, picked); };
    x.push_back(pick(view.x));
    x0hat.push_back(pick(tweedie_mean(view.x, view.mean, view.times)));
    tau.push_back(pick(view.times.tau));
    prompt.push_back(pick(view.prompt));
    sample.push_back(picked + first_sample);
    time.push_back(at::full_like(picked, time_number));
  }

  StudyRows join(Reward& reward, const at::Tensor& returns, long micro_batch) const {
    StudyRows rows{at::cat(x), at::cat(x0hat), at::cat(tau), at::cat(prompt), {}, {}, {}, at::cat(time)};
    rows.target = returns.index_select(0, at::cat(sample));
    const auto rewards = [&](const at::Tensor& input) {
      std::vector<at::Tensor> parts;
      for (long first = 0; first < input.size(0); first += micro_batch) {
        const long count = std::min(micro_batch, input.size(0) - first);
        parts.push_back(
            reward(input.narrow(0, first, count), rows.prompt.narrow(0, first, count)).to(at::kFloat));
      }
      return at::cat(parts);
    };
    rows.reward_x = rewards(rows.x);
    rows.reward_x0hat = rewards(rows.x0hat);
    return rows;
  }
};

/// Step numbers evenly spread over the grid, both ends in.
std::vector<long> even_steps(long num_steps, long times) {
  std::vector<long> steps;
  for (long i = 0; i < times; ++i)
    steps.push_back(times == 1 ? 0 : (i * (num_steps - 1) + (times - 1) / 2) / (times - 1));
  return steps;
}

/// [samples, steps] bool: which steps of a training trajectory are kept, one a stratum, drawn for each
/// sample.
at::Tensor random_steps(long samples, long num_steps, long times, const RolloutKey& key) {
  at::Tensor chosen = at::zeros({samples, num_steps}, at::kBool);
  for (long sample = 0; sample < samples; ++sample) {
    std::vector<double> uniforms;
    for (long k = 0; k < times; ++k)
      uniforms.push_back(kernels::uniform_at({key.seed, key.epoch, 4, kernels::Purpose::time}, sample,
                                             static_cast<std::uint32_t>(k)));
    for (const long step : stratified_subset(num_steps, times, 0, uniforms).step)
      chosen.data_ptr<bool>()[sample * num_steps + step] = true;
  }
  return chosen;
}

/// Sum of squared errors of each row, in pieces.
at::Tensor squared_errors(ValueFunction& value, const StudyRows& rows, const at::Tensor& frozen) {
  torch::NoGradGuard no_grad;
  constexpr long kPiece = 4096;
  std::vector<at::Tensor> errors;
  for (long first = 0; first < rows.size(); first += kPiece) {
    const long count = std::min(kPiece, rows.size() - first);
    const auto part = [&](const at::Tensor& all) { return all.narrow(0, first, count); };
    const ValueRows some{part(rows.x), part(rows.x0hat), part(rows.tau), part(rows.prompt)};
    errors.push_back(
        (value.value(some, part(frozen)) - part(rows.target)).to(at::kDouble).square().to(at::kCPU));
  }
  return at::cat(errors);
}

std::vector<double> mean_per_time(const at::Tensor& errors, const StudyRows& rows, long times) {
  std::vector<double> means;
  const at::Tensor time = rows.time.to(at::kCPU);
  for (long t = 0; t < times; ++t)
    means.push_back(errors.masked_select(time == t).mean().item<double>());
  return means;
}

DesignResult constant_design(const ValueDesignOptions& design, const StudyData& data, long passes) {
  const double mean = data.train.target.to(at::kDouble).mean().item<double>();
  const auto errors = [&](const StudyRows& rows) {
    return (rows.target.to(at::kCPU, at::kDouble) - mean).square();
  };
  const at::Tensor test = errors(data.test);
  const auto all = static_cast<std::size_t>(passes);
  return {design, std::vector<double>(all, errors(data.train).mean().item<double>()),
          std::vector<double>(all, test.mean().item<double>()),
          mean_per_time(test, data.test, static_cast<long>(data.tau.size()))};
}

} // namespace

std::vector<ValueDesignOptions> value_designs() {
  std::vector<ValueDesignOptions> designs;
  const auto add = [&](const char* predictor, const char* corrector, const char* c_out) {
    designs.push_back({fmt::format("{}_{}_{}", predictor, corrector, c_out), predictor, corrector, c_out});
  };
  add("x", "x", "one_minus_cos");
  add("x", "x0hat", "one_minus_cos");
  for (const char* c_out : {"one_minus_cos", "sin", "linear"})
    add("x0hat", "x", c_out);
  for (const char* c_out : {"one_minus_cos", "sin"})
    add("x0hat", "x0hat", c_out);
  designs.push_back({"constant", "", "", ""});
  return designs;
}

StudyData collect_study_data(ScorePolicy& policy, Reward& reward, const Prompts& prompts,
                             const StepTable& table, const StudySize& size, const RolloutKey& key,
                             const at::Device& device) {
  torch::NoGradGuard no_grad;
  StudyData data;
  data.test_samples = size.test_samples;
  data.train_samples = size.samples - size.test_samples;
  SCOREACT_REQUIRE(data.train_samples > 0 && data.test_samples > 0, ExitCode::data,
                   "value-study: expected trajectories to fit and to test on, found {} and {}",
                   data.train_samples, data.test_samples);
  const long steps = table.size();
  const at::Tensor fitted = random_steps(data.train_samples, steps, std::min(size.train_times, steps), key);
  const std::vector<long> tested = even_steps(steps, std::min(size.test_times, steps));
  for (const long k : tested)
    data.tau.push_back(table.steps[static_cast<std::size_t>(k)].tau);

  RowParts train, test;
  const auto observe = [&](const StepView& view) {
    const long rows = view.x.size(0), first = view.first;
    const long train_rows = std::clamp(data.train_samples - first, 0L, rows);
    if (train_rows > 0) {
      const at::Tensor picked = fitted.narrow(0, first, train_rows).select(1, view.step).nonzero().squeeze(1);
      if (picked.numel() > 0)
        train.add(view, picked.to(device), first, 0);
    }
    const auto time = std::find(tested.begin(), tested.end(), view.step);
    if (train_rows < rows && time != tested.end())
      test.add(view, at::arange(train_rows, rows, at::TensorOptions().dtype(at::kLong).device(device)), first,
               time - tested.begin());
  };
  const at::Tensor prompt = prompts.in_turn(0, size.samples).to(device);
  const at::Tensor finals =
      draw(policy, table, mean_actions(table), deal_samples(size.samples, size.micro_batch, 0, 1), prompt,
           key, {}, observe);
  std::vector<at::Tensor> returns;
  for (long first = 0; first < size.samples; first += size.micro_batch) {
    const long rows = std::min(size.micro_batch, size.samples - first);
    returns.push_back(reward(finals.narrow(0, first, rows), prompt.narrow(0, first, rows)).to(at::kFloat));
  }
  const at::Tensor all = at::cat(returns);
  data.train = train.join(reward, all, size.micro_batch);
  data.test = test.join(reward, all, size.micro_batch);
  return data;
}

DesignResult fit_design(const ValueDesignOptions& design, const StudyData& data,
                        std::shared_ptr<Reward> reward, const StudyFit& fit, long num_prompts,
                        const Communicator& ranks) {
  if (design.predictor.empty())
    return constant_design(design, data, fit.passes);
  ValueOptions options = fit.value;
  options.predictor = design.predictor;
  options.corrector = design.corrector;
  options.c_out = design.c_out;
  const std::vector<std::int64_t> sizes = data.train.x.sizes().vec();
  ValueFunction value(std::move(reward), options, std::vector<long>(sizes.begin() + 1, sizes.end()),
                      num_prompts, fit.seed, ranks, true, data.train.x.device());
  // the trained branch counts in units of the return's spread, as in training
  const double spread = data.train.target.to(at::kDouble).std().item<double>();
  value.set_scale(spread > 0 ? spread : 1.0);
  const double unit = value.scale() * value.scale();
  const auto frozen_of = [&](const StudyRows& rows) {
    return design.predictor == "x" ? rows.reward_x : rows.reward_x0hat;
  };
  const at::Tensor frozen = frozen_of(data.train), frozen_test = frozen_of(data.test);

  DesignResult result{design, {}, {}, {}};
  at::Tensor errors;
  for (long pass = 1; pass <= fit.passes; ++pass) {
    // the order depends on seed and pass alone: the same for all designs
    auto generator = at::make_generator<at::CPUGeneratorImpl>(fit.seed + static_cast<std::uint64_t>(pass));
    const at::Tensor order =
        at::randperm(data.train.size(), generator, at::TensorOptions().dtype(at::kLong)).to(frozen.device());
    for (long first = 0; first < data.train.size(); first += options.batch_size) {
      const at::Tensor picked =
          order.narrow(0, first, std::min(options.batch_size, data.train.size() - first));
      const auto pick = [&](const at::Tensor& all) { return all.index_select(0, picked); };
      const ValueRows rows{pick(data.train.x), pick(data.train.x0hat), pick(data.train.tau),
                           pick(data.train.prompt)};
      value.optimizer().update({1, 0, 1}, options.learning_rate, [&](long) {
        at::AutoGradMode grad_mode(true);
        const at::Tensor found = value.value(rows, pick(frozen), value.trained_features(rows));
        ((found - pick(data.train.target)).square().mean() / unit).backward();
      });
    }
    result.train_mse.push_back(squared_errors(value, data.train, frozen).mean().item<double>());
    errors = squared_errors(value, data.test, frozen_test);
    result.test_mse.push_back(errors.mean().item<double>());
  }
  result.per_time = mean_per_time(errors, data.test, static_cast<long>(data.tau.size()));
  return result;
}

double mean_of_third(const DesignResult& result, const std::vector<double>& tau, int third) {
  double sum = 0;
  long count = 0;
  for (std::size_t t = 0; t < tau.size(); ++t) {
    if (std::min(2, static_cast<int>(std::ceil(tau[t] * 3.0)) - 1) != third)
      continue;
    sum += result.per_time[t];
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

} // namespace scoreact
