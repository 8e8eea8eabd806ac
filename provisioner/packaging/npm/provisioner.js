#!/usr/bin/env node
// Runs the program for this machine with the same arguments, input, output, and exit code.
"use strict";

const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const { constants } = require("node:os");
const { join } = require("node:path");

function fail(message, hint) {
  console.error(`error: ${message}\n  hint: ${hint}`);
  process.exit(1);
}

const machine = `${process.platform}-${process.arch}`;
const program = join(__dirname, "programs", machine, "provisioner");
if (process.platform === "win32") {
  fail(
    "provisioner does not run on Windows itself",
    "install and run it in WSL, the Windows Subsystem for Linux: https://learn.microsoft.com/windows/wsl/install",
  );
} else if (!existsSync(program)) {
  fail(`this package contains no program for ${machine}`, "build it in a checkout with `make dist`");
} else {
  // A terminal sends Ctrl-C to both processes; the program decides what it means.
  process.on("SIGINT", () => {});
  const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => fail(`cannot run \`${program}\` (${error.code})`, "install the package again"));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
