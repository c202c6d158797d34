#pragma once
/// Work that may crash or never end, as libhdf5 does with some damaged files (docs/testing.md): in a process
/// of its own, so that this one can say what is wrong.
#include <functional>
#include <string>

namespace scoreact {

/// What `work` returns, done in a child process that has `seconds` of processor time and whose standard error
/// goes nowhere. An Error is thrown on as it is. Throws Error{data} beginning with `what` if the child dies,
/// takes too long or throws anything else, Error{internal} if the system has no process to spare.
std::string in_child_process(const std::string& what, long seconds, const std::function<std::string()>& work);

} // namespace scoreact
