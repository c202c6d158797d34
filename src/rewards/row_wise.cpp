#include "rewards/row_wise.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

class RowWise : public torch::autograd::Function<RowWise> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const RowFunction& f, long together) {
    std::vector<at::Tensor> values, gradients;
    for (long first = 0; first < x.size(0); first += together) {
      const torch::AutoGradMode record(true);
      const at::Tensor rows =
          x.detach().narrow(0, first, std::min(together, x.size(0) - first)).clone().requires_grad_(true);
      const at::Tensor value = f(rows, first);
      gradients.push_back(torch::autograd::grad({value.sum()}, {rows})[0]);
      values.push_back(value.detach());
    }
    context->save_for_backward({at::cat(gradients)});
    return at::cat(values);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& outer) {
    const at::Tensor gradient = context->get_saved_variables()[0];
    std::vector<std::int64_t> by_row(static_cast<std::size_t>(gradient.dim()), 1);
    by_row[0] = gradient.size(0);
    return {gradient * outer[0].view(by_row), {}, {}};
  }
};

} // namespace

at::Tensor row_wise(const at::Tensor& x, const RowFunction& f, long together) {
  if (at::GradMode::is_enabled() && x.requires_grad())
    return RowWise::apply(x, f, together);
  std::vector<at::Tensor> values;
  for (long first = 0; first < x.size(0); first += together)
    values.push_back(f(x.narrow(0, first, std::min(together, x.size(0) - first)), first));
  return at::cat(values);
}

} // namespace scoreact
