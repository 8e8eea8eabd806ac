//! The command-line arguments.
//!
//! Invariant: parsing has no side effects; `--help` and `--version` need no configuration.

mod help;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands;
use crate::context::Global;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
use crate::error::{Error, Exit};
use crate::ui::{Detail, Events, Output, Ui};

/// Deploy a face-recognition system to any AWS region, verify that it works, and remove it without a trace
///
/// The system writes a row to a DynamoDB table for every face in a picture that is uploaded to its S3 bucket.
/// No AWS account? Add `--local` to any command.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 success · 1 failed, or something is missing or unhealthy · 2 wrong usage, or changes \
                  (plan --detailed-exitcode) · 3 the system does not work · 4 refused · 5 stack is busy or stuck · \
                  101 internal error · 130 interrupted · 143 terminated"
)]
pub struct Cli {
    /// Options that every command accepts
    #[command(flatten)]
    pub global: Global,
    /// The command to run
    #[command(subcommand)]
    pub command: Command,
}

/// The program with everything that its help, completions and manual pages show.
#[must_use]
pub fn program() -> clap::Command {
    help::fold(Cli::command())
}

impl Cli {
    /// Reads the command line and the environment; exits if either is wrong or help was requested.
    ///
    /// `--local` conflicts with a profile and with an endpoint. The command line wins over the environment; if all of
    /// them come from the environment, `--local` wins.
    #[must_use]
    pub fn read() -> Self {
        let matches = program().try_get_matches().unwrap_or_else(|error| {
            if help::wants_options(std::env::args_os().skip(1)) {
                exit_after(&mut help::options());
            }
            fail(&error)
        });
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| fail(&error));
        let mut last = &matches;
        while let Some((_, deeper)) = last.subcommand() {
            last = deeper;
        }
        let from_environment =
            |name: &&str| last.value_source(&name.replace('-', "_")) == Some(ValueSource::EnvVariable);
        cli.global.from_environment =
            ["profile", "region", "endpoint-url"].into_iter().filter(from_environment).collect();
        // A list can have spaces after its commas.
        cli.global.region.iter_mut().for_each(|region| *region = region.trim().to_owned());
        let mut seen = HashSet::new();
        cli.global.region.retain(|region| seen.insert(region.clone()));
        let typed = |name: &str| last.value_source(name) == Some(ValueSource::CommandLine);
        if cli.global.quiet && cli.global.verbose {
            match (typed("quiet"), typed("verbose")) {
                (true, true) => {
                    let message = "`--quiet` cannot be used with `--verbose`";
                    fail(&program().error(ErrorKind::ArgumentConflict, message))
                }
                (false, true) => cli.global.quiet = false,
                _ => cli.global.verbose = false,
            }
        }
        if cli.global.local {
            match (typed("local"), ["profile", "endpoint_url"].into_iter().find(|name| typed(name))) {
                (true, Some(other)) => {
                    let other = other.replace('_', "-");
                    let message = format!("`--local` uses no AWS account, so it cannot be used with `--{other}`");
                    fail(&program().error(ErrorKind::ArgumentConflict, message))
                }
                (false, Some(_)) => cli.global.local = false,
                (_, None) => (cli.global.profile, cli.global.endpoint_url) = (None, None),
            }
        }
        cli
    }
}

/// Prints the help of a command, and exits.
#[expect(clippy::exit, reason = "clap ends the program in the same way")]
fn exit_after(command: &mut clap::Command) -> ! {
    let printed = command.print_help().and_then(|()| crate::ui::flush());
    std::process::exit(code_after(printed, 0))
}

/// Exits. With `plan --detailed-exitcode`, 2 means that there are changes, so a wrong command line exits with 1, as in
/// Terraform.
#[expect(clippy::exit, reason = "clap ends the program in the same way")]
fn fail(error: &clap::Error) -> ! {
    let is_failure = error.exit_code() != 0;
    let detailed = is_failure && std::env::args_os().any(|argument| argument == "--detailed-exitcode");
    let code = if detailed { 1 } else { error.exit_code() };
    let printed = if is_failure && wants_json() {
        report(error, code);
        Ok(())
    } else {
        error.print().and_then(|()| crate::ui::flush())
    };
    std::process::exit(code_after(printed, code))
}

/// The exit code after something was printed: help that could not be written is an error, as any other output.
fn code_after(printed: std::io::Result<()>, code: i32) -> i32 {
    match printed {
        Err(error) if code == 0 && error.kind() == std::io::ErrorKind::BrokenPipe => Exit::ClosedPipe as i32,
        Err(error) if code == 0 => {
            let events = Events::new(Arc::new(Ui::new(Output::Text, Detail::Normal)), Invocation::default());
            events.report_lost_output(&Error::new(crate::ui::LOST_OUTPUT).because(&error)) as i32
        }
        _ => code,
    }
}

/// Whether the output is JSON, as far as a command line that cannot be parsed tells.
fn wants_json() -> bool {
    let arguments: Vec<_> = std::env::args_os().collect();
    let two = arguments.windows(2).filter(|pair| pair[0] == "--output").map(|pair| pair[1] == "json");
    let one = arguments.iter().filter_map(|argument| Some(argument.to_str()?.strip_prefix("--output=")? == "json"));
    let typed = two.chain(one).next_back();
    typed.unwrap_or_else(|| std::env::var_os("PROVISIONER_OUTPUT").is_some_and(|value| value == "json"))
}

/// Reports an error of the command line as JSON.
fn report(error: &clap::Error, code: i32) {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    // Our messages have their subjects in backticks.
    let message = message.trim_start_matches("error: ").replace('\'', "`");
    let tips = paragraphs.filter_map(|paragraph| Some(paragraph.strip_prefix("tip: ")?.replace('\'', "`")));
    let tips: Vec<String> = tips.collect();
    let events = Events::new(Arc::new(Ui::new(Output::Json, Detail::Normal)), Invocation::default());
    let error = tips.into_iter().fold(Error::new(message).exit(Exit::Usage), Error::hint);
    let _ = events.report(error.hint(Hint::command("help").then(" shows how the program is used")));
    events.emit(Event::Result { ok: false, exit_code: u8::try_from(code).unwrap_or(u8::MAX) });
}

/// All commands: those that run in a region, and those that do not.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A command that runs once per region.
    #[command(flatten)]
    InRegion(InRegion),
    /// A command that does not run once per region.
    #[command(flatten)]
    Anywhere(Anywhere),
}

/// The commands that run once per region, each time with clients for that region.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's own struct is documented, and clap shows that text")]
pub enum InRegion {
    #[command(display_order = 1)]
    Up(commands::up::Up),
    #[command(display_order = 2)]
    Plan(commands::plan::Plan),
    #[command(display_order = 3)]
    Smoke(commands::smoke::Smoke),
    #[command(display_order = 4)]
    Down(commands::down::Down),
    #[command(display_order = 5)]
    Status(commands::status::Status),
    #[command(display_order = 6)]
    Logs(commands::logs::Logs),
    #[command(display_order = 7)]
    Detect(commands::detect::Detect),
    #[command(display_order = 8)]
    Backfill(commands::backfill::Backfill),
    #[command(display_order = 9)]
    Faces(commands::faces::Faces),
    #[command(display_order = 10)]
    Export(commands::export::Export),
    #[command(display_order = 11)]
    Forget(commands::forget::Forget),
    #[command(display_order = 12)]
    Redrive(commands::redrive::Redrive),
}

/// The commands that need no region, or that choose the regions themselves.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's own struct is documented, and clap shows that text")]
pub enum Anywhere {
    #[command(display_order = 5)]
    List(commands::list::List),
    #[command(display_order = 20)]
    Doctor(commands::doctor::Doctor),
    #[command(display_order = 21)]
    Build(commands::build::Build),
    #[command(subcommand, display_order = 22)]
    Local(commands::local::Local),
    #[command(display_order = 23)]
    Template(commands::template::Template),
    #[command(display_order = 24)]
    Policy(commands::policy::Policy),
    #[command(display_order = 25)]
    Regions(commands::regions::Regions),
    #[command(subcommand, display_order = 24)]
    Ci(commands::ci::Ci),
    #[command(display_order = 25)]
    Schema(commands::schema::Schema),
    #[command(display_order = 26)]
    Completions(commands::shell::Completions),
    #[command(display_order = 27)]
    Man(commands::shell::Man),
}

impl Command {
    /// The command's name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InRegion(command) => command.name(),
            Self::Anywhere(command) => command.name(),
        }
    }

    /// Whether the command serves until a signal stops it, which it handles itself.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Anywhere(Anywhere::Local(local)) if local.is_server())
    }
}

impl Anywhere {
    /// The command's name on the command line.
    fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Doctor(_) => "doctor",
            Self::Build(_) => "build",
            Self::Local(_) => "local",
            Self::Template(_) => "template",
            Self::Policy(_) => "policy",
            Self::Regions(_) => "regions",
            Self::Ci(_) => "ci",
            Self::Schema(_) => "schema",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

impl InRegion {
    /// The file for the summary, if the command writes one.
    #[must_use]
    pub fn summary(&self) -> Option<&Path> {
        match self {
            Self::Up(args) => args.summary.file(),
            Self::Plan(args) => args.summary.file(),
            Self::Smoke(args) => args.summary.file(),
            _ => None,
        }
    }

    /// The command's name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Up(_) => "up",
            Self::Plan(_) => "plan",
            Self::Smoke(_) => "smoke",
            Self::Down(_) => "down",
            Self::Status(_) => "status",
            Self::Logs(_) => "logs",
            Self::Detect(_) => "detect",
            Self::Backfill(_) => "backfill",
            Self::Faces(_) => "faces",
            Self::Export(_) => "export",
            Self::Forget(_) => "forget",
            Self::Redrive(_) => "redrive",
        }
    }
}
