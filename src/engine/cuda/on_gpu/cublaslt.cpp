#include "engine/cuda/on_gpu/cublaslt.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

constexpr std::uint64_t kWorkspaceBytes = 32U << 20U;

// The library's functions that are used here, by their own types.
struct Functions {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  void* const found = dlsym(library, name);
  if (found == nullptr) throw Error(fmt::format("cuBLASLt has no function {}", name));
  function = reinterpret_cast<Function>(found);
}

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

Library open_library() {
  const std::string name = fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
  std::vector<std::string> places = {name};
  if (const char* home = std::getenv("CUDA_HOME"); home != nullptr && *home != '\0') {
    places.push_back(fmt::format("{}/lib64/{}", home, name));
    places.push_back(fmt::format("{}/lib/{}", home, name));
  }
  places.push_back(fmt::format("{}/{}", STRIDER_CUDA_LIBRARIES, name));
  for (const std::string& place : places) {
    if (void* const library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) return Library(library);
  }
  throw Error(fmt::format("cuBLASLt was not found as {}", fmt::join(places, ", ")),
              {.file = {}, .place = {}, .advice = "Set CUDA_HOME to the CUDA toolkit's folder, or use DEVICE=cpu."});
}

Functions functions_of(void* library) {
  Functions f;
  find(library, "cublasLtCreate", f.create);
  find(library, "cublasLtDestroy", f.destroy);
  find(library, "cublasLtMatmul", f.matmul);
  find(library, "cublasLtMatmulDescCreate", f.desc_create);
  find(library, "cublasLtMatmulDescDestroy", f.desc_destroy);
  find(library, "cublasLtMatmulDescSetAttribute", f.desc_set);
  find(library, "cublasLtMatrixLayoutCreate", f.layout_create);
  find(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy);
  find(library, "cublasLtMatmulPreferenceCreate", f.preference_create);
  find(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy);
  find(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set);
  find(library, "cublasLtMatmulAlgoGetHeuristic", f.heuristic);
  return f;
}

void check_status(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(fmt::format("cuBLASLt could not {} (status {})", what, static_cast<int>(status)),
              {.file = {}, .place = {}, .advice = "DEVICE=cpu trains without the GPU."});
}

// What a product's algorithm depends on.
using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool, bool, bool>;

Key key_of(const MatrixProduct& product) {
  return {product.m,
          product.n,
          product.k,
          product.a.stride,
          product.b.stride,
          product.a.is_transposed,
          product.b.is_transposed,
          product.addend.size != 0};
}

class CublasLtProducts : public MatrixProducts {
 public:
  CublasLtProducts() : library_(open_library()), f_(functions_of(library_.get())), workspace_(kWorkspaceBytes) {
    check_status(f_.create(&handle_), "start");
  }

  ~CublasLtProducts() override {
    for (const auto& [key, made] : prepared_) destroy(made);
    f_.destroy(handle_);
  }

 private:
  // cuBLASLt's matrices are by columns, so that ours are their transposes: it computes c^T = b^T a^T.
  struct Prepared {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
    cublasLtMatmulAlgo_t algorithm = {};
  };

  void destroy(const Prepared& made) const {
    f_.layout_destroy(made.first);
    f_.layout_destroy(made.second);
    f_.layout_destroy(made.result);
    f_.desc_destroy(made.operation);
  }

  // The transpose of a matrix [rows, columns] of ours, as it lies in memory.
  cublasLtMatrixLayout_t layout(const DeviceMatrix& matrix, std::int64_t rows, std::int64_t columns) const {
    if (matrix.is_transposed) std::swap(rows, columns);
    cublasLtMatrixLayout_t made = nullptr;
    check_status(f_.layout_create(&made, CUDA_R_32F, static_cast<std::uint64_t>(columns),
                                  static_cast<std::uint64_t>(rows), matrix.stride),
                 "describe a matrix");
    return made;
  }

  Prepared prepare(const MatrixProduct& product) const {
    Prepared made;
    check_status(f_.desc_create(&made.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describe a product");
    const auto set_operation = [&](cublasLtMatmulDescAttributes_t which, bool is_transposed) {
      const cublasOperation_t operation = is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      check_status(f_.desc_set(made.operation, which, &operation, sizeof(operation)), "describe a product");
    };
    set_operation(CUBLASLT_MATMUL_DESC_TRANSA, product.b.is_transposed);
    set_operation(CUBLASLT_MATMUL_DESC_TRANSB, product.a.is_transposed);
    made.first = layout(product.b, product.k, product.n);
    made.second = layout(product.a, product.m, product.k);
    made.result = layout({{}, product.n, false}, product.m, product.n);
    choose_algorithm(made);
    return made;
  }

  void choose_algorithm(Prepared& made) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check_status(f_.preference_create(&preference), "choose an algorithm");
    const std::uint64_t bytes = kWorkspaceBytes;
    // Partial sums in the workspace are added in order; those added in place by whoever comes are left out.
    const std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    cublasStatus_t status =
        f_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof(bytes));
    if (status == CUBLAS_STATUS_SUCCESS) {
      status =
          f_.preference_set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof(reductions));
    }
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = f_.heuristic(handle_, made.operation, made.first, made.second, made.result, made.result, preference, 1,
                            &found, &count);
    }
    f_.preference_destroy(preference);
    check_status(status, "choose an algorithm");
    if (count == 0) throw Error("cuBLASLt has no algorithm for a product");
    made.algorithm = found.algo;
  }

  void enqueue(cudaStream_t stream, const MatrixProduct& product) override {
    auto at = prepared_.find(key_of(product));
    if (at == prepared_.end()) at = prepared_.emplace(key_of(product), prepare(product)).first;
    const Prepared& made = at->second;
    const float alpha = 1.0F;
    const bool adds = product.addend.size != 0;
    const float beta = adds ? 1.0F : 0.0F;
    check_status(f_.matmul(handle_, made.operation, &alpha, product.b.values.data, made.first, product.a.values.data,
                           made.second, &beta, adds ? product.addend.data : product.c.data, made.result, product.c.data,
                           made.result, &made.algorithm, workspace_.data(), kWorkspaceBytes, stream),
                 "multiply");
  }

  Library library_;
  Functions f_;
  DeviceBytes workspace_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, Prepared> prepared_;
};

}  // namespace

std::unique_ptr<MatrixProducts> open_cublaslt() {
  return std::make_unique<CublasLtProducts>();
}

std::string cublaslt_obstacle() {
  try {
    functions_of(open_library().get());
  } catch (const Error& error) {
    return error.message();
  }
  return {};
}

}  // namespace strider::cuda
