#include "diffusion/prediction.hpp"

#include "error/error.hpp"

#include <cmath>

namespace scoreact {

namespace {

/// eps = on_state * x + on_prediction * p, from x = alpha x0hat + sigma eps, s = -eps / sigma, v = alpha eps
/// - sigma x0hat.
LinearMap to_epsilon(Prediction from, double alpha, double sigma) {
  switch (from) {
  case Prediction::epsilon:
    return {0, 1};
  case Prediction::sample:
    return {1 / sigma, -alpha / sigma};
  case Prediction::score:
    return {0, -sigma};
  case Prediction::v_prediction:
    return {sigma, alpha};
  }
  SCOREACT_FAIL(ExitCode::internal, "prediction: kind {} is none of the four", static_cast<int>(from));
}

LinearMap from_epsilon(Prediction to, double alpha, double sigma) {
  switch (to) {
  case Prediction::epsilon:
    return {0, 1};
  case Prediction::sample:
    return {1 / alpha, -sigma / alpha};
  case Prediction::score:
    return {0, -1 / sigma};
  case Prediction::v_prediction:
    return {-sigma / alpha,
            1 / alpha}; // alpha eps - sigma (x - sigma eps) / alpha with alpha^2 + sigma^2 = 1
  }
  SCOREACT_FAIL(ExitCode::internal, "prediction: kind {} is none of the four", static_cast<int>(to));
}

} // namespace

Prediction prediction_from_name(const std::string& name) {
  if (name == "epsilon")
    return Prediction::epsilon;
  if (name == "sample")
    return Prediction::sample;
  if (name == "score")
    return Prediction::score;
  if (name == "v_prediction")
    return Prediction::v_prediction;
  SCOREACT_FAIL(ExitCode::data,
                "prediction_type: expected epsilon, sample, score or v_prediction, found '{}'", name);
}

LinearMap convert(Prediction from, Prediction to, double abar) {
  if (from == to)
    return {0, 1};
  SCOREACT_REQUIRE(abar > 0 && abar < 1, ExitCode::data,
                   "prediction: conversion needs a noise level abar inside (0, 1), found {}", abar);
  const double alpha = std::sqrt(abar), sigma = std::sqrt(1 - abar);
  const LinearMap first = to_epsilon(from, alpha, sigma), second = from_epsilon(to, alpha, sigma);
  return {second.on_state + second.on_prediction * first.on_state,
          second.on_prediction * first.on_prediction};
}

} // namespace scoreact
