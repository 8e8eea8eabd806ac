//! Processes one record: an upload or, if removals are followed, a removal.
//!
//! Invariant: a record can be canceled at any time. Another delivery of its event then completes the work.

use crate::context::Context;
use crate::name;
use crate::notification::{Change, Notification};
use crate::object::GONE;
use crate::outcome::{Failure, Outcome, Step};
use crate::settle::{self, settle};
use crate::upload::{ALREADY_PROCESSED, Uploaded, upload};

/// Processes one record.
pub(crate) async fn process(cx: Context<'_>, notification: &Notification) -> Outcome {
    let is_relevant = match notification.change {
        Change::Created => true,
        Change::Removed => cx.settings.erase_rows,
        Change::Other => false,
    };
    if !is_relevant {
        return Outcome::Skipped { code: "NotAnUpload" };
    }
    if let Some(region) = notification.region.as_ref().filter(|region| **region != cx.settings.region) {
        let message = format!("the event comes from {region}, but the function runs in {}", cx.settings.region);
        return rejected("WrongRegion", message);
    }
    let result = match notification.change {
        Change::Created => created(cx, notification).await,
        _ => removed(cx, notification).await,
    };
    result.unwrap_or_else(Outcome::Failed)
}

/// Processes an upload and then, if removals are followed, erases what S3 no longer holds.
async fn created(cx: Context<'_>, notification: &Notification) -> Result<Outcome, Failure> {
    if !has_extension(&notification.key, &cx.settings.extensions) {
        return Ok(Outcome::Skipped { code: "OtherExtension" });
    }
    loop {
        let Uploaded { content, outcome, is_recorded } = upload(cx, notification).await;
        // A failed upload is settled when it is delivered again. If it never succeeds, the rows of what it has replaced
        // must go all the same.
        if !cx.settings.erase_rows || matches!(&outcome, Outcome::Failed(failure) if failure.retryable) {
            return Ok(outcome);
        }
        let settled = settle(cx.at(Step::Settle), notification, content.as_deref(), is_recorded).await;
        if matches!(outcome, Outcome::Failed(_)) {
            cx.progress.erased(settled.map_or(0, |settled| settled.erased_rows));
            return Ok(outcome);
        }
        let settled = settled?;
        cx.progress.erased(settled.erased_rows);
        if content.as_ref().is_some_and(|content| settled.erased.contains(content)) {
            return Ok(Outcome::Skipped { code: GONE });
        }
        // Its rows were erased after this upload had seen them: the object was removed and then restored.
        let is_lost = settled.unprocessed.as_ref().and_then(settle::content) == content;
        if !is_lost || outcome != (Outcome::Skipped { code: ALREADY_PROCESSED }) {
            return Ok(outcome);
        }
    }
}

/// Erases what S3 no longer holds. If there is an object that was not processed, it was restored.
async fn removed(cx: Context<'_>, notification: &Notification) -> Result<Outcome, Failure> {
    let named = name::content(notification.version.as_deref(), None);
    let settled = settle(cx.at(Step::Settle), notification, named.as_deref(), false).await?;
    cx.progress.erased(settled.erased_rows);
    match settled.unprocessed {
        Some(held) if has_extension(&notification.key, &cx.settings.extensions) => {
            let restored = Notification {
                change: Change::Created,
                version: held.version,
                etag: held.etag,
                time: None,
                ..notification.clone()
            };
            created(cx, &restored).await
        }
        _ if settled.erased.is_empty() => Ok(Outcome::Skipped { code: "NothingToErase" }),
        _ => Ok(Outcome::Erased),
    }
}

/// An event that can never be processed.
pub(crate) fn rejected(code: &str, message: String) -> Outcome {
    Outcome::Failed(Failure { step: Step::Event, code: code.to_owned(), message, retryable: false })
}

/// Whether the settings allow processing this key. The key may have more than one dot, as may the extension.
fn has_extension(key: &str, extensions: &[String]) -> bool {
    let key = key.to_ascii_lowercase();
    let has = |extension: &String| key.strip_suffix(extension.as_str()).is_some_and(|name| name.ends_with('.'));
    extensions.is_empty() || extensions.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_with_the_given_extensions_are_processed() {
        let check = |key: &str, extensions: &[&str], expected: bool| {
            let extensions: Vec<_> = extensions.iter().map(|&extension| extension.to_owned()).collect();
            assert_eq!(has_extension(key, &extensions), expected, "{key} {extensions:?}");
        };
        check("a.txt", &[], true);
        check("a.jpg", &["jpg", "png"], true);
        check("b/A.PNG", &["jpg", "png"], true);
        check("a.jpg.txt", &["jpg"], false);
        check("ajpg", &["jpg"], false);
        check("jpg", &["jpg"], false);
        check("a.tar.gz", &["tar.gz"], true);
        check("ü.jpg", &["jpg"], true);
        check("a/", &["jpg"], false);
    }
}
