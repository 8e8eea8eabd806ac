//! Delivers Ctrl-C to the steps that handle it. If there are none, the run ends.
//!
//! Invariant: each Ctrl-C is handled once, by the steps that are registered when it arrives.

use std::sync::{Mutex, PoisonError};

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
    // Created once: a signal that arrives between two turns of the loop is not lost.
    let mut terminated = std::pin::pin!(terminated());
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                if pressed.is_err() {
                    // Without a handler, the signal itself ends the program.
                    std::future::pending::<()>().await;
                }
                let mut answering = ANSWERING.lock().unwrap_or_else(PoisonError::into_inner);
                answering.retain(|step| step.send(()).is_ok());
                if answering.is_empty() {
                    return Signal::Interrupt;
                }
            }
            () = &mut terminated => return Signal::Terminate,
        }
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
