"""The judge of updates: a stack that was deployed from an earlier template keeps its resources and its settings."""

from itertools import product

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from states import ACCOUNT, CODE, STATES

# What decides in the earlier templates about which resources there are, and under which names.
DECISIVE = ("BucketName", "TlsOnly", "FailureQueue", "Alarms", "Versioning", "RetentionDays")


def fixed_properties(kind):
    """The properties of a resource type that CloudFormation cannot change without replacing the resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
    return {path.removeprefix("/properties/").split("/")[0] for path in paths}


def updates_in_place(new, old):
    """The update keeps every parameter with its value, every output, and every resource without replacing it."""
    problems = [
        f"the parameter {name} is missing" for name in sorted(set(old.body["Parameters"]) - set(new.body["Parameters"]))
    ]
    problems += [
        f"the output {name} is missing" for name in sorted(set(old.body["Outputs"]) - set(new.body["Outputs"]))
    ]
    for name, parameter in old.body["Parameters"].items():
        left = set(parameter.get("AllowedValues", [])) - set(
            new.body["Parameters"].get(name, {}).get("AllowedValues", [])
        )
        if left and "AllowedValues" in new.body["Parameters"].get(name, {}):
            problems.append(f"{name} no longer allows {sorted(left)}")
    for values in product(*(STATES[name] for name in DECISIVE)):
        # An update sends the deployed value of every parameter; only new ones get their default.
        settings = {name: it["Default"] for name, it in old.body["Parameters"].items() if "Default" in it} | dict(
            zip(DECISIVE, values)
        )
        before, after = (it.render({**CODE, **settings}, "eu-west-1", "aws", ACCOUNT) for it in (old, new))
        label = ", ".join(f"{name}={value}" for name, value in zip(DECISIVE, values))
        for logical_id, resource in before.items():
            if logical_id not in after:
                problems.append(f"{label}: {logical_id} is deleted")
                continue
            successor = after[logical_id]
            if resource["Type"] != successor["Type"]:
                problems.append(f"{label}: {logical_id} becomes a {successor['Type']}")
            for name in sorted(fixed_properties(resource["Type"])):
                was, becomes = (it["Properties"].get(name) for it in (resource, successor))
                if was != becomes:
                    problems.append(
                        f"{label}: {logical_id} is replaced, because {name} changes from {was} to {becomes}"
                    )
    return problems
