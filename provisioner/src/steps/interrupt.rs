//! Who answers Ctrl-C: the steps that can leave well, or else the run, by ending.
//!
//! Invariant: each Ctrl-C is answered once, by those who answer at the moment at which it comes.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The steps that answer Ctrl-C themselves at this moment; several regions can be followed at once.
static ANSWERING: Mutex<Vec<UnboundedSender<()>>> = Mutex::new(Vec::new());

/// A step that answers every Ctrl-C for as long as it holds this.
#[derive(Debug)]
pub struct Answering(UnboundedReceiver<()>);

impl Answering {
    /// Begins to answer; one that comes while another is being answered is kept.
    #[must_use]
    pub fn begin() -> Self {
        let (press, pressed) = unbounded_channel();
        ANSWERING.lock().unwrap_or_else(PoisonError::into_inner).push(press);
        Self(pressed)
    }

    /// The next Ctrl-C.
    pub async fn next(&mut self) -> Option<()> {
        self.0.recv().await
    }
}

/// A signal that ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C, if no step answers it.
    Interrupt,
    /// SIGTERM. No step answers it: whoever sends it expects the program to end.
    Terminate,
}

/// Hands every Ctrl-C to the steps that answer it, and returns at a signal that ends the run.
pub async fn unanswered() -> Signal {
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                if pressed.is_err() {
                    // Signals cannot be listened to, so they end the program by themselves.
                    std::future::pending::<()>().await;
                }
                let mut answering = ANSWERING.lock().unwrap_or_else(PoisonError::into_inner);
                answering.retain(|step| step.send(()).is_ok());
                if answering.is_empty() {
                    return Signal::Interrupt;
                }
            }
            () = terminated() => return Signal::Terminate,
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
