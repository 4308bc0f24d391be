"""The page of strider report in a headless Chromium: offline, without an error; sliders, mouse and keyboard change what is
drawn; at the width of a screen and of a phone, light and dark. Pictures of it go to build/pages-seen/."""
import os
import subprocess
import unittest
from pathlib import Path

from browser import NARROW, WIDE, Browser, Scene
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

PROGRAM = os.environ["STRIDER"]
SEEN = Path(__file__).resolve().parents[2] / "build/pages-seen"
SETTINGS = dict(H=6, W=8, RUN_NAME="tiny", MAX_SEQS=2000, MAX_LENGTH=24, NO_REPEAT_WINDOW=4, BATCH_SIZE=16, MAX_STEPS=40,
                LEARNING_RATE=1e-2, WARMUP_STEPS=5, EVAL_STEPS=10, SAVE_STEPS=10, SAVE_TOTAL_LIMIT="all", LOGGING_STEPS=2,
                THREADS=2, REPRESENTATIONS="after_block ffn_up", REPRESENTATION_STEPS=10, GEOMETRY_STEPS=20)
RUN = "results/torus_6x8/tiny"


def setUpModule():
    global scene, browser
    scene = Scene()
    scene.make_dataset(**SETTINGS)
    scene.must("02a_model_training.sh", **SETTINGS)
    scene.must("02b_representation_extraction.sh", **SETTINGS)
    SEEN.mkdir(parents=True, exist_ok=True)
    browser = Browser()


def tearDownModule():
    browser.close()
    scene.close()


class PageTest(unittest.TestCase):
    def setUp(self):
        browser.look()
        browser.open(scene.folder / RUN / "report.html")
        self.assertEqual(browser.errors(), [])

    def tearDown(self):
        self.assertEqual(browser.errors(), [])

    def changes(self, selector, action):
        """Whether what is drawn in an element is another picture after an action."""
        before = browser.picture(selector)
        action()
        return browser.picture(selector) != before

    def keys(self, selector, *keys):
        browser.element(selector).send_keys(*keys)
        browser.settle()

    def node(self):
        return browser.element("#node").get_attribute("data-node")

    def test_it_asks_for_nothing_but_itself(self):
        self.assertEqual(browser.run("return performance.getEntriesByType('resource').length"), 0)
        self.assertTrue(browser.run("return document.querySelector('#surface canvas') !== null"), "no WebGL")

    def test_what_stays_the_same_is_the_same_picture(self):
        """Else every other test of pictures would pass."""
        for selector in ("#surface", "#grid", "#loss"):
            self.assertFalse(self.changes(selector, lambda: None), selector)

    def test_the_layer_slider_moves_the_points(self):
        names = set()
        for layer in range(int(browser.element("#layer").get_attribute("max")) + 1):
            if str(layer) != browser.element("#layer").get_property("value"):
                self.assertTrue(self.changes("#surface", lambda: browser.set("#layer", layer)), layer)
            names.add(browser.element("#surface").get_attribute("data-array"))
        self.assertEqual(names, {"input_embeds", "layer_0_after_block", "layer_1_after_block", "final_hidden"})
        self.assertTrue(self.changes("#surface", lambda: self.keys("#layer", Keys.ARROW_LEFT)))
        self.assertEqual(browser.element("#layer-name").text, "layer 1")

    def test_the_kind_of_representation(self):
        browser.set("#layer", 2)  # layer 1; before and after the layers all kinds are the same
        self.assertTrue(self.changes("#surface", lambda: browser.set("#type", "ffn_up")))
        self.assertEqual(browser.element("#surface").get_attribute("data-array"), "layer_1_ffn_up")

    def test_the_slider_over_steps_goes_back_in_training(self):
        self.assertEqual(browser.element("#step-name").text, "the final model")
        seen = set()
        for step in (3, 1, 0):
            self.assertTrue(self.changes("#surface", lambda: browser.set("#step", step)), step)
            seen.add(browser.element("#surface").get_attribute("data-step"))
        self.assertEqual(seen, {"30", "10", "0"})
        self.assertTrue(self.changes("#surface", lambda: browser.set("#layer", 0)))  # stays at step 0
        self.assertEqual(browser.element("#surface").get_attribute("data-step"), "0")
        self.assertTrue(self.changes("#surface", lambda: self.keys("#step", Keys.ARROW_RIGHT)))
        self.assertEqual(browser.element("#step-name").text, "step 10")
        browser.element("#step-play").click()
        self.assertEqual(browser.element("#step-play").text, "Stop")
        browser.wait(lambda: browser.element("#step-play").text == "Play")
        self.assertEqual(browser.element("#surface").get_attribute("data-step"), "final")

    def test_geometry_along_training(self):
        self.assertTrue(self.changes("#geometry", lambda: browser.element("#geometry-axis input[value=step]").click()))
        self.assertEqual(browser.element("#geometry").get_attribute("data-axis"), "step")
        self.assertIn("layer_1_after_block", browser.element("#geometry").text)
        browser.element("#geometry-axis input[value=layer]").click()
        self.assertEqual(browser.element("#geometry").get_attribute("data-axis"), "layer")

    def test_colours(self):
        for colour in ("column", "angle", "degree", "row"):
            self.assertTrue(self.changes("#surface", lambda: browser.set("#colour", colour)), colour)
        self.assertTrue(self.changes("#grid", lambda: browser.set("#colour", "column")))

    def test_a_walk_step_by_step(self):
        self.assertTrue(self.changes("#surface", lambda: browser.set("#colour", "loss")))
        for step in (0, 1, 22):
            self.assertTrue(self.changes("#walk-grid", lambda: browser.set("#walk-step", step)), step)
            self.assertEqual(browser.element("#walk-grid").get_attribute("data-step"), str(step))
        self.assertTrue(self.changes("#walk-grid", lambda: browser.set("#walk", 1)))
        self.assertTrue(self.changes("#walk-grid", lambda: self.keys("#walk-step", Keys.ARROW_LEFT)))
        self.assertIn("on its 8 neighbours", browser.element("#walk-text").text)
        browser.set("#walk-step", 20)
        browser.element("#walk-play").click()
        browser.wait(lambda: browser.element("#walk-play").text == "Play")
        self.assertEqual(browser.element("#walk-grid").get_attribute("data-step"), "22")
        self.assertIsNotNone(browser.element("#belief-chart svg"))

    def test_edges(self):
        self.assertTrue(self.changes("#surface", lambda: browser.element("#edges").click()))

    def test_playing_goes_through_the_layers(self):
        browser.element("#play").click()
        self.assertEqual(browser.element("#play").text, "Stop")
        browser.wait(lambda: browser.element("#play").text == "Play")
        self.assertEqual(browser.element("#surface").get_attribute("data-array"), "final_hidden")

    def test_the_mouse_turns_it_and_names_nodes(self):
        def drag():
            ActionChains(browser.driver).drag_and_drop_by_offset(browser.element("#surface canvas"), 120, 30).perform()
        self.assertTrue(self.changes("#surface", drag))
        self.assertTrue(self.changes("#surface", lambda: ActionChains(browser.driver).move_to_element_with_offset(
            browser.element("#grid"), -3, -3).perform()))
        self.assertIn("8 neighbours", browser.element("#node").text)
        # The node's own place in space names it too.
        at = browser.run("""const view = strider.views.space, point = new THREE.Vector3();
            const node = strider.data.runs[0].surface.labels.indexOf(Number(arguments[0]));
            point.fromArray(view.positions, 3 * node).project(view.camera);
            return [point.x * view.element.clientWidth / 2, -point.y * view.element.clientHeight / 2];""", self.node())
        chosen = self.node()
        self.keys("#grid", Keys.ESCAPE)
        self.assertEqual(self.node(), "")
        ActionChains(browser.driver).move_to_element_with_offset(
            browser.element("#surface canvas"), round(at[0]), round(at[1])).perform()
        browser.settle()
        self.assertIn(self.node(), browser.run("""const surface = strider.data.runs[0].surface;
            return [arguments[0], ...surface.neighbours[surface.labels.indexOf(Number(arguments[0]))].map(
                (n) => String(surface.labels[n]))]""", chosen))

    def test_the_keyboard_turns_it_and_names_nodes(self):
        for key in (Keys.ARROW_LEFT, Keys.ARROW_UP, "+", "-"):
            self.assertTrue(self.changes("#surface", lambda: self.keys("#surface", key)), key)
        self.keys("#surface", "]")
        self.assertEqual(self.node(), "0")
        self.assertTrue(self.changes("#grid", lambda: self.keys("#surface", "]")))
        self.assertEqual(self.node(), "1")
        self.assertTrue(self.changes("#surface", lambda: self.keys("#grid", Keys.ARROW_DOWN)))
        self.assertEqual(self.node(), "9")
        self.assertIn("row 1, column 1", browser.element("#node").text)
        self.keys("#grid", Keys.ARROW_LEFT, Keys.ARROW_LEFT)
        self.assertEqual(self.node(), "15", "around the rim")
        self.keys("#grid", Keys.ESCAPE)
        self.assertEqual(self.node(), "")

    def test_everything_is_reached_with_the_tab_key(self):
        reached = set()
        browser.run("document.activeElement.blur()")
        for _ in range(60):
            ActionChains(browser.driver).send_keys(Keys.TAB).perform()
            reached.add(browser.run("return document.activeElement.id || document.activeElement.name || "
                                    "(document.activeElement.closest('[id]') || {id: ''}).id"))
        self.assertLessEqual({"theme", "type", "colour", "edges", "reset", "layer", "play", "surface", "grid", "axis",
                              "excess", "loss"}, reached)

    def test_curves(self):
        for axis in ("tokens", "seconds", "step"):
            self.assertTrue(self.changes("#loss", lambda: browser.element(f"#axis input[value={axis}]").click()), axis)
        self.assertTrue(self.changes("#loss", lambda: browser.element("#excess").click()))
        browser.element("#excess").click()
        text = browser.element("#loss").text
        for words in ("best possible", "ln(neighbours) 2.079", "ln(vocabulary) 3.871"):
            self.assertIn(words, text)
        self.keys("#loss svg", Keys.END)
        self.assertIn("Step 40: ", browser.element("#loss .readout").text)
        self.assertIn("evaluation", browser.element("#loss .readout").text)

    def test_the_switch_of_colours(self):
        self.assertTrue(self.changes("header", lambda: browser.element("#theme input[value=dark]").click()))
        self.assertTrue(browser.run("return document.documentElement.classList.contains('dark')"))
        browser.element("#theme input[value=system]").click()
        self.assertFalse(browser.run("return document.documentElement.classList.contains('dark')"))

    def test_widths_and_colours(self):
        pictures = set()
        for size in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                browser.look(size, scheme)
                browser.open(scene.folder / RUN / "report.html")
                self.assertEqual(browser.run("return document.documentElement.classList.contains('dark')"), scheme == "dark")
                # Nothing sticks out: nobody has to scroll to the side.
                self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), size[0])
                self.assertEqual(browser.run("return innerWidth"), size[0])
                picture = browser.page_picture()
                (SEEN / f"{size[0]}-{scheme}.png").write_bytes(picture)
                pictures.add(picture)
        self.assertEqual(len(pictures), 4)


class OtherRunsTest(unittest.TestCase):
    def report(self, *runs):
        file = scene.folder / "other.html"
        subprocess.run([PROGRAM, "report", *runs, "--output", file], cwd=scene.folder, check=True, capture_output=True)
        browser.look()
        browser.open(file)
        self.assertEqual(browser.errors(), [])

    def test_a_run_of_which_little_is_there(self):
        little = scene.folder / "little"
        little.mkdir()
        (little / "metrics.jsonl").write_text('{"event": "log", "step": 1, "loss": 2.5}\n{"event"')
        self.report(little)
        self.assertIn("not shown", browser.element("#missing summary").text)
        self.assertIn("no token representations", browser.element("#surface-missing").text)
        self.assertIsNotNone(browser.element("#loss svg"))
        (SEEN / "little.png").write_bytes(browser.page_picture())

    def test_several_runs(self):
        self.report(RUN, RUN + "/../tiny")
        self.assertEqual(len(browser.run("return [...document.querySelectorAll('#loss .curve')].map(e => e.tagName)")), 4)
        browser.set("#run", "1")
        self.assertEqual(browser.errors(), [])


if __name__ == "__main__":
    unittest.main()
