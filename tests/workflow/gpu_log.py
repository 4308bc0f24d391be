"""A program in Strider's place that writes down which GPU each run was given, and how many were at work at once."""
import json
import sys
from collections import Counter

from scene import ROOT

PROGRAM = ROOT / "build/strider"

# Writes a line as a run begins and one as it ends. The first runs wait for each other, so that it shows how many can be
# at work at once; with fewer slots than that the test fails.
STAND_IN = '''#!{python} -B
import json, os, subprocess, sys, time
log, together, seconds = {log!r}, {together}, {seconds}
options = [word.partition("=")[::2] for word in sys.argv[1:] if word.startswith("--")]
gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
def write(**facts):
    with open(log, "a") as file:
        file.write(json.dumps(dict(facts, gpu=gpu)) + "\\n")
def begun():
    return open(log).read().count('"begin"')
command = "plan" if "--plan" in dict(options) else sys.argv[1]
write(event="begin" if command == "train" else command, device=dict(options).get("--device"),
      precision=dict(options).get("--precision"), threads=dict(options).get("--threads"))
if command != "train":
    os.execv({program!r}, sys.argv)
until = time.monotonic() + 60
while begun() < together:
    if time.monotonic() > until:
        sys.exit("only %d runs at once" % begun())
    time.sleep(0.02)
time.sleep(seconds)
done = subprocess.run([{program!r}, *sys.argv[1:]]) if len(sys.argv) > 2 else None
write(event="end")
sys.exit(done.returncode if done else 0)
'''


class GpuLog:
    def __init__(self, scene):
        self.scene = scene
        self.file = scene.folder / "gpus.log"
        self.file.touch()

    def stand_in(self, together, seconds=0.1):
        """Has the scene's sweep call it; `together` runs have to be at work at once."""
        file = self.scene.folder / "stand_in"
        file.write_text(STAND_IN.format(python=sys.executable, log=str(self.file), together=together, seconds=seconds,
                                        program=str(PROGRAM)))
        file.chmod(0o755)
        self.scene.environment["STRIDER"] = str(file)
        return file

    def events(self, *kinds):
        return [event for event in map(json.loads, self.file.read_text().splitlines()) if event["event"] in kinds]

    def most_at_once(self):
        """By GPU, and of all."""
        now, most = Counter(), Counter()
        for event in self.events("begin", "end"):
            for key in (event["gpu"], "all"):
                now[key] += 1 if event["event"] == "begin" else -1
                most[key] = max(most[key], now[key])
        if any(now.values()):
            raise AssertionError(f"runs that began have not ended: {now}")
        return dict(most)
