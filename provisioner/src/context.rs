//! The context of a command in one region: the global options, the AWS clients, and the sender of its events.
//!
//! Invariant: a local run never loads a profile; it uses the local cloud's endpoint and dummy credentials.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::aws::{AskForCode, Clients, Connection, Request, Tell};
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::invocation::Invocation;
use crate::core::setting::{Setting, Source};
use crate::core::{names, regions};
use crate::error::{Error, Exit, Result};
use crate::ui::{Detail, Events, Output};
use crate::{complete, local, local_cloud};

/// Options that every command accepts.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Name of the stack
    #[arg(long, global = true, env = "PROVISIONER_STACK", default_value = DEFAULT_STACK, value_name = "NAME", add = ArgValueCompleter::new(complete::stacks))]
    pub stack: String,
    /// AWS region; repeat the option to work in several regions in parallel [default: the region in the AWS
    /// configuration]
    #[arg(long, global = true, env = "PROVISIONER_REGION", value_delimiter = ',', value_name = "REGION", add = ArgValueCompleter::new(complete::regions))]
    pub region: Vec<String>,
    /// Profile in the AWS configuration
    #[arg(long, global = true, env = "PROVISIONER_PROFILE", value_name = "NAME", add = ArgValueCompleter::new(complete::profiles))]
    pub profile: Option<String>,
    /// URL to send requests to instead of the AWS endpoints, for example that of an emulator or a proxy
    #[arg(long, global = true, env = "PROVISIONER_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Use the local cloud on 127.0.0.1, which needs no account and no credentials
    #[arg(long, global = true, env = "PROVISIONER_LOCAL", value_parser = clap::builder::FalseyValueParser::new())]
    pub local: bool,
    /// Output format: text, or one JSON object per line
    #[arg(long, global = true, env = "PROVISIONER_OUTPUT", default_value = "text", value_name = "FORMAT")]
    pub output: Output,
    /// Skip confirmation prompts
    #[arg(long, short, global = true, env = "PROVISIONER_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    /// Show more detail
    #[arg(long, short, global = true, env = "PROVISIONER_VERBOSE", value_parser = clap::builder::FalseyValueParser::new())]
    pub verbose: bool,
    /// Print only results and errors
    #[arg(long, short, global = true, env = "PROVISIONER_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    /// When to use colors
    #[arg(long, global = true, env = "PROVISIONER_COLOR", default_value = "auto", value_name = "WHEN")]
    pub color: clap::ColorChoice,
    /// The options whose values come from environment variables
    #[arg(skip)]
    pub from_environment: Vec<&'static str>,
}

/// The name of the stack if none is given.
const DEFAULT_STACK: &str = "face-recognition";

impl Global {
    /// The options that a suggested command must repeat.
    #[must_use]
    pub fn invocation(&self) -> Invocation {
        Invocation {
            stack: Some(self.stack.clone()).filter(|stack| stack != DEFAULT_STACK),
            region: self.region.first().cloned().filter(|_| self.region.len() == 1),
            local: self.local,
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    /// What a connection is asked for.
    #[must_use]
    pub fn request(&self) -> Request {
        let setting = |option: &str, value: Option<&String>| {
            Some(Setting::new(option.replace('-', " "), value?, self.source(option)))
        };
        Request {
            profile: setting("profile", self.profile.as_ref()),
            region: setting("region", self.region.first()),
            endpoint: setting("endpoint-url", self.endpoint_url.as_ref()),
        }
    }

    /// How much to print. `--quiet` wins if both are set.
    #[must_use]
    pub fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        }
    }

    /// Whether an option was given on the command line or in the environment.
    fn source(&self, option: &str) -> Source {
        if self.from_environment.contains(&option) {
            Source::variable(format!("PROVISIONER_{}", option.replace('-', "_").to_uppercase()))
        } else {
            Source::option(format!("--{option}"))
        }
    }

    /// Checks the stack name and the region names against AWS's rules.
    pub fn check_names(&self) -> Result<()> {
        names::check_stack(&self.stack).map_err(|problem| {
            Error::new(format!("stack name `{}` {problem}", self.stack))
                .exit(Exit::Usage)
                .hint("a stack name begins with a letter and has at most 64 letters, digits, and hyphens")
        })?;
        let source = self.source("region");
        self.region.iter().try_for_each(|region| check_region_name(region, &source))
    }
}

/// The context of a command in one region.
#[derive(Clone, Debug)]
pub struct Context {
    /// The global options.
    pub global: Global,
    /// The clients for this region.
    pub clients: Clients,
    /// The sender of events.
    pub events: Events,
    /// The local cloud, if the run uses it.
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

    /// Asks the user before something is changed, unless `--yes` was given.
    ///
    /// # Errors
    /// The user declined, or there is no terminal to prompt on.
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.global.yes { Ok(()) } else { self.events.confirm(question) }
    }

    /// The file to write for this region: the given path, or `FILE-REGION.EXT` if the run has several regions.
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
}

/// Opens the contexts of a run: one per region that was named, otherwise one for the configured region.
pub async fn open(global: &Global, events: &Events, start_local: bool) -> Result<Vec<Context>> {
    global.check_names()?;
    let several = global.region.len() > 1;
    if global.local {
        return open_local(global, events, start_local).await;
    }
    let connection = connect(global, events).await?;
    let regions: Vec<Option<&String>> =
        if global.region.is_empty() { vec![None] } else { global.region.iter().map(Some).collect() };
    let mut contexts = Vec::new();
    for region in regions {
        let clients = Clients::new(&connection, region.map(String::as_str))?;
        if let Some(setting) = connection.region() {
            check_region_name(&clients.region, &setting.source)?;
        }
        let events = events.in_region(&clients.region, several);
        contexts.push(Context { global: global.clone(), clients, events, local: None });
    }
    Ok(contexts)
}

/// The connection that the options lead to. Nothing is sent yet.
///
/// # Errors
/// The AWS configuration is wrong.
pub async fn connect(global: &Global, events: &Events) -> Result<Arc<Connection>> {
    let asking = events.clone();
    let ask: AskForCode = Arc::new(move |device| asking.mfa_code(device.profile, device.serial));
    let connection = Connection::open(&global.request(), ask, tell(events)).await?;
    events.emit(Event::CertificatesChosen { certificates: connection.certificates().clone() });
    Ok(Arc::new(connection))
}

async fn open_local(global: &Global, events: &Events, start: bool) -> Result<Vec<Context>> {
    let first = global.region.first();
    let state = if start { local_cloud::start_default(first, events).await? } else { local_cloud::running().await? };
    let regions = if global.region.is_empty() { std::slice::from_ref(&state.region) } else { &global.region };
    let in_region = |region: &String| Context {
        global: global.clone(),
        clients: local_clients(&state, region, events),
        // A hint repeats the region only if it was given.
        events: if global.region.is_empty() { events.clone() } else { events.in_region(region, regions.len() > 1) },
        local: Some(state.clone()),
    };
    Ok(regions.iter().map(in_region).collect())
}

/// The clients for a region of the local cloud.
#[must_use]
pub fn local_clients(state: &local::State, region: &str, events: &Events) -> Clients {
    Clients::of_local_cloud(&state.endpoint_url, region, local::credentials().key_pair(), tell(events))
}

fn tell(events: &Events) -> Tell {
    let events = events.clone();
    Arc::new(move |request| events.emit(Event::Unanswered { request }))
}

/// The clients of a command that asks many regions: any region of the account's partition will do.
///
/// # Errors
/// The named region cannot be used.
pub fn home(connection: &Arc<Connection>, global: &Global) -> Result<Clients> {
    match global.region.first() {
        Some(named) => Clients::new(connection, Some(named)),
        None => Clients::new(connection, None).or_else(|_| Clients::new(connection, Some("us-east-1"))),
    }
}

fn check_region_name(region: &str, source: &Source) -> Result<()> {
    // A region that is newer than this program is looked up by the first request.
    if regions::is_well_formed(region) {
        return Ok(());
    }
    Err(Error::new(format!("`{region}`, which {source} names, is not the name of an AWS region"))
        .exit(Exit::Usage)
        .hint(Hint::command("regions").then(" lists the regions where the system can run")))
}
