"""Installs what `make dist` and `make packages` made, each in an empty folder, and runs it: test_packages.py VERSION FOLDER TARGET

Nothing is downloaded: pip, uv and npm are offline and install local files.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path

import node

MAXIMUM_BYTES = 30_000_000
VERSION, FOLDER, TARGET = sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3]
PROGRAM = FOLDER / f"provisioner-{TARGET}"
ARCHITECTURE = TARGET.split("-")[0]


def environment(home):
    """Nothing of the user's: no AWS settings, no caches, no configuration of pip or npm."""
    offline = {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never", "NPM_CONFIG_OFFLINE": "true", "PIP_NO_INDEX": "1"}
    return {"HOME": str(home), "PATH": f"{node.FOLDER}:/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | offline


def output(command, folder, env, code=0):
    result = subprocess.run(list(map(str, command)), cwd=folder, env=env, capture_output=True, text=True)
    assert result.returncode == code, f"{command}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout or result.stderr


def behaves(command, folder, env):
    """What each way of installing must give: the version, and the exit code of a mistake."""
    assert output([*command, "--version"], folder, env) == f"provisioner {VERSION}\n"
    assert "unrecognized subcommand" in output([*command, "no-such-command"], folder, env, code=2)


def plain(folder, env):
    """the program in an empty folder prints what it contains, and packages its functions"""
    program = shutil.copy(PROGRAM, folder / "provisioner")
    program.chmod(0o755)
    behaves([program], folder, env)
    assert "eu-west-1" in output([program, "regions"], folder, env)
    assert "AWS::Lambda::Function" in output([program, "template"], folder, env)
    assert json.loads(output([program, "schema"], folder, env))["$schema"]
    for architecture, machine in [("arm64", 183), ("x86_64", 62)]:
        output([program, "build", "--architecture", architecture, "--zip", "function.zip"], folder, env)
        package = (folder / "function.zip").read_bytes()
        assert package == (FOLDER / f"function-{architecture}.zip").read_bytes(), f"other package for {architecture}"
        executable = zipfile.ZipFile(folder / "function.zip").read("bootstrap")
        assert executable[:4] == b"\x7fELF" and int.from_bytes(executable[18:20], "little") == machine


def contents(_folder, _env):
    """the program is small and static, and names its dependencies; the checksums are right"""
    program = PROGRAM.read_bytes()
    if "linux" in TARGET:
        assert len(program) <= MAXIMUM_BYTES, f"{len(program)} bytes"
        headers, size, count = (int.from_bytes(program[at : at + n], "little") for at, n in [(32, 8), (54, 2), (56, 2)])
        kinds = [int.from_bytes(program[headers + size * i :][:4], "little") for i in range(count)]
        assert 3 not in kinds, "the program needs a loader, so it is not static"
        start = program.index(b"\x78", section(program, b".dep-v0"))
        audited = json.loads(zlib.decompressobj().decompress(program[start:]))
        assert {"provisioner", "rustls"} <= {package["name"] for package in audited["packages"]}
    components = json.loads((FOLDER / f"provisioner-{TARGET}.cdx.json").read_text())["components"]
    assert {"rustls", "aws-sdk-s3"} <= {component["name"] for component in components}
    names = set()
    for line in (FOLDER / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        names.add(name)
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
    assert names == {path.name for path in FOLDER.iterdir()} - {"SHA256SUMS"}, "files without a checksum"


def section(program, name):
    """Where a section of an ELF file begins."""
    headers = int.from_bytes(program[40:48], "little")
    size, count, names = (int.from_bytes(program[at : at + 2], "little") for at in (58, 60, 62))
    fields = [program[headers + size * i :][:size] for i in range(count)]
    strings = int.from_bytes(fields[names][24:32], "little")
    for field in fields:
        start = strings + int.from_bytes(field[:4], "little")
        if program[start : program.index(b"\0", start)] == name:
            return int.from_bytes(field[24:32], "little")
    raise AssertionError(f"there is no section {name}")


def wheel(folder, env):
    """pip installs the wheel, and uvx runs it"""
    (file,) = FOLDER.glob(f"provisioner-{VERSION}-py3-none-*{ARCHITECTURE}.whl")
    output([sys.executable, "-m", "venv", "venv"], folder, env)
    output(["venv/bin/python", "-m", "pip", "install", "--quiet", file], folder, env)
    behaves([folder / "venv/bin/provisioner"], folder, env)
    uv = Path(sys.executable).parent / "uv"
    behaves([uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", file, "provisioner"], folder, env)


def npm(folder, env):
    """npm installs the package, and npx runs it"""
    file = FOLDER / f"provisioner-{VERSION}.tgz"
    output([*node.NPM, "install", "--no-audit", "--no-fund", file], folder, env)
    behaves([*node.NPX, "--no-install", "provisioner"], folder, env)
    assert (folder / "node_modules/provisioner/LICENSES.txt").exists()


def other_machines(folder, env):
    """the npm package names WSL on Windows, and the machine if there is no program for it"""
    script = shutil.copy(Path(__file__).parent / "npm/provisioner.js", folder)
    for platform, words in [("win32", "run it in WSL"), ("sunos", "no program for sunos-")]:
        pretend = f"Object.defineProperty(process, 'platform', {{ value: '{platform}' }}); require({json.dumps(script)})"
        assert words in output([node.NODE, "--eval", pretend], folder, env, code=1)


def signals(folder, env):
    """a signal to the npm package's script reaches the program, whose end is the script's"""
    script = shutil.copy(Path(__file__).parent / "npm/provisioner.js", folder)
    machine = output([node.NODE, "--print", "`${process.platform}-${process.arch}`"], folder, env).strip()
    program = folder / "programs" / machine / "provisioner"
    program.parent.mkdir(parents=True)
    waits = "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(42)); print('ready', flush=True); signal.pause()"
    program.write_text(f"#!{sys.executable}\n{waits}\n")
    program.chmod(0o755)
    with subprocess.Popen([node.NODE, script], env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)  # which the script leaves to the program
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 42


def main():
    for test in [contents, plain, wheel, npm, other_machines, signals]:
        with tempfile.TemporaryDirectory() as temporary:
            folder, home = Path(temporary, "empty"), Path(temporary, "home")
            folder.mkdir()
            home.mkdir()
            test(folder, environment(home))
        print(f"ok      {test.__doc__}")


main()
