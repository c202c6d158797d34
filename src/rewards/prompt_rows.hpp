#pragma once
/// What the rewards that read prompts have in common: a table with one row a prompt, of which a batch takes
/// the rows of its images.
#include <ATen/core/Tensor.h>

#include <string>

namespace scoreact {

/// table [prompts, ...], prompt [n] int64 -> [n, ...]. Throws Error{data} if the batch has no prompts;
/// `reward` is its name.
at::Tensor prompt_rows(const at::Tensor& table, const at::Tensor& prompt, const std::string& reward);

} // namespace scoreact
