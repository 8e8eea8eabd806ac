"""The judge of the requests: each must be one that botocore's models of the services describe.

`make torture` records the requests, one JSON object per line: service, method, path, query, headers, and body (Base64).
At the end, recorded requests are damaged on purpose, and each damage must be noticed.
"""

import base64
import json
import re
import sys
from collections import Counter
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from authorities import BOTOCORE
from botocore.model import ServiceModel
from botocore.parsers import RpcV2CBORParser
from botocore.validate import ParamValidator

MODELS = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
# Newer than botocore's models, or not part of them.
HEADERS = {"x-amz-user-agent", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-target"}
_models = {}


def model_of(service):
    """The model of a service by its name in signatures."""
    name = MODELS.get(service, service)
    if name not in _models:
        _models[name] = ServiceModel(BOTOCORE.load_service_model(name, "service-2"), name)
    return _models[name]


class Wrong(Exception):
    """A request that the models do not describe."""


def judge(request):
    """Raises `Wrong` unless the request is valid; returns its operation."""
    model = model_of(request["service"])
    body = base64.b64decode(request["body"])
    headers = {name.lower(): value for name, value in request["headers"].items()}
    query = dict(parse_qsl(request["query"], keep_blank_values=True))
    protocol = model.metadata["protocol"]
    if protocol == "query":
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = named(model, form.pop("Action", ""))
        if form.pop("Version", "") != model.metadata["apiVersion"]:
            raise Wrong("the version is not the model's")
        given = nested(operation.input_shape, form)
    elif protocol == "json":
        prefix, _, name = headers.get("x-amz-target", "").rpartition(".")
        if prefix != model.metadata["targetPrefix"]:
            raise Wrong(f"the target {prefix} is not {model.metadata['targetPrefix']}")
        operation = named(model, name)
        given = known(operation.input_shape, json.loads(body or b"{}"))
    elif protocol == "smithy-rpc-v2-cbor":
        operation = named(model, request["path"].rsplit("/", 1)[-1])
        given = known(operation.input_shape, RpcV2CBORParser().parse_data_item(stream(body)))
    else:
        operation, given = rest(model, request, headers, query, body)
    report = ParamValidator().validate(given, operation.input_shape) if operation.input_shape else None
    if report and report.has_errors():
        raise Wrong(report.generate_report())
    return f"{request['service']}:{operation.name}"


def named(model, name):
    """An operation of the model."""
    if name not in model.operation_names:
        raise Wrong(f"there is no operation {name!r}")
    return model.operation_model(name)


def stream(body):
    """What the CBOR parser reads from."""
    import io

    return io.BufferedReader(io.BytesIO(body))


def known(shape, value):
    """The value, if all its members are in the shape; `ParamValidator` ignores others."""
    if shape is None:
        if value:
            raise Wrong(f"the operation has no input: {value}")
    elif shape.type_name == "structure":
        for name, member in (value or {}).items():
            if name not in shape.members:
                raise Wrong(f"{shape.name} has no member {name!r}")
            known(shape.members[name], member)
    elif shape.type_name == "list":
        for member in value:
            known(shape.member, member)
    return value or {}


def nested(shape, form):
    """The structure that a form such as `Tags.member.1.Key=a` describes."""
    tree = {}
    for path, value in form.items():
        node, parts = tree, path.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        node[parts[-1]] = value
    return typed(shape, tree)


def typed(shape, node):
    """The form's texts as values of the shape's types."""
    if shape.type_name == "structure":
        unknown = set(node) - set(shape.members)
        if unknown:
            raise Wrong(f"{shape.name} has no member {sorted(unknown)}")
        return {name: typed(shape.members[name], value) for name, value in node.items()}
    if shape.type_name == "list":
        if not node:
            return []
        if set(node) != {"member"}:
            raise Wrong(f"a list has {sorted(node)}")
        return [typed(shape.member, value) for _, value in sorted(node["member"].items(), key=lambda one: int(one[0]))]
    return scalar(shape, node)


def scalar(shape, text):
    """A text as a value of a simple type."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "boolean":
        if text not in ("true", "false"):
            raise Wrong(f"{text!r} is not a boolean")
        return text == "true"
    return text


def rest(model, request, headers, query, body):
    """The operation of a request to S3 or Lambda, and its parameters."""
    path, query = request["path"], {name: value for name, value in query.items() if name != "x-id"}
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        pattern, _, static = operation.http["requestUri"].partition("?")
        # A bucket in the path is followed by its key; the last one may contain slashes.
        expression = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern)))
        parts = re.fullmatch(expression.rstrip("/") + "/?", path)
        fixed = dict(parse_qsl(static, keep_blank_values=True))
        if operation.http["method"] == request["method"] and parts and fixed.items() <= query.items():
            shape = operation.input_shape
            members = shape.members if shape else {}
            names = {member.serialization.get("name", key): key for key, member in members.items()
                     if member.serialization.get("location") == "querystring"}
            # CopyObject, for example, is PutObject with another header.
            given = set(query) | set(headers)
            needed = {members[key].serialization.get("name", key).lower() for key in (shape.required_members if shape else [])
                      if members[key].serialization.get("location") in ("querystring", "header")}
            if set(query) - set(fixed) <= set(names) and needed <= {name.lower() for name in given}:
                found.append(((len(fixed), not operation.deprecated), operation, fixed, names, parts))
    if not found:
        raise Wrong(f"no operation has this method, path and query: {request['method']} {path} {sorted(query)}")
    # PutBucketNotification, which is deprecated, has the same path and query as the operation that replaced it.
    _, operation, fixed, names, parts = max(found, key=lambda one: one[0])
    members = operation.input_shape.members if operation.input_shape else {}
    given = {key: scalar(members[key], query[name]) for name, key in names.items() if name in query}
    for key, member in members.items():
        place, name = member.serialization.get("location"), member.serialization.get("name", key)
        if place == "uri":
            given[key] = unquote(parts[name])
        elif place == "header" and name.lower() in headers:
            text = headers[name.lower()]
            given[key] = text if member.type_name == "timestamp" else scalar(member, text)
    allowed = {member.serialization.get("name", key).lower() for key, member in members.items()
               if member.serialization.get("location") == "header"} | HEADERS
    unknown = [name for name in headers if name.startswith("x-amz-") and name not in allowed
               and not name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-meta-"))]
    if unknown:
        raise Wrong(f"{operation.name} has no headers {unknown}")
    payload = operation.input_shape.serialization.get("payload") if operation.input_shape else None
    if payload and members[payload].type_name == "blob":
        given[payload] = body
    elif payload and body:
        given[payload] = xml(members[payload], ElementTree.fromstring(body))
    elif body:
        given.update(known(operation.input_shape, json.loads(body)))
    return operation, given


def xml(shape, element):
    """The value of an XML element."""
    if shape.type_name == "structure":
        members = {member.serialization.get("name", key): key for key, member in shape.members.items()}
        value = {}
        for child in element:
            tag = child.tag.rpartition("}")[2]
            if tag not in members:
                raise Wrong(f"{shape.name} has no element {tag!r}")
            key = members[tag]
            member = shape.members[key]
            if member.type_name == "list" and member.serialization.get("flattened"):
                value.setdefault(key, []).append(xml(member.member, child))
            else:
                value[key] = xml(member, child)
        return value
    if shape.type_name == "list":
        return [xml(shape.member, child) for child in element]
    return scalar(shape, element.text or "")


def body_of(request, change):
    """The request with another body."""
    body = base64.b64decode(request["body"]).decode()
    changed = change(body)
    return None if changed == body else request | {"body": base64.b64encode(changed.encode()).decode()}


def headers_of(request, **headers):
    """The request with more headers."""
    return request | {"headers": request["headers"] | {name.replace("_", "-"): value for name, value in headers.items()}}


# What is damaged, the protocol of the requests that can be damaged in this way, and the damaged copy of a request.
DAMAGES = [
    ("an unknown operation", "query", lambda one: body_of(one, lambda text: re.sub(r"Action=\w+", "Action=DoNothing", text))),
    ("another version", "query", lambda one: body_of(one, lambda text: re.sub(r"Version=[\d-]+", "Version=2000-01-01", text))),
    ("an unknown parameter", "query", lambda one: body_of(one, lambda text: text + "&Unknown=1")),
    ("an unknown operation", "json", lambda one: headers_of(one, x_amz_target=one["headers"]["x-amz-target"] + "s")),
    ("an unknown member", "json", lambda one: body_of(one, lambda text: text.replace("{", '{"Unknown": 1,', 1) if len(text) > 2 else text)),
    ("a number as a name", "json", lambda one: body_of(one, lambda text: re.sub(r'"TableName": ?"[^"]+"', '"TableName":7', text))),
    ("an unknown parameter", "rest-xml", lambda one: one | {"query": one["query"] + "&unknown=1"}),
    ("an unknown header", "rest-xml", lambda one: headers_of(one, x_amz_unknown="1")),
    ("another method", "rest-xml", lambda one: one | {"method": "PATCH"}),
    ("another path", "rest-json", lambda one: one | {"path": one["path"] + "/unknown/path"}),
    ("another server", "query", lambda one: headers_of(one, host="cloudformation.eu-west-1.amazonaws.com")),
]


def self_test(requests):
    """The damages, each with the number of requests that have it, and of those in which the judge does not notice it."""
    for what, protocol, damage in DAMAGES:
        fitting = [one for one in requests if model_of(one["service"]).metadata["protocol"] == protocol]
        damaged = [copy for copy in map(damage, fitting) if copy]
        yield f"{what} ({protocol})", len(damaged), sum(not problem_of(copy) for copy in damaged)


def problem_of(request):
    """What is wrong with a request; `None` if nothing is."""
    try:
        judge(request)
    except Wrong as problem:
        return problem
    host = request["headers"].get("host", "")
    # Each bucket and each service could have a host name of its own.
    return None if re.fullmatch(r"127\.0\.0\.1:\d+", host) else f"it went to {host or 'an unknown server'}"


def main():
    """Judges the requests in the files that the arguments name."""
    operations, wrong, good = Counter(), Counter(), []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as lines:
            for line in lines:
                request = json.loads(line)
                if problem := problem_of(request):
                    wrong[f"{request['service']} {request['method']} {request['path']}: {problem}"] += 1
                else:
                    operations[judge(request)] += 1
                    good.append(request)
    for problem, count in wrong.items():
        print(f"FAILED  {problem} ({count} times)")
    tested = list(self_test(good))
    missed = [f"{what} is not noticed in {count} of {of} requests" for what, of, count in tested if count]
    for problem in missed:
        print(f"FAILED  {problem}")
    # Not every recording has requests of all protocols.
    tried = sum(of > 0 for _, of, _ in tested)
    print(f"{len(good)} requests of {len(operations)} operations; {tried} of {len(DAMAGES)} kinds of damage tried")
    return 1 if wrong or missed or not operations else 0


if __name__ == "__main__":
    sys.exit(main())
