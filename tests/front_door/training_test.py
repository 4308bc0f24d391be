"""What a training run says and keeps: warnings, evaluations, whose weights it took, metrics.jsonl."""
import json
import unittest

from datasets import Dataset, DatasetDict

from scene import ROOT, TINY, RunTest

RUN = TINY | dict(EPOCHS=1, MAX_STEPS=30, EVAL_STEPS=20, SAVE_STEPS=20)
CLOCK = {"time", "seconds", "tokens_per_second"}


class TrainingTest(RunTest):
    settings = RUN

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.scene.folder / "results/torus_4x5"

    def log(self, out):
        return json.loads((self.scene.folder / out / "trainer_state.json").read_text())["log_history"]

    def metrics(self, folder):
        lines = [json.loads(line) for line in (self.scene.folder / folder / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in line.items() if name not in CLOCK | {"output_dir"}} for line in lines]

    def test_the_last_step_is_evaluated_where_that_is_asked_for(self):
        text = self.train("without")
        self.assertIn("its weights are those of checkpoint-20", text)
        self.assertIn("steps 21 to 30 were not: FINAL_EVALUATION=true", text)
        self.assertEqual([entry["step"] for entry in self.log("without") if "eval_loss" in entry], [20])
        text = self.train("with", FINAL_EVALUATION="true")
        self.assertEqual([entry["step"] for entry in self.log("with") if "eval_loss" in entry], [20, 30])
        self.assertIn("its weights are those of checkpoint-30", text)

    def test_every_run_ends_with_an_evaluation_loss(self):
        text = self.train("short", MAX_STEPS=3, EVAL_STEPS=20, SAVE_STEPS=20)
        self.assertRegex(text, r"Evaluation loss of the final model: \d")
        self.assertFalse([entry for entry in self.log("short") if "eval_loss" in entry])
        again = self.train("short", MAX_STEPS=3, EVAL_STEPS=20, SAVE_STEPS=20)
        line = next(line for line in text.splitlines() if line.startswith("Evaluation loss of the final model"))
        self.assertIn(line, again)

    def test_what_may_not_have_been_meant_is_said(self):
        for words, variables in (("WARMUP_STEPS is 50, and the run has 30", dict(WARMUP_STEPS=50)),
                                 ("GRAD_ACCUM is 500, and an epoch has", dict(GRAD_ACCUM=500, MAX_STEPS=2)),
                                 ("SAVE_STEPS is 40, and the run has 30", dict(SAVE_STEPS=40)),
                                 ("the run diverges", dict(LEARNING_RATE=100, WARMUP_STEPS=0))):
            self.assertIn(words, self.train("warned", OVERWRITE="true", RESUME="never", **variables))

    def test_one_of_save_and_eval_steps_leads_the_other(self):
        plain = {name: value for name, value in RUN.items() if name not in ("SAVE_STEPS", "EVAL_STEPS")}
        for given, words in ((dict(SAVE_STEPS=15), "EVAL_STEPS is 15 as well"), (dict(EVAL_STEPS=15), "SAVE_STEPS is 15 as well")):
            done = self.scene.run("02a_model_training.sh", **(plain | given | dict(OUTPUT_DIR=f"led {list(given)[0]}")))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(words, done.stdout)
        self.assertIn("must be a multiple", self.train("contradiction", 1, SAVE_STEPS=15, EVAL_STEPS=20))

    def test_the_evaluation_loss_does_not_depend_on_the_batch_size(self):
        walks = [[(3 * i + j * j) % 10 for j in range(2 + 5 * (i % 3))] for i in range(12)]
        folder = self.scene.folder / "lengths"
        DatasetDict(train=Dataset.from_dict({"input_ids": walks}),
                    validation=Dataset.from_dict({"input_ids": walks[:7]})).save_to_disk(folder)
        (folder / "vocab_info.json").write_text('{"vocab_size": 10}')
        losses = {}
        for denominator in ("predictions", "labels"):
            for batch in (1, 7):
                out = f"{denominator} {batch}"
                self.train(out, DATASET_DIR="lengths", BATCH_SIZE=batch, LEARNING_RATE=1e-12, MAX_STEPS=1, EVAL_STEPS=1,
                           SAVE_STEPS=1, WARMUP_STEPS=0, LOSS_DENOMINATOR=denominator)
                losses[out] = next(entry["eval_loss"] for entry in self.log(out) if "eval_loss" in entry)
        self.assertAlmostEqual(losses["predictions 1"], losses["predictions 7"], places=6)
        self.assertNotAlmostEqual(losses["labels 1"], losses["labels 7"], places=4)

    def test_metrics_of_an_interrupted_run_are_those_of_an_unbroken_one(self):
        settings = dict(LOGGING_STEPS=7, EVAL_STEPS=10, SAVE_STEPS=10, MAX_STEPS=50)
        self.train("unbroken", **settings)
        whole = self.metrics("unbroken")
        self.assertEqual([line["event"] for line in whole if line["event"] != "log"],
                         ["run"] + ["evaluation"] * 5 + ["end"])
        self.train("broken", **settings)
        folder = self.scene.folder / "broken"
        for name in ("strider_run.json", "trainer_state.json"):
            (folder / name).unlink()
        for step in (40, 50):  # as if it had been killed after the newest checkpoint that is left
            path = folder / f"checkpoint-{step}"
            if path.is_dir() and len(list(folder.glob("checkpoint-*"))) > 1:
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"event": "log", "st')
        text = self.train("broken", **settings)
        self.assertIn("Going on after step", text)
        self.assertEqual(self.metrics("broken"), whole)

    def test_a_log_that_is_not_ours_costs_no_run(self):
        self.train("kept", MAX_STEPS=5)
        (self.scene.folder / "logs").mkdir()
        (self.scene.folder / "logs/metrics.jsonl").write_text("mine\n")
        before = self.scene.files()
        text = self.train("kept", 1, MAX_STEPS=6, OVERWRITE="true", LOG_DIR="logs")
        self.assertIn("not written by Strider", text)
        self.assertEqual(self.scene.files(), before)

    def test_walks_without_a_prediction(self):
        for train, validation, words, code in (([[1], [2]], [[1, 2]], "no training walk has a token to predict", 1),
                                               ([[1, 2], [3]], [[1], [2]], "validation split counts as none", 0)):
            folder = self.scene.folder / f"single {code}"
            DatasetDict(train=Dataset.from_dict({"input_ids": train}),
                        validation=Dataset.from_dict({"input_ids": validation})).save_to_disk(folder)
            (folder / "vocab_info.json").write_text('{"vocab_size": 10}')
            text = self.train(f"out {code}", code, DATASET_DIR=folder.name, MAX_STEPS=2)
            self.assertIn(words, text)
            self.assertNotIn("evaluation loss 0.0000", text)


if __name__ == "__main__":
    unittest.main()
