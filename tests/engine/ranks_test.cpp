// Several ranks that share each step, as threads: all results have the bits of one process.
#include "engine/ranks/ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>

#include "communicator/thread_ranks.h"
#include "engine/groups.h"

namespace strider {
namespace {

LlamaConfig small_model(bool tied) {
  LlamaConfig config;
  config.vocab_size = 60;
  config.hidden_size = 32;
  config.intermediate_size = 80;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.tie_word_embeddings = tied;
  return config;
}

std::vector<std::vector<std::int32_t>> random_walks(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<std::int32_t>> walks(count);
  for (auto& walk : walks) {
    walk.resize(1 + random() % 100);
    for (std::int32_t& token : walk) token = static_cast<std::int32_t>(random() % 60);
  }
  return walks;
}

std::vector<ParameterGroup> muon_and_adamw(const ParameterLayout& layout) {
  ParameterGroup matrices{.rule = {.name = "muon"}, .weight_decay = 0.1};
  ParameterGroup rest{.rule = {.name = "adamw"}, .weight_decay = 0.01};
  for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
    const ParameterInfo& tensor = layout.tensors()[i];
    const bool is_matrix = tensor.shape.size() == 2 && !tensor.is_embedding && tensor.offset != layout.lm_head();
    (is_matrix ? matrices : rest).tensors.push_back(i);
  }
  return {matrices, rest};
}

// All that a run sees of an engine.
struct Outcome {
  std::vector<double> losses, evaluation;
  std::vector<double> norms;
  std::vector<float> gradient, parameters;
  std::vector<std::vector<float>> states;
  bool operator==(const Outcome&) const = default;
};

struct Model {
  LlamaConfig config;
  EngineSettings settings;
  std::vector<float> weights;
};

Model model_of(bool tied, bool with_muon, Precision precision) {
  const LlamaConfig config = small_model(tied);
  const ParameterLayout layout(config);
  std::vector<float> weights(static_cast<std::size_t>(layout.total()));
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 0.05F);
  for (float& weight : weights) weight = normal(random);
  return {config,
          {.threads = 1,
           .max_length = 100,
           .walks_per_step = 40,
           .precision = precision,
           .groups = with_muon ? muon_and_adamw(layout) : test::all_alike(layout)},
          weights};
}

Outcome train_on(Engine& engine, const Model& model) {
  Outcome outcome;
  engine.set_parameters(model.weights);
  // One block and many: fewer blocks than lanes, and more; tokens of their own, and projected once for all.
  std::size_t step = 0;
  for (const std::size_t walks : {1, 3, 40, 40, 12, 40}) {
    step += 1;
    const auto tokens = random_walks(walks, static_cast<unsigned>(walks));
    const std::vector<WalkView> views(tokens.begin(), tokens.end());
    std::vector<double> losses(views.size());
    engine.forward_backward(views, 100.0, losses);
    outcome.losses.insert(outcome.losses.end(), losses.begin(), losses.end());
    outcome.norms.push_back(engine.gradient_norm());
    outcome.gradient = engine.gradient();
    engine.update(std::vector<double>(engine.groups().size(), 1e-2), 1.0);
    if (model.config.tie_word_embeddings) continue;
    if (step == 2) engine.learn({.first_layer = 1, .layers = model.config.num_hidden_layers});
    if (step == 3) engine.learn({.first_layer = 0, .layers = 1});
    if (step == 5) engine.learn(lm_head_learns(model.config));
  }
  engine.learn(all_learn(model.config));
  const auto tokens = random_walks(30, 99);
  outcome.evaluation.resize(tokens.size());
  engine.evaluate(std::vector<WalkView>(tokens.begin(), tokens.end()), outcome.evaluation);
  outcome.parameters = engine.parameters();
  for (const StateBuffer& state : engine.optimizer_state()) {
    outcome.states.emplace_back(static_cast<std::size_t>(state.floats));
    engine.copy_optimizer_state(state.name, outcome.states.back());
  }
  return outcome;
}

// Who shares an engine. Rank 0 has the threads of the model's settings.
struct Sharing {
  int ranks = 2;
  bool share_machine = true;  // else they send gradients while the backward pass still runs
  int threads = 2;            // of the other ranks
};

// Calls work(engine) with the engine that they share.
void with_engine(Sharing sharing, const Model& model, const std::function<void(Engine&)>& work) {
  const auto serve = [&](Communicator& ranks) { serve_ranks(ranks, sharing.threads); };
  const auto lead = [&](Communicator& own) {
    EngineSettings settings = model.settings;
    settings.ranks = &own;
    work(*make_engine(model.config, settings));
    dismiss_ranks(own);
  };
  test::with_ranks(sharing.ranks, serve, lead, sharing.share_machine);
}

class Ranks : public testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  Sharing sharing() const { return {.ranks = std::get<0>(GetParam()), .share_machine = std::get<1>(GetParam())}; }
};
INSTANTIATE_TEST_SUITE_P(Sizes, Ranks, testing::Combine(testing::Values(2, 3, 4, 5, 8), testing::Bool()),
                         [](const auto& values) {
                           return std::to_string(std::get<0>(values.param)) +
                                  (std::get<1>(values.param) ? "OnOneMachine" : "OnSeveral");
                         });

TEST_P(Ranks, HaveTheBitsOfOneProcess) {
  for (const bool tied : {false, true}) {
    for (const bool with_muon : {false, true}) {
      for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
        const Model model = model_of(tied, with_muon, precision);
        const Outcome expected = train_on(*make_engine(model.config, model.settings), model);
        with_engine(sharing(), model, [&](Engine& engine) {
          EXPECT_EQ(train_on(engine, model), expected) << tied << with_muon << name_of(precision);
        });
      }
    }
  }
}

// Of an engine that cannot train, as extraction has it: more ranks than blocks, and walks without a place.
TEST_P(Ranks, HaveTheStatesOfOneProcess) {
  Model model = model_of(false, false, Precision::kFloat32);
  model.settings.groups.clear();
  const std::vector<TokenArray> arrays =
      list_token_arrays(model.config, std::vector{Representation::kAfterBlock, Representation::kFfnGate});
  const auto states_of = [&](Engine& engine) {
    engine.set_parameters(model.weights);
    std::vector<float> all;
    for (const std::size_t count : {1, 2, 40}) {
      const auto walks = random_walks(count, static_cast<unsigned>(count));
      std::vector<WalkPlace> places;
      for (std::size_t walk = 0; walk < count; ++walk) {
        if (walk % 3 == 2) continue;
        const auto last = static_cast<std::int64_t>(walks[walk].size()) - 1;
        if (last > 0) places.push_back({static_cast<std::int64_t>(walk), 0});
        places.push_back({static_cast<std::int64_t>(walk), last});
      }
      std::vector<float> states(places.size() * static_cast<std::size_t>(states_width(arrays)));
      engine.walk_states(std::vector<WalkView>(walks.begin(), walks.end()), places, arrays, states);
      all.insert(all.end(), states.begin(), states.end());
    }
    return all;
  };
  const std::vector<float> expected = states_of(*make_engine(model.config, model.settings));
  with_engine(sharing(), model, [&](Engine& engine) { EXPECT_EQ(states_of(engine), expected); });
}

TEST_P(Ranks, HaveTheBitsOfOneProcessWithAnyNumberOfThreads) {
  for (const int threads : {1, 3}) {
    Model model = model_of(false, false, Precision::kFloat32);
    const Outcome expected = train_on(*make_engine(model.config, model.settings), model);
    model.settings.threads = threads;
    Sharing all = sharing();
    all.threads = threads;
    with_engine(all, model, [&](Engine& engine) { EXPECT_EQ(train_on(engine, model), expected) << threads; });
  }
}

TEST_P(Ranks, GoOnFromTheStateOfAnyOtherNumberOfThem) {
  const Model model = model_of(false, true, Precision::kFloat32);
  const auto tokens = random_walks(40, 5);
  const std::vector<WalkView> views(tokens.begin(), tokens.end());
  const auto step = [&](Engine& engine) {
    std::vector<double> losses(views.size());
    engine.forward_backward(views, 100.0, losses);
    engine.update(std::vector<double>(engine.groups().size(), 1e-2), 1.0);
  };
  const auto whole = make_engine(model.config, model.settings);
  whole->set_parameters(model.weights);
  for (int i = 0; i < 4; ++i) step(*whole);

  std::vector<float> parameters;
  std::vector<std::vector<float>> states;
  with_engine(sharing(), model, [&](Engine& engine) {
    engine.set_parameters(model.weights);
    for (int i = 0; i < 2; ++i) step(engine);
    parameters = engine.parameters();
    for (const StateBuffer& state : engine.optimizer_state()) {
      states.emplace_back(static_cast<std::size_t>(state.floats));
      engine.copy_optimizer_state(state.name, states.back());
    }
  });
  with_engine({}, model, [&](Engine& engine) {
    engine.set_parameters(parameters);
    for (std::size_t i = 0; i < states.size(); ++i) {
      engine.set_optimizer_state(engine.optimizer_state()[i].name, states[i]);
    }
    engine.set_updates(2);
    for (int i = 0; i < 2; ++i) step(engine);
    EXPECT_EQ(engine.parameters(), whole->parameters());
  });
}

TEST_P(Ranks, AreInStepAfterACallThatIsGivenUp) {
  const Model model = model_of(false, false, Precision::kFloat32);
  const Outcome expected = train_on(*make_engine(model.config, model.settings), model);
  with_engine(sharing(), model, [&](Engine& engine) {
    const auto tokens = random_walks(40, 5);
    const std::vector<WalkView> views(tokens.begin(), tokens.end());
    std::vector<double> losses(views.size());
    engine.set_parameters(model.weights);
    EXPECT_FALSE(engine.forward_backward(views, 100.0, losses, [] { return true; }));
    int asked = 0;  // after its first block, where rank 0 has another
    engine.forward_backward(views, 100.0, losses, [&] { return ++asked > 1; });
    EXPECT_FALSE(engine.evaluate(views, losses, [] { return true; }));
    EXPECT_EQ(train_on(engine, model), expected);
  });
}

// Blocks that are held back are on top of what ranks of one machine have, and another rank's lanes are not there.
TEST(RanksTest, TheMemoryPlanCountsWhatRanksSendAndHoldBack) {
  Model model = model_of(false, true, Precision::kFloat32);
  const std::uint64_t alone = engine_memory_bytes(model.config, model.settings);
  const auto bytes_of_last = [&](int ranks, bool share_machine) {
    test::Mail mail;
    test::ThreadRank last(mail, ranks - 1, ranks, share_machine);
    model.settings.ranks = &last;
    return engine_memory_bytes(model.config, model.settings);
  };
  const auto model_bytes = static_cast<std::uint64_t>(ParameterLayout(model.config).total()) * sizeof(float);
  EXPECT_LT(bytes_of_last(2, true), alone - model_bytes / 2);  // 3 lanes less, for 2.5 copies that are exchanged
  EXPECT_GT(bytes_of_last(2, false), bytes_of_last(2, true) + (bytes_of_last(8, false) - bytes_of_last(8, true)));
  EXPECT_EQ(bytes_of_last(1, true), alone);
}

TEST(RanksTest, MoreThanLanesAreRefused) {
  const Model model = model_of(false, false, Precision::kFloat32);
  const auto serve = [](Communicator& ranks) { EXPECT_THROW(serve_ranks(ranks, 1), Error); };
  test::with_ranks(9, serve, [&](Communicator& own) {
    EngineSettings settings = model.settings;
    settings.ranks = &own;
    EXPECT_THROW(make_engine(model.config, settings), Error);
  });
}

TEST(RanksTest, ASignalThatOneGetsReachesRankZero) {
  const Model model = model_of(false, false, Precision::kFloat32);
  const auto serve = [](Communicator& ranks) {
    ranks.signal_here = [] { return 15; };
    serve_ranks(ranks, 1);
  };
  test::with_ranks(2, serve, [&](Communicator& own) {
    int signal = 0;
    own.on_signal_elsewhere = [&](int number) { signal = number; };
    EngineSettings settings = model.settings;
    settings.ranks = &own;
    train_on(*make_engine(model.config, settings), model);
    EXPECT_EQ(signal, 15);
    dismiss_ranks(own);
  });
}

}  // namespace
}  // namespace strider
