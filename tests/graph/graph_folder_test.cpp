// The files of a graph: their text as the reference writes it, and reading labeled adjacency matrices back.
#include "graph/graph_folder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "golden.h"
#include "graph/coordinates.h"
#include "graph/distances.h"
#include "io/npy.h"

namespace strider {
namespace {

TEST(GraphFolder, TextIsTheReferences) {
  const test::ScratchFolder folder;
  const WrittenGraph written = write_graph_folder(folder.path(), {Surface::kPlane, 2, 3, 4});
  EXPECT_EQ(written.nodes, 6U);
  EXPECT_EQ(written.edges, 7U);
  for (const std::filesystem::path& file : written.files) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_EQ(test::read_text(folder / "A_plane_2x3_labeled.csv"),
            ",0,1,2,3,4,5\n0,0,1,0,1,0,0\n1,1,0,1,0,1,0\n2,0,1,0,0,0,1\n3,1,0,0,0,1,0\n4,0,1,0,1,0,1\n5,0,0,1,0,1,0\n");
  EXPECT_EQ(test::read_text(folder / "nodes_plane_2x3.csv"),
            "rowcol_index,node_id,i,j,layer\n0,0,0,0,single\n1,1,0,1,single\n2,2,0,2,single\n3,3,1,0,single\n"
            "4,4,1,1,single\n5,5,1,2,single\n");
  const std::string coordinates = test::read_text(folder / "coords_plane_2x3.csv");
  EXPECT_EQ(coordinates.substr(0, coordinates.find('\n', 80)),
            "0.000000000000000000e+00,-0.000000000000000000e+00,0.000000000000000000e+00\n"
            "3.333333333333333148e-01,-0.000000000000000000e+00,0.000000000000000000e+00");
  EXPECT_EQ(test::read_text(folder / "graph_info_plane_2x3.json"),
            "{\n  \"topology\": \"plane\",\n  \"H\": 2,\n  \"W\": 3,\n  \"neigh\": 4,\n  \"num_nodes\": 6,\n"
            "  \"num_edges\": 7,\n  \"avg_degree\": 2.3333333333333335,\n  \"files\": {\n"
            "    \"adjacency_matrix_labeled\": \"A_plane_2x3_labeled.csv\",\n"
            "    \"adjacency_matrix_npy\": \"A_plane_2x3.npy\",\n    \"nodes\": \"nodes_plane_2x3.csv\",\n"
            "    \"coords_csv\": \"coords_plane_2x3.csv\",\n    \"coords_npy\": \"coords_plane_2x3.npy\",\n"
            "    \"distance_matrix\": \"distance_matrix_plane_2x3.npy\"\n  }\n}");
}

TEST(GraphFolder, ArraysAreOfTheGraph) {
  const Grid grid{Surface::kKleinX, 5, 6, 8};
  const test::ScratchFolder folder;
  write_graph_folder(folder.path(), grid);
  const Graph graph = make_surface_graph(grid).graph;
  const NpyArray<std::int8_t> adjacency = read_npy<std::int8_t>(folder / "A_klein_x_5x6.npy");
  const NpyArray<double> distances = read_npy<double>(folder / "distance_matrix_klein_x_5x6.npy");
  const NpyArray<double> coordinates = read_npy<double>(folder / "coords_klein_x_5x6.npy");
  EXPECT_EQ(adjacency.shape, (std::vector<std::int64_t>{30, 30}));
  EXPECT_EQ(distances.shape, (std::vector<std::int64_t>{30, 30}));
  EXPECT_EQ(coordinates.shape, (std::vector<std::int64_t>{30, 3}));
  std::size_t edges = 0;
  for (std::size_t i = 0; i < adjacency.values.size(); ++i) {
    edges += static_cast<std::size_t>(adjacency.values[i]);
    EXPECT_EQ(adjacency.values[i] == 1, distances.values[i] == 1.0) << i;
  }
  EXPECT_EQ(edges, graph.neighbours.size());
  const std::vector<Point> points = surface_coordinates(grid);
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(coordinates.values[3 * i + k], points[i][k]);
  }
}

TEST(GraphFolder, EverySurfaceComesBack) {
  for (const SurfaceType& type : surface_types()) {
    const Grid grid{type.surface, 5, 6, 8};
    const test::ScratchFolder folder;
    write_graph_folder(folder.path(), grid);
    const Graph read = read_labeled_adjacency(labeled_adjacency_file(folder.path(), grid_name(grid)));
    const Graph made = make_surface_graph(grid).graph;
    EXPECT_EQ(read.labels, made.labels) << type.name;
    EXPECT_EQ(read.offsets, made.offsets) << type.name;
    EXPECT_EQ(read.neighbours, made.neighbours) << type.name;
  }
}

TEST(GraphFolder, ThePoleHasARowOfFiveColumns) {
  const test::ScratchFolder folder;
  write_graph_folder(folder.path(), {Surface::kSphere, 5, 6, 8});
  const std::string nodes = test::read_text(folder / "nodes_sphere_5x6.csv");
  EXPECT_EQ(nodes.substr(nodes.rfind('\n', nodes.size() - 2)), "\n12,23,-1,-1,S\n");
}

TEST(ShortestPaths, WhatCannotBeReachedIsNotANumber) {
  const Graph graph{{0, 1, 2, 3}, {0, 1, 2, 2, 2}, {1, 2}};  // 0 -> 1 -> 2, and 3 alone
  ShortestPaths paths(graph);
  std::vector<double> distances(4);
  paths.from(0, distances);
  EXPECT_EQ(distances[2], 2.0);
  EXPECT_TRUE(std::isnan(distances[3]));
  paths.from(2, distances);
  EXPECT_TRUE(std::isnan(distances[0]));
  EXPECT_EQ(distances[2], 0.0);
}

TEST(LabeledAdjacency, GraphsOfTheUsersOwnAreRead) {
  const test::ScratchFolder folder;
  const Graph graph = read_labeled_adjacency(
      folder.write("a.csv", "\xEF\xBB\xBFid,\"10\", 7 ,0\r\n\"10\",1,0.0,1.0\r\n7,0,0,0\r\n\r\n0,1,1,1"));
  EXPECT_EQ(graph.labels, (std::vector<std::int32_t>{10, 7, 0}));
  EXPECT_EQ(graph.offsets, (std::vector<std::size_t>{0, 2, 2, 5}));
  EXPECT_EQ(graph.neighbours, (std::vector<std::int32_t>{0, 2, 0, 1, 2}));
}

TEST(LabeledAdjacency, MatricesThatPandasWroteAreRead) {
  const test::ScratchFolder folder;
  for (const char* text :
       {",0,1,2\n0,0.0,1.0,0.0\n1,1.0,0.0,0.0\n2,0.0,0.0,1.0\n", ",0.0,1.0,2.0\n0.0,0,1,0\n1.0,1,0,0\n2.0,0,0,1\n",
        ",0,1,2\n0,False,True,False\n1,True,False,False\n2,False,False,True\n"}) {
    const Graph graph = read_labeled_adjacency(folder.write("a.csv", text));
    EXPECT_EQ(graph.labels, (std::vector<std::int32_t>{0, 1, 2})) << text;
    EXPECT_EQ(graph.offsets, (std::vector<std::size_t>{0, 1, 2, 3})) << text;
    EXPECT_EQ(graph.neighbours, (std::vector<std::int32_t>{1, 0, 2})) << text;
  }
}

TEST(LabeledAdjacency, WhatIsNoneIsRefusedWithLineAndColumn) {
  const test::ScratchFolder folder;
  const auto place = [&](const std::string& text) {
    try {
      read_labeled_adjacency(folder.write("a.csv", text));
    } catch (const Error& error) {
      EXPECT_EQ(error.details().file, (folder / "a.csv").string());
      EXPECT_NE(error.details().advice, "");
      return error.details().place;
    }
    return std::string("none");
  };
  EXPECT_EQ(place(",0,1\n0,0,1\n1,1,0\n"), "none");
  EXPECT_EQ(place(""), "line 1, column 1");
  EXPECT_EQ(place("\n"), "line 1, column 1");
  EXPECT_EQ(place(",0,x\n0,0,1\n1,1,0\n"), "line 1, column 3");
  EXPECT_EQ(place(",0,-1\n0,0,1\n-1,1,0\n"), "line 1, column 3");
  EXPECT_EQ(place(",0,2147483647\n"), "line 1, column 3");
  EXPECT_EQ(place(",0,0\n0,0,1\n0,1,0\n"), "line 1, column 3");
  EXPECT_EQ(place(",0,1\n0,0,1\n2,1,0\n"), "line 3, column 1");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,1,2\n"), "line 3, column 3");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,,0\n"), "line 3, column 2");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,0.5,0\n"), "line 3, column 2");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,TRUE?,0\n"), "line 3, column 2");
  EXPECT_EQ(place(",0,1.5\n0,0,1\n1.5,1,0\n"), "line 1, column 3");
  EXPECT_EQ(place(",0,1\n0,0\n1,1,0\n"), "line 2, column 2");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,1,0,0\n"), "line 3, column 4");
  EXPECT_EQ(place(",0,1\n0,0,1\n"), "line 2, column 1");
  EXPECT_EQ(place(",0,1\n0,0,1\n1,1,0\n2,0,0\n"), "line 4, column 1");
}

TEST(LabeledAdjacency, AMissingFileComesWithTheCommandThatMakesIt) {
  try {
    read_labeled_adjacency("no/A_torus_3x3_labeled.csv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "Graph file not found");
    EXPECT_NE(error.details().advice.find("01a_graph_generation.sh"), std::string::npos);
  }
}

}  // namespace
}  // namespace strider
