#include "kernels/group_norm_silu.hpp"

#include "kernels/detail/group_norm_silu_channels_last_kernel.hpp"
#include "kernels/detail/group_norm_silu_kernel.hpp"

namespace scoreact::kernels {
namespace {

void require_extents(const GroupNormInput& in, const char* what) {
  const GroupNormShape& s = in.shape;
  const bool shift_fits =
      in.shift.data == nullptr || (in.shift.samples == s.rows && in.shift.elements == s.channels);
  detail::require(s.groups > 0 && s.channels % s.groups == 0 && in.x.samples == s.rows &&
                      in.x.elements == s.channels * s.pixels && shift_fits && in.weight.size == s.channels &&
                      in.bias.size == s.channels,
                  what);
}

bool has_extents(const Rows<const float>& view, long rows, long elements) {
  return view.samples == rows && view.elements == elements;
}

} // namespace

void group_norm_silu(Stream stream, const GroupNormInput& in, Rows<float> y, Rows<float> mean,
                     Rows<float> scale) {
  const GroupNormShape& s = in.shape;
  require_extents(in, "group_norm_silu: an input's extents differ from the shape");
  detail::require(has_extents(y, s.rows, in.x.elements) && has_extents(mean, s.rows, s.groups) &&
                      has_extents(scale, s.rows, s.groups),
                  "group_norm_silu: an output's extents differ from the shape");
  detail::on_execution_space(stream, [&](const auto& exec) {
    if (s.channels_last)
      detail::group_norm_silu_channels_last(exec, in, y.data, mean.data, scale.data);
    else
      detail::group_norm_silu(exec, in, y.data, mean.data, scale.data);
  });
}

void group_norm_silu_backward(Stream stream, const GroupNormInput& in, Rows<const float> mean,
                              Rows<const float> scale, Rows<const float> dy, Rows<float> dx,
                              Rows<float> dshift, Rows<float> dweight_rows, Rows<float> dbias_rows) {
  const GroupNormShape& s = in.shape;
  require_extents(in, "group_norm_silu_backward: an input's extents differ from the shape");
  detail::require(has_extents(dy, s.rows, in.x.elements) && has_extents(dx, s.rows, in.x.elements) &&
                      has_extents(mean, s.rows, s.groups) && has_extents(scale, s.rows, s.groups) &&
                      (dshift.data == nullptr || has_extents(dshift, s.rows, s.channels)) &&
                      has_extents(dweight_rows, s.rows, s.channels) &&
                      has_extents(dbias_rows, s.rows, s.channels),
                  "group_norm_silu_backward: a view's extents differ from the shape");
  detail::on_execution_space(stream, [&](const auto& exec) {
    const detail::GroupNormSaved saved{mean.data, scale.data, dy.data};
    const detail::GroupNormGradients gradients{dx.data, dshift.data, dweight_rows.data, dbias_rows.data};
    if (s.channels_last)
      detail::group_norm_silu_channels_last_backward(exec, in, saved, gradients);
    else
      detail::group_norm_silu_backward(exec, in, saved, gradients);
  });
}

} // namespace scoreact::kernels
