//! What `doctor` finds out, in words.

use super::words::noun;
use crate::core::finding::Finding;

pub(super) fn words(finding: &Finding) -> String {
    match finding {
        Finding::Toolchain { rustc, cargo } => format!("{rustc}, {cargo}"),
        Finding::OldToolchain { rustc, needed } => format!("{rustc} is too old: the function needs Rust {needed}"),
        Finding::NoToolchain => "there is no Rust toolchain, so the function cannot be built here".to_owned(),
        Finding::RustTarget { target, present: true, .. } => target.clone(),
        Finding::RustTarget { target, rustup: true, .. } => format!("`{target}` is missing; `up` installs it"),
        Finding::RustTarget { target, .. } => format!("`{target}` is missing, and there is no rustup to install it"),
        Finding::Linker { path: Some(path) } => path.clone(),
        Finding::Linker { path: None } => {
            "the linker `rust-lld` is missing, so the function cannot be built here".to_owned()
        }
        Finding::Installer { installer } => format!("{installer} installs it"),
        Finding::FreeSpace { folder, free_bytes, needed_bytes } => {
            let megabytes = |bytes: &u64| bytes / 1_000_000;
            let free = megabytes(free_bytes);
            if free_bytes >= needed_bytes {
                format!("{free} MB are free for {folder}")
            } else {
                format!("only {free} MB are free for {folder}, of {} MB needed", megabytes(needed_bytes))
            }
        }
        Finding::Caller { account, arn, credentials } => format!("account {account} as {arn}, from {credentials}"),
        Finding::Rekognition { region, available: true } => format!("{region} has Rekognition"),
        Finding::Rekognition { region, available: false } => format!("{region} does not have Rekognition"),
        Finding::AttachedBucket { locations, sends_events } => {
            let places = locations.join(", ");
            match sends_events {
                Some(true) => format!("{places} sends its events to EventBridge"),
                Some(false) => format!("{places} does not send its events to EventBridge"),
                None => format!("{places}: cannot find out whether it sends its events"),
            }
        }
        Finding::Concurrency { all, unreserved } => format!("{all} concurrent executions, {unreserved} not reserved"),
        Finding::DetectFaces { requests_per_second: Some(rate) } => format!("{rate} requests per second"),
        Finding::DetectFaces { .. } => "Service Quotas lists no such quota in this region".to_owned(),
        Finding::QuotaUnknown { cause } => format!("could not be read ({cause})"),
        Finding::NotSimulated { arn } => format!("IAM cannot simulate {arn}, so they were not checked"),
        Finding::AllAllowed { actions } => format!("all {actions} actions are allowed"),
        Finding::Conditional { actions, of } => {
            format!(
                "{} of {of} actions depend on conditions of the real request: {}",
                actions.len(),
                actions.join(", ")
            )
        }
        Finding::NotAllowed { actions, of } => {
            format!("{} of {of} actions are not allowed: {}", actions.len(), actions.join(", "))
        }
        Finding::Denied { actions, of, by } => {
            format!("{} of {of} actions are denied by {by}: {}", actions.len(), actions.join(", "))
        }
        Finding::Unchecked { actions, cause } => {
            format!("{actions} {} could not be checked ({cause})", noun(*actions, "action"))
        }
        Finding::Failed { message, cause: None } => message.clone(),
        Finding::Failed { message, cause: Some(cause) } => format!("{message}: {cause}"),
    }
}
