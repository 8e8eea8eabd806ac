//! Takes one record through all steps: inspect the object, detect its faces, write their rows.
//!
//! Invariant: a record can be canceled at any time. Another delivery of its event then completes the work.

use std::time::SystemTime;

use aws_smithy_types::DateTime;

use crate::context::Context;
use crate::notification::{Change, Notification};
use crate::outcome::{Failure, Outcome, Step};
use crate::row::Source;
use crate::{detect, name, object, store};

/// Processes one record.
pub(crate) async fn process(cx: Context<'_>, notification: &Notification) -> Outcome {
    if notification.change != Change::Created {
        return Outcome::Skipped { code: "NotAnUpload" };
    }
    if let Some(region) = notification.region.as_ref().filter(|region| **region != cx.settings.region) {
        let message = format!("the event comes from {region}, but the function runs in {}", cx.settings.region);
        return rejected("WrongRegion", message);
    }
    if !has_extension(&notification.key, &cx.settings.extensions) {
        return Outcome::Skipped { code: "OtherExtension" };
    }
    match upload(cx, notification).await {
        Ok(faces) => Outcome::Stored { faces },
        Err(outcome) => outcome,
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

/// Returns the number of rows written, or any other outcome as an error.
async fn upload(cx: Context<'_>, upload: &Notification) -> Result<usize, Outcome> {
    // The event takes precedence over S3's reply, so that every delivery of the event names the same rows.
    let mut content = name::content(upload.version.as_deref(), upload.etag.as_deref());
    let identify = |content: &str| {
        let id = name::id(cx.settings.partition(), &upload.bucket, &upload.key, content);
        cx.progress.identified_as(&id);
        id
    };
    let mut id = content.as_deref().map(identify);
    let object = object::inspect(cx.at(Step::Head), upload).await?;
    if id.is_none() {
        content = name::content(object.version.as_deref(), object.etag.as_deref());
        id = content.as_deref().map(identify);
    }
    if let Some(code) = object.defect {
        return Err(Outcome::Unusable { code: code.to_owned() });
    }
    let id = id
        .as_deref()
        .ok_or_else(|| rejected("Nameless", "neither the event nor S3 gave a version or an entity tag".to_owned()))?;
    let time = upload.time.or(object.modified).unwrap_or_else(|| SystemTime::now().into());
    let source = Source {
        id,
        bucket: &upload.bucket,
        key: &upload.key,
        version: object.version.as_deref(),
        time: Some(time),
        expires_at: cx.settings.retention_days.map(|days| expiry(time, days)),
        attributes: &cx.settings.attributes,
    };
    let faces = detect::faces(cx.at(Step::Detect), upload, &object).await?;
    let items = source.items(faces);
    let count = items.len();
    store::write(cx.at(Step::Store), items).await.map_err(Outcome::Failed)?;
    Ok(count)
}

fn expiry(time: DateTime, days: u32) -> i64 {
    time.secs().saturating_add(i64::from(days) * 24 * 60 * 60)
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
