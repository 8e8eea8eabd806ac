//! What the user sets for a deployment: parameters, template, function.

use std::path::PathBuf;

use crate::context::Context;
use crate::core::hint::Hint;
use crate::core::template::{self, Template};
use crate::core::{concurrency, parameter};
use crate::error::{Error, Exit, Result};
use crate::package::Architecture;

/// The system's settings
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Set a parameter of the template, for example `RetentionDays=30`; other parameters keep their deployed values.
    /// `ReservedConcurrency=auto` computes that value from the account's quota
    #[arg(long = "parameter", short = 'P', value_name = "NAME=VALUE", value_parser = assignment)]
    pub parameters: Vec<(String, String)>,
    /// Deploy this template instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Use this executable, or the one in this zip, as the function
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// Import the existing table and bucket named by `TableName` and `BucketName` into the stack, with their contents; a later `down` deletes
    /// them unless `--keep-data` is given
    #[arg(long)]
    pub adopt: bool,
    /// Do not wait until updated resources have stabilized; ignored if the stack is created or a resource is replaced
    #[arg(long)]
    pub express: bool,
    /// Also revert changes that were made outside CloudFormation
    #[arg(long, conflicts_with_all = ["express", "adopt"])]
    pub revert_drift: bool,
}

fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE".to_owned())
}

/// The parameters that this program sets: where the package is.
const OURS: [&str; 2] = ["CodeBucket", "CodeKey"];

/// The parameter that may be computed here.
pub const RESERVED: &str = "ReservedConcurrency";

/// Reads the template and checks the parameters against it.
///
/// # Errors
/// The template cannot be read, or a parameter does not fit it.
pub fn load(settings: &Settings) -> Result<Template> {
    let (name, body) = match &settings.template {
        None => ("the built-in template".to_owned(), template::BUILT_IN.to_owned()),
        Some(path) => {
            let body = std::fs::read_to_string(path).map_err(|error| {
                Error::new(format!("cannot read template `{}`", path.display())).because(&error).exit(Exit::Usage)
            })?;
            (format!("template `{}`", path.display()), body)
        }
    };
    let template = template::read(&body).map_err(|error| {
        Error::new(format!("cannot use {name}"))
            .because(&error)
            .exit(Exit::Usage)
            .hint(Hint::command("template").then(" prints the built-in template as a starting point"))
    })?;
    for (name, _) in &settings.parameters {
        if OURS.contains(&name.as_str()) {
            return Err(Error::new(format!("parameter `{name}` is set by provisioner itself"))
                .exit(Exit::Usage)
                .hint("`--bootstrap FILE` deploys another function"));
        }
        if !template.parameters.contains_key(name) {
            let known: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
            return Err(Error::new(format!("the template has no parameter `{name}`"))
                .exit(Exit::Usage)
                .hint(format!("its parameters are {}", known.join(", "))));
        }
    }
    for (name, value) in &settings.parameters {
        if name == RESERVED && value == concurrency::AUTOMATIC {
            continue;
        }
        if let Some(problem) = template.declaration(name).and_then(|declared| parameter::problem(declared, value)) {
            return Err(Error::new(format!("parameter `{name}` is `{value}`: it {problem}")).exit(Exit::Usage));
        }
    }
    Ok(template)
}

/// The architecture that the user names, or that of this machine for the local cloud.
///
/// # Errors
/// There is no such architecture.
pub fn architecture(cx: &Context, settings: &Settings) -> Result<Option<Architecture>> {
    let named =
        settings.parameters.iter().rev().find(|(name, _)| name == "Architecture").map(|(_, value)| value.as_str());
    match named {
        // Local functions run as processes of this machine.
        _ if cx.local.is_some() => Ok(Some(Architecture::of_this_machine())),
        None => Ok(None),
        Some(name) => Architecture::of_name(name).map(Some).ok_or_else(|| {
            Error::new(format!("`Architecture` is `{name}`")).exit(Exit::Usage).hint("it is `arm64` or `x86_64`")
        }),
    }
}
