"""The judge of the regions: the program, moto's copy of AWS's public list, and botocore must name the same ones."""

import json
import logging
import os
import subprocess

from authorities import rekognition_regions
from moto.server import ThreadedMotoServer


def listed_by(program):
    """What `provisioner regions --live` lists, asking a Systems Manager played by moto on 127.0.0.1."""
    # moto has no Service Quotas, and says so at length; the program shows no quota then.
    logging.disable(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        command = [program, "regions", "--live", "--output", "json", "--endpoint-url", f"http://{host}:{port}"]
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        environment = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **credentials}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    finally:
        server.stop()
        logging.disable(logging.NOTSET)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["name"] for event in events if event["type"] == "regions" for row in event["regions"]}


def regions_agree(listed, known):
    """the regions that AWS publishes, as the program reads them, are those of botocore."""
    for region in sorted(listed ^ known):
        yield f"{region} is only in {'the published list' if region in listed else 'botocore'}"


def judge(program):
    """Sentences with their problems."""
    listed, known = listed_by(program), rekognition_regions()
    yield f"The regions: {regions_agree.__doc__}", list(regions_agree(listed, known))
    for damage, other in (("a region too many", known - {"eu-west-1"}), ("a region too few", known | {"eu-west-3"})):
        noticed = list(regions_agree(listed, other))
        yield f"regions_agree notices {damage}", [] if noticed else ["it did not"]
