"""A headless Chromium that looks at a report: Debian's, driven by selenium through Debian's chromedriver."""
import base64
import os
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "front_door"))
from scene import Scene  # noqa: E402,F401  (for those who import this)

WIDE, NARROW = (1280, 900), (390, 844)


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        # WebGL by the processor; /dev/shm is small in containers, and Chromium's sandbox refuses root.
        for argument in ("--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars",
                         "--disable-dev-shm-usage", "--force-device-scale-factor=1",
                         *(["--no-sandbox"] if os.geteuid() == 0 else [])):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_network_conditions(offline=True, latency=0, throughput=0)

    def close(self):
        self.driver.quit()

    def look(self, size=WIDE, scheme="light"):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    dict(width=size[0], height=size[1], deviceScaleFactor=1, mobile=size == NARROW))
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    dict(features=[dict(name="prefers-color-scheme", value=scheme)]))

    def open(self, file):
        # A pointer over a chart, left there by the test before, would read its values.
        pointer = ActionBuilder(self.driver)
        pointer.pointer_action.move_to_location(1, 1)
        pointer.perform()
        self.driver.get(Path(file).resolve().as_uri())
        self.wait(lambda: self.run("return document.documentElement.dataset.ready === 'true'"))
        self.settle()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, seconds=60):
        return WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: condition())

    def settle(self):
        """Waits until no point moves and the last change is on the screen."""
        self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            let quiet = 0;
            const look = () => {
              quiet = document.documentElement.dataset.moving === 'true' ? 0 : quiet + 1;
              quiet > 3 ? done() : requestAnimationFrame(look);
            };
            look();""")

    def set(self, selector, value):
        """Changes a slider or a list as a hand does."""
        self.run("""const element = document.querySelector(arguments[0]);
            element.value = arguments[1];
            element.dispatchEvent(new Event('input', {bubbles: true}));
            element.dispatchEvent(new Event('change', {bubbles: true}));""", selector, str(value))
        self.settle()

    def element(self, selector):
        return self.driver.find_element("css selector", selector)

    def picture(self, selector):
        """What of an element is on the screen, as a PNG."""
        element = self.element(selector)
        # Taking the picture would scroll there too, after settle().
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});", element)
        self.settle()
        return element.screenshot_as_png

    def page_picture(self):
        """The whole page, also what one has to scroll to."""
        self.settle()
        size = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", dict(
            format="png", captureBeyondViewport=True, clip=dict(x=0, y=0, width=size[0], height=size[1], scale=1)))
        return base64.b64decode(shot["data"])

    def errors(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
