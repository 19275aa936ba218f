"""An nvidia-smi for tests: answers from a fixture, in the tool's own formats, and refuses unknown fields as it does."""

import json
import pathlib
import stat
import sys
import textwrap

PROGRAM = """\
#!{python}
import json, sys, time
gpus, apps = json.loads({told!r})
given = sys.argv[1:]
fields = sorted({{name for gpu in gpus for name in gpu}})
if "--help-query-gpu" in given:
    print("List of valid properties to query for the switch \\"--query-gpu=\\":\\n")
    for field in fields:
        other = field.replace("clocks.current.", "clocks.")
        print('"%s"' % field if other == field else '"%s" or "%s"' % (field, other))
        print("What it says of the GPU.\\n")
    sys.exit(0)
asked = [one.partition("=")[2].split(",") for one in given if one.startswith("--query-gpu=")]
if any(one.startswith("--query-compute-apps=") for one in given):
    print("\\n".join(str(pid) for pid in apps))
    sys.exit(0)
if not asked:
    sys.exit(2)
for field in asked[0]:
    if field not in fields:
        print('Field "%s" is not a valid field to query.' % field)
        sys.exit(2)
pause = float(given[given.index("-lms") + 1]) / 1000 if "-lms" in given else None
while True:
    for gpu in gpus:
        print(", ".join(gpu[field] for field in asked[0]), flush=True)
    if pause is None:
        break
    time.sleep(pause)
"""


def install(folder, gpus, apps=()):
    """Puts it into a folder, which is to stand first on PATH."""
    told = json.dumps([gpus, list(apps)])
    path = pathlib.Path(folder) / "nvidia-smi"
    path.write_text(textwrap.dedent(PROGRAM).format(python=sys.executable, told=told))
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(folder)
