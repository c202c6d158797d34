#include "models/group_norm_silu.hpp"

#include "bridge/bridge.hpp"
#include "error/error.hpp"
#include "kernels/group_norm_silu.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <optional>

namespace scoreact {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Whether x lies in memory as [B, H, W, C].
bool is_channels_last(const at::Tensor& x) {
  return !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

/// The tensor in the kernel's order of axes, its memory shared.
at::Tensor in_memory_order(const at::Tensor& x) { return is_channels_last(x) ? x.permute({0, 2, 3, 1}) : x; }

kernels::GroupNormShape shape_of(const at::Tensor& x, long groups) {
  return {x.size(0), x.size(1), x.numel() / std::max<long>(1, x.size(0) * x.size(1)), groups,
          is_channels_last(x)};
}

/// The kernel's arguments; holds the tensors while it runs.
struct Arguments {
  Arguments(const at::Tensor& x_in, const at::Tensor& shift_in, const at::Tensor& weight_in,
            const at::Tensor& bias_in, long groups, double epsilon)
      : x(is_channels_last(x_in) ? x_in : x_in.contiguous()),
        shift(shift_in.defined() ? shift_in.contiguous() : shift_in), weight(weight_in), bias(bias_in) {
    input.shape = shape_of(x, groups);
    input.epsilon = static_cast<float>(epsilon);
    input.x = bridge::rows<const float>(in_memory_order(x));
    if (shift.defined())
      input.shift = bridge::rows<const float>(shift);
    input.weight = bridge::span<const float>(weight);
    input.bias = bridge::span<const float>(bias);
  }
  at::Tensor x, shift, weight, bias;
  kernels::GroupNormInput input;
};

struct Forward {
  at::Tensor y, mean, scale;
};

Forward run_forward(const Arguments& arguments, long groups) {
  const at::Tensor& x = arguments.x;
  Forward out{at::empty_like(x), at::empty({x.size(0), groups}, x.options()),
              at::empty({x.size(0), groups}, x.options())};
  kernels::group_norm_silu(bridge::stream_of(x), arguments.input, bridge::rows<float>(in_memory_order(out.y)),
                           bridge::rows<float>(out.mean), bridge::rows<float>(out.scale));
  return out;
}

class GroupNormSilu : public torch::autograd::Function<GroupNormSilu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& shift, const at::Tensor& weight,
                            const at::Tensor& bias, long groups, double epsilon) {
    const Arguments arguments(x, shift.value_or(at::Tensor()), weight, bias, groups, epsilon);
    const Forward out = run_forward(arguments, groups);
    context->save_for_backward({arguments.x, arguments.shift.defined() ? arguments.shift : at::Tensor(),
                                weight, bias, out.mean, out.scale});
    context->saved_data["groups"] = groups;
    context->saved_data["epsilon"] = epsilon;
    return out.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& upstream) {
    SCOREACT_REQUIRE(!at::GradMode::is_enabled(), ExitCode::internal,
                     "group_norm_silu is differentiable once; a second derivative was asked for");
    const variable_list saved = context->get_saved_variables();
    const long groups = context->saved_data["groups"].toInt();
    const Arguments arguments(saved[0], saved[1], saved[2], saved[3], groups,
                              context->saved_data["epsilon"].toDouble());
    const at::Tensor& x = arguments.x;
    const at::Tensor dy = upstream[0].contiguous(is_channels_last(x) ? at::MemoryFormat::ChannelsLast
                                                                     : at::MemoryFormat::Contiguous);
    const at::Tensor dx = at::empty_like(x);
    const at::Tensor dweight = at::empty({x.size(0), x.size(1)}, x.options()),
                     dbias = at::empty_like(dweight);
    at::Tensor dshift;
    kernels::Rows<float> dshift_rows;
    if (arguments.shift.defined()) {
      dshift = at::empty_like(dweight);
      dshift_rows = bridge::rows<float>(dshift);
    }
    kernels::group_norm_silu_backward(
        bridge::stream_of(x), arguments.input, bridge::rows<const float>(saved[4]),
        bridge::rows<const float>(saved[5]), bridge::rows<const float>(in_memory_order(dy)),
        bridge::rows<float>(in_memory_order(dx)), dshift_rows, bridge::rows<float>(dweight),
        bridge::rows<float>(dbias));
    return {dx, dshift, dweight.sum(0), dbias.sum(0), {}, {}};
  }
};

} // namespace

at::Tensor group_norm_silu(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& weight,
                           const at::Tensor& bias, long groups, double epsilon) {
  constexpr long few_pixels = 32; // below, the kernel's loops over a channel are too short to pay
  if (!x.is_cpu() || x.scalar_type() != at::kFloat ||
      (x.size(2) * x.size(3) < few_pixels && !is_channels_last(x))) {
    const at::Tensor shifted = shift.defined() ? x + shift.unsqueeze(-1).unsqueeze(-1) : x;
    return at::silu(at::group_norm(shifted, groups, weight, bias, epsilon));
  }
  if (!at::GradMode::is_enabled())
    return run_forward(Arguments(x, shift, weight, bias, groups, epsilon), groups).y;
  return GroupNormSilu::apply(x, shift.defined() ? std::optional(shift) : std::nullopt, weight, bias, groups,
                              epsilon);
}

} // namespace scoreact
