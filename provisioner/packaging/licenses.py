"""Prints the licenses of everything that is compiled into the program, with their texts.

The list is the same for each target, so that one file can accompany all programs of a release. Each crate must have a license file, or one of its licenses must be among the texts that come with rustc; otherwise
nothing is printed. cargo-deny decides which licenses are acceptable (`make deny`).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = ["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl", "aarch64-apple-darwin", "x86_64-apple-darwin"]
# Files of other origins in the program.
OTHERS = [
    ("provisioner/fixtures", ROOT / "provisioner/fixtures/README.md"),
    ("provisioner/src/local/rekognition/model", ROOT / "provisioner/src/local/rekognition/model/LICENSE"),
    ("musl", ROOT / "provisioner/packaging/musl.txt"),
]
IS_LICENSE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def compiled():
    """The packages that are linked for at least one of the targets: no build scripts and no tests."""
    platforms = [f"--filter-platform={target}" for target in TARGETS]
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", *platforms))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, waiting = set(), list(metadata["workspace_members"])
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            dependencies = nodes[package]["deps"]
            waiting += [it["pkg"] for it in dependencies if any(kind["kind"] is None for kind in it["dep_kinds"])]
    return sorted((packages[package] for package in found), key=lambda package: (package["name"], package["version"]))


def texts(package, standard):
    """The license texts of a package."""
    folder = ROOT if package["source"] is None else Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if IS_LICENSE.match(path.name) and path.is_file())
    if files:
        return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]
    for name in re.split(r" OR | AND |/|[()]", package["license"] or ""):
        path = standard / f"{name.strip()}.txt"
        if name.strip() and path.is_file():
            holders = ", ".join(package["authors"]) or f"the authors of {package['repository']}"
            return [f"Copyright (c) {holders}\n\n{path.read_text(encoding='utf-8').strip()}"]
    sys.exit(f"error: {package['name']} {package['version']} ({package['license']}) contains no license text")


def main():
    rust = Path(output("rustc", "--print", "sysroot").strip()) / "share/doc/rust"
    names, of_text = [], {}
    for package in compiled():
        name = f"{package['name']} {package['version']}"
        names.append(f"{name}: {package['license']}")
        for text in texts(package, rust / "licenses"):
            of_text.setdefault(text, []).append(name)
    for name, path in OTHERS:
        of_text.setdefault(path.read_text(encoding="utf-8").strip(), []).append(name)
    print("This program contains the following packages. Rust's standard library is described in RUST-LICENSES.html.\n")
    print("\n".join(names))
    for text, users in of_text.items():
        print(f"\n{'=' * 80}\n{', '.join(users)}\n{'=' * 80}\n\n{text}")


main()
