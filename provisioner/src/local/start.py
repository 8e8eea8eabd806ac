"""Starts MiniStack, with three corrections.

- MiniStack's CloudFormation passes the value of a parameter on as text, as it was written. Its poller of event source
  mappings compares `MaximumConcurrency` with a number, fails, and never receives a message.
- Its ListObjectVersions ignores `encoding-type`, so a key with a control character makes the reply unreadable.
- In its policies, `*` does not stand for a line break, so the function may not read a key that contains one.
"""

import re
from urllib.parse import quote
from xml.sax.saxutils import unescape

from ministack.app import main
from ministack.core import iam_evaluator
from ministack.services import s3
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

list_object_versions = s3._list_object_versions


def encoded_versions(bucket, query):
    status, headers, body = list_object_versions(bucket, query)
    if status == 200 and s3._qp(query, "encoding-type", "") == "url":
        # With these characters, the reply is not XML, so it cannot be parsed.
        body = re.sub(
            r"<(Key|KeyMarker|NextKeyMarker|Prefix)>([^<]*)</",
            lambda found: f"<{found[1]}>{quote(unescape(found[2]))}</",
            body.decode(),
        )
        body = body.replace("<Name>", "<EncodingType>url</EncodingType><Name>", 1).encode()
    return status, headers, body


s3._list_object_versions = encoded_versions

compile_pattern = iam_evaluator._fnmatch_compile


def compile_with_line_breaks(pattern, ignore_case):
    compiled = compile_pattern(pattern, ignore_case)
    return re.compile(compiled.pattern, compiled.flags | re.DOTALL)


iam_evaluator._fnmatch_compile = compile_with_line_breaks

main()
