//! Processes one record.
//!
//! Invariant: a record can be canceled at any time. Another delivery of its event then completes the work.

use crate::context::Context;
use crate::notification::{Change, Notification};
use crate::outcome::{Failure, Outcome, Step};
use crate::upload::upload;

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
    upload(cx, notification).await.outcome
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
