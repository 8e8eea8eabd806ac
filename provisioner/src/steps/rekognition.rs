//! Finds the region whose Rekognition detects the faces: that of the system, unless it has none.

use crate::aws::{quotas, stack};
use crate::context::Context;
use crate::core::event::{Event, RegionSource};
use crate::core::hint::Hint;
use crate::core::regions;
use crate::error::{Error, Exit, Result};
use crate::steps::settings::Loaded;

/// The parameter that names another region.
pub const PARAMETER: &str = "RekognitionRegion";

/// The region whose Rekognition is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Another region than that of the system, if the user has just accepted it.
    pub accepted: Option<String>,
    /// Whether only AWS knows that it has Rekognition; this program and its template do not.
    pub by_aws_only: bool,
}

/// Finds the region for a template, with the parameters that the user sets.
///
/// The built-in table answers immediately for the regions that it lists. For other regions, Service Quotas is asked, so
/// regions that get Rekognition later work, too. If Service Quotas does not answer, the table decides.
///
/// # Errors
/// Neither the system's region nor another one that was named or accepted has Rekognition.
pub async fn choose(cx: &Context, loaded: &Loaded) -> Result<Chosen> {
    let named = loaded.parameters.iter().rev().find(|(name, _)| name == PARAMETER).map(|(_, value)| value.as_str());
    if let Some(other) = named.filter(|other| !other.is_empty() && *other != cx.region()) {
        return elsewhere(cx, other).await;
    }
    let source = match ask(cx, cx.region()).await {
        Found::Yes { by_aws_only } => return Ok(Chosen { accepted: None, by_aws_only }),
        Found::No { source } => source,
    };
    // A deployed system keeps the region that it was given. Without credentials, the refusal below is still right.
    let deployed = stack::describe(&cx.clients.cloudformation, cx.stack()).await.ok().flatten();
    let deployed = deployed.and_then(|stack| stack.parameters.get(PARAMETER).cloned()).filter(|_| named.is_none());
    if let Some(other) = deployed.filter(|other| !other.is_empty()) {
        return elsewhere(cx, &other).await;
    }
    let nearest = regions::nearest(cx.region()).first().copied();
    // `--yes` does not answer this question, because pictures of people would leave the region.
    if let Some(nearest) = nearest.filter(|_| !cx.global.yes && loaded.template.parameters.contains_key(PARAMETER)) {
        let question = format!(
            "{} has no Amazon Rekognition; use it in {nearest}, so that pictures leave {}?",
            cx.region(),
            cx.region()
        );
        if cx.events.confirm(&question).is_ok() {
            return Ok(Chosen { accepted: Some(nearest.to_owned()), by_aws_only: false });
        }
    }
    Err(refused(cx, source))
}

/// The refusal of a region without Rekognition.
fn refused(cx: &Context, source: RegionSource) -> Error {
    let name = cx.region();
    let error = Error::new(format!("region `{name}` has no Amazon Rekognition"))
        .cause(format!("{} does not list it", listing(source)))
        .exit(Exit::Refused);
    let (Some(near), Some(nearest)) = (regions::nearest_in_words(name), regions::nearest(name).first().copied()) else {
        return error.hint(
            Hint::from("no region in this partition has it; ")
                .then_command("regions")
                .then(" lists the regions that do"),
        );
    };
    error
        .hint(Hint::from(format!("use {near}; ")).then_command("regions").then(" lists all regions that have it"))
        .hint(
            Hint::command("up --parameter")
                .arg(format!("{PARAMETER}={nearest}"))
                .then(format!(" deploys here and sends the pictures to {nearest}")),
        )
}

fn listing(source: RegionSource) -> &'static str {
    match source {
        RegionSource::BuiltIn => "the built-in region table",
        RegionSource::ServiceQuotas => "Service Quotas",
    }
}

/// Whether a region has Rekognition, and who says that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Yes { by_aws_only: bool },
    No { source: RegionSource },
}

async fn ask(cx: &Context, region: &str) -> Found {
    let emit =
        |rekognition, source| cx.events.emit(Event::RegionChecked { region: region.to_owned(), rekognition, source });
    if regions::supports_rekognition(region) {
        emit(true, RegionSource::BuiltIn);
        return Found::Yes { by_aws_only: false };
    }
    match quotas::detect_faces(&cx.clients, region).await {
        Ok(Some(_)) => {
            emit(true, RegionSource::ServiceQuotas);
            Found::Yes { by_aws_only: true }
        }
        Ok(None) => Found::No { source: RegionSource::ServiceQuotas },
        Err(_) => Found::No { source: RegionSource::BuiltIn },
    }
}

/// Checks another region.
async fn elsewhere(cx: &Context, other: &str) -> Result<Chosen> {
    let wrong = |cause: String| {
        let error = Error::new(format!("`{PARAMETER}` is `{other}`, whose Rekognition cannot be used"));
        let error = error.cause(cause).exit(Exit::Refused);
        Err(match regions::nearest_in_words(cx.region()) {
            Some(near) => error.hint(format!("the nearest with Rekognition: {near}")),
            None => error.hint(Hint::command("regions").then(" lists the regions with Rekognition")),
        })
    };
    if regions::partition_of(other) != regions::partition_of(cx.region()) {
        return wrong(format!("it is in another partition than {}", cx.region()));
    }
    match ask(cx, other).await {
        Found::Yes { by_aws_only } => {
            cx.events.emit(Event::PicturesLeave { region: cx.region().to_owned(), to: other.to_owned() });
            Ok(Chosen { accepted: None, by_aws_only })
        }
        Found::No { source } => wrong(format!("{} does not list Rekognition in it", listing(source))),
    }
}
