// LibTorch ships the headers of its own {fmt} without the compiled part, and they come before the system's in
// every source that sees LibTorch. This is that compiled part. The two versions live in inline namespaces of
// their own (v12, v9), so they do not meet.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char*, const char*);
} // namespace detail
FMT_END_NAMESPACE
