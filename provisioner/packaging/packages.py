"""Makes a wheel for each program in a folder, and an npm package of all of them: packages.py VERSION FOLDER

Nothing is compiled: the programs are those that `make dist` left there. Needs hatchling and Node (requirements.txt).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import node

HERE = Path(__file__).parent
# For each target of rustc: the name of the wheel's platforms, and Node's name of the machine. A static program runs with any C library.
MACHINES = {
    "x86_64-unknown-linux-musl": ("manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64", "linux-x64"),
    "aarch64-unknown-linux-musl": ("manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64", "linux-arm64"),
    "aarch64-apple-darwin": ("macosx_11_0_arm64", "darwin-arm64"),
    "x86_64-apple-darwin": ("macosx_10_12_x86_64", "darwin-x64"),
}


def stage(manifests, folder, target):
    """A copy of the manifests with what both kinds of package contain."""
    shutil.copytree(manifests, target, dirs_exist_ok=True)
    shutil.copy(HERE / "PACKAGE.md", target / "README.md")
    shutil.copy(HERE.parents[1] / "LICENSE", target)
    for name in ["LICENSES.txt", "RUST-LICENSES.html"]:
        shutil.copy(folder / name, target)


def copy_program(program, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)
    target.chmod(0o755)


def main():
    version, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    programs = {path: MACHINES[name] for name in MACHINES if (path := folder / f"provisioner-{name}").exists()}
    if not programs:
        sys.exit(f"error: `{folder}` contains no program\n  hint: run `make dist`")
    with tempfile.TemporaryDirectory() as temporary:
        for program, (platform, machine) in programs.items():
            source = Path(temporary) / "pypi" / machine
            stage(HERE / "pypi", folder, source)
            copy_program(program, source / "provisioner")
            settings = {"PROVISIONER_VERSION": version, "PROVISIONER_PLATFORM": platform, "SOURCE_DATE_EPOCH": "315532800"}
            command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
            subprocess.run(command, check=True, cwd=source, env=os.environ | settings)
        source = Path(temporary) / "npm"
        stage(HERE / "npm", folder, source)
        for program, (_, machine) in programs.items():
            copy_program(program, source / "programs" / machine / "provisioner")
        settings = {"PATH": f"{node.FOLDER}:{os.environ['PATH']}", "NPM_CONFIG_OFFLINE": "true"}
        for arguments in (["version", version, "--no-git-tag-version"], ["pack", "--silent", "--pack-destination", folder]):
            subprocess.run([*node.NPM, *arguments], check=True, cwd=source, env=os.environ | settings)


main()
