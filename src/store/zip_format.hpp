#pragma once
/// Numbers of the zip format (APPNOTE.TXT 6.3.10 of PKWARE) that its reader and its writers share.
#include <cstdint>

namespace scoreact::zip {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kEnd = 0x06054b50,
                        kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50; ///< signatures
constexpr std::uint16_t kStored = 0, kDeflated = 8;                      ///< methods
constexpr std::uint32_t kFar = 0xffffffff;                               ///< stands in the zip64 field

} // namespace scoreact::zip
