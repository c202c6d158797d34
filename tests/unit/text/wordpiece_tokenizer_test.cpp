#include "unit/text/tokenizer_files.hpp"

#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_text::Ids;

/// A vocabulary of 30522 lines in which these tokens have their numbers, and nobody the others.
std::string sparse_vocabulary(const std::map<int, std::string>& tokens) {
  std::string text;
  for (int n = 0; n < 30522; ++n) {
    const auto found = tokens.find(n);
    text += (found == tokens.end() ? "[unused" + std::to_string(n) + "]" : found->second) + "\n";
  }
  return text;
}

TEST(WordPieceTokenizer, PublishedIdsOfImageReward) {
  const TemporaryFolder folder;
  put_bytes(
      folder / "vocab.txt",
      sparse_vocabulary({{0, "[PAD]"},     {100, "[UNK]"},  {101, "[CLS]"},       {102, "[SEP]"},
                         {103, "[MASK]"},  {1037, "a"},     {4169, "painting"},   {1997, "of"},
                         {2019, "an"},     {4153, "ocean"}, {2007, "with"},       {8044, "clouds"},
                         {1998, "and"},    {5055, "birds"}, {1010, ","},          {2154, "day"},
                         {2051, "time"},   {2659, "low"},   {5995, "depth"},      {2492, "field"},
                         {3466, "effect"}, {7592, "hello"}, {2088, "world"},      {999, "!"},
                         {2009, "it"},     {1005, "'"},     {1055, "s"},          {7668, "cafe"},
                         {15743, "naive"}, {1864, "日"},    {1876, "本"},         {23653, "unbelievable"},
                         {2791, "##ness"}, {6302, "photo"}, {19748, "astronaut"}, {5559, "riding"},
                         {3586, "horse"},  {2006, "on"},    {7733, "mars"}}));
  const WordPieceTokenizer bert((folder / "vocab.txt").string(), {"[DEC]", "[ENC]"});
  EXPECT_EQ(bert.size(), 30524U);
  const std::vector<std::pair<const char*, Ids>> goldens = {
      {"a painting of an ocean with clouds and birds, day time, low depth field effect",
       {101, 1037, 4169, 1997, 2019, 4153, 2007, 8044, 1998, 5055, 1010, 2154, 2051, 1010, 2659, 5995, 2492,
        3466, 102}},
      {"Hello, World! It's café naïve 日本 unbelievableness",
       {101, 7592, 1010, 2088, 999, 2009, 1005, 1055, 7668, 15743, 1864, 1876, 23653, 2791, 102}},
      {"a photo of an astronaut riding a horse on mars",
       {101, 1037, 6302, 1997, 2019, 19748, 5559, 1037, 3586, 2006, 7733, 102}}};
  for (const auto& [text, golden] : goldens) {
    const MaskedIds found = bert.encode(text, 35);
    Ids ids = golden, mask(golden.size(), 1);
    ids.resize(35, 0);
    mask.resize(35, 0);
    EXPECT_EQ(found.ids, ids) << text;
    EXPECT_EQ(found.mask, mask) << text;
  }
  EXPECT_EQ(bert.ids("[DEC][ENC] [dec]"), (Ids{30522, 30523, 100, 100, 100}));
}

void expect_agreement(const std::string& folder) {
  const WordPieceTokenizer bert = testing_text::bert_of(folder);
  for (const auto& c : testing_text::read_cases(folder)) {
    EXPECT_EQ(bert.ids(c.text), c.bert) << c.text;
    EXPECT_EQ(bert.encode(c.text, 35).ids, c.bert_35) << c.text;
  }
}

TEST(WordPieceTokenizer, AgreesWithTransformers) {
  expect_agreement(testing_support::source_path("tests/data"));
}

TEST(WordPieceTokenizer,
     DISABLED_AgreesWithTransformersInManyCases) { // by hand: tests/golden/make_tokenizer_golden.py many
  const char* folder = std::getenv("SCOREACT_TOKENIZER_CASES");
  ASSERT_NE(folder, nullptr)
      << "SCOREACT_TOKENIZER_CASES: expected the folder that make_tokenizer_golden.py made";
  expect_agreement(folder);
}

TEST(WordPieceTokenizer, TruncationKeepsTheSeparator) {
  const TemporaryFolder folder;
  put_bytes(folder / "vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\nb\r\n##b\r\n");
  const WordPieceTokenizer bert((folder / "vocab.txt").string());
  const MaskedIds found = bert.encode("a abb c", 5);
  EXPECT_EQ(found.ids, (Ids{2, 4, 4, 6, 3}));
  EXPECT_EQ(found.mask, (Ids{1, 1, 1, 1, 1}));
  EXPECT_EQ(bert.encode("a", 4).mask, (Ids{1, 1, 1, 0}));
  EXPECT_EQ(bert.ids("abb ac \xff"), (Ids{4, 6, 6, 1}));
}

TEST(WordPieceTokenizer, RefusesAFileThatIsNoVocabulary) {
  const TemporaryFolder folder;
  put_bytes(folder / "vocab.txt", "{\"a\": 1}\n");
  const std::string path = (folder / "vocab.txt").string();
  expect_error(ExitCode::data, "there is no [UNK]", [&] { WordPieceTokenizer{path}; });
  expect_error(ExitCode::missing_input, "none.txt",
               [&] { WordPieceTokenizer{(folder / "none.txt").string()}; });
}

} // namespace
} // namespace scoreact
