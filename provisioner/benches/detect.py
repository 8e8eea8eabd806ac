"""Measures how fast `provisioner detect` uploads pictures and fetches their rows, beside `aws s3 cp --recursive`.

`cloud.py` plays AWS with a round trip of 40 ms, and has the row of a picture as soon as the picture is uploaded. Both
tools upload eight pictures at a time. All requests stay on 127.0.0.1.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
FIXTURE = HERE.parent / "fixtures" / "face.jpg"
# The same as in provisioner/src/commands/detect.rs.
PARALLEL_UPLOADS = 8
CONFIGURATION = f"[default]\ns3 =\n  max_concurrent_requests = {PARALLEL_UPLOADS}\n"


def seconds(command, environment):
    started = time.monotonic()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--peers", required=True, help="folder with the AWS CLI")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.04)
    options = parser.parse_args()
    cloud = subprocess.Popen([sys.executable, HERE / "cloud.py", str(options.delay)], stdout=subprocess.PIPE, text=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            compare(options, f"http://127.0.0.1:{cloud.stdout.readline().strip()}", pathlib.Path(folder))
    finally:
        cloud.terminate()


def compare(options, endpoint, folder):
    album, configuration = folder / "album", folder / "config"
    album.mkdir()
    configuration.write_text(CONFIGURATION)
    for number in range(options.pictures):
        # The bytes after the end of a JPEG are ignored, and make each picture another one.
        (album / f"{number:05}.jpg").write_bytes(FIXTURE.read_bytes() + str(number).encode())
    environment = {
        "PATH": f"{options.peers}:{os.environ['PATH']}", "HOME": str(folder), "AWS_CONFIG_FILE": str(configuration),
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    tools = {
        "`provisioner detect`": [options.program, "detect", album, "--stack", "s-0", "--endpoint-url", endpoint],
        "`aws s3 cp --recursive`": ["aws", "s3", "cp", album, "s3://pictures-0/", "--recursive", "--only-show-errors", "--endpoint-url", endpoint],
    }  # fmt: skip
    # The tools take turns, so that another load of the machine meets both.
    rounds = [{tool: seconds(command, environment) for tool, command in tools.items()} for _ in range(options.rounds)]
    medians = {tool: statistics.median(one[tool] for one in rounds) for tool in tools}
    ours, theirs = medians.values()
    print("| tool | pictures | seconds | pictures per second | ratio |\n|---|--:|--:|--:|--:|")
    for tool, median in medians.items():
        print(f"| {tool} | {options.pictures:,} | {median:.2f} | {options.pictures / median:,.0f} | {median / theirs:.2f} |")
    print(f"\n`detect` needs {ours / theirs:.2f} times as long; the goal is 1.2 at most")


if __name__ == "__main__":
    main()
