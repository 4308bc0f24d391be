#include "train/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/exists.h"
#include "base/version.h"
#include "io/json.h"
#include "model/parameters.h"
#include "train/fingerprint.h"

namespace strider {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Without a slash at its end, "." and "..".
fs::path plain_path(const fs::path& folder) {
  return fs::absolute(folder / "").lexically_normal().parent_path();
}

// As the hub takes it in a name: letters, digits, '.', '_' and '-'.
std::string hub_name(const std::string& text) {
  std::string name;
  for (const char letter : text) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '.' || letter == '_';
    name += is_plain ? letter : '-';
  }
  return name.empty() ? "strider" : name;
}

// JSON's strings are YAML's too.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format("| {} | {} |\n", name, value);
}

std::string front_matter(const CardData& data, const std::string& name, const FinishedRun& run) {
  const std::string dataset = quoted(hub_name(data.name));
  std::string text =
      "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
      "tags:\n- llama\n- strider\n- graph\n- random-walks\n";
  text += fmt::format("datasets:\n- {}\n", dataset);
  if (run.final_loss) {
    text += fmt::format(
        "model-index:\n- name: {}\n  results:\n  - task:\n      type: text-generation\n    dataset:\n      name: {}\n"
        "      type: {}\n      split: validation\n    metrics:\n    - type: loss\n"
        "      name: nats per predicted token\n      value: {:.6f}\n",
        quoted(hub_name(name)), quoted(data.name), dataset, run.final_loss->loss_per_prediction);
  }
  return text + "---\n\n";
}

// Numbers and words of a rule, as far as they are there.
std::string rule_value(const json& rule, const char* field) {
  if (!rule.is_object() || !rule.contains(field) || rule[field].is_structured() || rule[field].is_null()) return "";
  return rule[field].is_string() ? rule[field].get<std::string>() : rule[field].dump();
}

std::string about_data(const RunPlan& plan, const CardData& data) {
  std::string text = "## Data\n\n| | |\n| --- | --- |\n";
  text += row("dataset", data.name);
  text += row("walks to train on", fmt::format("{}", plan.steps.walks));
  text += row("walks to validate on", fmt::format("{}", plan.dataset.validation ? plan.dataset.validation->size() : 0));
  text += row("tokens of an epoch", fmt::format("{}", plan.dataset.train.tokens(plan.settings.max_length)));
  const std::pair<const char*, const char*> fields[] = {{"graph", "graph"},
                                                        {"max_length", "nodes of a walk"},
                                                        {"no_repeat_window", "no-repeat window"},
                                                        {"restart_prob", "restart probability"},
                                                        {"seed", "seed of the walks"}};
  for (const auto& [field, meaning] : fields) {
    if (const std::string value = rule_value(data.rule, field); !value.empty()) text += row(meaning, value);
  }
  return text + "\n";
}

std::string about_model(const RunPlan& plan) {
  const LlamaConfig& config = plan.config;
  const ParameterLayout layout(config);
  std::string text = "## Model\n\n| | |\n| --- | --- |\n";
  text += row("layers", fmt::format("{}", config.num_hidden_layers));
  text += row("hidden size", fmt::format("{}", config.hidden_size));
  text +=
      row("heads, of them key/value", fmt::format("{}, {}", config.num_attention_heads, config.num_key_value_heads));
  text += row("intermediate size", fmt::format("{}", config.intermediate_size));
  text += row("vocabulary", fmt::format("{}", config.vocab_size));
  text += row("parameters", fmt::format("{}, without embeddings {}", layout.total(), layout.non_embedding()));
  return text + "\n";
}

std::string origin_of_weights(const FinishedRun& run) {
  if (run.averaged_steps > 0) return fmt::format("the mean of those after {} of the last steps", run.averaged_steps);
  return run.best ? fmt::format("of {}, which had the lowest evaluation loss", run.best->name) : "of the last step";
}

std::string about_training(const RunPlan& plan, const FinishedRun& run, std::optional<std::int64_t> tokens) {
  std::string text = "## Training\n\n| | |\n| --- | --- |\n";
  text += row("steps", fmt::format("{}", run.steps));
  if (tokens) text += row("tokens", fmt::format("{}", *tokens));
  text += row("weights", origin_of_weights(run));
  const json settings = recorded_settings(plan.settings);
  for (const auto& [name, value] : settings.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    if (!shown.empty()) text += row(fmt::format("`{}`", name), shown);
  }
  return text + fmt::format("\nMade by Strider {}.\n\n", program_version());
}

std::string about_loss(const RunPlan& plan, const FinishedRun& run) {
  std::string text = "## Loss\n\n";
  if (!run.final_loss) return text + "There was no validation split, so the loss of this model is not known.\n\n";
  const double loss = run.final_loss->loss_per_prediction;
  text += "Cross-entropy in nats per predicted token, on the validation walks:\n\n| | |\n| --- | --- |\n";
  text += row("this model", fmt::format("{:.4f}", loss));
  if (plan.best_loss) {
    text += row("the lowest that any model can reach", fmt::format("{:.4f}", *plan.best_loss));
    text += row("this model above that", fmt::format("{:.4f}", loss - *plan.best_loss));
  }
  text += row("a model that knows nothing, ln(vocabulary)",
              fmt::format("{:.4f}", std::log(static_cast<double>(plan.config.vocab_size))));
  if (!plan.best_loss) text += "\nThe lowest loss that any model can reach on these walks is not known.\n";
  return text + "\n";
}

constexpr const char* kUse = R"(## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # where this file is, or the model's name on the hub
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
start = tokenizer(tokenizer.decode([0]), return_tensors="pt")
walk = model.generate(**start, max_new_tokens=20, do_sample=True, pad_token_id=0)
print(tokenizer.decode(walk[0]))
```

A token is a node of the graph, and words are separated by spaces. There are no special tokens: bos_token_id, eos_token_id
and pad_token_id are null, so `generate` goes on to `max_new_tokens`, and nothing is put before a walk. The tokenizer fills
short walks of a batch up with the token of id 0, and the attention mask says where; `pad_token_id=0` above tells
`generate` the same.
)";

}  // namespace

CardData read_card_data(const fs::path& dataset_dir) {
  const fs::path folder = plain_path(dataset_dir);
  CardData data{.name = folder.filename().string()};
  if (data.name == "dataset" && folder.parent_path().has_filename()) {
    data.name = folder.parent_path().filename().string();
  }
  const fs::path file = dataset_dir / "vocab_info.json";
  if (!path_exists(file)) return data;
  const json info = read_json(file);
  if (info.is_object() && info.contains("walk_rule")) data.rule = info["walk_rule"];
  return data;
}

std::string model_card(const RunPlan& plan, const CardData& data, const FinishedRun& run,
                       std::optional<std::int64_t> tokens) {
  const std::string name = plain_path(plan.settings.output_dir).filename().string();
  const std::string graph = rule_value(data.rule, "graph");
  std::string text = front_matter(data, name, run);
  text += fmt::format(
      "# {}\n\nA Llama that was trained to predict the next node of {}, ", name,
      graph.empty() ? fmt::format("the walks in {}", data.name) : fmt::format("random walks on the graph {}", graph));
  text += plan.settings.init_from ? "starting from the weights of another model.\n\n" : "from random weights.\n\n";
  text += "A license is not named: whoever publishes the model adds `license:` to the first lines.\n\n";
  return text + about_loss(plan, run) + kUse + "\n" + about_data(plan, data) + about_model(plan) +
         about_training(plan, run, tokens);
}

}  // namespace strider
