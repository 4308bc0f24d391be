#include "geometry/measure.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/random/pcg64.h"
#include "graph/graph_folder.h"
#include "io/npz.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kWidth = 6;

class MeasureTest : public ::testing::Test {
 protected:
  MeasureTest() : data_(fs::path(::testing::TempDir()) / "measure" / "data") {
    fs::remove_all(data_.parent_path());
    write_graph_folder(data_ / "graph", {Surface::kTorus, 4, 5, 8});
  }

  // Three arrays of random values, after `change` to all values of the middle one.
  void write_arrays(std::int64_t rows, const std::function<void(std::vector<float>&)>& change = {}) {
    NumpyGenerator generator(1);
    std::vector<std::vector<float>> values(3);
    std::vector<NpzArray> arrays;
    for (std::vector<float>& array : values) {
      for (std::int64_t i = 0; i < rows * kWidth; ++i) array.push_back(static_cast<float>(generator.random()) - 0.5F);
    }
    if (change) change(values[1]);
    const std::vector<std::string> names{"final_hidden", "layer_10_after_block", "layer_2_after_block"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      arrays.push_back({names[i], {rows, kWidth}, [&values, i](std::int64_t first, std::int64_t count) {
                          return std::span(values[i]).subspan(static_cast<std::size_t>(first * kWidth),
                                                              static_cast<std::size_t>(count * kWidth));
                        }});
    }
    fs::create_directories(folder());
    write_npz(folder() / "token_representations.npz", arrays, rows);
  }

  fs::path folder() const { return data_ / "run" / "token_representations"; }
  MeasureSettings settings() const {
    MeasureSettings settings;
    settings.representations = folder();
    return settings;
  }

  void expect_error(const MeasureSettings& asked, const std::string& part) {
    try {
      measure_geometry(asked);
      FAIL() << "no error that says " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  fs::path data_;
};

TEST_F(MeasureTest, NumbersDoNotDependOnThreads) {
  write_arrays(20);
  MeasureSettings one = settings(), three = settings();
  three.threads = 3;
  EXPECT_EQ(geometry_json(measure_geometry(one)), geometry_json(measure_geometry(three)));
}

TEST_F(MeasureTest, LayersAreInTheirOrderAndCanBeChosen) {
  write_arrays(20);
  const auto names = [](const GeometryReport& report) {
    std::vector<std::string> all;
    for (const MeasuredLayer& layer : report.layers) all.push_back(layer.array.name);
    return all;
  };
  MeasureSettings asked = settings();
  asked.representations = data_ / "run";  // the run's folder
  EXPECT_EQ(names(measure_geometry(asked)),
            (std::vector<std::string>{"layer_2_after_block", "layer_10_after_block", "final_hidden"}));
  asked.arrays = {"after_block"};
  EXPECT_EQ(names(measure_geometry(asked)), (std::vector<std::string>{"layer_2_after_block", "layer_10_after_block"}));
  asked.arrays = {"final_hidden"};
  EXPECT_EQ(names(measure_geometry(asked)), std::vector<std::string>{"final_hidden"});
  asked.arrays = {"layer_3_after_block"};
  expect_error(asked, "There is no array \"layer_3_after_block\"");
}

TEST_F(MeasureTest, WhatCannotBeMeasuredIsNamed) {
  write_arrays(20, [](auto& values) { values[4 * kWidth + 2] = std::numeric_limits<float>::quiet_NaN(); });
  expect_error(settings(), "token 4, column 2");
  write_arrays(20, [](auto& values) { std::fill_n(values.begin() + 7 * kWidth, kWidth, 0.0F); });
  expect_error(settings(), "token 7");
  write_arrays(20, [](auto& values) { std::fill(values.begin(), values.end(), 0.25F); });
  expect_error(settings(), "The same vector for every token, in all rows of layer_10_after_block");
  MeasureSettings others = settings();
  others.arrays = {"final_hidden"};
  EXPECT_EQ(measure_geometry(others).layers.size(), 1U);
}

TEST_F(MeasureTest, RowsMustBeTheNodes) {
  write_arrays(19);
  expect_error(settings(), "The graph's node 19 has no row");
  write_arrays(22);
  expect_error(settings(), "Row 20 is of token 20, which is no node of the graph");
  // Tokens that training never saw need be no nodes.
  std::ofstream metadata(folder() / "token_metadata.json");
  for (int row = 0; row < 22; ++row) {
    metadata << (row > 0 ? ", " : "[") << "{\"token_id\": " << row << (row < 20 ? "}" : ", \"never_seen\": true}");
  }
  metadata << "]";
  metadata.close();
  const GeometryReport report = measure_geometry(settings());
  EXPECT_EQ(report.nodes, 20U);
  ASSERT_EQ(report.notices.texts().size(), 1U);
  EXPECT_NE(report.notices.texts()[0].find("2 of 22 rows"), std::string::npos);
  write_arrays(21);
  expect_error(settings(), "does not list the 21 rows");
}

TEST_F(MeasureTest, AMissingGraphAndSeveralAreNamed) {
  write_arrays(20);
  write_graph_folder(data_ / "graph", {Surface::kPlane, 4, 5, 8});
  expect_error(settings(), "A_plane_4x5_labeled.csv, A_torus_4x5_labeled.csv");
  MeasureSettings named = settings();
  named.graph = data_ / "graph" / "A_plane_4x5_labeled.csv";
  const GeometryReport report = measure_geometry(named);
  EXPECT_EQ(report.edges, 55U);
  EXPECT_EQ(report.coordinates->filename(), "coords_plane_4x5.npy");
  ASSERT_EQ(report.layers[0].measures.probe_r2_by_coordinate.size(), 3U);
  EXPECT_FALSE(report.layers[0].measures.probe_r2_by_coordinate[2]);  // a plane is flat
  fs::remove(*report.coordinates);
  EXPECT_FALSE(measure_geometry(named).layers[0].measures.probe_r2);
  fs::remove_all(data_ / "graph");
  expect_error(settings(), "There is no folder graph/");
  fs::remove_all(folder());
  expect_error(settings(), "There is no such file or folder");
}

}  // namespace
}  // namespace strider
