//! Runs a parsed command.
//!
//! Invariant: every run ends with exactly one [`Event::Result`], whatever happened before.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cli::{Anywhere, Cli, Command, InRegion, program};
use crate::commands::{
    backfill, build, ci, detect, doctor, down, export, faces, forget, list, local, logs, plan, policy, redrive,
    regions, schema, shell, smoke, status, template, up,
};
use crate::context::{self, Context, Global};
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::steps::interrupt::{self, Signal};
use crate::steps::summary;
use crate::ui::{Events, Ui};
use crate::{local as cloud, local_cloud};

/// How long an interrupted command is waited for. A task that waits for an answer does not end.
const LONGEST_STOP: Duration = Duration::from_millis(200);

/// Runs a command, reports its result, and returns the exit code.
pub async fn run(cli: Cli, ui: &Arc<Ui>) -> Exit {
    let events = Events::new(Arc::clone(ui), cli.global.invocation());
    let (name, is_server) = (cli.command.name(), cli.command.is_server());
    // A task of its own, so that a signal counts even while the command waits for an answer.
    let mut running = JoinSet::new();
    running.spawn({
        let events = events.clone();
        async move {
            match cli.command {
                Command::Anywhere(command) => anywhere(command, &cli.global, &events).await,
                Command::InRegion(command) => in_regions(command, &cli.global, &events).await,
            }
        }
    });
    let outcome = tokio::select! {
        signal = interrupt::unanswered(), if !is_server => Err(ended(name, signal)),
        () = events.closed() => return Exit::ClosedPipe,
        Some(outcome) = running.join_next() => outcome.unwrap_or_else(|panic| resume_unwind(panic.into_panic())),
    };
    if events.is_closed() {
        return Exit::ClosedPipe;
    }
    let exit = outcome.unwrap_or_else(|error| events.report(error));
    events.emit(Event::Result { ok: exit == Exit::Success, exit_code: exit as u8 });
    // What an interrupted command started, for example cargo, is stopped with its task.
    let _ = timeout(LONGEST_STOP, running.shutdown()).await;
    match events.lost_output() {
        Some(error) => exit.max(events.report_lost_output(&error)),
        None => exit,
    }
}

async fn anywhere(command: Anywhere, global: &Global, events: &Events) -> Result<Exit> {
    match command {
        Anywhere::Build(args) => build::run(&args, global, events).await.map(|()| Exit::Success),
        Anywhere::Local(args) => local::run(args, global, events).await,
        Anywhere::Template(args) => template::run(&args, events).map(|()| Exit::Success),
        Anywhere::Ci(args) => ci::run(&args, global, events).map(|()| Exit::Success),
        Anywhere::Schema(args) => {
            schema::run(&args, events);
            Ok(Exit::Success)
        }
        Anywhere::Policy(args) => policy::run(&args, global, events).map(|()| Exit::Success),
        Anywhere::Regions(args) => regions::run(&args, global, events).await.map(|()| Exit::Success),
        Anywhere::List(args) => list::run(&args, global, events).await,
        Anywhere::Doctor(args) => doctor::run(&args, global, events).await,
        Anywhere::Completions(args) => shell::completions(&args, events).map(|()| Exit::Success),
        Anywhere::Man(args) => shell::man(&args, program(), events).map(|()| Exit::Success),
    }
}

async fn in_regions(command: InRegion, global: &Global, events: &Events) -> Result<Exit> {
    let name = command.name();
    events.emit(Event::Started {
        command: name,
        version: env!("CARGO_PKG_VERSION"),
        stack: global.stack.clone(),
        local: global.local,
    });
    if global.local && matches!(command, InRegion::Down(_)) && !local_runs().await {
        events.emit(Event::LocalStopped { was_running: false });
        events.emit(Event::NoStack { stack: global.stack.clone() });
        return Ok(Exit::Success);
    }
    let start_local = matches!(command, InRegion::Up(_));
    let detailed = matches!(&command, InRegion::Plan(args) if args.detailed_exitcode);
    // With detailed exit codes, 2 means changes and every failure is 1.
    let simplify = move |error: Error| if detailed { error.exit(Exit::Failed) } else { error };
    let contexts = context::open(global, events, start_local).await.map_err(simplify)?;
    let local_cloud = match &command {
        InRegion::Down(_) => down::LocalCloud::look(&contexts).await?,
        _ => None,
    };
    let exit = everywhere(contexts, Arc::new(command), simplify).await;
    if let Some(local_cloud) = local_cloud {
        local_cloud.leave(events).await?;
    }
    Ok(exit)
}

fn ended(name: &str, signal: Signal) -> Error {
    let (what, exit) = match signal {
        Signal::Interrupt => ("interrupted", Exit::Interrupted),
        Signal::Terminate => ("terminated", Exit::Terminated),
    };
    Error::new(format!("`{name}` was {what}"))
        .exit(exit)
        .hint("run the same command again; it continues from the current state")
}

/// Whether there is a local cloud, or a part of one that is still running.
async fn local_runs() -> bool {
    !matches!(local_cloud::status().await, Ok(cloud::Status::NotRunning))
}

/// Runs a command in all regions in parallel and returns the worst exit code. The exit code of an error takes precedence
/// over one that a command returned as its result.
async fn everywhere(
    contexts: Vec<Context>,
    command: Arc<InRegion>,
    simplify: impl Fn(Error) -> Error + Copy + Send + 'static,
) -> Exit {
    let mut running = JoinSet::new();
    for cx in contexts {
        let command = Arc::clone(&command);
        running.spawn(async move {
            match with_summary(&command, &cx).await {
                Ok(exit) => (false, exit),
                Err(error) => {
                    let error = cx.clients.investigate(error).await;
                    (true, cx.events.report(simplify(error)))
                }
            }
        });
    }
    let mut worst = (false, Exit::Success);
    while let Some(ended) = running.join_next().await {
        // A panic has been reported already; the other regions go on.
        worst = worst.max(ended.unwrap_or((true, Exit::Bug)));
    }
    worst.1
}

/// Runs a command, and appends its summary to a file if the user or the CI system wants one.
async fn with_summary(command: &InRegion, cx: &Context) -> Result<Exit> {
    let Some(path) = command.summary() else { return in_region(command, cx).await };
    let (events, recording) = cx.events.recorded();
    let cx = Context { events, ..cx.clone() };
    let outcome = match in_region(command, &cx).await {
        Ok(exit) => Ok(exit),
        Err(error) => Err(cx.clients.investigate(error).await),
    };
    let written = summary::append(path, command.name(), &recording, &outcome, &cx);
    let exit = outcome?;
    written.map(|()| exit)
}

async fn in_region(command: &InRegion, cx: &Context) -> Result<Exit> {
    match command {
        InRegion::Up(args) => up::run(args, cx).await,
        InRegion::Plan(args) => plan::run(args, cx).await,
        InRegion::Smoke(args) => smoke::run(args, cx).await,
        InRegion::Down(args) => down::run(args, cx).await,
        InRegion::Status(args) => status::run(args, cx).await,
        InRegion::Logs(args) => logs::run(args, cx).await,
        InRegion::Detect(args) => detect::run(args, cx).await,
        InRegion::Backfill(args) => backfill::run(args, cx).await,
        InRegion::Faces(args) => faces::run(args, cx).await,
        InRegion::Export(args) => export::run(args, cx).await,
        InRegion::Forget(args) => forget::run(args, cx).await,
        InRegion::Redrive(args) => redrive::run(args, cx).await,
    }
}
