#pragma once
// Representations as points in space, for pictures: principal components, turned so that a sequence of pictures moves
// as little as it can.
#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace strider {

struct Projection {
  std::vector<float> points;       // [nodes, 3], of mean 0, in the units of the representations
  std::array<double, 3> shares{};  // of the variance, of the first, second and third principal component
};

/// The first three principal components (spectrum.h) of `values` [nodes, width]; zeros where there are fewer. What a
/// component does not say is its sign: the value of the largest size is positive.
///
/// Where `like` [nodes, 3] is not empty, the points are turned and mirrored onto it: by the orthogonal matrix R that
/// makes |points R - like| the smallest (Schoenemann 1966, "A generalized solution of the orthogonal Procrustes
/// problem"). Distances between points stay what they are. `shares` are those before.
Projection project(std::span<const float> values, std::size_t nodes, std::span<const float> like);

}  // namespace strider
