"""The judge of the regions: the program's built-in table and botocore must name the same ones."""

import json
import subprocess

from authorities import rekognition_regions


def listed_by(program):
    """The regions in which the system can run, according to the program."""
    done = subprocess.run([program, "regions", "--output", "json"], check=True, capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["name"] for event in events if event["type"] == "regions" for row in event["regions"]}


def regions_agree(listed, known):
    """the program's built-in table has the regions of botocore."""
    for region in sorted(listed ^ known):
        yield f"{region} is only in {'the built-in table' if region in listed else 'botocore'}"


def judge(program):
    """Sentences with their problems."""
    listed, known = listed_by(program), rekognition_regions()
    yield f"The regions: {regions_agree.__doc__}", list(regions_agree(listed, known))
    for damage, other in (("a region too many", known - {"eu-west-1"}), ("a region too few", known | {"eu-west-3"})):
        noticed = list(regions_agree(listed, other))
        yield f"regions_agree notices {damage}", [] if noticed else ["it did not"]
