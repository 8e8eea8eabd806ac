//! Every finding of `doctor`.

use super::*;
use crate::core::denial::Denier;
use crate::core::finding::Finding;

fn check(name: &'static str, finding: Finding) -> Event {
    Event::Check { name, state: CheckState::Ok, finding, remedy: None }
}

pub(super) fn all() -> Vec<Event> {
    vec![
        check("rust", Finding::Toolchain { rustc: text("rustc 1.95.0"), cargo: text("cargo 1.95.0") }),
        check("rust", Finding::OldToolchain { rustc: text("rustc 1.90.0"), needed: "1.95" }),
        check("rust", Finding::NoToolchain),
        check("rust target", Finding::RustTarget { target: text("aarch64-x"), present: true, rustup: true }),
        check("rust target", Finding::RustTarget { target: text("aarch64-x"), present: false, rustup: true }),
        check("rust target", Finding::RustTarget { target: text("aarch64-x"), present: false, rustup: false }),
        check("rust-lld", Finding::Linker { path: Some(text("/usr/bin/rust-lld")) }),
        check("rust-lld", Finding::Linker { path: None }),
        check("local cloud", Finding::Installer { installer: text("uv") }),
        check("disk", Finding::FreeSpace { folder: text("/x"), free_bytes: 900_000_000, needed_bytes: 600_000_000 }),
        check("disk", Finding::FreeSpace { folder: text("/x"), free_bytes: 9_000_000, needed_bytes: 600_000_000 }),
        check(
            "credentials",
            Finding::Caller {
                account: text("123456789012"),
                arn: text("arn:aws:iam::123456789012:user/me"),
                credentials: CredentialSource::Environment,
            },
        ),
        check("region", Finding::Rekognition { region: text("eu-west-1"), available: true }),
        Event::Check {
            name: "region",
            state: CheckState::Problem,
            finding: Finding::Rekognition { region: text("eu-west-3"), available: false },
            remedy: Some(text("use `eu-central-1`")),
        },
        check("attached", Finding::AttachedBucket { locations: vec![text("s3://a")], sends_events: Some(true) }),
        check("attached", Finding::AttachedBucket { locations: vec![text("s3://a")], sends_events: Some(false) }),
        check("attached", Finding::AttachedBucket { locations: vec![text("s3://a")], sends_events: None }),
        check("concurrency", Finding::Concurrency { all: 1000, unreserved: 900 }),
        check("DetectFaces", Finding::DetectFaces { requests_per_second: Some(5.0) }),
        check("DetectFaces", Finding::DetectFaces { requests_per_second: None }),
        check("DetectFaces", Finding::QuotaUnknown { cause: text("AccessDenied") }),
        check("permissions", Finding::NotSimulated { arn: text("arn:aws:iam::123456789012:root") }),
        check("permissions", Finding::AllAllowed { actions: 90 }),
        check("permissions", Finding::Conditional { actions: vec![text("s3:GetObject")], of: 90 }),
        check("permissions", Finding::NotAllowed { actions: vec![text("a:B"), text("a:C")], of: 90 }),
        check("permissions", Finding::Denied { actions: vec![text("a:B")], of: 90, by: Denier::ServiceControlPolicy }),
        check("permissions", Finding::Unchecked { actions: 1, cause: text("InvalidInput") }),
        check("settings", Finding::Failed { message: text("there is no profile `x`"), cause: Some(text("why")) }),
    ]
}
