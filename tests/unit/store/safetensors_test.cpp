#include "store/safetensors.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;

std::filesystem::path golden() {
  const char* const root = std::getenv("SCOREACT_SOURCE_DIR");
  return std::filesystem::path(root != nullptr ? root : ".") / "tests/data/python.safetensors";
}

std::string file_with_header(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

TEST(Safetensors, ReadsWhatThePythonPackageWrote) {
  const SafetensorsFile file(golden());
  EXPECT_EQ(file.names().size(), 9u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const ArrayView weight = file.at("b.weight");
  EXPECT_EQ(weight.dtype, DType::f32);
  EXPECT_EQ(weight.shape, (std::vector<std::int64_t>{2, 3}));
  for (int n = 0; n < 6; ++n)
    EXPECT_EQ(static_cast<const float*>(weight.data)[n], static_cast<float>(n) / 4);
  EXPECT_EQ(static_cast<const std::int64_t*>(file.at("steps").data)[1], -2);
  EXPECT_EQ(*static_cast<const double*>(file.at("scalar").data), 3.125);
  EXPECT_TRUE(file.at("scalar").shape.empty());
  EXPECT_EQ(file.at("empty").numel(), 0);
  EXPECT_EQ(*static_cast<const std::int32_t*>(file.at("größe").data), 7);
}

TEST(Safetensors, WritesTheBytesOfThePythonPackage) {
  const TemporaryFolder folder;
  const SafetensorsFile original(golden());
  std::vector<NamedArray> arrays;
  for (auto name = original.names().rbegin(); name != original.names().rend(); ++name) {
    arrays.push_back({*name, original.at(*name)});
  }
  write_safetensors(folder / "copy.safetensors", arrays);
  EXPECT_EQ(bytes_of(folder / "copy.safetensors"), bytes_of(golden()));
}

TEST(Safetensors, ReadsTensorsThatLieAskew) {
  const TemporaryFolder folder;
  const double value = 1.75;
  const std::string data = "abc" + std::string(reinterpret_cast<const char*>(&value), 8);
  put_bytes(folder / "f", file_with_header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                           R"("b":{"dtype":"F64","shape":[],"data_offsets":[3,11]}})",
                                           data));
  const SafetensorsFile file(folder / "f");
  const void* const where = file.at("b").data;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(where) % 8, 0u);
  EXPECT_EQ(*static_cast<const double*>(where), value);
}

TEST(Safetensors, RefusesAMissingFileAndAMissingTensorByName) {
  const TemporaryFolder folder;
  expect_error(ExitCode::missing_input, "nowhere.safetensors",
               [&] { SafetensorsFile(folder / "nowhere.safetensors"); });
  expect_error(ExitCode::missing_input, "regular", [&] { SafetensorsFile{folder.path()}; });
  expect_error(ExitCode::data, "'unet.conv_in'", [&] { SafetensorsFile(golden()).at("unet.conv_in"); });
}

TEST(Safetensors, RefusesEveryKindOfMalformedFile) {
  const TemporaryFolder folder;
  const std::string good = R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const auto with = [](const std::string& entry) {
    return file_with_header("{" + entry + "}", std::string(8, 'x'));
  };
  struct Case {
    std::string bytes, message;
  };
  const std::vector<Case> cases{
      {"", "too few"},
      {"1234567", "too few"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8) + "{}", "does not fit"},
      {std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}", "does not fit"},
      {file_with_header("", ""), "does not start"},
      {file_with_header(" {}", ""), "does not start"},
      {file_with_header("{\"w\":", ""), "not valid JSON"},
      {file_with_header("{} {}", ""), "not valid JSON"},
      {file_with_header("{\"\xff\xfe\":1}", ""), "not valid JSON"},
      {with(good + "," + good), "'w' stands twice"},
      {with(R"("w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "'dtype' stands twice"},
      {with(R"("w":{"dtype":"F32","shape":[[[2]]],"data_offsets":[0,8]})"), "nested deeper"},
      {file_with_header("{\"a\":" + std::string(1 << 16, '[') + std::string(1 << 16, ']') + "}", ""),
       "nested deeper"},
      {with(R"("w":3)"), "'w': expected {dtype"},
      {with(R"("w":{"shape":[2],"data_offsets":[0,8]})"), "'w': expected {dtype"},
      {with(R"("w":{"dtype":"F33","shape":[2],"data_offsets":[0,8]})"), "'w': dtype 'F33'"},
      {with(R"("w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "'w': shape"},
      {with(R"("w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"), "'w': shape"},
      {with(R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0]})"), "'w': data_offsets"},
      {with(R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "run backwards"},
      {with(R"("w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), "needs 12 bytes"},
      {with(R"("w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})"), "overflows"},
      {with(R"("w":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]})"), "overflows"},
      {with(R"("w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]})"), "too large"},
      {with(R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "hole"},
      {with(good + R"(,"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "overlap"},
      {with(R"("w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]})"), "cut off"},
      {with(R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "belong to none"},
      {with(good + R"(,"__metadata__":{"format":1})"), "__metadata__ 'format'"},
      {with(good + R"(,"__metadata__":[])"), "__metadata__"}};
  for (const Case& malformed : cases) {
    SCOPED_TRACE(malformed.message);
    put_bytes(folder / "bad.safetensors", malformed.bytes);
    expect_error(ExitCode::data, malformed.message, [&] { SafetensorsFile(folder / "bad.safetensors"); });
    expect_error(ExitCode::data, "bad.safetensors", [&] { SafetensorsFile(folder / "bad.safetensors"); });
  }
  put_bytes(folder / "good.safetensors", with(good));
  EXPECT_EQ(SafetensorsFile(folder / "good.safetensors").names(), std::vector<std::string>{"w"});
}

TEST(Safetensors, NeverCrashesOnAFileCutOffOrFlippedAnywhere) {
  const TemporaryFolder folder;
  const std::string original = bytes_of(golden());
  for (std::size_t length = 0; length < original.size(); ++length) {
    put_bytes(folder / "cut", original.substr(0, length));
    EXPECT_THROW(SafetensorsFile(folder / "cut"), Error) << length;
  }
  for (std::size_t at = 0; at < original.size(); ++at) {
    std::string flipped = original;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    put_bytes(folder / "flipped", flipped);
    try {
      const SafetensorsFile file(folder / "flipped");
      unsigned sum = 0;
      for (const std::string& name : file.names()) {
        const ArrayView array = file.at(name);
        for (std::size_t n = 0; n < array.bytes(); ++n)
          sum += static_cast<const unsigned char*>(array.data)[n];
      }
      EXPECT_LT(sum, 255u * original.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
    }
  }
}

TEST(Safetensors, RefusesATensorGivenTwiceAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  const float value = 1;
  put_bytes(folder / "w", "old");
  const NamedArray array{"w", {DType::f32, {}, &value}};
  expect_error(ExitCode::internal, "'w' given twice", [&] {
    write_safetensors(folder / "w", {array, array});
  });
  EXPECT_EQ(bytes_of(folder / "w"), "old");
}

} // namespace
} // namespace scoreact
