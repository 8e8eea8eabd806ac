//! Erases what is known about pictures: counts it, marks the pictures, deletes rows and objects.
//!
//! Invariant: a picture that S3 still holds is marked before its rows are deleted, so that nothing writes them again.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, JoinSet};

use crate::aws::bucket::{self, Bucket};
use crate::aws::erasure::{self, Item, RowOf, Tables};
use crate::aws::table;
use crate::aws::versions::{self, Held};
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::event::Event;
use crate::core::forget::{Extent, Targets};
use crate::core::smoke::Picture;
use crate::error::{Error, Result};

/// What is erased, and where.
#[derive(Clone, Debug)]
pub struct Job {
    /// The context.
    pub cx: Context,
    /// The keys.
    pub targets: Targets,
    /// The buckets of the system. Only these are listed: another one was detached, or is not the user's.
    pub buckets: Vec<String>,
    /// The account that owns the buckets.
    pub owner: String,
    /// For example `aws`; part of what a row's key is computed from.
    pub partition: String,
    /// The table of rows.
    pub rows: String,
    /// The table of processed pictures, if there is one.
    pub pictures: Option<String>,
}

/// Maximum number of keys in progress at a time.
const PARALLEL_KEYS: usize = 16;

/// Maximum number of parallel deletions of rows, or of parallel changes of the results of one key.
const PARALLEL_CHANGES: usize = 32;

/// Number of segments of a table that are read in parallel.
const SEGMENTS: i32 = 8;

/// Maximum number of pages that wait.
const WAITING_PAGES: usize = 4;

/// Counts what there is.
pub async fn survey(job: &Arc<Job>) -> Result<Extent> {
    let mut extent = Extent::default();
    let mut pages = job.versions();
    while let Some((_, page)) = pages.next().await? {
        extent.versions += page.len();
    }
    let mut rows = job.rows();
    while let Some(page) = rows.next().await? {
        extent.rows += page.iter().filter(|row| job.targets.contain(&row.bucket, &row.key)).count();
    }
    let mut items = job.items();
    while let Some(page) = items.next().await? {
        extent.results += page.iter().filter(|item| job.is_open(item)).count();
    }
    Ok(extent)
}

/// Marks the pictures that S3 holds, deletes the results of others, and then deletes all rows.
pub async fn erase(job: &Arc<Job>) -> Result<()> {
    let mut erased = Erased { job, tasks: JoinSet::new(), pictures: 0, rows: 0 };
    if let Some(pictures) = &job.pictures {
        let tables = Tables { rows: job.rows.clone(), pictures: pictures.clone() };
        let mut pages = job.versions();
        let mut current: Option<(String, Vec<Held>)> = None;
        while let Some((bucket, page)) = pages.next().await? {
            for held in page {
                let picture = format!("{bucket}/{}", held.key);
                match &mut current {
                    Some((same, all)) if *same == picture => all.push(held),
                    _ => {
                        if let Some((picture, held)) = current.replace((picture, vec![held])) {
                            erased.key(&tables, picture, held).await?;
                        }
                    }
                }
            }
        }
        if let Some((picture, held)) = current {
            erased.key(&tables, picture, held).await?;
        }
        erased.finish().await?;
        // What is left are results for keys under which S3 holds nothing.
        let mut items = job.items();
        while let Some(page) = items.next().await? {
            for item in page.into_iter().filter(|item| job.is_open(item)) {
                erased.item(&tables, item).await?;
            }
        }
        erased.finish().await?;
    }
    let mut rows = job.rows();
    while let Some(page) = rows.next().await? {
        for row in page.into_iter().filter(|row| job.targets.contain(&row.bucket, &row.key)) {
            erased.row(row).await?;
        }
    }
    erased.finish().await
}

/// Deletes the objects with all versions and delete markers.
pub async fn delete_objects(job: &Arc<Job>) -> Result<()> {
    let mut pages = job.versions();
    let mut removed = 0;
    while let Some((name, page)) = pages.next().await? {
        let bucket = Bucket::new(name, &job.owner);
        removed += bucket::remove_listed(&job.cx.clients.s3, &bucket, page).await?;
        job.cx.events.emit(Event::Emptying { bucket: bucket.name, removed, of: None });
    }
    Ok(())
}

/// Pages that parallel tasks read.
struct Pages<T> {
    pages: Receiver<T>,
    readers: Vec<JoinHandle<Result<()>>>,
}

impl<T> Pages<T> {
    /// The next page; `None` after the last one.
    ///
    /// # Errors
    /// A reader has failed.
    async fn next(&mut self) -> Result<Option<T>> {
        if let Some(page) = self.pages.recv().await {
            return Ok(Some(page));
        }
        for reader in self.readers.drain(..) {
            reader.await.map_err(|error| Error::new("reading crashed").because(&error))??;
        }
        Ok(None)
    }
}

impl Job {
    /// Whether an item is about one of the targets, and not marked yet.
    fn is_open(&self, item: &Item) -> bool {
        let is_target = item.picture.split_once('/').is_some_and(|(bucket, key)| self.targets.contain(bucket, key));
        is_target && item.outcome.as_deref() != Some(erasure::FORGOTTEN)
    }

    /// The versions and delete markers of the targets with their buckets. All of a key follow one another.
    fn versions(self: &Arc<Self>) -> Pages<(String, Vec<Held>)> {
        let (to, pages) = mpsc::channel(WAITING_PAGES);
        let job = Arc::clone(self);
        let reader = tokio::spawn(async move {
            let mut locations = job.targets.locations().to_vec();
            locations.retain(|location| job.buckets.contains(&location.bucket));
            let begun = locations.into_iter().map(|location| {
                let job = Arc::clone(&job);
                async move { (Listing::of(&job, &location).await, location) }
            });
            let mut listings = stream::iter(begun).buffered(PARALLEL_KEYS);
            while let Some((listing, location)) = listings.next().await {
                job.pass_on(&location, listing, &to).await?;
            }
            Ok(())
        });
        Pages { pages, readers: vec![reader] }
    }

    async fn pass_on(&self, at: &Location, mut listing: Listing, to: &Sender<(String, Vec<Held>)>) -> Result<()> {
        while let Some(mut page) = listing.next().await {
            // Keys that only begin with the target come after it.
            let is_last = !self.targets.are_prefixes() && page.last().is_some_and(|held| held.key != at.prefix);
            page.retain(|held| self.targets.are_prefixes() || held.key == at.prefix);
            if (!page.is_empty() && to.send((at.bucket.clone(), page)).await.is_err()) || is_last {
                return Ok(());
            }
        }
        listing.reader.await.map_err(|error| Error::new("the list of versions crashed").because(&error))?
    }

    fn rows(self: &Arc<Self>) -> Pages<Vec<RowOf>> {
        let (to, pages) = mpsc::channel(WAITING_PAGES);
        let readers = (0..SEGMENTS).map(|segment| {
            let (job, to) = (Arc::clone(self), to.clone());
            tokio::spawn(async move {
                erasure::all_rows(&job.cx.clients.dynamodb, &job.rows, (segment, SEGMENTS), to).await
            })
        });
        Pages { pages, readers: readers.collect() }
    }

    /// The items of the picture table that can be about the targets; none if there is no such table.
    fn items(self: &Arc<Self>) -> Pages<Vec<Item>> {
        let (to, pages) = mpsc::channel(WAITING_PAGES);
        let Some(table) = self.pictures.clone() else { return Pages { pages, readers: Vec::new() } };
        if self.targets.are_prefixes() {
            let readers = (0..SEGMENTS).map(|segment| {
                let (job, table, to) = (Arc::clone(self), table.clone(), to.clone());
                tokio::spawn(async move {
                    erasure::all_items(&job.cx.clients.dynamodb, &table, (segment, SEGMENTS), to).await
                })
            });
            return Pages { pages, readers: readers.collect() };
        }
        let job = Arc::clone(self);
        let reader = tokio::spawn(async move {
            let client = &job.cx.clients.dynamodb;
            let read = job.targets.locations().to_vec().into_iter().map(|Location { bucket, prefix }| {
                let (client, table) = (client.clone(), table.clone());
                async move { erasure::items(&client, &table, &format!("{bucket}/{prefix}")).await }
            });
            let mut read = stream::iter(read).buffered(PARALLEL_KEYS);
            while let Some(items) = read.next().await {
                if to.send(items?).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Pages { pages, readers: vec![reader] }
    }

    /// Marks what S3 holds under a key, and erases the results of what it does not hold any more.
    async fn erase_key(&self, tables: &Tables, picture: String, held: Vec<Held>) -> Result<()> {
        let client = &self.cx.clients.dynamodb;
        let items = erasure::items(client, &tables.pictures, &picture).await?;
        let mut known: HashMap<String, Item> = items.into_iter().map(|item| (item.content.clone(), item)).collect();
        let (bucket, key) = picture.split_once('/').unwrap_or_default();
        let mut tasks = JoinSet::new();
        for held in held {
            let Some(etag) = held.etag else { continue };
            let one = Picture {
                partition: self.partition.clone(),
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: Some(held.version).filter(|version| version != "null"),
                etag,
            };
            let content = one.version.clone().unwrap_or_else(|| format!("etag:{}", one.etag));
            let item = match known.remove(&content) {
                Some(marked) if marked.outcome.as_deref() == Some(erasure::FORGOTTEN) => continue,
                Some(item) => item,
                None => Item::unprocessed(picture.clone(), content, one.face_id(0)[..32].to_owned()),
            };
            let (client, tables) = (client.clone(), tables.clone());
            bounded(&mut tasks, PARALLEL_CHANGES).await?;
            tasks.spawn(async move { erasure::forget(&client, &tables, item).await });
        }
        for gone in known.into_values() {
            let (client, tables) = (client.clone(), tables.clone());
            bounded(&mut tasks, PARALLEL_CHANGES).await?;
            tasks.spawn(async move { erasure::erase(&client, &tables, gone).await });
        }
        bounded(&mut tasks, 1).await
    }
}

/// A list of versions, of which the first page is there.
struct Listing {
    first: Option<Vec<Held>>,
    rest: Receiver<Vec<Held>>,
    reader: JoinHandle<Result<()>>,
}

impl Listing {
    /// Waits only for the first page, so that the lists of several keys can be requested at once.
    async fn of(job: &Job, location: &Location) -> Self {
        let bucket = Bucket::new(&location.bucket, &job.owner);
        let (sender, mut rest) = mpsc::channel(WAITING_PAGES);
        let (client, prefix) = (job.cx.clients.s3.clone(), location.prefix.clone());
        let reader = tokio::spawn(async move { versions::send(&client, &bucket, &prefix, sender).await });
        Self { first: rest.recv().await, rest, reader }
    }

    async fn next(&mut self) -> Option<Vec<Held>> {
        match self.first.take() {
            Some(page) => Some(page),
            None => self.rest.recv().await,
        }
    }
}

/// Waits until fewer than `most` tasks are running.
async fn bounded(tasks: &mut JoinSet<Result<()>>, most: usize) -> Result<()> {
    while tasks.len() >= most {
        let Some(ended) = tasks.join_next().await else { break };
        ended.map_err(|error| Error::new("an erasure crashed").because(&error))??;
    }
    Ok(())
}

/// The erasures that are running, and those that are done.
struct Erased<'a> {
    job: &'a Arc<Job>,
    tasks: JoinSet<Result<()>>,
    pictures: usize,
    rows: usize,
}

impl Erased<'_> {
    async fn key(&mut self, tables: &Tables, picture: String, held: Vec<Held>) -> Result<()> {
        bounded(&mut self.tasks, PARALLEL_KEYS).await?;
        let (job, tables) = (Arc::clone(self.job), tables.clone());
        self.tasks.spawn(async move { job.erase_key(&tables, picture, held).await });
        self.pictures += 1;
        self.report();
        Ok(())
    }

    async fn item(&mut self, tables: &Tables, item: Item) -> Result<()> {
        bounded(&mut self.tasks, PARALLEL_CHANGES).await?;
        let (job, tables) = (Arc::clone(self.job), tables.clone());
        self.tasks.spawn(async move { erasure::erase(&job.cx.clients.dynamodb, &tables, item).await });
        Ok(())
    }

    async fn row(&mut self, row: RowOf) -> Result<()> {
        bounded(&mut self.tasks, PARALLEL_CHANGES).await?;
        let job = Arc::clone(self.job);
        self.tasks.spawn(async move { table::remove(&job.cx.clients.dynamodb, &job.rows, &row.face_id).await });
        self.rows += 1;
        self.report();
        Ok(())
    }

    fn report(&self) {
        let (pictures, rows) = (self.pictures, self.rows);
        if (pictures + rows) % 100 == 0 {
            self.job.cx.events.emit(Event::Forgetting { pictures, rows });
        }
    }

    async fn finish(&mut self) -> Result<()> {
        bounded(&mut self.tasks, 1).await
    }
}
