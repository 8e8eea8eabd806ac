//! Delivers Ctrl-C to the steps that handle it. If there are none, the run ends.
//!
//! Invariant: each Ctrl-C is handled once, by the steps that are registered when it arrives.

use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The steps that currently handle Ctrl-C. There can be several, because regions run in parallel.
static ANSWERING: Mutex<Vec<UnboundedSender<()>>> = Mutex::new(Vec::new());

/// While a step holds this value, it handles every Ctrl-C.
#[derive(Debug)]
pub struct Answering(UnboundedReceiver<()>);

impl Answering {
    /// Starts to handle Ctrl-C. If the user presses it again in the meantime, it is queued.
    #[must_use]
    pub fn begin() -> Self {
        let (press, pressed) = unbounded_channel();
        ANSWERING.lock().unwrap_or_else(PoisonError::into_inner).push(press);
        Self(pressed)
    }

    /// Waits for the next Ctrl-C.
    pub async fn next(&mut self) -> Option<()> {
        self.0.recv().await
    }
}

/// A signal that ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C that no step handles.
    Interrupt,
    /// SIGTERM, which no step handles, because its sender expects the program to end.
    Terminate,
}

/// Delivers every Ctrl-C to the steps that handle it, and returns at a signal that ends the run.
pub async fn unanswered() -> Signal {
    // Created once, so that a signal that arrives between two turns of the loop is not lost.
    let (mut interrupts, mut terminations) =
        (Arrivals::of(SignalKind::interrupt()), Arrivals::of(SignalKind::terminate()));
    loop {
        tokio::select! {
            () = interrupts.next() => {
                let mut answering = ANSWERING.lock().unwrap_or_else(PoisonError::into_inner);
                answering.retain(|step| step.send(()).is_ok());
                if answering.is_empty() {
                    return Signal::Interrupt;
                }
            }
            () = terminations.next() => return Signal::Terminate,
        }
    }
}

/// The arrivals of a signal; `None` if it cannot be handled, so that it ends the program itself.
struct Arrivals(Option<tokio::signal::unix::Signal>);

impl Arrivals {
    fn of(kind: SignalKind) -> Self {
        Self(signal(kind).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(arrivals) => {
                arrivals.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}
