#pragma once
// Figures as a person reads them.
#include <cstdint>
#include <string>

namespace strider {

std::string with_commas(std::int64_t number);      // 2,280
std::string short_count(double number);            // 12.3k, 2.10M, 950
std::string short_bytes(std::uint64_t bytes);      // 51.2 MB, 4.0 GB; powers of ten
std::string short_duration(double seconds);        // 45 s, 3 min 20 s, 2 h 05 min, 3 d 04 h
std::string short_flops(double flops_per_second);  // 236 GFLOP/s, 1.2 TFLOP/s

}  // namespace strider
