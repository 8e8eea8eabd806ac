//! Help, completions, and manual pages: complete, correct, and without anything hidden.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use clap::Command;
use provisioner::cli::program;
use support::{Folder, provisioner, run};

/// Every visible command with its name, for example `local start`.
fn commands() -> Vec<(String, Command)> {
    let mut program = program();
    program.build();
    let mut open = vec![(String::new(), program)];
    let mut found = Vec::new();
    while let Some((name, command)) = open.pop() {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
            open.push((format!("{name} {}", below.get_name()).trim().to_owned(), below.clone()));
        }
        if !name.is_empty() {
            found.push((name, command));
        }
    }
    assert!(found.len() > 20, "only {} commands", found.len());
    found
}

#[test]
fn every_command_has_examples_that_can_be_parsed() {
    for (name, command) in commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  provisioner ")).collect();
        assert!(help.starts_with("Examples:\n") && !examples.is_empty(), "{name}: {help}");
        for example in examples {
            let words = shlex::split(example.split(['|', '>']).next().unwrap_or_default()).expect("words");
            assert!(example.contains(&format!("provisioner {name}")), "{name}: {example}");
            if let Err(error) = program().try_get_matches_from(words) {
                panic!("{example}: {error}");
            }
        }
    }
}

#[test]
fn global_options_are_folded_and_explained_elsewhere() {
    let home = Folder::new("help");
    let out = |arguments: &[&str]| run(provisioner(&home.0).args(arguments)).expect(0).stdout;
    for help in [out(&["up", "--help"]), out(&["up", "-h"]), out(&["help", "up"]), out(&["--help"])] {
        assert!(help.contains("Global options: --stack NAME, --region REGION"), "{help}");
        assert!(!help.contains("PROVISIONER_REGION") && !help.contains("\nGlobal options:\n"), "{help}");
    }
    let spellings = [
        &["help", "options"][..],
        &["--output", "json", "help", "options"],
        &["help", "options", "--region", "eu-west-1"],
    ];
    for options in spellings.map(out) {
        for part in ["--stack <NAME>", "PROVISIONER_REGION", "--quiet", "Options that every command accepts"] {
            assert!(options.contains(part), "no {part} in {options}");
        }
    }
    run(provisioner(&home.0).args(["help", "option"])).expect(2).says(&["unrecognized subcommand 'option'"]);
}

#[test]
fn a_parameter_that_was_probably_meant_is_named() {
    let home = Folder::new("did-you-mean");
    let plan = |parameter: &str| {
        run(provisioner(&home.0).args(["plan", "--region", "eu-west-1", "--parameter", parameter])).expect(2)
    };
    plan("retentiondays=3").says(&["no parameter `retentiondays`", "did you mean `RetentionDays`?"]);
    assert!(!plan("Zzzzz=3").stderr.contains("did you mean"));
}

/// What a shell would offer after a line.
fn offered(home: &Folder, words: &[&str]) -> Vec<String> {
    let index = words.len().to_string();
    let mut command = provisioner(&home.0);
    command
        .env("PROVISIONER_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", index)
        .args(["--", "provisioner"])
        .args(words);
    run(&mut command).expect(0).stdout.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn shells_get_scripts_and_values() {
    let home = Folder::new("completions");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(provisioner(&home.0).args(["completions", shell])).expect(0).stdout;
        assert!(script.contains("PROVISIONER_COMPLETE"), "{shell}: {script}");
    }
    assert_eq!(offered(&home, &["sta"]), ["status"]);
    assert_eq!(offered(&home, &["up", "--region", "eu-c"]), ["eu-central-1"]);
    assert_eq!(offered(&home, &["up", "--parameter", "RetentionD"]), ["RetentionDays="]);
    assert!(offered(&home, &["local", ""]).iter().all(|word| word != "serve-rekognition"));
    let config = home.write("config", "[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n");
    let mut command = provisioner(&home.0);
    command.env("AWS_CONFIG_FILE", config).env("PROVISIONER_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3");
    let profiles = run(command.args(["--", "provisioner", "up", "--profile", "w"])).expect(0);
    assert_eq!(profiles.stdout.trim(), "work");
}

#[test]
fn zsh_completes_at_the_first_attempt_and_puts_no_space_after_the_name_of_a_parameter() {
    let home = Folder::new("completions-zsh");
    let script = run(provisioner(&home.0).args(["completions", "zsh"])).expect(0).stdout;
    for part in [
        "local -a names=() other=()",
        "*= ]]; then\n                names+=",
        "_describe -V 'values' names -S ''",
        "== _provisioner ]]; then\n    _clap_dynamic_completer_provisioner \"$@\"",
    ] {
        assert!(script.contains(part), "no {part:?} in\n{script}");
    }
}

#[test]
fn completion_of_stacks_gives_up_on_a_network_that_does_not_answer() {
    // A server that accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let home = Folder::new("complete-stacks");
    let mut command = provisioner(&home.0);
    command
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("PROVISIONER_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "7")
        .args(["--", "provisioner", "up", "--region", "eu-west-1", "--endpoint-url", &url, "--stack", "f"])
        .env("_CLAP_COMPLETE_INDEX", "7");
    let ended = run(&mut command).expect(0);
    assert_eq!((ended.stdout.trim(), ended.stderr.trim()), ("", ""));
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Folder::new("man");
    run(provisioner(&home.0).args(["man", "--folder", "man1"])).expect(0);
    let pages = std::fs::read_dir(home.0.join("man1")).expect("the folder").count();
    assert_eq!(pages, commands().len() + 1);
    let page = run(provisioner(&home.0).args(["man", "local", "start"])).expect(0).stdout;
    for part in [".TH provisioner-local-start", ".SH ENVIRONMENT", ".SH FILES", "PROVISIONER_REGION", "Examples:"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    run(provisioner(&home.0).args(["man", "nope"])).expect(2).says(&["there is no command `nope`"]);
}
