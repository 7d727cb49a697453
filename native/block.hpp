#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace cellar {

// The bytes of one RADOS object: being gathered, on their way to the cluster, or free.
//
// Not malloc's memory: it would come from an arena of whichever thread asks, and stay there after its end.
struct Block {
  struct Unmap {
    std::size_t size;
    void operator()(char* data) const { munmap(data, size); }
  };
  using Data = std::unique_ptr<char, Unmap>;

  // Null when there is no memory.
  static std::unique_ptr<Block> Make(std::size_t size) {
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return nullptr;
    return std::unique_ptr<Block>(new Block{Data(static_cast<char*>(data), Unmap{size})});
  }

  Data data;
  std::size_t filled = 0;
  std::size_t writes = 0;  // under way
};

inline bool IsZero(const char* data, std::size_t length) {
  return data[0] == 0 && std::memcmp(data, data + 1, length - 1) == 0;
}

// The parts of a block that hold data, as [start, end) in multiples of the granule; the last may be shorter. An all-zero
// block has none: what RBD never got reads as zeros.
inline std::vector<std::pair<std::size_t, std::size_t>> DataExtents(const Block& block, std::size_t granule) {
  std::vector<std::pair<std::size_t, std::size_t>> extents;
  for (std::size_t start = 0; start < block.filled; start += granule) {
    const std::size_t end = std::min(start + granule, block.filled);
    if (IsZero(block.data.get() + start, end - start)) continue;
    if (!extents.empty() && extents.back().second == start) {
      extents.back().second = end;
    } else {
      extents.emplace_back(start, end);
    }
  }
  return extents;
}

}  // namespace cellar
