#pragma once
/// A denoiser: any network (or closed form) that tells the score of the noised data.
#include "diffusion/prediction.hpp"
#include "diffusion/schedule.hpp"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

/// Times of the rows of one network call; rows may have different times, so that updates batch over time.
struct RowTimes {
  at::Tensor timestep; ///< [rows] float32, N tau - 1: what networks are fed
  at::Tensor alpha;    ///< [rows] float32, sqrt(abar)
  at::Tensor sigma;    ///< [rows] float32, sqrt(1 - abar)
  at::Tensor tau;      ///< [rows] float32, noise time
};
/// `times` [(tau, abar)], one a block of `rows_per_time` consecutive rows; the tensors lie on `like`'s
/// device.
RowTimes row_times(const Schedule&, const std::vector<std::pair<double, double>>& tau_abar,
                   long rows_per_time, const at::Tensor& like);
/// `rows` rows at one of the times of row_times(..., 1, ...): no copy from the host, which a sampler would
/// wait for in every step.
RowTimes rows_at(const RowTimes& times, long time, long rows);

class Denoiser {
 public:
  virtual ~Denoiser() = default;
  /// The network's own output for x [rows, ...] fp32, prompt [rows] int64 (class label or row of the prompt
  /// table; undefined for unconditional models; -1 is the null condition of classifier-free guidance). Same
  /// shape as x.
  virtual at::Tensor predict(const at::Tensor& x, const RowTimes& times, const at::Tensor& prompt) = 0;
  virtual Prediction prediction() const = 0;
  virtual std::vector<long> sample_shape() const = 0; ///< shape of one sample: [C, H, W] or [d]
  virtual const Schedule& schedule() const = 0;       ///< the one it was trained with
  virtual long num_prompts() const = 0;               ///< labels 0..num_prompts-1; 0 = unconditional
  /// Trainable tensors with their names in files, in a fixed order.
  virtual std::vector<std::pair<std::string, at::Tensor>> named_parameters() = 0;
  /// A frozen twin with the same weights (requires_grad false): the pretrained mean.
  virtual std::shared_ptr<Denoiser> frozen_copy() const = 0;
  /// What people and rewards look at: the state itself, or for a model of latents its picture in [-1, 1].
  /// Each row depends on its own latent alone; records a graph when grad mode is on.
  virtual at::Tensor to_pixels(const at::Tensor& states) const { return states; }
  virtual std::vector<long> pixel_shape() const { return sample_shape(); } ///< of a row of to_pixels
  /// Writes what other tools load (a diffusers directory); throws Error{io}.
  virtual void save(const std::string& directory) const = 0;
};

/// The network's output with classifier-free guidance: p = p_u + w (p_c - p_u), in whatever it predicts (the
/// coefficients sum to 1, so guidance acts on every kind of prediction alike). One call of the network when w
/// = 1, else one call on 2 rows blocks [null, conditional]. Throws Error{data} for unconditional models.
at::Tensor guided_prediction(Denoiser&, const at::Tensor& x, const RowTimes&, const at::Tensor& prompt,
                             double guidance_scale);

/// Score s(tau, x) [rows, ...] fp32 from guided_prediction().
at::Tensor score(Denoiser&, const at::Tensor& x, const RowTimes&, const at::Tensor& prompt,
                 double guidance_scale);

/// Tweedie's mean x0hat = (x + sigma^2 s) / alpha, paper eq. 21.
at::Tensor tweedie_mean(const at::Tensor& x, const at::Tensor& score, const RowTimes&);

} // namespace scoreact
