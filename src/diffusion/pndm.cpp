#include "diffusion/pndm.hpp"

#include "diffusion/grid.hpp"
#include "error/error.hpp"

#include <cmath>
#include <utility>

namespace scoreact {
namespace {

/// Adams-Bashforth weights of the newest `count` outputs.
std::vector<double> multistep_weights(long count) {
  switch (count) {
  case 1:
    return {1.0};
  case 2:
    return {3.0 / 2, -1.0 / 2};
  case 3:
    return {23.0 / 12, -16.0 / 12, 5.0 / 12};
  default:
    return {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24};
  }
}

/// Formula (9): from noise level abar to abar_next.
void set_transfer(PndmStep& step, double abar, double abar_next) {
  step.abar_from = abar;
  step.keep = std::sqrt(abar_next / abar);
  step.push =
      -(abar_next - abar) / (abar * std::sqrt(1 - abar_next) + std::sqrt(abar * (1 - abar) * abar_next));
}

/// What both ways of starting know of the schedule.
class Times {
 public:
  Times(const Schedule& schedule, const std::string& spacing, long num_steps, long steps_offset,
        bool end_at_data)
      : schedule_(schedule), times_(index_timesteps(spacing, schedule.size(), num_steps, steps_offset)),
        stride_(schedule.size() / num_steps), last_(end_at_data ? 1.0 : schedule.abar_at_index(0)) {}

  long size() const { return static_cast<long>(times_.size()); }
  long stride() const { return stride_; }
  long operator[](long k) const { return times_[static_cast<std::size_t>(k)]; } ///< noisiest first
  double abar(long timestep) const { return timestep < 0 ? last_ : schedule_.abar_at_index(timestep); }

  /// A call at `timestep` whose step goes from `from` to `to`.
  PndmStep step(long timestep, long from, long to, std::vector<double> weight) const {
    PndmStep step;
    step.timestep = timestep;
    step.abar = abar(timestep);
    step.weight = std::move(weight);
    set_transfer(step, abar(from), abar(to));
    return step;
  }

 private:
  const Schedule& schedule_;
  std::vector<long> times_;
  long stride_;
  double last_;
};

/// The second time twice: the step before is done again, with the mean of the outputs at both of its ends.
std::vector<PndmStep> refined_start(const Times& times) {
  PndmStep first = times.step(times[0], times[0], times[0] - times.stride(), multistep_weights(1));
  first.marks = true;
  if (times.size() == 1)
    return {first};
  PndmStep refined = times.step(times[1], times[1] + times.stride(), times[1], {0.5, 0.5});
  refined.forgets = 1;
  refined.from_marked = true;
  return {first, refined};
}

/// Three steps of the pseudo Runge-Kutta method (formula 13 of the paper), four calls each: at the begin,
/// twice in the middle, at the end.
std::vector<PndmStep> runge_kutta_start(const Times& times) {
  std::vector<PndmStep> steps;
  const long half = times.stride() / 2;
  for (long k = 0; k < 3; ++k) {
    const long begin = times[k], end = times[k + 1];
    const std::size_t first = steps.size();
    steps.push_back(times.step(begin, begin, begin - half, {1.0}));
    steps.push_back(times.step(end + half, begin, end + half, {1.0}));
    steps.push_back(times.step(end + half, begin, end, {1.0}));
    steps.push_back(times.step(end, begin, end, {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}));
    steps[first].marks = true;
    for (std::size_t i = first; i < steps.size(); ++i)
      steps[i].from_marked = true;
    steps.back().forgets = 3; // the output at the begin stays
  }
  return steps;
}

} // namespace

std::vector<PndmStep> pndm_steps(const Schedule& schedule, const std::string& spacing, long num_steps,
                                 long steps_offset, bool end_at_data, bool skip_prk_steps) {
  const Times times(schedule, spacing, num_steps, steps_offset, end_at_data);
  SCOREACT_REQUIRE(
      skip_prk_steps || num_steps >= 4, ExitCode::data,
      "pndm: with Runge-Kutta steps (skip_prk_steps = false in scheduler_config.json) expected at "
      "least 4 steps, found {}",
      num_steps);
  SCOREACT_REQUIRE(num_steps == 1 || times[1] + times.stride() < schedule.size(), ExitCode::data,
                   "pndm: {} steps with steps_offset {} leave the schedule's {} times", num_steps,
                   steps_offset, schedule.size());
  std::vector<PndmStep> steps = skip_prk_steps ? refined_start(times) : runge_kutta_start(times);
  long remembered = skip_prk_steps ? 1 : 3;
  for (long k = remembered; k < num_steps; ++k)
    steps.push_back(
        times.step(times[k], times[k], times[k] - times.stride(), multistep_weights(++remembered)));
  return steps;
}

} // namespace scoreact
