"""Judges the template, the policy for those who deploy it, and the program's list of regions, without an account.

    python -m venv venv
    venv/bin/pip install --require-hashes -r templates/judges/requirements.txt
    venv/bin/python templates/judges/check.py target/debug/provisioner

Three outside authorities have the word: cfn-lint (the schemas that CloudFormation publishes, region by region),
parliament (AWS's own list of actions, resources and condition keys) and botocore (where Rekognition is). What they
cannot know, the intended least, stands in the judges in full and is compared. At the end template and policy are
damaged on purpose, once for every promise, and each damage must be found.
"""

import sys
from pathlib import Path

import judge_regions
from damages import DAMAGES, POLICY_DAMAGES
from judge_deployer import POLICY_JUDGES, print_policies
from judge_stack import JUDGES, lints
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
    for judge in JUDGES:
        report(judge.__doc__, judge(template))
    for judge in POLICY_JUDGES:
        report(f"The deployer's policies: {judge.__doc__}", judge(policies, template))
    for judge, damage, old, new in DAMAGES:
        assert old in text, f"there is nothing to damage: {old}"
        # One region is enough to see that cfn-lint looks at all.
        arguments = [{"eu-west-1"}] if judge is lints else []
        noticed = judge(Template(text.replace(old, new, 1)), *arguments)
        report(f"{judge.__name__} notices {damage}", [] if noticed else ["it did not"])
    for judge, damage, do in POLICY_DAMAGES:
        report(f"{judge.__name__} notices {damage}", [] if judge(do(policies), template) else ["it did not"])
    for sentence, problems in judge_regions.judge(sys.argv[1]):
        report(sentence, problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
