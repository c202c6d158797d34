// The steps of a model's scheduler file beside diffusers' own loops (tests/golden/make_scheduler_golden.py
// made the file): all spacings, numbers of steps that do not divide the schedule, every setting that is
// computed, and what is refused.
#include "diffusion/pndm.hpp"
#include "evaluation/scheduler_steps.hpp"
#include "models/json_file.hpp"
#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <fstream>
#include <numeric>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::TemporaryFolder;

using Values = std::vector<double>;

const nlohmann::json& goldens() {
  static const nlohmann::json all =
      read_json(testing_support::source_path("tests/data/scheduler_goldens.json"));
  return all;
}

double network(double x, long t) { return std::sin(x) + static_cast<double>(t) / 2000; }

Values start() {
  Values x;
  for (int i = 0; i < 8; ++i)
    x.push_back(-1.5 + 3.5 * i / 7);
  return x;
}

struct Loop {
  std::vector<long> times;
  Values final_state = start();
};

/// Every element goes its own way; the noise is 0.
Loop run_table(const Schedule& schedule, const StepTable& table) {
  Loop loop;
  for (const Step& step : table.steps)
    loop.times.push_back(std::lround(schedule.timestep_of(step.tau)));
  for (double& x : loop.final_state) {
    double previous = 0;
    for (std::size_t k = 0; k < table.steps.size(); ++k) {
      const Step& step = table.steps[k];
      const double score = -network(x, loop.times[k]) / step.sigma();
      const double x0 = (x + (1 - step.abar) * score) / step.alpha();
      x = step.keep * x + step.push * score + step.carry * previous;
      previous = x0;
    }
  }
  return loop;
}

Loop run_pndm(const std::vector<PndmStep>& steps) {
  Loop loop;
  for (const PndmStep& step : steps)
    loop.times.push_back(step.timestep);
  for (double& x : loop.final_state) {
    double marked = x;
    std::deque<double> outputs;
    for (const PndmStep& step : steps) {
      if (step.marks)
        marked = x;
      outputs.push_front(network(x, step.timestep));
      double mixed = 0;
      for (std::size_t j = 0; j < step.weight.size(); ++j)
        mixed += step.weight[j] * outputs[j];
      outputs.erase(outputs.begin(), outputs.begin() + step.forgets);
      x = step.keep * (step.from_marked ? marked : x) + step.push * mixed;
    }
  }
  return loop;
}

Loop run_case(const nlohmann::json& golden) {
  const SchedulerConfig config = scheduler_from_json(golden.at("scheduler"), "golden");
  SampleOptions sample;
  sample.solver = solver_of(config);
  sample.num_steps = golden.at("steps").get<long>();
  sample.eta = golden.at("eta").get<double>();
  if (sample.solver == kPndm)
    return run_pndm(scheduler_pndm_steps(config, sample.num_steps));
  return run_table(config.schedule, scheduler_step_table(config, sample));
}

TEST(SchedulerSteps, AreThoseOfDiffusers) {
  ASSERT_GT(goldens().at("cases").size(), 100U);
  for (const nlohmann::json& golden : goldens().at("cases")) {
    SCOPED_TRACE(golden.at("scheduler").dump() + " " + golden.at("steps").dump() + " steps, eta " +
                 golden.at("eta").dump());
    const Loop loop = run_case(golden);
    EXPECT_EQ(loop.times, golden.at("times").get<std::vector<long>>());
    const auto expected = golden.at("final").get<Values>();
    for (std::size_t i = 0; i < expected.size(); ++i) // diffusers computes in float32
      EXPECT_NEAR(loop.final_state[i], expected[i], 2e-4 * std::max(1.0, std::abs(expected[i]))) << i;
  }
}

TEST(SchedulerSteps, HaveDiffusersTimesForAnyNumberOfThem) {
  for (const auto& [spacing, sums] : goldens().at("sums_of_times").items())
    for (long steps = 1; steps <= 1000; ++steps) {
      const std::vector<long> times = index_timesteps(spacing, 1000, steps, 0);
      EXPECT_EQ(std::accumulate(times.begin(), times.end(), 0L),
                sums.at(static_cast<std::size_t>(steps - 1)).get<long>())
          << spacing << " " << steps;
    }
}

TEST(SchedulerSteps, OfDdpmHaveTheVarianceOfTheFile) {
  for (const nlohmann::json& golden : goldens().at("ddpm")) {
    SampleOptions sample;
    sample.solver = "ddpm";
    sample.num_steps = 10;
    const StepTable table =
        scheduler_step_table(scheduler_from_json(golden.at("scheduler"), "golden"), sample);
    EXPECT_NEAR(table.steps.at(golden.at("step").get<std::size_t>()).spread,
                golden.at("deviation").get<double>(), 1e-5)
        << golden.dump();
  }
}

SchedulerConfig config_with(const nlohmann::json& settings) {
  nlohmann::json json = {{"_class_name", "DPMSolverMultistepScheduler"}, {"beta_schedule", "scaled_linear"}};
  json.update(settings);
  return scheduler_from_json(json, "scheduler_config.json");
}

TEST(SchedulerSteps, RefuseInOneErrorWhatIsNotComputed) {
  const std::vector<std::pair<std::string, nlohmann::json>> settings = {{"use_karras_sigmas", true},
                                                                        {"use_exponential_sigmas", true},
                                                                        {"use_beta_sigmas", true},
                                                                        {"use_lu_lambdas", true},
                                                                        {"use_flow_sigmas", true},
                                                                        {"use_dynamic_shifting", true},
                                                                        {"solver_order", 3},
                                                                        {"solver_order", 1},
                                                                        {"algorithm_type", "dpmsolver"},
                                                                        {"algorithm_type", "sde-dpmsolver"},
                                                                        {"solver_type", "heun"},
                                                                        {"lambda_min_clipped", -5.1},
                                                                        {"variance_type", "learned_range"},
                                                                        {"final_sigmas_type", "half"}};
  for (const auto& [name, value] : settings) {
    const SchedulerConfig config = config_with({{name, value}});
    const std::string key = name + " = " + value.dump();
    expect_error(ExitCode::data, "scheduler_config.json: dpmpp_2m does not compute " + key,
                 [&] { require_computed(config, "dpmpp_2m"); });
    require_computed(config, "ddim"); // diffusers' DDIM does not look at the key
  }
  expect_error(
      ExitCode::data, "solver_order = 3 (expected 2), use_karras_sigmas = true (expected false)", [] {
        require_computed(config_with({{"use_karras_sigmas", true}, {"solver_order", 3}}), "dpmpp_2m_sde");
      });
  expect_error(ExitCode::data, "variance_type = \"learned\"", [] {
    require_computed(config_with({{"variance_type", "learned"}}), "ddpm");
  });
  require_computed(config_with({{"use_karras_sigmas", false},
                                {"use_lu_lambdas", nullptr},
                                {"solver_order", 2},
                                {"solver_type", "midpoint"},
                                {"algorithm_type", "dpmsolver++"},
                                {"final_sigmas_type", "zero"}}),
                   "dpmpp_2m");
}

TEST(SchedulerSteps, BelongToAKnownClassOfDiffusers) {
  EXPECT_EQ(solver_of(config_with(nlohmann::json::object())), "dpmpp_2m");
  EXPECT_EQ(solver_of(config_with({{"algorithm_type", "sde-dpmsolver++"}})), "dpmpp_2m_sde");
  EXPECT_EQ(solver_of(config_with({{"_class_name", "PNDMScheduler"}})), "pndm");
  EXPECT_EQ(solver_of(config_with({{"_class_name", "DDIMScheduler"}})), "ddim");
  EXPECT_EQ(solver_of(config_with({{"_class_name", "DDPMScheduler"}})), "ddpm");
  expect_error(ExitCode::data,
               "scheduler_config.json: _class_name: expected one of PNDMScheduler, DDIMScheduler, "
               "DDPMScheduler, DPMSolverMultistepScheduler, found \"EulerDiscreteScheduler\"",
               [] {
                 solver_of(config_with({{"_class_name", "EulerDiscreteScheduler"}}));
               });
  expect_error(ExitCode::data, "found none", [] { solver_of(config_with({{"_class_name", nullptr}})); });
}

TEST(SchedulerConfigFile, MayHoldPythonsInfinity) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "scheduler_config.json")
      << R"({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "x": NaN,)"
      << R"( "note": "-Infinity \"NaN", "solver_order": 2})";
  const SchedulerConfig config = read_scheduler_config(folder.path().string());
  require_computed(config, "dpmpp_2m");
  EXPECT_EQ(scheduler_json(folder.path().string()).at("note"), "-Infinity \"NaN");
}

} // namespace
} // namespace scoreact
