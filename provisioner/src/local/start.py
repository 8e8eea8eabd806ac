"""Starts MiniStack, with one correction.

MiniStack's CloudFormation passes the value of a parameter on as text, as it was written. Its poller of event source
mappings compares `MaximumConcurrency` with a number, fails, and never receives a message.
"""

from ministack.app import main
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

MAPPING = _RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]


def with_number(properties):
    scaling = properties.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        scaling = {**scaling, "MaximumConcurrency": int(scaling["MaximumConcurrency"])}
        properties = {**properties, "ScalingConfig": scaling}
    return properties


def corrected(handler):
    return lambda *given: handler(*(with_number(value) if isinstance(value, dict) else value for value in given))


MAPPING["create"] = corrected(MAPPING["create"])
MAPPING["update"] = corrected(MAPPING["update"])

main()
