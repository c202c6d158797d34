#include "command_line.hpp"
#include "run/versions.hpp"

#include <fmt/format.h>

namespace scoreact {

std::string version_text() {
  std::map<std::string, std::string> versions = library_versions();
  std::string text = fmt::format("scoreact {} (git {})\n", versions["scoreact"], versions["git"]);
  for (const auto& [library, version] : versions)
    if (library != "scoreact" && library != "git")
      text += fmt::format("  {:<14} {}\n", library, version);
  return text;
}

std::string help_footer() {
  return "scoreact help COMMAND   options of a command\n"
         "scoreact help deck      every key of a deck: type, default, range, unit, meaning\n"
         "\n"
         "Runs alone, under mpirun -n R or under srun; batch sizes are global, so R changes the time a run "
         "takes and\n"
         "not its result. OMP_NUM_THREADS sets host threads a rank (default 1).\n"
         "\n"
         "Exit codes: 0 done; 1 a check that was asked for failed; 64 usage; 65 bad deck or data; 66 input "
         "missing;\n"
         "70 internal error; 74 I/O error; 75 stopped early with a checkpoint (start again to continue).\n";
}

} // namespace scoreact
