//! Tests bad input and the commands that need no cloud: the message, the hint, and the exit code of each.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Folder, elf, provisioner, run};

/// Runs `provisioner` with arguments separated by spaces, and checks the exit code and parts of the output.
#[track_caller]
fn check(arguments: &str, code: i32, words: &[&str]) {
    let home = Folder::new(&format!("cli-{}", arguments.replace(|c: char| !c.is_ascii_alphanumeric(), "-")));
    home.write("arm64", elf(183));
    home.write("x86_64", elf(62));
    home.write("script", "#!/bin/sh\nexit 0\n# longer than the header of an executable\n");
    home.write("broken.yaml", "Resources: [");
    home.write("empty.yaml", "Description: nothing\n");
    run(provisioner(&home.0).args(arguments.split(' '))).expect(code).says(words);
}

#[test]
fn names_are_checked_before_anything_else() {
    for stack in ["1up", "under_score", "-x"] {
        check(&format!("up --stack={stack} --region eu-west-1 --yes"), 2, &["stack name", stack, "hint:"]);
    }
    for region in ["atlantis", "atlantis-1", "eu-west", "EU-WEST-1"] {
        let said = format!("`{region}`, which `--region` names, is not the name of an AWS region");
        check(&format!("up --region {region} --yes"), 2, &[&said, "hint:", "provisioner regions"]);
    }
    for arguments in ["policy --table x", "policy --bucket UPPER", "policy --role-arn arn:aws:iam::1:role/x"] {
        check(arguments, 2, &[arguments.rsplit(' ').next().unwrap_or_default()]);
    }
    // A list of regions can have spaces.
    let home = Folder::new("spaces");
    run(provisioner(&home.0).args(["status", "--region", "eu-west-1, us-east-1"]))
        .expect(1)
        .says(&["no AWS credentials were found"]);
    // A name that could be the name of a new region is accepted.
    check("status --region eu-west-9", 1, &["no AWS credentials were found"]);
    check("up --yes", 2, &["no region is configured", "--region", "AWS_REGION"]);
}

#[test]
fn tags_that_contradict_each_other_are_refused() {
    for (tags, said) in [
        ("--tag a", "expected KEY=VALUE"),
        ("--tag a=1 --tag a=2", "tag `a` is set to two values"),
        ("--tag a=1 --untag a", "tag `a` is both set and removed"),
        ("--untag aws:x", "reserved for AWS"),
    ] {
        let keys = format!("up --yes --region eu-west-1 --endpoint-url http://127.0.0.1:9 {tags}");
        let home = Folder::new("tags");
        let mut command = provisioner(&home.0);
        command.args(keys.split(' ')).env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
        run(&mut command).expect(2).says(&[said]);
    }
}

#[test]
fn a_device_without_an_end_is_not_read_to_its_end() {
    for arguments in ["up --template /dev/zero", "up --parameters /dev/zero", "up --plan /dev/zero"] {
        let home = Folder::new("device");
        let mut command = provisioner(&home.0);
        command.args(arguments.split(' ')).args([
            "--yes",
            "--region",
            "eu-west-1",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ]);
        command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
        run(&mut command).expect(2).says(&["it is larger than"]);
    }
}

#[test]
fn regions_without_rekognition_are_refused_before_anything_is_built() {
    for (region, near) in [("eu-west-3", "eu-central-1"), ("us-gov-east-1", "us-gov-west-1")] {
        check(
            &format!("up --region {region} --yes"),
            4,
            &[&format!("region `{region}` has no Amazon Rekognition"), "hint:", near],
        );
    }
    check(
        "up --region cn-north-1 --yes",
        4,
        &["region `cn-north-1` has no Amazon Rekognition", "no region in this partition"],
    );
}

#[test]
fn errors_about_credentials_and_endpoints_name_the_cause() {
    check("status --region eu-west-1", 1, &["no AWS credentials were found", "--profile", "--local"]);
    check("up --region eu-west-1 --yes --bootstrap arm64", 1, &["no AWS credentials were found"]);
    check("status --region eu-west-1 --profile nobody", 2, &["there is no profile `nobody`", "hint:", "--profile"]);
    // Nothing listens on port 9 (`discard`).
    let home = Folder::new("endpoint");
    run(provisioner(&home.0)
        .args(["status", "--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:9"])
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x"))
    .expect(1)
    .says(&["cannot describe stack `face-recognition`", "the endpoint does not answer", "--endpoint-url"]);
    run(provisioner(&home.0).args(["status", "--region", "eu-west-1"]).env("AWS_CA_BUNDLE", "missing.pem"))
        .expect(2)
        .says(&["cannot read the certificates in `missing.pem`", "AWS_CA_BUNDLE"]);
}

#[test]
fn errors_about_templates_and_parameters_name_the_cause() {
    for (template, why) in [("broken.yaml", "it is not valid YAML"), ("empty.yaml", "it has no `Resources` section")] {
        check(
            &format!("plan --region eu-west-1 --template {template}"),
            2,
            &[&format!("cannot use template `{template}`"), why, "provisioner template"],
        );
    }
    check(
        "plan --region eu-west-1 --template missing.yaml",
        2,
        &["cannot read template `missing.yaml`", "No such file"],
    );
    check("plan --region eu-west-1 -P Colour=red", 2, &["the template has no parameter `Colour`", "TableName"]);
    check("plan --region eu-west-1 -P Colour", 2, &["NAME=VALUE"]);
    check("plan --region eu-west-1 -P Architecture=mips", 2, &["`Architecture` is `mips`", "arm64"]);
}

#[test]
fn executables_of_the_wrong_kind_are_refused() {
    check("build --bootstrap x86_64", 2, &["cannot use `x86_64` as the function", "built for x86_64", "hint:"]);
    check("build --bootstrap script", 2, &["it is not a Linux executable"]);
    check("build --bootstrap missing", 2, &["cannot read `missing`"]);
    check("build --architecture mips", 2, &["unknown architecture `mips`"]);
    check("build", 2, &["the current folder is not in a checkout", "--bootstrap FILE"]);
    check("build --cargo-profile lambda", 2, &["the current folder is not in a checkout"]);
    check("build --cargo-profile release", 2, &["'release' for '--cargo-profile <PROFILE>'"]);
    check("build --bootstrap arm64 --cargo-profile lambda", 2, &["cannot be used with"]);
    check("build --bootstrap arm64 --zip out/function.zip", 0, &["function for arm64"]);
}

#[test]
fn a_missing_rust_target_that_cannot_be_added_is_an_error() {
    let home = Folder::new("target");
    home.write("function/Cargo.toml", "");
    home.write("templates/stack.yaml", "");
    for (name, script) in [
        ("rustc", "#!/bin/sh\necho /nonexistent\n"),
        ("rustup", "#!/bin/sh\necho 'error: could not download file' >&2\nexit 1\n"),
    ] {
        let path = home.write(&format!("bin/{name}"), script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    run(provisioner(&home.0).arg("build").env("PATH", home.0.join("bin"))).expect(1).says(&[
        "cannot add the Rust target `aarch64-unknown-linux-musl`",
        "could not download",
        "rustup target add",
    ]);
    run(provisioner(&home.0).arg("build").env("PATH", home.0.join("none")))
        .expect(1)
        .says(&["cannot run `rustc`", "--bootstrap FILE"]);
}

#[test]
fn the_local_cloud_refuses_unsupported_options() {
    let home = Folder::new("local-lacks");
    let local = |arguments: &[&str]| {
        let mut command = provisioner(&home.0);
        command
            .args(arguments)
            .env("PROVISIONER_LOCAL_DIR", home.0.join("local"))
            .env("XDG_CACHE_HOME", home.0.join("cache"));
        command
    };
    run(&mut local(&["smoke", "--local"])).expect(1).says(&["no local cloud is running", "provisioner up --local"]);
    run(&mut local(&["down", "--local"])).expect(0);
    run(&mut local(&["local", "status"])).expect(1);
    run(local(&["local", "start"]).env("PATH", home.0.join("none"))).expect(1).says(&["Python", "hint:"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    run(&mut local(&["local", "start", "--port", &port]))
        .expect(1)
        .says(&[&format!("port {port} on 127.0.0.1 is used by another program"), "--port"]);
    run(&mut local(&["up", "--local", "--profile", "x"])).expect(2).says(&["`--local`", "`--profile`"]);
    // The command line overrides the environment; otherwise `--local` wins, and no real account is used.
    run(local(&["smoke", "--local"]).env("PROVISIONER_PROFILE", "x")).expect(1).says(&["no local cloud is running"]);
    run(local(&["smoke"]).env("PROVISIONER_LOCAL", "1").env("PROVISIONER_PROFILE", "x"))
        .expect(1)
        .says(&["no local cloud is running"]);
    run(local(&["smoke", "--profile", "x", "--region", "eu-west-1"]).env("PROVISIONER_LOCAL", "1"))
        .expect(2)
        .says(&["there is no profile `x`"]);
    run(&mut local(&["regions", "--live", "--local"])).expect(2).says(&["remove one of the two options"]);
}

#[test]
fn documents_are_printed_to_stdout_without_any_configuration() {
    let home = Folder::new("documents");
    let out = |arguments: &[&str]| run(provisioner(&home.0).args(arguments)).expect(0).stdout;
    assert!(out(&["template"]).starts_with("AWSTemplateFormatVersion"));
    assert!(out(&["--help"]).contains("Exit codes"));
    assert_eq!(out(&["--version"]), concat!("provisioner ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(out(&["completions", "bash"]).contains("_provisioner"));
    let schema: serde_json::Value = serde_json::from_str(&out(&["schema"])).expect("JSON");
    assert_eq!(schema["properties"]["v"]["const"], 1);
    assert!(out(&["man"]).contains(".TH provisioner"));
    let regions = out(&["regions"]);
    assert!(regions.contains("eu-west-1") && !regions.contains("eu-west-3"), "{regions}");
    assert!(out(&["regions", "--all"]).contains("eu-west-3"));
}

#[test]
fn ci_documents_are_printed() {
    let home = Folder::new("ci");
    let ci = |arguments: &[&str]| run(provisioner(&home.0).args(["ci", "github"]).args(arguments));
    let both = ci(&["--repo", "octocat/faces", "--region", "eu-west-1"]).expect(0).stdout;
    let documents: Vec<&str> = both.split("\n---\n").collect();
    let [role, workflow] = documents.as_slice() else { panic!("{both}") };
    assert!(
        role.contains("repo:octocat/faces:ref:refs/heads/main") && role.contains("AWS::IAM::OIDCProvider"),
        "{role}"
    );
    for part in ["provisioner up", "provisioner smoke --full", "provisioner down", "id-token: write", "if: always()"] {
        assert!(workflow.contains(part), "no {part} in {workflow}");
    }
    for (arguments, said) in [
        (&["--repo", "octocat/faces"][..], "the workflow needs a region"),
        (&["--repo", "octocat", "--region", "eu-west-1"], "expected OWNER/NAME"),
        (&["--repo", "a/b", "--branch", "*", "--region", "eu-west-1"], "expected letters, digits"),
        (&["--repo", "a/b", "--account", "12", "--region", "eu-west-1"], "`12` is not an AWS account"),
    ] {
        ci(arguments).expect(2).says(&[said]);
    }
    check("ci gitlab", 2, &["unrecognized subcommand 'gitlab'"]);
}

#[test]
fn policies_are_printed_for_each_purpose() {
    let home = Folder::new("policies");
    let out = |arguments: &[&str]| -> serde_json::Value {
        let printed = run(provisioner(&home.0).arg("policy").args(arguments)).expect(0).stdout;
        serde_json::from_str(&printed).expect("JSON")
    };
    let all = out(&["--account", "123456789012", "--region", "eu-west-1"]);
    assert_eq!(all["up"]["Version"], "2012-10-17");
    assert_eq!(out(&["--account", "123456789012", "--region", "eu-west-1", "--for", "down"]), all["down"]);
    let role = "arn:aws:iam::123456789012:role/cloudformation";
    let two = out(&["--for", "up", "--role-arn", role]);
    assert!(two["deployer"].to_string().contains(role) && !two["service_role"].to_string().contains(role), "{two}");
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    let up = out(&["--for", "up", "--role-path", "/teams/", "--permissions-boundary", boundary]).to_string();
    assert!(up.contains("role/teams/face-recognition-Role-*") && up.contains(boundary), "{up}");
    for (arguments, words) in [
        (["--account", "12"], "`12` is not an AWS account"),
        (["--region", "eu-west-1,us-gov-west-1"], "one policy cannot cover regions of several partitions"),
        (["--role-arn", "me"], "`me` is not the ARN of a role"),
        (["--role-path", "teams"], "`--role-path` is `teams`: it must begin and end with a slash"),
        (
            ["--permissions-boundary", "me"],
            "`--permissions-boundary` is `me`: it must be empty or the ARN of an IAM policy",
        ),
    ] {
        run(provisioner(&home.0).arg("policy").args(arguments)).expect(2).says(&[words, "hint:"]);
    }
}

#[test]
fn json_output_is_one_object_per_line_and_ends_with_the_result() {
    let home = Folder::new("json");
    let run = run(provisioner(&home.0).args(["up", "--region", "eu-west-3", "--yes", "--output", "json"])).expect(4);
    let events = run.events();
    assert!(events.iter().all(|event| event["v"] == 1 && event["type"].is_string()), "{events:?}");
    assert_eq!(events.first().expect("events")["type"], "started");
    let [.., error, result] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (&error["type"], &error["code"], &error["subject"]),
        (&"error".into(), &"refused".into(), &"eu-west-3".into())
    );
    assert!(error["hints"][0].as_str().expect("a hint").contains("eu-central-1"));
    assert_eq!((&result["type"], &result["ok"], &result["exit_code"]), (&"result".into(), &false.into(), &4.into()));
}

#[test]
fn errors_of_the_command_line_are_json_if_the_output_is() {
    let home = Folder::new("usage-json");
    for (arguments, variable, code, said) in [
        (&["status", "--output", "json", "--nope"][..], "", 2, "unexpected argument `--nope` found"),
        (&["staus", "--output=json"], "", 2, "unrecognized subcommand `staus`"),
        (&["logs", "--since", "yesterday"], "json", 2, "invalid value `yesterday` for `--since <TIME>`"),
        (&["--output", "json", "faces", "--limit"], "", 2, "a value is required for `--limit <COUNT>`"),
        (&["plan", "--detailed-exitcode", "--nope", "--output", "json"], "", 1, "unexpected argument `--nope`"),
    ] {
        let run = run(provisioner(&home.0).args(arguments).env("PROVISIONER_OUTPUT", variable)).expect(code);
        let [error, result] = run.events().try_into().expect("an error and the result");
        assert!(error["message"].as_str().expect("a message").starts_with(said), "{error}");
        assert_eq!((&error["code"], &result["exit_code"]), (&"usage".into(), &code.into()));
        assert!(error["subject"].is_string() && run.stderr.is_empty(), "{error} {}", run.stderr);
    }
    let text = run(provisioner(&home.0).args(["status", "--nope"])).expect(2);
    assert!(text.stdout.is_empty() && text.stderr.contains("Usage:"), "{}", text.stderr);
}

#[test]
fn each_of_several_regions_reports_its_own_error() {
    let home = Folder::new("regions");
    let run =
        run(provisioner(&home.0).args(["up", "--region", "eu-west-3", "--region", "eu-north-1", "--yes"])).expect(4);
    run.says(&["[eu-west-3] error: region `eu-west-3`", "[eu-north-1] error: region `eu-north-1`"]);
}

#[test]
fn quiet_output_has_only_results_and_errors() {
    let home = Folder::new("quiet");
    let quiet = |arguments: &[&str]| run(provisioner(&home.0).args(arguments).env("PROVISIONER_QUIET", "1"));
    let refused = quiet(&["up", "--region", "eu-west-3", "--yes"]).expect(4);
    assert!(refused.stderr.starts_with("error: region `eu-west-3`") && refused.stdout.is_empty(), "{}", refused.stderr);
    assert!(quiet(&["regions"]).expect(0).stdout.contains("eu-west-1"));
    // The command line wins over the environment.
    let verbose = quiet(&["up", "--region", "eu-west-3", "--yes", "--verbose"]).expect(4);
    assert!(verbose.stderr.contains("provisioner") && verbose.stderr.lines().count() > refused.stderr.lines().count());
    check("regions --quiet --verbose", 2, &["`--quiet` cannot be used with `--verbose`"]);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let home = Folder::new("full-disk");
    for arguments in ["regions", "regions --output json", "--help", "--version", "up --help", "help options"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        let output = provisioner(&home.0).args(arguments.split(' ')).stdout(full).output().expect("an end");
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("error: cannot write the output"), "{arguments}: {said}");
    }
}

#[test]
fn a_signal_ends_every_command_with_a_sentence_and_the_result() {
    let home = Folder::new("signals");
    for (command, signal, code) in
        [("list", Signal::TERM, 143), ("regions --live", Signal::INT, 130), ("status", Signal::TERM, 143)]
    {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
        let child = provisioner(&home.0)
            .args(command.split(' '))
            .args(["--region", "eu-west-1", "--output", "json", "--endpoint-url", &endpoint])
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a run");
        // The request is never answered, so the command is still running.
        let connection = silent.accept().expect("a request");
        kill_process(Pid::from_child(&child), signal).expect("a signal");
        let output = child.wait_with_output().expect("an end");
        drop(connection);
        assert_eq!(output.status.code(), Some(code), "{command}");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let [.., error, result] = lines.as_slice() else { panic!("{command}: {lines:?}") };
        assert_eq!((&error["type"], &result["type"]), (&"error".into(), &"result".into()), "{command}: {lines:?}");
        assert_eq!(result["exit_code"], code, "{command}");
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let home = Folder::new("closed-pipe");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = provisioner(&home.0).args(["regions", "--output", "json"]).stdout(writer).output().expect("an end");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(141), 0), "{output:?}");
}
