//! Finds the pictures that have no result yet.
//!
//! Invariant: memory does not grow with the number of objects. A page of the list is checked and passed on, or dropped.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use crate::aws::bucket::Bucket;
use crate::aws::picture_table::{self, PictureKey};
use crate::aws::{Clients, current_versions};
use crate::context::Context;
use crate::core::backfill::{Object, Rules, Skip, Tally};
use crate::core::event::Event;
use crate::core::smoke::Picture;
use crate::error::{Error, Result};

/// What is searched, and how.
#[derive(Clone, Debug)]
pub struct Search {
    /// The buckets with the prefixes of keys.
    pub places: Vec<(Bucket, String)>,
    /// The rules for skipping objects.
    pub rules: Rules,
    /// Where results are.
    pub results: Results,
    /// The most pictures to find.
    pub limit: usize,
}

/// Where results are.
#[derive(Clone, Debug)]
pub struct Results {
    /// For example `aws`; part of what a row's key is computed from.
    pub partition: String,
    /// The table of rows.
    pub rows: String,
    /// The table of processed pictures, if there is one.
    pub pictures: Option<String>,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// The number of objects, by what becomes of them.
    pub tally: Tally,
    /// Whether the search ended at its limit.
    pub is_limited: bool,
}

/// Maximum number of pages of the list that wait to be checked.
const WAITING_PAGES: usize = 4;

/// Maximum number of parallel checks, of up to 100 pictures each.
const PARALLEL_CHECKS: usize = 32;

/// Searches, and sends the pictures to process to `to` if there is a receiver.
pub async fn search(cx: &Context, search: &Search, to: Option<Sender<Vec<Object>>>) -> Result<Found> {
    let mut checks = Checks { cx, search, to, running: VecDeque::new(), found: Found::default() };
    for (bucket, prefix) in &search.places {
        let (sender, mut pages) = mpsc::channel(WAITING_PAGES);
        let listing = list(cx, bucket, prefix, sender);
        checks.pages(&mut pages).await?;
        if checks.found.is_limited {
            return Ok(checks.found);
        }
        listing.await.map_err(|error| Error::new("the list of objects crashed").because(&error))??;
    }
    checks.finish().await?;
    Ok(checks.found)
}

fn list(cx: &Context, bucket: &Bucket, prefix: &str, to: Sender<Vec<Object>>) -> JoinHandle<Result<()>> {
    let (client, bucket, prefix) = (cx.clients.s3.clone(), bucket.clone(), prefix.to_owned());
    tokio::spawn(async move { current_versions::list(&client, &bucket, &prefix, to).await })
}

/// Objects with the reason why they are skipped.
type Checked = Vec<(Object, Option<Skip>)>;

/// The checks that are running, in the order of the list.
struct Checks<'a> {
    cx: &'a Context,
    search: &'a Search,
    to: Option<Sender<Vec<Object>>>,
    running: VecDeque<JoinHandle<Result<Checked>>>,
    found: Found,
}

impl Checks<'_> {
    async fn pages(&mut self, pages: &mut Receiver<Vec<Object>>) -> Result<()> {
        while let Some(page) = pages.recv().await {
            let mut objects = page.into_iter().peekable();
            while objects.peek().is_some() {
                let chunk: Vec<Object> = objects.by_ref().take(picture_table::BATCH).collect();
                while self.running.len() >= PARALLEL_CHECKS {
                    self.finish_one().await?;
                }
                if self.found.is_limited {
                    return Ok(());
                }
                let rules = self.search.rules.clone();
                let judged = chunk.into_iter().map(|object| {
                    let skip = rules.skip(&object);
                    (object, skip)
                });
                let check = check(Arc::new(self.search.results.clone()), self.cx.clients.clone(), judged.collect());
                self.running.push_back(tokio::spawn(check));
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        while !self.running.is_empty() && !self.found.is_limited {
            self.finish_one().await?;
        }
        Ok(())
    }

    /// Waits for the oldest check, counts its objects, and passes the pictures on.
    async fn finish_one(&mut self) -> Result<()> {
        let Some(oldest) = self.running.pop_front() else { return Ok(()) };
        let checked = oldest.await.map_err(|error| Error::new("the check of pictures crashed").because(&error))??;
        let (before, mut pictures) = (self.found.tally.listed, Vec::new());
        for (object, skip) in checked {
            if skip.is_none() && self.found.tally.to_process >= self.search.limit {
                self.found.is_limited = true;
                break;
            }
            self.found.tally.add(skip);
            if skip.is_none() {
                pictures.push(object);
            }
        }
        let Tally { listed, to_process, .. } = self.found.tally;
        if self.to.is_none() && before / 1_000 != listed / 1_000 {
            self.cx.events.emit(Event::BackfillScanning { listed, to_process });
        }
        if let Some(to) = &self.to
            && !pictures.is_empty()
            && to.send(pictures).await.is_err()
        {
            // The receiver has failed and says why.
            self.found.is_limited = true;
        }
        Ok(())
    }
}

/// Asks for the results of the objects that are not skipped yet.
async fn check(results: Arc<Results>, clients: Clients, mut objects: Checked) -> Result<Checked> {
    let client = &clients.dynamodb;
    if let Some(table) = &results.pictures {
        let keys: Vec<PictureKey> = open(&mut objects).map(|(object, _)| key(object)).collect();
        if !keys.is_empty() {
            let outcomes = picture_table::outcomes(client, table, &keys).await?;
            for (object, skip) in open(&mut objects) {
                *skip = outcomes.get(&key(object)).map(|outcome| match outcome.as_str() {
                    "forgotten" => Skip::Forgotten,
                    _ => Skip::Done,
                });
            }
        }
    }
    let ids: Vec<String> = open(&mut objects).map(|(object, _)| results.first_row(object)).collect();
    if !ids.is_empty() {
        let rows: HashSet<String> =
            picture_table::existing_rows(client, &results.rows, &ids).await?.into_iter().collect();
        for (object, skip) in open(&mut objects) {
            *skip = rows.contains(&results.first_row(object)).then_some(Skip::Done);
        }
    }
    Ok(objects)
}

/// The objects that are not skipped.
fn open(objects: &mut Checked) -> impl Iterator<Item = &mut (Object, Option<Skip>)> {
    objects.iter_mut().filter(|(_, skip)| skip.is_none())
}

fn key(object: &Object) -> PictureKey {
    PictureKey { picture: format!("{}/{}", object.bucket, object.key), content: object.content() }
}

impl Results {
    /// The key of the row of the largest face.
    fn first_row(&self, object: &Object) -> String {
        let picture = Picture {
            partition: self.partition.clone(),
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version: object.version.clone().filter(|version| version != "null"),
            etag: object.etag.clone(),
        };
        picture.face_id(0)
    }
}
