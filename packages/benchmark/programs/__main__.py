"""Entry of the zipapp: `python programs.pyz resnet50 …`, `… environment`, `… gpu-check`.

Everything else lives in one package, because a module of ours beside torch's names (`cuda.py`) would break its import.
"""

import sys

from gpu_actions_host.programs import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
