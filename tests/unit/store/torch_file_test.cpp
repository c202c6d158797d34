#include "store/torch_file.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "store/pickle.hpp"
#include "store/safetensors.hpp"
#include "store/zip_archive.hpp"
#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

/// The numbers in C order, as bytes.
std::string numbers_of(const StridedArray& array) {
  const std::size_t width = size_of(array.dtype);
  std::string bytes;
  std::vector<std::int64_t> index(array.shape.size(), 0);
  for (std::int64_t left = ArrayView{array.dtype, array.shape, nullptr}.numel(); left > 0; --left) {
    std::int64_t at = 0;
    for (std::size_t d = 0; d < index.size(); ++d)
      at += index[d] * array.strides[d];
    bytes.append(static_cast<const char*>(array.data) + static_cast<std::size_t>(at) * width, width);
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == array.shape[d];)
      index[d] = 0;
  }
  return bytes;
}

class TorchFileForms : public testing::TestWithParam<const char*> {};

TEST_P(TorchFileForms, HoldsWhatTorchSaved) {
  const std::string path = source_path(std::string("tests/data/torch/") + GetParam());
  ASSERT_TRUE(TorchFile::recognises(path));
  const TorchFile file(path);
  const SafetensorsFile expected(source_path("tests/data/torch/expected.safetensors"));
  EXPECT_EQ(file.names().size(), expected.names().size());
  for (const std::string& name : expected.names()) {
    const StridedArray& found = file.at(name);
    const ArrayView right = expected.at(name);
    EXPECT_EQ(found.dtype, right.dtype) << name;
    EXPECT_EQ(found.shape, right.shape) << name;
    EXPECT_EQ(numbers_of(found), std::string(static_cast<const char*>(right.data), right.bytes())) << name;
  }
  EXPECT_EQ(file.names().front(), "float");
  EXPECT_EQ(static_cast<const char*>(file.at("part").data) - static_cast<const char*>(file.at("float").data),
            (6 + 2) * 4); // one storage
}

INSTANTIATE_TEST_SUITE_P(Torch, TorchFileForms, testing::Values("zip.pth", "legacy.pth", "protocol4.pth"));

TEST(TorchFile, FindsTheStateDictInsideACheckpoint) {
  for (const char* name : {"zip_wrapped.pth", "legacy_wrapped.pth"}) {
    const TorchFile file(source_path(std::string("tests/data/torch/") + name));
    EXPECT_EQ(file.names(), std::vector<std::string>{"w"}) << name;
  }
}

TEST(TorchFile, AModuleIsRefusedByName) {
  expect_error(ExitCode::data, "torch.nn.modules.linear.Linear is not allowed",
               [] { TorchFile{source_path("tests/data/torch/module.pth")}; });
}

TEST(TorchFile, CutOffFilesAreRefused) {
  const TemporaryFolder folder;
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    const std::string whole = bytes_of(source_path(std::string("tests/data/torch/") + name));
    for (std::size_t length = 0; length < whole.size(); length += 1 + length / 40) {
      put_bytes(folder / "cut.pth", whole.substr(0, length));
      EXPECT_THROW(TorchFile{folder / "cut.pth"}, Error) << name << " " << length;
    }
  }
}

TEST(TorchFile, AChangedByteGivesAnErrorOrTheRightNumbers) {
  const TemporaryFolder folder;
  const std::string whole = bytes_of(source_path("tests/data/torch/zip.pth"));
  const TorchFile right(source_path("tests/data/torch/zip.pth"));
  for (std::size_t at = 0; at < whole.size(); at += 13) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    put_bytes(folder / "changed.pth", changed);
    try {
      const TorchFile file(folder / "changed.pth");
      for (const std::string& name : file.names()) {
        EXPECT_EQ(numbers_of(file.at(name)), numbers_of(right.at(name))) << at;
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data) << error.what();
    }
  }
}

// Files made by hand.

template <class T> void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// An archive of stored entries.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string bytes, directory;
  for (const auto& [name, content] : entries) {
    std::string common;
    for (const std::uint16_t field : {20, 0, 0, 0, 0x21})
      append(common, field);
    append(common, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(content.data()),
                                                    static_cast<uInt>(content.size()))));
    append(common, static_cast<std::uint32_t>(content.size()));
    append(common, static_cast<std::uint32_t>(content.size()));
    append(common, static_cast<std::uint16_t>(name.size()));
    append(common, std::uint16_t{0});
    directory += std::string("PK\1\2\x14\0", 6) + common + std::string(10, '\0');
    append(directory, static_cast<std::uint32_t>(bytes.size()));
    directory += name;
    bytes += "PK\3\4" + common + name + content;
  }
  std::string end("PK\5\6\0\0\0\0", 8);
  append(end, static_cast<std::uint16_t>(entries.size()));
  append(end, static_cast<std::uint16_t>(entries.size()));
  append(end, static_cast<std::uint32_t>(directory.size()));
  append(end, static_cast<std::uint32_t>(bytes.size()));
  return bytes + directory + end + std::string(2, '\0');
}

std::string text(const std::string& value) {
  std::string bytes = "X";
  append(bytes, static_cast<std::uint32_t>(value.size()));
  return bytes + value;
}

std::string integer(std::int64_t value) {
  std::string bytes("\x8a\x08", 2);
  append(bytes, value);
  return bytes;
}

std::string tuple(const std::vector<std::int64_t>& values) {
  std::string bytes = "(";
  for (const std::int64_t value : values)
    bytes += integer(value);
  return bytes + "t";
}

/// {'w': a float tensor} of a storage that has or claims `elements`.
std::string tensor_pickle(std::int64_t elements, std::int64_t offset, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  return "\x80\x02}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
         "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(elements) + "tQ" + integer(offset) +
         tuple(shape) + tuple(strides) + "\x89}tRs.";
}

/// Reads an archive with this pickle and a storage of 16 bytes.
void read_pickle(const std::string& pickle) {
  const TemporaryFolder folder;
  put_bytes(folder / "x.pth", zip_of({{"a/data.pkl", pickle}, {"a/data/0", std::string(16, '\1')}}));
  const TorchFile file(folder / "x.pth");
  for (const std::string& name : file.names()) {
    numbers_of(file.at(name));
  }
}

TEST(TorchFile, TensorsStayInsideTheirStorage) {
  EXPECT_NO_THROW(read_pickle(tensor_pickle(4, 0, {2, 2}, {2, 1})));
  EXPECT_NO_THROW(read_pickle(tensor_pickle(4, 1, {3}, {1})));
  const auto refused = [](const std::string& pickle, const std::string& message) {
    expect_error(ExitCode::data, message, [&] { read_pickle(pickle); });
  };
  refused(tensor_pickle(4, 0, {5}, {1}), "reaches element 4 of a storage of 4");
  refused(tensor_pickle(4, 1, {2, 2}, {2, 1}), "reaches element 4");
  refused(tensor_pickle(4, 4, {}, {}), "reaches element 4");
  refused(tensor_pickle(4, -1, {1}, {1}), "its offset: expected an integer from 0 on");
  refused(tensor_pickle(4, 0, {2}, {-1}), "its stride");
  refused(tensor_pickle(4, 0, {2}, {1, 1}), "size and stride of different lengths");
  refused(tensor_pickle(8, 0, {8}, {1}), "its storage has 16 bytes, expected 32");
  refused(tensor_pickle(INT64_MAX, 0, {1}, {1}), "its storage is too large");
  refused(tensor_pickle(4, 0, {INT64_MAX, INT64_MAX}, {1, 1}), "its size overflows");
  refused(tensor_pickle(4, 0, {2}, {INT64_MAX}), "reaches element");
  refused(tensor_pickle(4, 2, {2}, {INT64_MAX}), "its size overflows");
  refused(tensor_pickle(4, 0, {std::int64_t{1} << 40}, {0}), "it repeats its storage too often");
}

TEST(TorchFile, NothingElseIsCalled) {
  const auto refused = [](const std::string& pickle, const std::string& message) {
    expect_error(ExitCode::data, message, [&] { read_pickle(pickle); });
  };
  refused("\x80\x02"
          "cos\nsystem\n(" +
              text("true") + "tR.",
          "os.system is not allowed");
  refused("\x80\x02"
          "cbuiltins\neval\n(" +
              text("1") + "tR.",
          "builtins.eval is not allowed");
  refused("\x80\x04" + text("posix") + text("system") + "\x93(" + text("true") + "tR.",
          "posix.system is not allowed");
  refused("\x80\x02"
          "ctorch\nload\n(" +
              text("x") + "tR.",
          "torch.load is not allowed");
  refused("\x80\x02"
          "ctorch._utils\n_rebuild_tensor_v2 \n.",
          "is not allowed");
  refused("\x80\x02"
          "c__main__\nX\x1b[31m\n)\x81.",
          "__main__.X?[31m is not allowed");
  refused("\x80\x02(i"
          "os\nsystem\n.",
          "opcode 0x69"); // INST of protocol 0
  refused("\x80\x02"
          "ccollections\nOrderedDict\n)\x81.",
          "opcode 0x81");
  refused("\x80\x02\x82\x01.", "opcode 0x82"); // EXT1
}

TEST(TorchFile, PicklesThatAreMalformed) {
  const auto refused = [](const std::string& pickle, const std::string& message) {
    expect_error(ExitCode::data, message, [&] { read_pickle(pickle); });
  };
  refused("", "cut off");
  refused("\x80\x02}", "cut off");
  refused("\x80\x01}.", "expected protocol 2 to 5");
  refused("\x80\x02.", "a value is missing");
  refused("\x80\x02}}.", "values are left over");
  refused("\x80\x02h\x05.", "never remembered");
  refused("\x80\x02"
          "e.",
          "a mark is missing");
  refused("\x80\x02X\xff\xff\xff\xff"
          "abc.",
          "cut off");
  refused("\x80\x02}(K\x01u.", "items of something that is no dict");
  refused("\x80\x02K\x01"
          "K\x02s.",
          "a value is missing");
  refused("\x80\x02NN\x86"
          "b.",
          "a value is missing");
  refused("\x80\x02)Nb.", "a state of something that is no OrderedDict");
  refused("\x80\x02"
          "c" +
              std::string(1000, 'x'),
          "a name without end");
  refused("\x80\x02]q\x01h\x01"
          "a.",
          "expected a dict of tensors, found a list"); // holds itself
  refused("\x80\x02" + std::string(100000, '(') + ".", "a value is missing");
  refused("\x80\x02" + std::string(100000, ']') + std::string(99999, 'a') + ".", "found a list"); // deep
  refused("\x80\x02}" + text("epoch") + "K\x01s.", "found one of epoch");
}

TEST(TorchFile, ArchivesThatAreSomethingElse) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& bytes, const std::string& message) {
    put_bytes(folder / "x.pth", bytes);
    expect_error(ExitCode::data, message, [&] { TorchFile{folder / "x.pth"}; });
  };
  refused(zip_of({{"a/data.pkl", "\x80\x02}."}, {"a/constants.pkl", ""}}), "found a TorchScript archive");
  refused(zip_of({{"a/b/data.pkl", "\x80\x02}."}}), "without data.pkl");
  refused(zip_of({{"a/data.pkl", "\x80\x02}."}, {"b/data.pkl", ""}}), "two data.pkl");
  refused(zip_of({{"a/data.pkl", "\x80\x02}."}, {"a/data.pkl", ""}}), "is in it twice");
  refused(zip_of({{"a/data.pkl", "\x80\x02}."}, {"a/byteorder", "big"}}), "little-endian");
  refused(zip_of({{"a/data.pkl", tensor_pickle(4, 0, {4}, {1})}}), "no 'a/data/0' in it");
  std::string damaged =
      zip_of({{"a/data.pkl", tensor_pickle(4, 0, {4}, {1})}, {"a/data/0", std::string(16, '\1')}});
  damaged[damaged.find(std::string(16, '\1'))] = '\2';
  refused(damaged, "CRC-32");
  refused("PK\3\4 and nothing more", "no end of a zip archive");
  refused(std::string("\x80\x02}.\x80\x02}.", 8), "found another pickle");
  expect_error(ExitCode::missing_input, "none.pth", [&] { TorchFile{folder / "none.pth"}; });
}

TEST(ZipArchive, ReadsStoredEntriesInPlace) {
  const TemporaryFolder folder;
  put_bytes(folder / "x.zip", zip_of({{"one", "first"}, {"none", ""}}));
  const ZipArchive archive(folder / "x.zip");
  EXPECT_EQ(archive.names(), (std::vector<std::string>{"one", "none"}));
  const auto one = archive.read("one");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(one.data()), one.size()), "first");
  EXPECT_EQ(archive.read("none").size(), 0U);
  EXPECT_FALSE(archive.contains("two"));
  expect_error(ExitCode::data, "no 'two' in it", [&] { archive.read("two"); });
}

} // namespace
} // namespace scoreact
