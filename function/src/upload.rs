//! Takes an upload through all steps: inspect the object, detect its faces, write their rows.
//!
//! Invariant: the bytes that are stored are those that the event is about.

use std::time::SystemTime;

use aws_smithy_types::DateTime;

use crate::context::Context;
use crate::notification::Notification;
use crate::outcome::{Failure, Outcome, Step};
use crate::picture::Picture;
use crate::row::Source;
use crate::store::Change;
use crate::{detect, name, object, picture_table, store};

/// The outcome's code if an earlier delivery has processed the upload.
pub(crate) const ALREADY_PROCESSED: &str = "AlreadyProcessed";

/// The result of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Uploaded {
    /// The content of the object, if it could be identified.
    pub(crate) content: Option<String>,
    pub(crate) outcome: Outcome,
    /// Whether this call has written the outcome to the picture table.
    pub(crate) is_recorded: bool,
}

/// Processes an upload.
pub(crate) async fn upload(cx: Context<'_>, notification: &Notification) -> Uploaded {
    // The event takes precedence over S3's reply, so that every delivery of the event names the same rows.
    let content = name::content(notification.version.as_deref(), notification.etag.as_deref());
    let mut uploaded = Uploaded { content, outcome: Outcome::NoFace, is_recorded: false };
    uploaded.outcome = match steps(cx, notification, &mut uploaded).await {
        Ok(outcome) | Err(outcome) => outcome,
    };
    uploaded
}

/// Returns an outcome as an error if the remaining steps are not needed.
async fn steps(cx: Context<'_>, notification: &Notification, uploaded: &mut Uploaded) -> Result<Outcome, Outcome> {
    let mut identity = None;
    if let Some(content) = &uploaded.content {
        identity = Some((identify(cx, notification, content), check(cx, notification, content).await?));
    }
    let object = object::inspect(cx.at(Step::Head), notification).await?;
    if identity.is_none() {
        uploaded.content = name::content(object.version.as_deref(), object.etag.as_deref());
        if let Some(content) = &uploaded.content {
            identity = Some((identify(cx, notification, content), check(cx, notification, content).await?));
        }
    }
    let unusable = object.defect.map(|code| Outcome::Unusable { code: code.to_owned() });
    let (Some(content), Some((id, mut older))) = (uploaded.content.as_deref(), identity) else {
        return Err(unusable.unwrap_or_else(nameless));
    };
    let time = notification.time.or(object.modified).unwrap_or_else(|| SystemTime::now().into());
    let source = Source {
        id: &id,
        bucket: &notification.bucket,
        key: &notification.key,
        version: object.version.as_deref().filter(|_| object.is_immutable()),
        time: Some(time),
        expires_at: cx.settings.retention_days.map(|days| expiry(time, days)),
        attributes: &cx.settings.attributes,
    };
    let faces = match unusable {
        Some(unusable) => Err(unusable),
        None => detect::faces(cx.at(Step::Detect), notification, &object).await,
    };
    let (outcome, rows) = match faces {
        Ok(faces) => {
            let rows = source.items(faces);
            (Outcome::Stored { faces: rows.len() }, rows)
        }
        Err(outcome @ (Outcome::NoFace | Outcome::Unusable { .. })) => (outcome, Vec::new()),
        Err(outcome) => return Err(outcome),
    };
    let cx = cx.at(Step::Store);
    if cx.settings.picture_table.is_none() {
        store::apply(cx, Change { put: rows, ..Change::default() }).await.map_err(Outcome::Failed)?;
        return Ok(outcome);
    }
    loop {
        let picture = Picture::new(&source, content, &outcome);
        let saved = picture_table::save(cx, notification, rows.clone(), picture, older).await;
        if saved.map_err(Outcome::Failed)? {
            uploaded.is_recorded = true;
            return Ok(outcome);
        }
        // Another delivery was faster, or the item was erased.
        older = check(cx, notification, content).await?;
    }
}

fn identify(cx: Context<'_>, notification: &Notification, content: &str) -> String {
    let id = name::id(cx.settings.partition(), &notification.bucket, &notification.key, content);
    cx.progress.identified_as(&id);
    id
}

/// Looks for the result of an earlier delivery, which makes this one unnecessary. Otherwise returns the item that is to
/// be replaced.
async fn check(cx: Context<'_>, notification: &Notification, content: &str) -> Result<Option<Picture>, Outcome> {
    if cx.settings.picture_table.is_none() {
        return Ok(None);
    }
    let older = picture_table::find(cx.at(Step::Check), notification, content).await.map_err(Outcome::Failed)?;
    match older {
        Some(older) if older.is_forgotten() => Err(Outcome::Skipped { code: "Forgotten" }),
        Some(older) if older.is_final() && older.covers(notification.time) => {
            Err(Outcome::Skipped { code: ALREADY_PROCESSED })
        }
        older => Ok(older),
    }
}

fn nameless() -> Outcome {
    Outcome::Failed(Failure {
        step: Step::Event,
        code: "Nameless".to_owned(),
        message: "neither the event nor S3 gave a version or an entity tag".to_owned(),
        retryable: false,
    })
}

fn expiry(time: DateTime, days: u32) -> i64 {
    time.secs().saturating_add(i64::from(days) * 24 * 60 * 60)
}
