"""Reads a CloudFormation template and resolves it for given parameters, as far as this one template goes.

This is no CloudFormation: what it does not know is an error, never a guess.
"""

import re

import yaml

# Invented ids of resources whose name CloudFormation makes up.
GENERATED = {
    "AWS::Events::Rule": "face-recognition-{}-0123456789AB",
    "AWS::IAM::Role": "face-recognition-{}-0123456789AB",
    "AWS::SQS::Queue": "face-recognition-{}-0123456789AB",
}

NAMED_BY = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
}

ARNS = {
    "AWS::DynamoDB::Table": "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "arn:{partition}:events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role{path}{name}",
    "AWS::Lambda::Function": "arn:{partition}:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{name}",
}

NO_VALUE = object()
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


class Loader(yaml.SafeLoader):
    """YAML in which `!Sub x` is `{"Fn::Sub": x}`, so that short and long forms are one."""


def short_form(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


def walk(node):
    """Every mapping and list in a document, itself included."""
    if isinstance(node, (dict, list)):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from walk(child)


def names_in(node):
    """What a part of a template refers to: parameters, pseudo parameters and resources."""
    names = set()
    for part in walk(node):
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("Ref"), str):
            names.add(part["Ref"])
        if "Fn::GetAtt" in part:
            names.add(part["Fn::GetAtt"][0])
        if "Fn::Sub" in part:
            text, own = part["Fn::Sub"], {}
            if isinstance(text, list):
                text, own = text
            names |= {name.split(".")[0] for name in PLACEHOLDER.findall(text)} - set(own)
    return names


class Template:
    """A template's text, and its body with the functions in their long form."""

    def __init__(self, text):
        self.text = text
        self.body = yaml.load(text, Loader)

    def dependencies(self):
        """For each resource, the other resources that must stand before it."""
        resources = self.body["Resources"]
        needs = {}
        for name, resource in resources.items():
            depends = resource.get("DependsOn", [])
            explicit = {depends} if isinstance(depends, str) else set(depends)
            needs[name] = (explicit | names_in(resource.get("Properties", {}))) & set(resources)
        return needs

    def render(self, parameters, region, partition, account, stack="face-recognition"):
        """The resources that exist for these parameters, with every function resolved."""
        rendering = self.rendering(parameters, region, partition, account, stack)
        return {
            name: {**resource, "Properties": rendering.value(resource.get("Properties", {}))}
            for name, resource in self.body["Resources"].items()
            if "Condition" not in resource or rendering.condition(resource["Condition"])
        }

    def rendering(self, parameters, region, partition, account, stack="face-recognition"):
        """A resolution of the template for these parameters."""
        values = {name: it.get("Default") for name, it in self.body["Parameters"].items()} | parameters
        lists = {
            name: str(values[name]).split(",")
            for name, it in self.body["Parameters"].items()
            if it["Type"] == "CommaDelimitedList"
        }
        pseudo = {
            "AWS::Region": region,
            "AWS::Partition": partition,
            "AWS::AccountId": account,
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        return Rendering(self.body, values | lists | pseudo)

    def refusals(self, parameters, region, partition, account):
        """The descriptions of the assertions of Rules that do not hold."""
        rendering = self.rendering(parameters, region, partition, account)
        return [
            assertion["AssertDescription"]
            for rule in self.body["Rules"].values()
            if "RuleCondition" not in rule or rendering.truth(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not rendering.truth(assertion["Assert"])
        ]


class Rendering:
    """One resolution of a template: its values and what follows from them."""

    def __init__(self, body, values):
        self.body = body
        self.values = values

    def condition(self, name):
        return self.truth(self.body["Conditions"][name])

    def truth(self, expression):
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Equals":
            left, right = (str(self.value(side)) for side in argument)
            return left == right
        if function == "Fn::Not":
            return not self.truth(argument[0])
        if function == "Fn::And":
            return all(self.truth(part) for part in argument)
        if function == "Fn::Or":
            return any(self.truth(part) for part in argument)
        if function == "Fn::Contains":
            return self.value(argument[1]) in self.value(argument[0])
        raise ValueError(f"unknown condition function {function}")

    def value(self, node):
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref":
                return self.ref(argument)
            if function.startswith("Fn::"):
                return self.call(function, argument)
        resolved = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def call(self, function, argument):
        if function == "Fn::If":
            name, yes, no = argument
            return self.value(yes if self.condition(name) else no)
        if function == "Fn::GetAtt":
            return self.attribute(*argument)
        if function == "Fn::Sub":
            text, own = argument if isinstance(argument, list) else (argument, {})
            own = {name: self.value(value) for name, value in own.items()}
            return PLACEHOLDER.sub(lambda match: str(self.named(match[1], own)), text)
        if function == "Fn::Join":
            return argument[0].join(self.value(argument[1]))
        raise ValueError(f"unknown function {function}")

    def named(self, name, own):
        if name in own:
            return own[name]
        return self.attribute(*name.split(".", 1)) if "." in name else self.ref(name)

    def ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.physical_name(name)

    def physical_name(self, name):
        resource = self.body["Resources"][name]
        kind = resource["Type"]
        return GENERATED[kind].format(name) if kind in GENERATED else self.value(resource["Properties"][NAMED_BY[kind]])

    def attribute(self, name, attribute):
        kind, physical = self.body["Resources"][name]["Type"], self.physical_name(name)
        if attribute == "Arn":
            pseudo = {
                key: self.values[f"AWS::{label}"]
                for key, label in (("partition", "Partition"), ("region", "Region"), ("account", "AccountId"))
            }
            path = self.value(self.body["Resources"][name]["Properties"].get("Path", "/"))
            return ARNS[kind].format(name=physical, path="/" if path is NO_VALUE else path, **pseudo)
        if attribute == "QueueName":
            return physical
        raise ValueError(f"unknown attribute {name}.{attribute}")
