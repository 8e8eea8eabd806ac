"""Judges what `provisioner ci github` prints."""

import subprocess

import yaml
from cfnlint.api import ManualArgs, lint

from authorities import findings

REPOSITORY = "octocat/faces"


def ci_documents(program):
    """cfn-lint and parliament find nothing in the role of `ci github`, and its trust names one repository."""
    command = [program, "ci", "github", "--repo", REPOSITORY, "--account", "123456789012", "--region", "eu-west-1"]
    text = subprocess.run([*command, "--only", "role"], check=True, capture_output=True, text=True).stdout
    problems = [f"{match.rule.id} {match.message}" for match in lint(text, config=ManualArgs(regions=["eu-west-1"]))]
    resources = yaml.safe_load(text)["Resources"]
    documents = {name: it["Properties"]["PolicyDocument"] for name, it in resources.items() if "Policy" in it["Type"]}
    if len(documents) != 5:
        problems.append(f"policies: {sorted(documents)}")
    for name, document in documents.items():
        problems += [f"{name}: {finding}" for finding in findings(document)]
    (statement,) = resources["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    equals = statement["Condition"].pop("StringEquals")
    subjects = [subject for name, subject in equals.items() if name.endswith(":sub")]
    if subjects != [[f"repo:{REPOSITORY}:ref:refs/heads/main", f"repo:{REPOSITORY}:pull_request"]]:
        problems.append(f"the trust allows {subjects}")
    if statement["Condition"] or equals.get("token.actions.githubusercontent.com:aud") != "sts.amazonaws.com":
        problems.append(f"the trust has other conditions: {statement}")
    return problems
