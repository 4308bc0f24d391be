"""README.md of final_model: the hub's own reader takes it, and it says what the run's other files say."""
import json
import os
import re
import unittest

os.environ["JAX_PLATFORMS"] = "cpu"
from huggingface_hub import ModelCard

from scene import RunTest


class ModelCardTest(RunTest):
    def card(self, folder):
        return ModelCard.load(self.scene.folder / folder / "final_model" / "README.md", ignore_metadata_errors=False)

    def test_the_hub_reads_it(self):
        self.train("run")
        card = self.card("run")
        data = card.data.to_dict()
        self.assertEqual((data["library_name"], data["pipeline_tag"]), ("transformers", "text-generation"))
        self.assertLessEqual({"llama", "strider", "graph"}, set(data["tags"]))
        self.assertEqual(data["datasets"], ["torus_4x5"])
        self.assertNotIn("license", data)
        self.assertIn("`license:`", card.text)
        result = json.loads((self.scene.folder / "run/strider_run.json").read_text())["result"]
        (evaluated,) = card.data.eval_results
        self.assertEqual((evaluated.metric_type, evaluated.dataset_split), ("loss", "validation"))
        self.assertAlmostEqual(evaluated.metric_value, result["eval_loss_per_prediction"], places=5)
        best = json.loads((self.scene.folder / "results/torus_4x5/dataset/vocab_info.json").read_text())["best_loss"]
        for name, value in (("this model", f"{result['eval_loss_per_prediction']:.4f}"),
                            ("the lowest that any model can reach", f"{best:.4f}"), ("steps", result["steps"]),
                            ("walks to train on", 1900), ("graph", "torus_4x5"), ("vocabulary", 20), ("layers", 2),
                            ("`batch_size`", 16), ("no-repeat window", 4)):
            self.assertIn(f"\n| {name} | {value} |\n", card.text)
        self.assertIn(f"of {result['best_checkpoint']}, which had the lowest evaluation loss", card.text)
        self.assertRegex(re.sub(r"\s+", " ", card.text), "bos_token_id, eos_token_id and pad_token_id are null")
        for name in (str(self.scene.folder), os.environ["HOME"]):
            self.assertNotIn(name, card.content)

    def test_its_code_runs(self):
        """With Flax in the place of torch, which the tests go without."""
        self.train("code", MAX_STEPS=5)
        code = re.search(r"```python\n(.*?)```", self.card("code").text, re.S)[1]
        self.assertIn("AutoModelForCausalLM.from_pretrained(folder)", code)
        for torch, flax in (("AutoModelForCausalLM", "FlaxAutoModelForCausalLM"), ('return_tensors="pt"', 'return_tensors="np"'),
                            ("do_sample=True", "do_sample=False"), ('folder = "."', "folder = FOLDER"),
                            ("walk[0]", "walk.sequences[0]")):
            self.assertIn(torch, code)
            code = code.replace(torch, flax)
        said = []
        exec(code, {"FOLDER": self.scene.folder / "code/final_model", "print": said.append})
        self.assertEqual(len(said[0].split()), 21)
        self.assertLess(max(map(int, said[0].split())), 20)

    def test_without_a_validation_split(self):
        for_training = dict(TRAIN_SPLIT=1, DATASET_DIR="mine: all/dataset")
        self.scene.must("01c_dataset_preparation.sh", H=4, W=5, **for_training)
        self.train("my run", MAX_STEPS=3, DATASET_DIR="mine: all/dataset")
        card = self.card("my run")
        self.assertIsNone(card.data.eval_results)
        self.assertEqual(card.data.datasets, ["mine--all"])
        self.assertIn("the loss of this model is not known", card.text)
        self.assertIn("| weights | of the last step |", card.text)

    def test_it_is_the_same_for_an_interrupted_run(self):
        self.train("whole", MAX_STEPS=40, EVAL_STEPS=20, SAVE_STEPS=20)
        settings = dict(EVAL_STEPS=20, SAVE_STEPS=20)
        self.train("parts", MAX_STEPS=20, **settings)
        self.train("parts", MAX_STEPS=40, CONTINUE="true", **settings)
        whole, parts = (self.card(name).text.replace(name, "NAME") for name in ("whole", "parts"))
        self.assertEqual(len(whole.splitlines()), len(parts.splitlines()))
        self.assertIn("| steps | 40 |", parts)


if __name__ == "__main__":
    unittest.main()
