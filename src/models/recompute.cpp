#include "models/recompute.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct HeldSegment : torch::CustomClassHolder {
  explicit HeldSegment(Segment segment_in) : segment(std::move(segment_in)) {}
  Segment segment;
};

class Recomputed : public torch::autograd::Function<Recomputed> {
 public:
  static at::Tensor forward(AutogradContext* context, const Segment& segment, at::TensorList inputs,
                            at::TensorList parameters) {
    context->saved_data["segment"] = c10::IValue::make_capsule(c10::make_intrusive<HeldSegment>(segment));
    context->saved_data["inputs"] = static_cast<std::int64_t>(inputs.size());
    variable_list saved = inputs.vec();
    saved.insert(saved.end(), parameters.begin(), parameters.end());
    context->save_for_backward(std::move(saved));
    return segment(inputs.vec()); // Function::apply has switched gradients off
  }

  static variable_list backward(AutogradContext* context, const variable_list& upstream) {
    SCOREACT_REQUIRE(!at::GradMode::is_enabled(), ExitCode::internal,
                     "a recomputed segment is differentiable once; a second derivative was asked for");
    const variable_list saved = context->get_saved_variables();
    const auto count = static_cast<std::size_t>(context->saved_data["inputs"].toInt());
    const auto held = context->saved_data["segment"].toCapsule();
    const torch::AutoGradMode with_gradients(true);
    variable_list inputs, wanted;
    std::vector<std::size_t> places; // of what is wanted, among the saved
    for (std::size_t i = 0; i < saved.size(); ++i) {
      at::Tensor tensor = saved[i];
      if (i < count) {
        tensor = tensor.detach().requires_grad_(saved[i].requires_grad());
        inputs.push_back(tensor);
      }
      if (tensor.requires_grad()) {
        wanted.push_back(tensor);
        places.push_back(i);
      }
    }
    const at::Tensor output = static_cast<const HeldSegment&>(*held).segment(inputs);
    const variable_list gradients =
        torch::autograd::grad({output}, wanted, {upstream[0]}, std::nullopt, false, /*allow_unused=*/true);
    variable_list result(1 + saved.size()); // the segment itself has none
    for (std::size_t i = 0; i < places.size(); ++i)
      result[1 + places[i]] = gradients[i];
    return result;
  }
};

} // namespace

at::Tensor recomputed(const Segment& segment, const std::vector<at::Tensor>& inputs,
                      const std::vector<at::Tensor>& parameters) {
  variable_list trained;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(trained),
               [](const at::Tensor& parameter) { return parameter.requires_grad(); });
  variable_list present; // Function::apply takes defined tensors only
  std::vector<bool> defined;
  for (const at::Tensor& input : inputs) {
    defined.push_back(input.defined());
    if (input.defined())
      present.push_back(input);
  }
  const bool needed =
      !trained.empty() || std::any_of(present.begin(), present.end(),
                                      [](const at::Tensor& input) { return input.requires_grad(); });
  if (!needed || !at::GradMode::is_enabled())
    return segment(inputs);
  const Segment of_present = [segment, defined](const std::vector<at::Tensor>& given) {
    variable_list all;
    auto next = given.begin();
    for (const bool there : defined)
      all.push_back(there ? *next++ : at::Tensor());
    return segment(all);
  };
  return Recomputed::apply(of_present, at::TensorList(present), at::TensorList(trained));
}

} // namespace scoreact
