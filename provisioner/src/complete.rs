//! What a shell offers for the values of options: regions, parameters, profiles, and stacks.
//!
//! Invariant: completion never prompts, and gives up on the network after half a second.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use clap_complete::CompletionCandidate;

use crate::aws::{self, Clients, Connection, Request, stacks};
use crate::core::setting::{Setting, Source};
use crate::core::{regions, template};
use crate::error::Error;

/// How long a shell waits for AWS.
const PATIENCE: Duration = Duration::from_millis(500);

/// The regions with Rekognition; several are separated by commas.
#[must_use]
pub fn regions(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let (before, last) = current.rsplit_once(',').map_or(("", &*current), |(before, last)| (before, last));
    let before = if before.is_empty() { String::new() } else { format!("{before},") };
    regions::all()
        .filter(|region| region.supports_rekognition() && region.name.starts_with(last))
        .map(|region| CompletionCandidate::new(format!("{before}{}", region.name)).help(Some(region.place.into())))
        .collect()
}

/// The parameters of the built-in template, then the values that one allows.
#[must_use]
pub fn parameters(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let Ok(template) = template::read(template::BUILT_IN) else { return Vec::new() };
    let Some((name, value)) = current.split_once('=') else {
        let names = template.parameters.keys().filter(|name| name.starts_with(&*current));
        return names.map(|name| CompletionCandidate::new(format!("{name}="))).collect();
    };
    let allowed = template.declaration(name).and_then(|declared| declared.get("AllowedValues")?.as_sequence());
    let values =
        allowed.into_iter().flatten().filter_map(|value| value.as_str()).filter(|text| text.starts_with(value));
    values.map(|value| CompletionCandidate::new(format!("{name}={value}"))).collect()
}

/// The profiles in the AWS configuration.
#[must_use]
pub fn profiles(current: &OsStr) -> Vec<CompletionCandidate> {
    within(aws::profile_names())
        .unwrap_or_default()
        .into_iter()
        .filter(starts(current))
        .map(CompletionCandidate::new)
        .collect()
}

/// This program's stacks in the region that the command line names, or in the configured one.
#[must_use]
pub fn stacks(current: &OsStr) -> Vec<CompletionCandidate> {
    let found = within(async {
        let never: aws::AskForCode = Arc::new(|_| Err(Error::new("completion asks for no code")));
        let typed = |name| typed(name).map(|value| Setting::new(name, value, Source::option(format!("--{name}"))));
        let request = Request { profile: typed("profile"), region: typed("region"), endpoint: typed("endpoint-url") };
        let connection = Arc::new(Connection::open(&request, never, aws::tell_nobody()).await.ok()?);
        let clients = Clients::new(&connection, typed("region").as_ref().map(|region| region.value.as_str())).ok()?;
        stacks::ours(&clients.cloudformation, &clients.region).await.ok()
    });
    let names = found.flatten().unwrap_or_default().into_iter().map(|stack| stack.name);
    names.filter(starts(current)).map(CompletionCandidate::new).collect()
}

/// The value of an option in the line that is being completed, or of its environment variable.
fn typed(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = format!("--{name}");
    let two = arguments.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1].clone());
    let one =
        || arguments.iter().find_map(|argument| Some(argument.strip_prefix(&option)?.strip_prefix('=')?.to_owned()));
    let variable = || std::env::var(format!("PROVISIONER_{}", name.replace('-', "_").to_uppercase())).ok();
    two.or_else(one).or_else(variable).filter(|value| !value.is_empty())
}

fn starts(current: &OsStr) -> impl Fn(&String) -> bool {
    let current = current.to_string_lossy().into_owned();
    move |name| name.starts_with(&current)
}

/// Runs a request for at most [`PATIENCE`].
fn within<T>(request: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, request).await.ok() });
    // A request that did not end in time must not delay the shell.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(complete: fn(&OsStr) -> Vec<CompletionCandidate>, current: &str, expected: &[&str]) {
        let found = complete(OsStr::new(current));
        let values: Vec<_> =
            found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect();
        assert_eq!(values, expected, "{current}");
    }

    #[test]
    fn regions_and_parameters_are_offered() {
        check(regions, "eu-c", &["eu-central-1"]);
        check(regions, "us-east-1,eu-c", &["us-east-1,eu-central-1"]);
        check(regions, "eu-west-3", &[]);
        check(parameters, "Reten", &["RetentionDays="]);
        check(parameters, "Versioning=", &["Versioning=no", "Versioning=yes", "Versioning=suspended"]);
        check(parameters, "Nope=", &[]);
    }
}
