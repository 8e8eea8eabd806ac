//! The user's settings for a deployment: parameters, template, function, tags, and role.

use std::path::{Path, PathBuf};

use clap_complete::ArgValueCompleter;

use crate::bootstrap::FunctionOptions;
use crate::complete;
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::hint::Hint;
use crate::core::template::{self, Template};
use crate::core::{concurrency, names, parameter, parameter_file};
use crate::error::{Error, Exit, Result};
use crate::file;
use crate::package::Architecture;

/// The system's settings
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Set a parameter of the template, for example `RetentionDays=30` (repeatable); other parameters keep their
    /// deployed values. `ReservedConcurrency=auto` computes the value from the account's quotas
    #[arg(long = "parameter", short = 'P', value_name = "NAME=VALUE", value_parser = assignment, add = ArgValueCompleter::new(complete::parameters))]
    pub parameters: Vec<(String, String)>,
    /// Read parameters from a YAML or JSON file, as a map or in CloudFormation's list format; `--parameter` overrides
    /// it
    #[arg(long = "parameters", value_name = "FILE")]
    pub parameters_file: Option<PathBuf>,
    /// Set a tag on the stack and on the package bucket (repeatable); other tags keep their values
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// Remove a tag from the stack and from the package bucket (repeatable)
    #[arg(long = "untag", value_name = "KEY")]
    pub untags: Vec<String>,
    /// Let CloudFormation use this service role; it also uses the role for all later operations on the stack
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    pub role_arn: Option<String>,
    /// Deploy this template instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// The source of the function.
    #[command(flatten)]
    pub function: FunctionOptions,
    /// Import the existing table and bucket named by `TableName` and `BucketName` into the stack, with their contents.
    /// A later `down` deletes them unless `--keep-data` is given
    #[arg(long)]
    pub adopt: bool,
    /// Also process the pictures that are uploaded to this existing bucket, or to a prefix in it (repeatable). It stays
    /// outside the stack; only its EventBridge notifications are switched on
    #[arg(long, value_name = "s3://BUCKET[/PREFIX]", value_parser = Location::parse)]
    pub attach: Vec<Location>,
    /// Stop processing the pictures of an attached bucket or prefix (repeatable); the bucket gets its settings back
    #[arg(long, value_name = "s3://BUCKET[/PREFIX]", value_parser = Location::parse)]
    pub detach: Vec<Location>,
    /// Do not wait until updated resources have stabilized; has no effect if the stack is new or a resource is replaced
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

fn tag(text: &str) -> std::result::Result<(String, String), String> {
    assignment(text).map_err(|_| "expected KEY=VALUE".to_owned())
}

/// Parses the ARN of a service role.
pub fn role_arn(text: &str) -> std::result::Result<String, String> {
    if names::is_role_arn(text) {
        Ok(text.to_owned())
    } else {
        Err("expected the ARN of a role, for example arn:aws:iam::123456789012:role/deployer".to_owned())
    }
}

/// The parameters that this program sets: the location of the package.
const OURS: [&str; 2] = ["CodeBucket", "CodeKey"];

/// The parameter whose value this program can compute.
pub const RESERVED: &str = "ReservedConcurrency";

/// The contents of the files that the settings name.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The template.
    pub template: Template,
    /// The parameters that the user sets: first those in the file, then those on the command line.
    pub parameters: Vec<(String, String)>,
}

/// Reads the files; checks the tags, and the parameters against the template.
pub fn load(settings: &Settings) -> Result<Loaded> {
    check_tags(&settings.tags, &settings.untags)?;
    let mut parameters = match &settings.parameters_file {
        Some(path) => read_parameters(path)?,
        None => Vec::new(),
    };
    parameters.extend(settings.parameters.iter().cloned());
    let template = template(settings)?;
    check(&template, &parameters)?;
    Ok(Loaded { template, parameters })
}

/// The known name that was probably meant.
fn similar<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let scored = known.iter().map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), *known));
    // The threshold that clap uses for options.
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn check_tags(set: &[(String, String)], removed: &[String]) -> Result<()> {
    let refused = |key: &str, problem: &str| Err(Error::new(format!("tag `{key}` {problem}")).exit(Exit::Usage));
    for (at, (key, value)) in set.iter().enumerate() {
        if let Err(problem) = names::check_tag(key, value) {
            return refused(key, problem);
        }
        if set[..at].iter().any(|(earlier, other)| earlier == key && other != value) {
            return refused(key, "is set to two values");
        }
    }
    for key in removed {
        if let Err(problem) = names::check_tag(key, "") {
            return refused(key, problem);
        }
        if set.iter().any(|(other, _)| other == key) {
            return refused(key, "is both set and removed");
        }
    }
    Ok(())
}

fn read_parameters(path: &Path) -> Result<Vec<(String, String)>> {
    let failed = |what| Error::new(format!("cannot {what} `{}`", path.display())).exit(Exit::Usage);
    let text = file::read_text(path).map_err(|error| failed("read").because(&error))?;
    parameter_file::read(&text).map_err(|error| failed("use parameter file").because(&error))
}

fn template(settings: &Settings) -> Result<Template> {
    let (name, body) = match &settings.template {
        None => ("the built-in template".to_owned(), template::BUILT_IN.to_owned()),
        Some(path) => {
            let body = file::read_text(path).map_err(|error| {
                Error::new(format!("cannot read template `{}`", path.display())).because(&error).exit(Exit::Usage)
            })?;
            (format!("template `{}`", path.display()), body)
        }
    };
    template::read(&body).map_err(|error| {
        Error::new(format!("cannot use {name}"))
            .because(&error)
            .exit(Exit::Usage)
            .hint(Hint::command("template").then(" prints the built-in template as a starting point"))
    })
}

fn check(template: &Template, parameters: &[(String, String)]) -> Result<()> {
    for (name, _) in parameters {
        if OURS.contains(&name.as_str()) {
            return Err(Error::new(format!("parameter `{name}` is set by provisioner itself"))
                .exit(Exit::Usage)
                .hint("to deploy another function, use `--bootstrap FILE`"));
        }
        if !template.parameters.contains_key(name) {
            let known: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
            let error = Error::new(format!("the template has no parameter `{name}`")).exit(Exit::Usage);
            let error = match similar(name, &known) {
                Some(similar) => error.hint(format!("did you mean `{similar}`?")),
                None => error,
            };
            return Err(error.hint(format!("its parameters are {}", known.join(", "))));
        }
    }
    for (name, value) in parameters {
        if name == RESERVED && value == concurrency::AUTOMATIC {
            continue;
        }
        if let Some(problem) = template.declaration(name).and_then(|declared| parameter::problem(declared, value)) {
            return Err(Error::new(format!("parameter `{name}` is `{value}`: it {problem}")).exit(Exit::Usage));
        }
    }
    Ok(())
}

/// The architecture that the user sets, or that of this machine for the local cloud.
pub fn architecture(cx: &Context, parameters: &[(String, String)]) -> Result<Option<Architecture>> {
    let named = parameters.iter().rev().find(|(name, _)| name == "Architecture").map(|(_, value)| value.as_str());
    match named {
        // In the local cloud, functions run as processes on this machine.
        _ if cx.local.is_some() => Ok(Some(Architecture::of_this_machine())),
        None => Ok(None),
        Some(name) => Architecture::of_name(name).map(Some).ok_or_else(|| {
            Error::new(format!("unknown architecture `{name}` in parameter `Architecture`"))
                .exit(Exit::Usage)
                .hint("use `arm64` or `x86_64`")
        }),
    }
}
