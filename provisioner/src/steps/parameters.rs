//! Computes the value of every parameter of a deployment.

use std::collections::BTreeMap;

use crate::aws::quotas;
use crate::context::Context;
use crate::core::concurrency::{self, NoReservation};
use crate::core::event::Event;
use crate::core::{names, parameter};
use crate::error::Result;
use crate::package::{Architecture, Package};
use crate::steps::preflight::Observed;
use crate::steps::rekognition;
use crate::steps::settings::{Loaded, RESERVED};

/// The parameter that switches off the template's own check of the region.
const REGION_CHECK: &str = "RegionCheck";

/// The parameter that decides whether the bucket keeps versions.
const VERSIONING: &str = "Versioning";

/// The inputs that the values are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The template that declares the parameters, and the values that the user sets.
    pub loaded: &'a Loaded,
    /// The state before the run.
    pub observed: &'a Observed,
    /// Whether the stack is updated, so its deployed values are the defaults.
    pub is_update: bool,
    /// The function's architecture.
    pub architecture: Architecture,
    /// The function's package.
    pub package: &'a Package,
    /// Whether the region has Rekognition although the template does not list it.
    pub skip_region_check: bool,
}

/// Computes the values. Later sources override earlier ones: the defaults, the deployed values, the values that this
/// run computes, and those that the user sets.
pub async fn values(cx: &Context, inputs: Inputs<'_>) -> BTreeMap<String, String> {
    let Inputs { loaded: Loaded { template, parameters }, observed, package, .. } = inputs;
    let defaults = template.parameters.iter();
    let mut values: BTreeMap<String, String> =
        defaults.filter_map(|(name, default)| Some((name.clone(), default.clone()?))).collect();
    values.insert("BucketPrefix".into(), names::bucket_prefix(cx.stack()));
    if cx.clients.plain_http {
        // The bucket would refuse the requests of this program.
        values.insert("TlsOnly".into(), "no".into());
    }
    if let Some(stack) = observed.stack.as_ref().filter(|_| inputs.is_update) {
        values.extend(stack.parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    values.insert("Architecture".into(), inputs.architecture.name().into());
    values.insert("CodeBucket".into(), names::package_bucket(&observed.account, cx.region()));
    values.insert("CodeKey".into(), names::package_key(cx.stack(), &package.sha256));
    values.extend(parameters.iter().cloned());
    if let (Some(declaration), Some(wanted)) = (template.declaration(VERSIONING), values.get(VERSIONING)) {
        let deployed = observed.stack.as_ref().and_then(|stack| stack.parameters.get(VERSIONING));
        let value = parameter::versioning(declaration, deployed.map(String::as_str), wanted).to_owned();
        values.insert(VERSIONING.to_owned(), value);
    }
    if inputs.skip_region_check {
        values.insert(REGION_CHECK.to_owned(), "no".to_owned());
    }
    values.retain(|name, _| template.parameters.contains_key(name));
    if values.get(RESERVED).is_some_and(|value| value == concurrency::AUTOMATIC) {
        let elsewhere = values.get(rekognition::PARAMETER).filter(|region| !region.is_empty());
        let reserved = reserve(cx, observed, elsewhere.map_or(cx.region(), String::as_str)).await;
        values.insert(RESERVED.to_owned(), reserved.to_string());
    }
    values
}

/// Computes the concurrent executions to reserve for the function in this account and region. If that is not possible,
/// the deployed reservation stays; -1 means no reservation.
async fn reserve(cx: &Context, observed: &Observed, rekognition: &str) -> i32 {
    let held = observed.stack.as_ref().and_then(|stack| stack.parameters.get(RESERVED)?.parse::<i32>().ok());
    match compute(cx, held, rekognition).await {
        Ok((concurrent_executions, requests_per_second)) => {
            cx.events.emit(Event::ConcurrencyChosen { concurrent_executions, requests_per_second });
            concurrent_executions
        }
        Err(reason) => {
            cx.events.emit(Event::ConcurrencyUnknown { kept: held.filter(|held| *held >= 0), reason });
            held.unwrap_or(-1)
        }
    }
}

async fn compute(cx: &Context, held: Option<i32>, rekognition: &str) -> std::result::Result<(i32, f64), NoReservation> {
    let asked: Result<_> =
        tokio::try_join!(quotas::detect_faces(&cx.clients, rekognition), quotas::concurrency(&cx.clients));
    let (rate, (_, unreserved)) =
        asked.map_err(|error| NoReservation::Unreadable { error: format!("{error}: {}", error.causes.join(", ")) })?;
    // The function's own reservation counts as available.
    let available = unreserved.saturating_add(held.unwrap_or_default().max(0));
    Ok((concurrency::reserve(rate, available)?, rate.unwrap_or_default()))
}
