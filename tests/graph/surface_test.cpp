// Graphs and coordinates of all surfaces against what the reference makes (golden/graphs.json).
#include "graph/surface.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "golden.h"
#include "graph/coordinates.h"
#include "graph/distances.h"

namespace strider {
namespace {

Grid grid_of(const nlohmann::json& row) {
  return {parse_surfaces(row["topology"].get<std::string>()).front(), row["H"], row["W"], row["neigh"]};
}

TEST(Surface, NodesNeighboursDistancesAndCoordinatesAreTheReferences) {
  const nlohmann::json rows = test::golden_json("graphs.json");
  EXPECT_EQ(rows.size(), 4 * surface_types().size());
  for (const nlohmann::json& row : rows) {
    const Grid grid = grid_of(row);
    SCOPED_TRACE(grid_name(grid) + " " + std::to_string(grid.neigh));
    const SurfaceGraph surface = make_surface_graph(grid);
    const Graph& graph = surface.graph;
    auto labels = row["labels"].get<std::vector<std::int32_t>>();
    if (grid.surface == Surface::kSphere) {
      ASSERT_EQ(labels.back(), -1);
      labels.back() = labels[labels.size() - 2] + 1;
    }
    ASSERT_EQ(graph.labels, labels);
    ASSERT_EQ(surface.nodes.size(), labels.size());

    ShortestPaths paths(graph);
    std::vector<double> distances(graph.size());
    const std::vector<Point> points = surface_coordinates(grid);
    ASSERT_EQ(points.size(), graph.size());
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const std::span<const std::int32_t> neighbours = graph.neighbours_of(i);
      ASSERT_EQ(std::vector<std::int32_t>(neighbours.begin(), neighbours.end()),
                row["neighbours"][i].get<std::vector<std::int32_t>>());
      paths.from(i, distances);
      ASSERT_EQ(distances, row["distances"][i].get<std::vector<double>>());
      for (std::size_t k = 0; k < 3; ++k) {
        ASSERT_NEAR(points[i][k], row["coords"][i][k].get<double>(), 0.51e-6) << "node " << i;
      }
    }
  }
}

TEST(Surface, LabelsOfCellsAreTheirPlaceInTheGrid) {
  const Grid grid{Surface::kSphere, 7, 9, 8};
  const SurfaceGraph surface = make_surface_graph(grid);
  for (std::size_t i = 0; i + 1 < surface.nodes.size(); ++i) {
    EXPECT_EQ(surface.graph.labels[i], surface.nodes[i].row * grid.width + surface.nodes[i].column);
  }
}

// On closed surfaces every cell has all of its neighbours, whatever the grid; counted without looking at glues.
TEST(Surface, ClosedSurfacesAreRegular) {
  for (const Surface surface : {Surface::kTorus, Surface::kKleinX, Surface::kKleinY}) {
    for (const int neigh : {4, 8}) {
      for (std::int64_t height = 5; height < 9; ++height) {
        for (std::int64_t width = 5; width < 9; ++width) {
          const Graph graph = make_surface_graph({surface, height, width, neigh}).graph;
          for (std::size_t i = 0; i < graph.size(); ++i) {
            ASSERT_EQ(graph.neighbours_of(i).size(), static_cast<std::size_t>(neigh))
                << grid_name({surface, height, width, neigh}) << " node " << i;
          }
        }
      }
    }
  }
}

TEST(Surface, EveryLegalGridMakesAGraphWithEdgesBothWays) {
  for (const SurfaceType& type : surface_types()) {
    for (std::int64_t height = 2; height < 6; ++height) {
      for (std::int64_t width = 2; width < 6; ++width) {
        if (type.surface == Surface::kSphere && (height < 3 || width < 3)) continue;
        const Grid grid{type.surface, height, width, 8};
        SCOPED_TRACE(grid_name(grid));
        const Graph graph = make_surface_graph(grid).graph;
        ASSERT_EQ(surface_coordinates(grid).size(), graph.size());
        for (std::size_t i = 0; i < graph.size(); ++i) {
          ASSERT_FALSE(graph.neighbours_of(i).empty());
          for (const std::int32_t next : graph.neighbours_of(i)) {
            ASSERT_NE(static_cast<std::size_t>(next), i);
            const auto back = graph.neighbours_of(static_cast<std::size_t>(next));
            ASSERT_TRUE(std::binary_search(back.begin(), back.end(), static_cast<std::int32_t>(i)));
          }
        }
      }
    }
  }
}

TEST(Surface, NamesComeOneByOneInAListOrAllAtOnce) {
  EXPECT_EQ(parse_surfaces("torus"), std::vector<Surface>{Surface::kTorus});
  EXPECT_EQ(parse_surfaces("sphere, plane,sphere"), (std::vector<Surface>{Surface::kSphere, Surface::kPlane}));
  EXPECT_EQ(parse_surfaces("all").size(), 13U);
}

TEST(Surface, UnknownNamesAreRefusedWithTheList) {
  for (const char* names : {"", "donut", "torus,", "Torus", "torus;plane"}) {
    try {
      parse_surfaces(names);
      FAIL() << names;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("klein_x, klein_y, proj_plane"), std::string::npos) << error.what();
    }
  }
}

TEST(Surface, GridsThatMakeNoSurfaceAreRefused) {
  EXPECT_THROW(check_grid({Surface::kTorus, 30, 40, 6}), Error);
  EXPECT_THROW(check_grid({Surface::kTorus, 1, 40, 8}), Error);
  EXPECT_THROW(check_grid({Surface::kTorus, 30, 0, 8}), Error);
  EXPECT_THROW(check_grid({Surface::kPlane, -3, -4, 8}), Error);
  EXPECT_THROW(check_grid({Surface::kSphere, 2, 40, 8}), Error);
  EXPECT_THROW(check_grid({Surface::kSphereTwo, 150, 150, 8}), Error);
  EXPECT_THROW(check_grid({Surface::kPlane, 1LL << 40, 1LL << 40, 8}), Error);
  EXPECT_NO_THROW(check_grid({Surface::kPlane, 200, 200, 8}));
  EXPECT_NO_THROW(check_grid({Surface::kSphere, 3, 3, 4}));
}

TEST(Surface, GridsWhoseNeighboursFallTogetherAreWarnedOf) {
  EXPECT_NE(grid_warning({Surface::kTorus, 2, 40, 8}), "");
  EXPECT_NE(grid_warning({Surface::kSphere, 3, 9, 8}), "");
  EXPECT_NE(grid_warning({Surface::kCylinderX, 9, 2, 8}), "");
  EXPECT_EQ(grid_warning({Surface::kCylinderX, 2, 9, 8}), "");
  EXPECT_EQ(grid_warning({Surface::kPlane, 2, 2, 8}), "");
  EXPECT_EQ(grid_warning({Surface::kTorus, 3, 3, 8}), "");
}

}  // namespace
}  // namespace strider
