#pragma once
/// A denoiser without a network: the exact score of a mixture of isotropic Gaussians (docs/mathematics.md
/// section 6, G1, G5) plus the trained residual of models/analytic/residual_policy.hpp. At the start policy
/// and pretrained model agree bit for bit, and every optimum is known, so that an algorithm can be judged
/// without a training error in the way.
#include "diffusion/diffusion_options.hpp"
#include "models/analytic/gaussian_mixture.hpp"
#include "models/denoiser.hpp"
#include "models/model_options.hpp"

#include <memory>

namespace scoreact {

/// The mixture of [model.analytic]. Throws Error{data} if weights, means and stds do not fit together.
GaussianMixture make_mixture(const AnalyticOptions&);

/// Schedule of an analytic model. from_model: diffusers' "linear" with beta 1e-4 ... 0.02 (Ho et al. 2020),
/// whose last abar is 4e-5: the closed forms assume that the initial noise N(0, I) is the noised data law,
/// and they err by alpha(1) = 0.006.
Schedule make_analytic_schedule(const ScheduleOptions&);

/// Score model [rows, d]; predict() computes in float64 and returns float32.
/// Throws Error{data} for an unknown policy kind.
std::shared_ptr<Denoiser> make_analytic_denoiser(const AnalyticOptions&, const ScheduleOptions&);

} // namespace scoreact
