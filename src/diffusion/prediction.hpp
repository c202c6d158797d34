#pragma once
/// One prediction, four names: eps (noise), x0hat (data), score, v (docs/mathematics.md section 1, paper eq.
/// 21). The scalar conversions are linear in (state, prediction); this header gives their coefficients.
#include <string>

namespace scoreact {

enum class Prediction { epsilon, sample, score, v_prediction };

/// diffusers' prediction_type: "epsilon" | "sample" | "v_prediction", and "score". Throws Error{data}
/// otherwise.
Prediction prediction_from_name(const std::string& name);

/// target = on_state * x + on_prediction * p
struct LinearMap {
  double on_state = 0, on_prediction = 1;
};

/// Converts between any two of the four at noise level abar in (0, 1).
LinearMap convert(Prediction from, Prediction to, double abar);

} // namespace scoreact
