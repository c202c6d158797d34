#pragma once
/// The vocabulary of bert-base-uncased, which ImageReward's text tower was trained with: 30522 tokens, a line
/// each. Built in from src/text/bert-base-uncased-vocab.txt (NOTICE), so that ImageReward's two files are all
/// that its reward needs.
#include <string_view>

namespace scoreact {

std::string_view bert_vocabulary();

} // namespace scoreact
