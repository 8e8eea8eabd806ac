//! Starts, joins and stops the local cloud for commands, and reports the progress as events.
//!
//! Invariant: nothing here depends on a command; `commands/local.rs` and `context.rs` both build on it.

use crate::core::event::{Event, LocalStep};
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::local::{self, Options, Paths, Progress, State, Status, Stopped};
use crate::ui::Events;

/// Sets the port if a command other than `local start` starts the local cloud.
pub const PORT_VARIABLE: &str = "PROVISIONER_LOCAL_PORT";

/// Starts the local cloud with its defaults, or joins the one that is running.
pub async fn start_default(region: Option<&String>, events: &Events) -> Result<State> {
    let mut options = Options::from_env().map_err(explain)?;
    region.map_or(local::DEFAULT_REGION, String::as_str).clone_into(&mut options.region);
    options.port = std::env::var(PORT_VARIABLE).ok().map(|text| port(&text)).transpose()?;
    start(&options, events).await
}

fn port(text: &str) -> Result<u16> {
    text.parse().map_err(|error| {
        Error::new(format!("`{PORT_VARIABLE}` is `{text}`, which is not a port")).because(&error).exit(Exit::Usage)
    })
}

/// Starts a local cloud with these options, or joins the one that is running.
pub async fn start(options: &Options, events: &Events) -> Result<State> {
    let state = local::start(options, &|progress| report(&progress, events)).await.map_err(explain)?;
    announce(&state, events);
    Ok(state)
}

/// The default options, with folders from the environment.
pub fn options() -> Result<Options> {
    Options::from_env().map_err(explain)
}

/// The running local cloud.
///
/// # Errors
/// No local cloud is running, or a part of it does not answer.
pub async fn running() -> Result<State> {
    match status().await? {
        Status::Running(state) => Ok(*state),
        Status::NotRunning => Err(Error::new("no local cloud is running").hint(
            Hint::command("up --local")
                .then(" starts one and deploys the system to it; ")
                .then_command("local start")
                .then(" only starts it"),
        )),
        Status::Broken { part, .. } => Err(broken(part)),
    }
}

/// The environment variables that point SDKs at a local cloud, and the Python that has one of them, botocore.
pub fn environment(state: &State) -> Result<Vec<(&'static str, String)>> {
    let python = local::python(&Paths::from_env().map_err(explain)?).display().to_string();
    Ok(state.env().into_iter().chain([("PROVISIONER_LOCAL_PYTHON", python)]).collect())
}

/// Whether a local cloud is running.
pub async fn status() -> Result<Status> {
    local::status(&Paths::from_env().map_err(explain)?).await.map_err(explain)
}

/// Stops the local cloud if one is running.
pub async fn stop(events: &Events) -> Result<()> {
    let stopped = local::stop(&Paths::from_env().map_err(explain)?, &|progress| report(&progress, events))
        .await
        .map_err(explain)?;
    events.emit(Event::LocalStopped { was_running: matches!(stopped, Stopped::Stopped(_)) });
    Ok(())
}

/// Reports the local cloud's endpoint and account.
pub fn announce(state: &State, events: &Events) {
    let account = local::credentials().account_id.to_owned();
    events.emit(Event::LocalReady { endpoint: state.endpoint_url.clone(), account });
}

/// The error for a local cloud of which one process has ended.
#[must_use]
pub fn broken(part: &str) -> Error {
    Error::new(format!("{part} of the local cloud has ended"))
        .hint(Hint::command("local start").then(" starts it again"))
}

/// Turns an error of the local cloud into one for users.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
#[must_use]
pub fn explain(error: local::Error) -> Error {
    let hint = error.hint();
    let message = error.to_string();
    let base = match std::error::Error::source(&error) {
        Some(source) => Error::new(message).because(source),
        None => Error::new(message),
    };
    hint.into_iter().fold(base, Error::hint)
}

fn report(progress: &Progress, events: &Events) {
    let step = match progress {
        Progress::WaitingForOther { lock } => LocalStep::Waiting { lock: lock.display().to_string() },
        Progress::Installing { version, with, .. } => LocalStep::Installing { version, with },
        Progress::Installed { took } => LocalStep::Installed { seconds: took.as_secs_f64() },
        Progress::Replacing { ended } => LocalStep::Replacing { ended },
        Progress::Starting { port } => LocalStep::Starting { port: *port },
        // `announce` reports it together with the account.
        _ => return,
    };
    events.emit(Event::LocalCloud { step });
}
