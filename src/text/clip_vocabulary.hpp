#pragma once
/// The files of a CLIP tokenizer: vocab.json, merges.txt, special_tokens_map.json, tokenizer_config.json, as
/// transformers' CLIPTokenizer and our ClipTokenizer read them.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace scoreact {

/// Tokens 0 .. 511 of every vocabulary: the 256 bytes inside of a word, then the same at its end ("</w>"), in
/// CLIP's order: bytes that print first.
std::vector<std::string> clip_byte_tokens();

/// `merges`: pairs of tokens, the first that was learned first; pair i makes token 512 + i. <|startoftext|>
/// and
/// <|endoftext|>, which is padding and unknown token too, have the ids vocab_size - 2 and vocab_size - 1.
/// max_length: tokens of a text with both. Makes the folder. Throws Error{io}, Error{internal} if vocab_size
/// has no room for the merges.
void write_clip_tokenizer(const std::filesystem::path& folder,
                          const std::vector<std::pair<std::string, std::string>>& merges, long vocab_size,
                          long max_length);

} // namespace scoreact
