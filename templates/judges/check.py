"""Judges the template, the policies of its deployers, the program's list of regions, and its choice of credentials,
without an AWS account.

    python -m venv venv
    venv/bin/pip install --require-hashes -r templates/judges/requirements.txt
    venv/bin/python templates/judges/check.py target/debug/provisioner

There are three outside authorities: cfn-lint (the schemas that CloudFormation publishes for each region), parliament
(AWS's own list of actions, resources, and condition keys), and botocore (where Rekognition is, and whose credentials
apply). They cannot know what this system intends. The judges therefore contain that in full and compare it. At the
end, template and policies are damaged on purpose, once for every promise, and each damage must be noticed.
"""

import sys
from pathlib import Path

import judge_attached
import judge_ci
import judge_credentials
import judge_regions
import judge_settings
import judge_stack
from damages import DAMAGES, POLICY_DAMAGES, UPDATE_DAMAGES
from judge_deployer import POLICY_JUDGES, print_policies
from judge_stack import lints
from judge_update import updates_in_place
from render import Template

HERE = Path(__file__).parent


def main():
    passed = failed = 0

    def report(sentence, problems):
        nonlocal passed, failed
        if problems:
            failed += 1
            print(f"FAILED  {sentence}")
            for problem in problems[:10]:
                print(f"        {problem}")
            if len(problems) > 10:
                print(f"        and {len(problems) - 10} more")
        else:
            passed += 1
            print(f"ok      {sentence}")

    text = (HERE.parent / "stack.yaml").read_text(encoding="utf-8")
    template = Template(text)
    policies = print_policies(sys.argv[1])
    for judge in judge_stack.JUDGES + judge_settings.JUDGES:
        report(judge.__doc__, judge(template))
    earlier = {path.stem: Template(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("deployed/*.yaml"))}
    for commit, old in earlier.items():
        report(f"From the template of {commit}: {updates_in_place.__doc__}", updates_in_place(template, old))
    for judge in POLICY_JUDGES:
        report(f"The deployer's policies: {judge.__doc__}", judge(policies, template))
    report(judge_ci.ci_documents.__doc__, judge_ci.ci_documents(sys.argv[1]))
    for judge, damage, old, new in DAMAGES:
        assert old in text, f"there is nothing to damage: {old}"
        # One region is enough to see that cfn-lint looks at all.
        arguments = [{"eu-west-1"}] if judge is lints else []
        noticed = judge(Template(text.replace(old, new, 1)), *arguments)
        report(f"{judge.__name__} notices {damage}", [] if noticed else ["it did not"])
    for damage, old, new in UPDATE_DAMAGES:
        assert old in text, f"there is nothing to damage: {old}"
        damaged = Template(text.replace(old, new))
        noticed = [commit for commit, before in earlier.items() if updates_in_place(damaged, before)]
        report(f"updates_in_place notices {damage}", [] if noticed else ["it did not"])
    for judge, damage, do in POLICY_DAMAGES:
        report(f"{judge.__name__} notices {damage}", [] if judge(do(policies), template) else ["it did not"])
    for judge in (judge_attached.judge, judge_regions.judge, judge_credentials.judge):
        for sentence, problems in judge(sys.argv[1]):
            report(sentence, problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
