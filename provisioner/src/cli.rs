//! The command line: global options, commands, and how a run is put together.
//!
//! Invariant: parsing touches nothing outside; `--help` and `--version` need no configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::aws::{Clients, Target};
use crate::core::event::Event;
use crate::core::{names, regions};
use crate::error::{Error, Exit, Result};
use crate::ui::{Events, Output, Ui};
use crate::{commands, local};

/// Put a face-recognition system into any AWS region, prove that it works, and take it away without a trace
///
/// Pictures uploaded to a bucket become rows in a table, one a face. No AWS account at hand? Add `--local` to any command.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 done · 1 failed, or something is missing or unhealthy · 2 wrong usage, or changes (plan --detailed-exitcode) · \
                  3 the system does not work · 4 refused · 5 blocked"
)]
pub struct Cli {
    /// Options of every command
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line and the environment; ends the program where either is wrong, or where help was asked for.
    ///
    /// `--local` excludes a profile and an endpoint. Where the environment says one of them, the command line goes first, and then `--local`.
    #[must_use]
    pub fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let mut last = &matches;
        while let Some((_, deeper)) = last.subcommand() {
            last = deeper;
        }
        let typed = |name: &str| last.value_source(name) == Some(ValueSource::CommandLine);
        if cli.global.local {
            match (typed("local"), ["profile", "endpoint_url"].into_iter().find(|name| typed(name))) {
                (true, Some(other)) => {
                    let other = other.replace('_', "-");
                    let message = format!("`--local` uses no AWS account, so it cannot be used with `--{other}`");
                    Self::command().error(ErrorKind::ArgumentConflict, message).exit()
                }
                (false, Some(_)) => cli.global.local = false,
                (_, None) => (cli.global.profile, cli.global.endpoint_url) = (None, None),
            }
        }
        cli
    }
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Name of the stack
    #[arg(long, global = true, env = "PROVISIONER_STACK", default_value = "face-recognition", value_name = "NAME")]
    pub stack: String,
    /// AWS region, else the one of the AWS configuration; repeat it to work in several side by side
    #[arg(long, global = true, env = "PROVISIONER_REGION", value_delimiter = ',', value_name = "REGION")]
    pub region: Vec<String>,
    /// Profile of the AWS configuration
    #[arg(long, global = true, env = "PROVISIONER_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint to use instead of AWS's own (an emulator, a proxy)
    #[arg(long, global = true, env = "PROVISIONER_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Use the local cloud on 127.0.0.1: no account, no credentials, nothing leaves this machine
    #[arg(long, global = true, env = "PROVISIONER_LOCAL", value_parser = clap::builder::FalseyValueParser::new())]
    pub local: bool,
    /// How to print: lines for people, or one JSON document a line
    #[arg(long, global = true, env = "PROVISIONER_OUTPUT", default_value = "text", value_name = "FORMAT")]
    pub output: Output,
    /// Answer every question with yes
    #[arg(long, short, global = true, env = "PROVISIONER_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    /// Show more
    #[arg(long, short, global = true, env = "PROVISIONER_VERBOSE", value_parser = clap::builder::FalseyValueParser::new())]
    pub verbose: bool,
    /// When to use colours
    #[arg(long, global = true, env = "PROVISIONER_COLOR", default_value = "auto", value_name = "WHEN")]
    pub color: clap::ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's own struct is documented, and clap shows that text")]
pub enum Command {
    Up(commands::up::Up),
    Plan(commands::plan::Plan),
    Smoke(commands::smoke::Smoke),
    Down(commands::down::Down),
    Status(commands::status::Status),
    Logs(commands::logs::Logs),
    Detect(commands::detect::Detect),
    Redrive(commands::redrive::Redrive),
    Doctor(commands::doctor::Doctor),
    Build(commands::build::Build),
    #[command(subcommand)]
    Local(commands::local::Local),
    Template(commands::template::Template),
    Policy(commands::policy::Policy),
    Regions(commands::regions::Regions),
    Completions(commands::shell::Completions),
    Man(commands::shell::Man),
}

impl Command {
    /// The name as it is typed.
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
            Self::Redrive(_) => "redrive",
            Self::Doctor(_) => "doctor",
            Self::Build(_) => "build",
            Self::Local(_) => "local",
            Self::Template(_) => "template",
            Self::Policy(_) => "policy",
            Self::Regions(_) => "regions",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// What a command works with in one region.
#[derive(Clone, Debug)]
pub struct Context {
    /// The options of every command.
    pub global: Global,
    /// The clients for this region.
    pub clients: Clients,
    /// Where facts go.
    pub events: Events,
    /// The local cloud, where the run uses it.
    pub local: Option<local::State>,
}

impl Context {
    /// The stack's name.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.global.stack
    }

    /// The region's name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.clients.region
    }

    /// Asks before something is changed, unless `--yes` was given.
    ///
    /// # Errors
    /// The answer is no, or nobody is there to answer.
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.global.yes { Ok(()) } else { self.events.confirm(question) }
    }

    /// A file of this region's own beside the one that was named, where several regions would write the same.
    #[must_use]
    pub fn own_file(&self, path: &Path) -> PathBuf {
        if self.global.region.len() < 2 {
            return path.to_owned();
        }
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{}", self.region()));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    }

    /// The command that continues this run, as a hint can name it.
    #[must_use]
    pub fn command(&self, name: &str) -> String {
        let stack =
            if self.stack() == "face-recognition" { String::new() } else { format!(" --stack {}", self.stack()) };
        let place = if self.local.is_some() { " --local".to_owned() } else { format!(" --region {}", self.region()) };
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" --{name} {value}"))
        };
        let (profile, endpoint) =
            (option("profile", &self.global.profile), option("endpoint-url", &self.global.endpoint_url));
        format!("provisioner {name}{stack}{place}{profile}{endpoint}")
    }
}

/// Opens the contexts of a run: one a region, or one for the configured region.
///
/// # Errors
/// A name is wrong, the local cloud cannot be reached, or no region is configured.
pub async fn contexts(global: &Global, ui: &Arc<Ui>, start_local: bool) -> Result<Vec<Context>> {
    check_names(global)?;
    let several = global.region.len() > 1;
    if global.local {
        if several {
            return Err(Error::new("the local cloud plays one region at a time")
                .exit(Exit::Usage)
                .hint("name one `--region`, or none"));
        }
        return Ok(vec![local_context(global, ui, start_local).await?]);
    }
    let regions: Vec<Option<&String>> =
        if global.region.is_empty() { vec![None] } else { global.region.iter().map(Some).collect() };
    let mut contexts = Vec::new();
    for region in regions {
        let target = Target::Remote {
            profile: global.profile.clone(),
            region: region.cloned(),
            endpoint: global.endpoint_url.clone(),
        };
        let clients = Clients::connect(&target).await?;
        check_region_name(&clients.region)?;
        let events = Events::new(Arc::clone(ui), several.then(|| clients.region.clone()));
        contexts.push(Context { global: global.clone(), clients, events, local: None });
    }
    Ok(contexts)
}

/// Checks the names on the command line against AWS's rules.
///
/// # Errors
/// The stack's name or a region's is wrong.
pub fn check_names(global: &Global) -> Result<()> {
    names::check_stack(&global.stack).map_err(|problem| {
        Error::new(format!("stack name `{}` {problem}", global.stack))
            .exit(Exit::Usage)
            .hint("a stack name begins with a letter and has only letters, digits and hyphens, 64 at most")
    })?;
    for region in &global.region {
        check_region_name(region)?;
    }
    Ok(())
}

async fn local_context(global: &Global, ui: &Arc<Ui>, start: bool) -> Result<Context> {
    let state = commands::local::join(global, start, ui).await?;
    let target = Target::Local {
        endpoint: state.endpoint_url.clone(),
        region: global.region.first().unwrap_or(&state.region).clone(),
        credentials: local::credentials().key_pair(),
    };
    let clients = Clients::connect(&target).await?;
    Ok(Context { global: global.clone(), clients, events: Events::new(Arc::clone(ui), None), local: Some(state) })
}

fn check_region_name(region: &str) -> Result<()> {
    if regions::is_known(region) {
        return Ok(());
    }
    Err(Error::new(format!("there is no AWS region `{region}`"))
        .exit(Exit::Usage)
        .hint("`provisioner regions` lists where the system can run"))
}

/// Reports an error as an event and returns its exit code.
#[must_use]
pub fn report(events: &Events, error: Error) -> Exit {
    let exit = error.exit;
    events.emit(Event::Error { message: error.message, causes: error.causes, hints: error.hints });
    exit
}
