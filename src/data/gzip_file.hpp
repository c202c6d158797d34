#pragma once
/// The whole content of a file, decompressed if it is gzip.
#include <string>

namespace scoreact {

/// Throws Error{missing_input} if there is no such file, Error{data} if the compressed stream is damaged.
std::string read_file_or_gzip(const std::string& path);

} // namespace scoreact
