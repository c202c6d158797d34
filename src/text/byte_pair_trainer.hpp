#pragma once
/// Learns the merges of a byte-level BPE from texts (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1),
/// cut and normalised as ClipTokenizer does it.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

/// At most `most` merges, the first learned first: each time the pair of neighbours that stands most often in
/// the texts, of equally frequent ones that of the smaller first token's id, then of the smaller second one's
/// (bytes by their place in the vocabulary, then merges in their order). A pair that stands only once is not
/// merged, so there may be fewer.
std::vector<std::pair<std::string, std::string>> learn_byte_pairs(const std::vector<std::string>& texts,
                                                                  long most);

/// Learns the merges of a vocabulary of at most `vocab_size` tokens (512 bytes, merges, 2 special ones) and
/// writes the tokenizer's four files. max_length: tokens of a text with start and end. Returns the number of
/// tokens. Throws Error{data} if vocab_size is less than 514, Error{io}.
long train_byte_pairs(const std::vector<std::string>& texts, long vocab_size, long max_length,
                      const std::filesystem::path& folder);

} // namespace scoreact
