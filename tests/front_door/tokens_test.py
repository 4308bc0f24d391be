"""What a model knows of its tokens: ids that training never saw are marked, and the tokenizer of a dataset is kept."""
import json
import shutil
import unittest

from datasets import Dataset, DatasetDict, disable_progress_bars
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from scene import Scene

NAMES = ["north", "east", "south", "west", "hill top", "lake", "ford", "mill"]
WALKS = [[0, 1, 2, 3], [3, 5, 1], [2, 5, 0, 1, 3], [1, 0], [5, 2, 3]]  # without 4, 6 and 7
SMALL = dict(CONFIG="configs/config_tiny.json", DATASET_DIR="data", OUTPUT_DIR="out", MODEL_DIR="out/final_model",
             REPRESENTATION_DIR="out/representations", BATCH_SIZE=4, MAX_STEPS=2, EVAL_STEPS=1, SAVE_STEPS=1, LOGGING_STEPS=1,
             THREADS=1)
OURS = {"vocab.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}


def setUpModule():
    global scene
    disable_progress_bars()
    scene = Scene()


def tearDownModule():
    scene.close()


class TokensTest(unittest.TestCase):
    def write(self, vocabulary=8, walks=WALKS, **files):
        for folder in ("data", "out"):
            shutil.rmtree(scene.folder / folder, ignore_errors=True)
        DatasetDict(train=Dataset.from_dict({"input_ids": walks}), validation=Dataset.from_dict({"input_ids": [[4, 6, 1]]})
                    ).save_to_disk(scene.folder / "data")
        (scene.folder / "data/vocab_info.json").write_text(json.dumps({"vocab_size": vocabulary}))
        for name, text in files.items():
            (scene.folder / "data" / name.replace("__", ".")).write_text(text)

    def train(self, **variables):
        return scene.must("02a_model_training.sh", **(SMALL | variables))

    def metadata(self, **variables):
        said = scene.must("02b_representation_extraction.sh", **(SMALL | variables), OVERWRITE="true")
        folder = scene.folder / (SMALL | variables)["REPRESENTATION_DIR"]
        return json.loads((folder / "token_metadata.json").read_text()), said


class NeverSeenTest(TokensTest):
    def test_training_says_it_and_02b_marks_it(self):
        self.write()
        self.assertIn("3 of 8 token ids have no place in the training walks (4, 6 to 7): nothing trains their vectors.",
                      self.train())
        for model in ("final_model", "checkpoint-1", "checkpoint-2"):
            metadata, said = self.metadata(MODEL_DIR=f"out/{model}")
            self.assertEqual([entry["token_id"] for entry in metadata if entry.get("never_seen")], [4, 6, 7])
            self.assertEqual([entry for entry in metadata if "never_seen" not in entry],
                             [{"token_id": i, "token_str": str(i)} for i in (0, 1, 2, 3, 5)])
            self.assertIn("Never seen in training: 3 of 8 tokens (4, 6 to 7)", said)

    def test_what_is_cut_off_was_not_seen(self):
        self.write(vocabulary=7, walks=[[0, 1, 2, 3, 4, 5, 6], [1, 0, 2]])
        self.assertIn("3 of 7 token ids have no place in the training walks (4 to 6)", self.train(MAX_LENGTH=4))

    def test_all_seen_and_nothing_known(self):
        self.write(vocabulary=7, walks=[[0, 1, 2, 3, 4, 5, 6], [1, 0]])
        self.assertNotIn("token ids have no place", self.train())
        metadata, said = self.metadata()
        self.assertFalse(any("never_seen" in entry for entry in metadata))
        self.assertNotIn("Never seen", said)
        self.write()
        self.train()
        (scene.folder / "out/final_model/strider_tokens.json").unlink()
        metadata, said = self.metadata()
        self.assertFalse(any("never_seen" in entry for entry in metadata))
        (scene.folder / "out/final_model/strider_tokens.json").write_text('{"version": 1, "never_seen_ids": [[5, 4]]}')
        done = scene.run("02b_representation_extraction.sh", **SMALL, OVERWRITE="true")
        self.assertEqual(done.returncode, 1)
        self.assertIn("strider_tokens.json", done.stderr)

    def test_what_an_earlier_model_has_seen_counts(self):
        self.write(walks=[[4, 6, 0], [0, 4]])
        self.train(OUTPUT_DIR="first")
        self.addCleanup(shutil.rmtree, scene.folder / "first")
        self.write()
        self.assertIn("1 of 8 token ids have no place in the training walks (7)", self.train(INIT_FROM="first/final_model"))
        self.assertEqual([entry["token_id"] for entry in self.metadata()[0] if entry.get("never_seen")], [7])
        (scene.folder / "first/final_model/strider_tokens.json").unlink()
        shutil.rmtree(scene.folder / "out")
        self.assertNotIn("have no place", self.train(INIT_FROM="first/final_model"))
        self.assertFalse((scene.folder / "out/final_model/strider_tokens.json").exists())


class TokenizerTest(TokensTest):
    def tokenizer(self, names=NAMES, **special):
        """A tokenizer as a user makes one, saved into the dataset folder."""
        made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="north"))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(scene.folder / "data")

    def kept(self, model="final_model"):
        return AutoTokenizer.from_pretrained(scene.folder / "out" / model)

    def test_a_saved_tokenizer_is_kept_byte_for_byte(self):
        self.write()
        self.tokenizer(pad_token="mill")
        (scene.folder / "data/chat_template.jinja").write_text("{{ messages }}")
        self.assertIn("The dataset's tokenizer goes into every checkpoint and final_model.", self.train())
        for model in ("final_model", "checkpoint-1"):
            for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
                self.assertEqual((scene.folder / "out" / model / name).read_bytes(), (scene.folder / "data" / name).read_bytes())
            self.assertEqual(self.kept(model)("lake south west")["input_ids"], [5, 2, 3])
            self.assertEqual(self.kept(model).pad_token, "mill")
        metadata, _ = self.metadata()
        self.assertEqual([entry["token_str"] for entry in metadata], NAMES)
        self.assertEqual([entry["token_id"] for entry in metadata], list(range(8)))

    def test_a_vocabulary_alone(self):
        text = json.dumps({name: i for i, name in enumerate(NAMES)})
        self.write(vocab__json=text)
        self.train()
        self.assertEqual((scene.folder / "out/final_model/vocab.json").read_text(), text)
        self.assertEqual(self.kept()("east ford")["input_ids"], [1, 6])
        self.assertEqual(self.kept().decode([1, 6]), "east ford")

    def test_names_of_what_is_never_seen_may_be_missing(self):
        self.write(vocab__json=json.dumps({NAMES[i]: i for i in (0, 1, 2, 3, 5)}))
        self.assertIn("goes into every checkpoint", self.train())
        self.assertEqual([entry["token_id"] for entry in self.metadata()[0]], [0, 1, 2, 3, 5])

    def test_what_does_not_fit_is_said_and_ours_written(self):
        names = {name: i for i, name in enumerate(NAMES)}
        for why, files in (
                ('its token "moon" has the id 8, outside the vocabulary of 8', {"vocab__json": json.dumps(names | {"moon": 8})}),
                ("it has no token for the id 5", {"vocab__json": json.dumps({"north": 0, "east": 1, "south": 2, "west": 3})}),
                ('its id 0 belongs to', {"vocab__json": json.dumps(names | {"moon": 0})}),
                ("tokenizer.json, line 1", {"tokenizer__json": "{broken"}),
                ("it has no vocabulary", {"tokenizer__json": "{}"}),
                ("none of its files that can be read here", {"tokenizer__model": "\0"})):
            with self.subTest(why=why):
                self.write(**files)
                said = self.train()
                self.assertIn("The dataset's tokenizer is not kept: ", said)
                self.assertIn(why, said)
                self.assertIn("The ids themselves are the tokens.", said)
                self.assertEqual(self.kept()("3 0 5")["input_ids"], [3, 0, 5])
                self.assertEqual({path.name for path in (scene.folder / "out/final_model").iterdir()},
                                 OURS | {"README.md", "config.json", "generation_config.json", "model.safetensors",
                                         "strider_tokens.json"})

    def test_a_larger_tokenizer_and_a_damaged_one_are_named(self):
        self.write()
        self.tokenizer(names=NAMES, pad_token="<pad>")  # one more than the vocabulary has
        self.assertIn('its token "<pad>" has the id 8, outside the vocabulary of 8', self.train())

    def test_a_resumed_run_writes_the_same(self):
        self.write()
        self.tokenizer()
        self.train()
        expected = {path.name: path.read_bytes() for path in (scene.folder / "out/final_model").iterdir()}
        shutil.rmtree(scene.folder / "out/final_model")
        shutil.rmtree(scene.folder / "out/checkpoint-2")
        (scene.folder / "out/strider_run.json").unlink()
        self.train()
        self.assertEqual({path.name: path.read_bytes() for path in (scene.folder / "out/final_model").iterdir()}, expected)


if __name__ == "__main__":
    unittest.main()
