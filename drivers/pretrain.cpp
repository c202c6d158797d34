/// scoreact pretrain DECK: trains a network from data; the same command line continues a stopped run.
#include "command.hpp"
#include "pretraining/pretrain_run.hpp"
#include "pretraining_tasks.hpp"
#include "run/network_setup.hpp"

#include <filesystem>

namespace scoreact {
namespace {

/// --check: everything once, into a folder of its own.
void shorten(Deck& deck) {
  deck.pretrain.iterations = deck.pretrain.log_freq = 1;
  deck.pretrain.out.clear();
}

} // namespace

ExitCode run_pretrain(const Invocation& invocation) {
  const Stopwatch since_start;
  listen_for_stop_signals();
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  Deck deck = *invocation.deck;
  std::filesystem::path directory = invocation.out;
  if (invocation.check) {
    shorten(deck);
    directory /= "check";
    if (ranks.root())
      std::filesystem::remove_all(directory); // a check never continues an earlier one
  }
  const c10::Device device = device_of(invocation.device_id);
  const auto task = make_training_task(deck, device, {directory, ranks});
  PretrainRun run(*task, {directory, deck.run, dump_deck(deck), device.str(), invocation.quiet, since_start},
                  deck.pretrain, ranks);
  return run.train();
}

} // namespace scoreact
