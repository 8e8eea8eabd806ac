//! One file a command: its options, and the order of its steps.

pub mod build;
pub mod detect;
pub mod doctor;
pub mod down;
pub mod local;
pub mod logs;
pub mod plan;
pub mod policy;
pub mod redrive;
pub mod regions;
pub mod shell;
pub mod smoke;
pub mod status;
pub mod template;
pub mod up;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cli::{self, Cli, Command, Context};
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::steps::interrupt;
use crate::ui::{Events, Ui};

/// Runs a parsed command line to its end; everything that happens is an event.
pub async fn run(cli: Cli, ui: &Arc<Ui>) -> Exit {
    let name = cli.command.name();
    let plain = Events::new(Arc::clone(ui), None);
    let answer = match cli.command {
        Command::Build(args) => build::run(&args, &cli.global, &plain).await.map(|()| Exit::Success),
        Command::Local(args) => local::run(args, &cli.global, ui).await,
        Command::Template(args) => template::run(&args, &plain).map(|()| Exit::Success),
        Command::Policy(args) => policy::run(&args, &cli.global, &plain).map(|()| Exit::Success),
        Command::Regions(args) => regions::run(&args, &cli.global, ui).await.map(|()| Exit::Success),
        Command::Doctor(args) => doctor::run(&args, &cli.global, ui).await,
        Command::Completions(args) => shell::completions(&args, &plain).map(|()| Exit::Success),
        Command::Man(args) => shell::man(&args, &plain).map(|()| Exit::Success),
        command => {
            plain.emit(Event::Started {
                command: name,
                version: env!("CARGO_PKG_VERSION"),
                stack: cli.global.stack.clone(),
                local: cli.global.local,
            });
            if cli.global.local && matches!(command, Command::Down(_)) && !local_runs().await {
                plain.emit(Event::LocalStopped { was_running: false });
                plain.emit(Event::NoStack { stack: cli.global.stack.clone() });
                plain.emit(Event::Result { ok: true, exit_code: 0 });
                return Exit::Success;
            }
            let start_local = matches!(command, Command::Up(_));
            match cli::contexts(&cli.global, ui, start_local).await {
                Ok(contexts) => tokio::select! {
                    exit = everywhere(contexts, Arc::new(command)) => Ok(exit),
                    () = interrupt::unanswered() => Err(Error::new(format!("`{name}` was interrupted"))
                        .hint("run the same command again; it goes on from what stands")),
                },
                Err(error) => Err(error),
            }
        }
    };
    let exit = answer.unwrap_or_else(|error| cli::report(&plain, error));
    plain.emit(Event::Result { ok: exit == Exit::Success, exit_code: exit as u8 });
    exit
}

/// Whether there is any local cloud, or anything left of one.
async fn local_runs() -> bool {
    !matches!(local::status().await, Ok(crate::local::Status::NotRunning))
}

/// Runs a command in every region side by side; the worst exit code is the run's, that of an error before that of a verdict.
async fn everywhere(contexts: Vec<Context>, command: Arc<Command>) -> Exit {
    let mut running = JoinSet::new();
    for cx in contexts {
        let command = Arc::clone(&command);
        running.spawn(async move {
            match in_region(&command, &cx).await {
                Ok(exit) => (false, exit),
                Err(error) => (true, cli::report(&cx.events, error)),
            }
        });
    }
    running.join_all().await.into_iter().max().map_or(Exit::Success, |(_, exit)| exit)
}

async fn in_region(command: &Command, cx: &Context) -> Result<Exit> {
    match command {
        Command::Up(args) => up::run(args, cx).await,
        Command::Plan(args) => plan::run(args, cx).await,
        Command::Smoke(args) => smoke::run(args, cx).await,
        Command::Down(args) => down::run(args, cx).await,
        Command::Status(args) => status::run(args, cx).await,
        Command::Logs(args) => logs::run(args, cx).await,
        Command::Detect(args) => detect::run(args, cx).await,
        Command::Redrive(args) => redrive::run(args, cx).await,
        _ => Err(Error::new("this command works in no region")),
    }
}

/// The stack that a command needs, in a state in which it works.
///
/// # Errors
/// There is no such stack.
pub(crate) async fn deployed(cx: &Context) -> Result<crate::aws::stack::Stack> {
    let found = crate::aws::stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    found.filter(|stack| !stack.outputs.is_empty()).ok_or_else(|| {
        Error::new(format!("there is no working stack `{}` in {}", cx.stack(), cx.region()))
            .hint(format!("`{}` puts it up", cx.command("up")))
    })
}
