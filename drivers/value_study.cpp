/// scoreact value-study DECK: fits every value design of Table 1 to the same trajectories of the unchanged
/// model and reports test errors; writes RUN_DIR/value_study.h5.
#include "evaluation/value_study.hpp"
#include "command.hpp"
#include "models/registry.hpp"
#include "rl/rollout_steps.hpp"
#include "run/network_setup.hpp"
#include "run/progress.hpp"
#include "run/versions.hpp"
#include "store/atomic_file.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "store/run_directory.hpp"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact {
namespace {

using json = nlohmann::ordered_json;

/// Passes where the deck has value.pretrain_epochs = 0.
constexpr long kDefaultPasses = 20;
constexpr double kTestShare = 0.2;

struct Study {
  StudySize size;
  StudyFit fit;
};

Study study_of(const Deck& deck, bool check) {
  Study study;
  study.size.samples = check ? 10 : deck.evaluate.base_samples;
  study.size.test_samples = std::max(1L, std::lround(kTestShare * static_cast<double>(study.size.samples)));
  study.size.micro_batch = deck.sample.micro_batch_size;
  if (deck.train.num_times > 0)
    study.size.train_times = deck.train.num_times;
  study.fit.value = deck.value;
  study.fit.passes = check ? 1 : deck.value.pretrain_epochs > 0 ? deck.value.pretrain_epochs : kDefaultPasses;
  study.fit.seed = deck.run.seed;
  return study;
}

void write_study(const std::filesystem::path& path, const std::vector<DesignResult>& results,
                 const StudyData& data, const Attributes& attributes) {
  write_atomically(path, build_hdf5_image(path, [&](hid_t file) {
                     const Hdf5Values root(file, path);
                     root.write_attribute("format", std::string("scoreact-value-study"));
                     root.write_attribute("format_version", std::int64_t{1});
                     for (const auto& [name, value] : attributes)
                       root.write_attribute(name, value);
                     const auto write = [&](const std::string& name, const std::vector<double>& values,
                                            const char* units, const char* dimension) {
                       const Hdf5Dataset dataset = root.write_dataset(
                           name, {DType::f64, {static_cast<std::int64_t>(values.size())}, values.data()});
                       const Hdf5Values told(dataset.id(), path);
                       told.write_attribute("units", std::string(units));
                       told.write_dimensions({dimension});
                     };
                     write("tau", data.tau, "1", "time");
                     for (const DesignResult& result : results) {
                       const std::string group = "designs/" + result.design.name;
                       write(group + "/train_mse", result.train_mse, "reward^2", "pass");
                       write(group + "/test_mse", result.test_mse, "reward^2", "pass");
                       write(group + "/per_time", result.per_time, "reward^2", "time");
                       const Hdf5Group place(check_hdf5(H5Gopen2(file, group.c_str(), H5P_DEFAULT), path,
                                                        "open group " + group));
                       const Hdf5Values told(place.id(), path);
                       told.write_attribute("predictor", result.design.predictor);
                       told.write_attribute("corrector", result.design.corrector);
                       told.write_attribute("c_out", result.design.c_out);
                     }
                   }));
}

json as_json(const std::vector<DesignResult>& results, const StudyData& data) {
  json object = {{"train_samples", data.train_samples},
                 {"test_samples", data.test_samples},
                 {"tau", data.tau},
                 {"designs", json::array()}};
  const auto third = [&](const DesignResult& result, int which) {
    const double mean = mean_of_third(result, data.tau, which);
    return std::isfinite(mean) ? json(mean) : json(nullptr);
  };
  for (const DesignResult& result : results)
    object["designs"].push_back({{"name", result.design.name},
                                 {"predictor", result.design.predictor},
                                 {"corrector", result.design.corrector},
                                 {"c_out", result.design.c_out},
                                 {"train_mse", result.train_mse},
                                 {"test_mse", result.test_mse},
                                 {"per_time", result.per_time},
                                 {"low_noise", third(result, 0)},
                                 {"middle", third(result, 1)},
                                 {"high_noise", third(result, 2)}});
  return object;
}

void print_table(const std::vector<DesignResult>& results, const StudyData& data) {
  fmt::print("mean squared errors on {} trajectories after fitting on {}\n", data.test_samples,
             data.train_samples);
  fmt::print("{:<24} {:>8} {:>8} {:>8} {:>10} {:>8} {:>10}\n", "design", "test", "best", "train",
             "tau <= 1/3", "middle", "tau > 2/3");
  for (const DesignResult& result : results)
    fmt::print("{:<24} {:>8.3f} {:>8.3f} {:>8.3f} {:>10.3f} {:>8.3f} {:>10.3f}\n", result.design.name,
               result.test_mse.back(), *std::min_element(result.test_mse.begin(), result.test_mse.end()),
               result.train_mse.back(), mean_of_third(result, data.tau, 0),
               mean_of_third(result, data.tau, 1), mean_of_third(result, data.tau, 2));
}

} // namespace

ExitCode run_value_study(const Invocation& invocation) {
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  SCOREACT_REQUIRE(ranks.size() == 1, ExitCode::usage,
                   "value-study runs on one rank (the fits are small); expected 1, found {}", ranks.size());
  Deck deck = *invocation.deck;
  if (invocation.check)
    deck.sample.num_steps = std::min(deck.sample.num_steps, 4L);
  const Study study = study_of(deck, invocation.check);
  const at::Device device = device_of(invocation.device_id);
  const std::vector<std::string> texts = prompt_texts(deck.prompts);
  const auto network = make_denoiser(deck.model, deck.schedule, device, {texts, deck.prompts.negative},
                                     deck.run.precision == "bf16");
  ScorePolicy policy(network, deck.sample.guidance_scale);
  const auto reward = make_reward(deck.reward, network->pixel_shape(),
                                  reward_context(network, texts, deck.sample.micro_batch_size, device));
  const Prompts prompts(deck.prompts, network->num_prompts());
  const RolloutKey key{deck.run.seed, 0};
  const StepTable table = step_table(network->schedule(), deck.sample, key);

  const bool silent = invocation.quiet || invocation.json;
  if (!silent)
    fmt::print("drawing {} trajectories of {} steps with {}\n", study.size.samples, table.size(),
               table.solver);
  const StudyData data = collect_study_data(policy, *reward, prompts, table, study.size, key, device);

  const std::vector<ValueDesignOptions> designs = value_designs();
  Progress progress("design", static_cast<long>(designs.size()), silent);
  std::vector<DesignResult> results;
  for (const ValueDesignOptions& design : designs) {
    results.push_back(fit_design(design, data, reward, study.fit, network->num_prompts(), ranks));
    progress.show(static_cast<long>(results.size()),
                  fmt::format("{}  test error {:.3f}", design.name, results.back().test_mse.back()));
  }

  std::filesystem::path folder = invocation.out;
  if (invocation.check)
    folder /= "check";
  const RunDirectory directory = RunDirectory::create(folder);
  const auto versions = library_versions();
  const auto version_of = [&](const char* name) {
    const auto found = versions.find(name);
    return found == versions.end() ? std::string() : found->second;
  };
  write_study(directory.root() / "value_study.h5", results, data,
              {{"software", std::string("scoreact")},
               {"version", version_of("scoreact")},
               {"git", version_of("git")},
               {"deck", dump_deck(deck)},
               {"train_samples", static_cast<std::int64_t>(data.train_samples)},
               {"test_samples", static_cast<std::int64_t>(data.test_samples)}});
  if (invocation.json)
    fmt::print("{}\n", as_json(results, data).dump());
  else
    print_table(results, data);
  return ExitCode::success;
}

} // namespace scoreact
