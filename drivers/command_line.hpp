#pragma once
/// From argv to an Invocation, before MPI starts: help, versions, effective decks and every usage or deck
/// error are answered here.
#include "command.hpp"

#include <string>
#include <vector>

namespace scoreact {

struct CommandLine {
  Invocation invocation;
  bool answered = false; ///< nothing to run: `answer` is all that was asked for
  std::string answer;
};

/// Reads and validates the deck too, if the command has one. Throws Error{usage | data | missing_input}.
CommandLine parse_command_line(int argc, const char* const* argv);

/// Names of the subcommands, in the order of the help text.
std::vector<std::string> command_names();

/// `scoreact --version`: one line a library.
std::string version_text();

/// What `scoreact --help` says below the list of commands.
std::string help_footer();

} // namespace scoreact
