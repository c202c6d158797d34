// The trainer against algorithm 1 of Sennrich et al. written out slowly, and its files against our tokenizer.
#include "text/byte_pair_trainer.hpp"

#include "text/clip_tokenizer.hpp"
#include "text/clip_vocabulary.hpp"
#include "text/clip_words.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <sstream>

namespace scoreact {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;
using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::TemporaryFolder;

/// Counts everything anew for every merge. For texts of lower-case ASCII letters and blanks.
Merges slow_merges(const std::vector<std::string>& texts, long most) {
  std::vector<std::string> tokens = clip_byte_tokens();
  const auto id = [&tokens](const std::string& token) {
    return std::find(tokens.begin(), tokens.end(), token) - tokens.begin();
  };
  std::vector<std::vector<std::string>> words;
  for (const std::string& text : texts) {
    std::istringstream stream(text);
    for (std::string word; stream >> word;) {
      std::vector<std::string> symbols;
      for (const char letter : word) {
        symbols.emplace_back(1, letter);
      }
      symbols.back() += "</w>";
      words.push_back(symbols);
    }
  }
  Merges merges;
  while (static_cast<long>(tokens.size()) < 512 + most) {
    std::map<std::pair<std::string, std::string>, long> counts;
    for (const auto& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        ++counts[{word[i], word[i + 1]}];
      }
    }
    const auto better = [&](const auto& a, const auto& b) {
      return std::make_tuple(-a.second, id(a.first.first), id(a.first.second)) <
             std::make_tuple(-b.second, id(b.first.first), id(b.first.second));
    };
    const auto best = std::min_element(counts.begin(), counts.end(), better);
    if (best == counts.end() || best->second < 2) {
      break;
    }
    const auto [first, second] = best->first;
    merges.emplace_back(first, second);
    tokens.push_back(first + second);
    for (auto& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] == first && word[i + 1] == second) {
          word[i] += second;
          word.erase(word.begin() + static_cast<long>(i) + 1);
        }
      }
    }
  }
  return merges;
}

std::vector<std::string> random_texts(unsigned seed, int letters) {
  std::mt19937 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) {
    std::string text;
    for (int word = 0; word < 4; ++word) {
      for (unsigned length = 1 + random() % 9; length > 0; --length) {
        text += static_cast<char>('a' + static_cast<int>(random() % static_cast<unsigned>(letters)));
      }
      text += ' ';
    }
    texts.push_back(text);
    if (i % 5 == 0) {
      texts.push_back(text); // a caption that comes twice
    }
  }
  return texts;
}

TEST(LearnBytePairs, AgreesWithTheAlgorithmWrittenOut) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    const auto texts = random_texts(seed, seed % 2 == 0 ? 2 : 6); // two letters: aaaa, many ties
    for (const long most : {0L, 1L, 30L, 1000L}) {
      const Merges merges = learn_byte_pairs(texts, most);
      EXPECT_EQ(merges, slow_merges(texts, most)) << "seed " << seed << ", at most " << most;
      std::set<std::string> tokens;
      for (const auto& [first, second] : merges) {
        tokens.insert(first + second);
      }
      EXPECT_EQ(tokens.size(), merges.size());
    }
  }
}

TEST(LearnBytePairs, ReadsTextsAsTheTokenizerDoes) {
  const Merges merges = learn_byte_pairs({"Don't  DON'T", "12 12 12", "é é", "<|endoftext|>"}, 1000);
  const auto has = [&merges](const std::string& a, const std::string& b) {
    return std::find(merges.begin(), merges.end(), std::make_pair(a, b)) != merges.end();
  };
  EXPECT_TRUE(has("'", "t</w>"));  // the expression's own alternative
  EXPECT_TRUE(has("Ã", "©</w>"));  // two bytes, in CLIP's letters
  EXPECT_FALSE(has("1", "2</w>")); // numbers are words digit by digit
  EXPECT_FALSE(has("D", "o"));     // lower case
  EXPECT_TRUE(has("do", "n</w>"));
}

TEST(TrainBytePairs, WritesATokenizer) {
  const TemporaryFolder folder;
  const std::vector<std::string> texts = {"a green star", "a green heart", "a picture of a star",
                                          "the star, weather"};
  const long size = train_byte_pairs(texts, 1000, 24, folder / "tokenizer");
  const ClipTokenizer tokenizer((folder / "tokenizer").string());
  EXPECT_LT(size, 1000);
  EXPECT_EQ(static_cast<long>(tokenizer.size()), size);
  EXPECT_EQ(tokenizer.start(), size - 2);
  EXPECT_EQ(tokenizer.end(), size - 1);
  EXPECT_EQ(tokenizer.pad(), size - 1);
  EXPECT_EQ(tokenizer.max_length(), 24);
  EXPECT_EQ(tokenizer.ids("star").size(), 1u);
  EXPECT_EQ(tokenizer.ids("a green star").size(), 3u);
  const std::vector<std::int64_t> unseen = tokenizer.ids("Zürich");
  EXPECT_EQ(unseen.size(), 7u);
  EXPECT_EQ(std::count(unseen.begin(), unseen.end(), tokenizer.end()), 0); // every byte is known
}

TEST(TrainBytePairs, StopsAtTheSizeAndGivesTheSameBytes) {
  const TemporaryFolder folder;
  const auto texts = random_texts(9, 8);
  EXPECT_EQ(train_byte_pairs(texts, 540, 77, folder / "one"), 540);
  EXPECT_EQ(train_byte_pairs({texts.rbegin(), texts.rend()}, 540, 77, folder / "two"), 540);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"}) {
    EXPECT_EQ(bytes_of(folder / "one" / name), bytes_of(folder / "two" / name)) << name;
    EXPECT_FALSE(bytes_of(folder / "one" / name).empty()) << name;
  }
  expect_error(ExitCode::data, "expected at least 514",
               [&] { train_byte_pairs(texts, 513, 77, folder / "three"); });
}

TEST(ClipByteTokens, StandInTheOrderOfThePublishedVocabulary) {
  const auto tokens = clip_byte_tokens();
  ASSERT_EQ(tokens.size(), 512u);
  // from the published vocab.json
  for (const auto& [token, id] : std::vector<std::pair<const char*, std::size_t>>{{"!", 0},
                                                                                  {"~", 93},
                                                                                  {"¡", 94},
                                                                                  {"ÿ", 187},
                                                                                  {"Ā", 188},
                                                                                  {"!</w>", 256},
                                                                                  {"a</w>", 320},
                                                                                  {"Ń</w>", 511}}) {
    EXPECT_EQ(tokens[id], token);
  }
}

} // namespace
} // namespace scoreact
