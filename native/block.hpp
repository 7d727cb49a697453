#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace cellar {

// The bytes of one RADOS object: being gathered, on their way to the cluster, or free.
struct Block {
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };

  // Null when there is no memory.
  static std::unique_ptr<Block> Make(std::size_t size) {
    auto block = std::make_unique<Block>(size);
    return block->data ? std::move(block) : nullptr;
  }

  explicit Block(std::size_t size) : data(static_cast<char*>(std::aligned_alloc(4096, size))) {}

  std::unique_ptr<char, Free> data;
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
