//! Makes the tables agree with what S3 holds under a key.
//!
//! An event only says that something has changed, never what is true now: events are late, repeated, and out of order.
//! So this reads the items of the key and then asks S3. It erases the contents that S3 no longer holds.
//!
//! Invariant: an item is deleted only if S3 did not hold its content after the item was read, and if nobody has written
//! the item since. Whoever relies on an item because S3 holds its content writes it again, and so prevents a deletion
//! that was decided before.

use crate::context::Context;
use crate::name;
use crate::notification::Notification;
use crate::object::{self, CUSTOMER_KEY, Held, Look};
use crate::outcome::Failure;
use crate::picture::Picture;
use crate::picture_table;

/// The maximum number of versions to ask S3 about, apart from the current one and the one that the event names. A key
/// can have thousands of versions. The others have events of their own when they are removed.
const MAX_OTHER_VERSIONS: usize = 10;

/// What has become of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    /// The number of rows that were erased.
    pub(crate) erased_rows: usize,
    /// The contents that were erased.
    pub(crate) erased: Vec<String>,
    /// The current content if it has not been processed.
    pub(crate) unprocessed: Option<Held>,
}

/// Erases the contents of the notification's key that S3 no longer holds. `named` is the content that the event is
/// about. `is_recorded` says that its item was written because of this very event.
pub(crate) async fn settle(
    cx: Context<'_>,
    notification: &Notification,
    named: Option<&str>,
    is_recorded: bool,
) -> Result<Settled, Failure> {
    let mut settled = Settled::default();
    while !attempt(cx, notification, named, is_recorded, &mut settled).await? {}
    Ok(settled)
}

/// Returns `false` if somebody else has written an item, so that another attempt is needed.
async fn attempt(
    cx: Context<'_>,
    notification: &Notification,
    named: Option<&str>,
    is_recorded: bool,
    settled: &mut Settled,
) -> Result<bool, Failure> {
    let mut pictures = picture_table::of_key(cx, notification).await?;
    pictures.sort_by_key(|picture| named != Some(picture.content()));
    let current = object::look(cx, notification, None).await?;
    let current_content = current.held().and_then(content);
    let mut others = Others { cx, notification, named, null: None, versions: 0 };
    let (mut is_complete, mut is_processed) = (true, false);
    for picture in pictures {
        if current_content.as_deref() == Some(picture.content()) {
            if picture.is_final() {
                is_processed = true;
                is_complete &= is_recorded || picture_table::touch(cx, picture).await?;
            }
        } else if !others.is_held(&picture, &current).await? {
            match picture_table::erase(cx, notification, &picture).await? {
                Some(rows) => {
                    settled.erased_rows += rows;
                    settled.erased.push(picture.content().to_owned());
                }
                None => is_complete = false,
            }
        }
    }
    settled.unprocessed = current.held().filter(|_| !is_processed).cloned();
    Ok(is_complete)
}

/// The name of a content that S3 holds.
pub(crate) fn content(held: &Held) -> Option<String> {
    name::content(held.version.as_deref(), held.etag.as_deref())
}

/// The contents of a key other than the current one.
struct Others<'a> {
    cx: Context<'a>,
    notification: &'a Notification,
    named: Option<&'a str>,
    /// The version called `null`, once S3 was asked about it.
    null: Option<Look>,
    /// The number of other versions that S3 was asked about.
    versions: usize,
}

impl Others<'_> {
    /// Whether S3 holds the content of `picture`, which is not the current one.
    async fn is_held(&mut self, picture: &Picture, current: &Look) -> Result<bool, Failure> {
        // Without a current object, no rows remain. But what a person has erased must not come back with a version.
        if matches!(current, Look::Gone) && !picture.is_forgotten() {
            return Ok(false);
        }
        let Some(etag) = picture.content().strip_prefix("etag:") else {
            return self.is_version_held(picture.content()).await;
        };
        let null = match current {
            Look::Held(held) if held.version.as_deref().is_none_or(|version| version == "null") => current,
            _ => self.null().await?,
        };
        Ok(match null {
            Look::Gone => false,
            Look::Held(held) => held.etag.as_deref().is_none_or(|held| held == etag),
            // An object that was readable when it was processed is not this one.
            Look::CustomerKey => picture.code() == Some(CUSTOMER_KEY),
        })
    }

    async fn is_version_held(&mut self, version: &str) -> Result<bool, Failure> {
        if self.named != Some(version) {
            if self.versions == MAX_OTHER_VERSIONS {
                return Ok(true);
            }
            self.versions += 1;
        }
        Ok(!matches!(object::look(self.cx, self.notification, Some(version)).await?, Look::Gone))
    }

    async fn null(&mut self) -> Result<&Look, Failure> {
        let null = match self.null.take() {
            Some(null) => null,
            None => object::look(self.cx, self.notification, Some("null")).await?,
        };
        Ok(self.null.insert(null))
    }
}
