#pragma once
/// The solvers behind make_step_table: one function and one file each. A function gets the steps with tau,
/// tau_next, abar, abar_next and g_squared_dt filled in and writes chi and the coefficients of
/// docs/solvers.md; girsanov and chain follow from those and are filled in afterwards.
#include "diffusion/step.hpp"

#include <vector>

namespace scoreact::solvers {

void ddim(std::vector<Step>&, const SolverOptions&);           ///< Song, Meng and Ermon 2021, eq. 12 and 16
void ddpm(std::vector<Step>&, const SolverOptions&);           ///< Ho, Jain and Abbeel 2020, eq. 7
void euler_maruyama(std::vector<Step>&, const SolverOptions&); ///< docs/mathematics.md section 2
void heun_sde(std::vector<Step>&, const SolverOptions&);       ///< docs/mathematics.md section 2
void dpmpp_2m(std::vector<Step>&, const SolverOptions&);       ///< Lu et al. 2022, algorithm 2
void dpmpp_2m_sde(std::vector<Step>&, const SolverOptions&);   ///< Lu et al. 2022, appendix D

/// Writes keep, push and carry of a step that is given in data prediction, next = on_state x + on_x0 x0hat +
/// on_previous x0hat_prev, with x0hat = (x + sigma^2 s) / alpha (paper eq. 21).
void set_from_data_prediction(Step&, double on_state, double on_x0, double on_previous);

/// Step of log-SNR of a step, lambda_next - lambda; infinite when the step ends at the data.
double log_snr_increment(const Step&);

/// 1 / (2 r), r = h_previous / h, the weight of the two-step correction of DPM-Solver++(2M); 0 where it runs
/// at first order: the first step, a step that ends at the data, and with lower_order_final the last of fewer
/// than 15 steps (diffusers' rule).
double second_order_weight(const std::vector<Step>&, std::size_t k, const SolverOptions&);

} // namespace scoreact::solvers
