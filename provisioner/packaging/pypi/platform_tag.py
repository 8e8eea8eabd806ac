"""Names the machines that the wheel is for: PROVISIONER_PLATFORM, for example `manylinux_2_17_x86_64`, and any Python."""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PlatformTag(BuildHookInterface):
    def initialize(self, version, build_data):
        build_data["tag"] = f"py3-none-{os.environ['PROVISIONER_PLATFORM']}"
        build_data["pure_python"] = False
