//! Fills the queue of existing pictures, and follows it until it is empty.
//!
//! Invariant: the queue counts as empty only if all its counts were zero several times in a row, because they lag.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::aws::pace::Pace;
use crate::aws::queue;
use crate::context::Context;
use crate::core::backfill::{self, Object, Progress};
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::steps::backfill::scan::{self, Search};
use crate::steps::interrupt::Answering;

/// The two queues of existing pictures.
#[derive(Clone, Debug)]
pub struct Queues {
    /// The pictures that wait.
    pub waiting: String,
    /// Those that failed permanently.
    pub failed: String,
}

/// Maximum number of parallel requests, of ten messages each.
const PARALLEL_SENDS: usize = 64;

/// Maximum number of checked batches of pictures that wait to be sent.
const WAITING_BATCHES: usize = 16;

/// Searches again and sends what it finds to the queue. Returns the number of pictures.
pub async fn fill(cx: &Context, search: &Search, queues: &Queues) -> Result<usize> {
    let (to, mut found) = mpsc::channel(WAITING_BATCHES);
    let searching = scan::search(cx, search, Some(to));
    let sending = async {
        let mut sender = Sender { cx, url: &queues.waiting, of: search.limit, sent: 0, sends: JoinSet::new() };
        let mut rest: Vec<Object> = Vec::new();
        while let Some(pictures) = found.recv().await {
            rest.extend(pictures);
            while rest.len() >= queue::BATCH {
                sender.send(rest.drain(..queue::BATCH)).await?;
            }
        }
        sender.send(rest.drain(..)).await?;
        sender.finish().await
    };
    tokio::pin!(sending);
    let (_, sent) = tokio::try_join!(searching, sending)?;
    Ok(sent)
}

struct Sender<'a> {
    cx: &'a Context,
    url: &'a str,
    of: usize,
    sent: usize,
    sends: JoinSet<Result<usize>>,
}

impl Sender<'_> {
    async fn send(&mut self, pictures: impl Iterator<Item = Object>) -> Result<()> {
        let bodies: Vec<String> = pictures.map(|object| backfill::message(&object, self.cx.region())).collect();
        if bodies.is_empty() {
            return Ok(());
        }
        while self.sends.len() >= PARALLEL_SENDS {
            self.finish_one().await?;
        }
        let (client, url) = (self.cx.clients.sqs.clone(), self.url.to_owned());
        self.sends.spawn(async move { queue::send(&client, &url, &bodies).await.map(|()| bodies.len()) });
        Ok(())
    }

    async fn finish_one(&mut self) -> Result<()> {
        let Some(ended) = self.sends.join_next().await else { return Ok(()) };
        let before = self.sent;
        self.sent += ended.map_err(|error| Error::new("sending to the queue crashed").because(&error))??;
        if before / 1_000 != self.sent / 1_000 {
            self.cx.events.emit(Event::BackfillFilling { sent: self.sent, of: self.of.max(self.sent) });
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<usize> {
        while !self.sends.is_empty() {
            self.finish_one().await?;
        }
        Ok(self.sent)
    }
}

/// The number of consecutive times that the queue must be empty.
const EMPTY_TIMES: usize = 6;

/// Follows the queue until it is empty. `of` is the number of pictures that were sent, and `failed_before` that of the
/// messages that were in the failure queue before. Returns the number of new ones.
///
/// # Errors
/// The user pressed Ctrl-C; AWS continues.
pub async fn follow(cx: &Context, queues: &Queues, of: usize, failed_before: usize) -> Result<usize> {
    let mut answering = Answering::begin();
    let started = Instant::now();
    let interval = if cx.local.is_some() { Duration::from_millis(200) } else { Duration::from_secs(5) };
    let mut pace = Pace::new(interval, interval * 2);
    let (mut of, mut empty_times, mut left) = (of, 0, of);
    loop {
        let counted = async {
            tokio::try_join!(
                queue::counts(&cx.clients.sqs, &queues.waiting),
                queue::count(&cx.clients.sqs, &queues.failed)
            )
        };
        let (counts, failures) = tokio::select! {
            counted = counted => counted?,
            Some(()) = answering.next() => return Err(interrupted(left)),
        };
        left = counts.total();
        of = of.max(left);
        let failed = failures.saturating_sub(failed_before);
        empty_times = if left == 0 { empty_times + 1 } else { 0 };
        if empty_times >= EMPTY_TIMES {
            let seconds = started.elapsed().as_secs_f64();
            cx.events.emit(Event::BackfillDone { pictures: of, failed, seconds });
            return Ok(failed);
        }
        cx.events.emit(Event::BackfillProgress {
            progress: Progress::new(of, left, failed, started.elapsed().as_secs_f64()),
        });
        tokio::select! {
            () = pace.wait() => {}
            Some(()) = answering.next() => return Err(interrupted(left)),
        }
    }
}

fn interrupted(left: usize) -> Error {
    Error::new(format!("interrupted, but AWS continues; pictures left in the queue: about {left}"))
        .exit(Exit::Interrupted)
        .hint(
            Hint::command("backfill")
                .then(" follows them again, and ")
                .then_command("backfill --cancel")
                .then(" stops them"),
        )
}
