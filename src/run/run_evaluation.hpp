#pragma once
/// The group /evaluation of a run, row by row: what a policy's reward, path KLs, judge, Frechet distance and
/// share of the attainable gain are at every number of steps and with every solver that the deck's [evaluate]
/// names. `scoreact evaluate` makes a row for each checkpoint, finetune one after every run.eval_freq epochs.
#include "deck/deck.hpp"
#include "evaluation/optimum.hpp"
#include "evaluation/policy_evaluation.hpp"
#include "store/run_file.hpp"

#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace scoreact {

class RunEvaluation {
 public:
  /// Opens judge and reference as the deck says. Collective. Throws Error{missing_input | data}.
  RunEvaluation(const Deck&, ScorePolicy&, std::shared_ptr<Reward>, const Prompts&, const RewardContext&,
                const Communicator&, c10::Device);

  /// Told after each draw, with one line about it.
  void set_observer(std::function<void(const std::string&)> observer) { observer_ = std::move(observer); }
  /// Draws a row takes; measuring the base takes one more.
  long draws_a_row() const { return static_cast<long>(table_.steps.size()); }

  /// Takes over the rows that rank 0 found in the run's file, if they are of the same settings; returns
  /// whether there is one of the unchanged model, whose optimum is then known. Collective.
  bool continue_from(const EvaluationTable& on_root);
  /// What the policy, still unchanged, reaches at the training solver with evaluate.base_samples samples: the
  /// base figures and the attainable optimum. Collective.
  void measure_base();
  /// Appends the row of the policy as it is now. Gain shares are NaN where the base was not measured.
  /// Collective.
  void add_row(long epoch);

  /// Whole on rank 0.
  const EvaluationTable& table() const { return table_; }
  const Optimum& optimum() const { return optimum_; }

 private:
  double distance_of(const PolicyEvaluation&) const;

  Deck deck_;
  EvaluationParts parts_;
  std::unique_ptr<PictureReference> reference_;
  std::function<void(const std::string&)> observer_;
  Optimum optimum_{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  EvaluationTable table_;
};

} // namespace scoreact
