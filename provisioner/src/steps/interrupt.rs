//! Who answers Ctrl-C: a step that can leave well, or else the run, by ending.
//!
//! Invariant: from the first command on, every Ctrl-C is answered by somebody.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

/// How many steps answer Ctrl-C themselves at this moment; several regions can be followed at once.
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// A step that answers every Ctrl-C for as long as it holds this.
#[derive(Debug)]
pub struct Answering {
    pressed: UnboundedReceiver<()>,
    _listening: JoinSet<()>,
}

impl Answering {
    /// Begins to answer; one that comes while another is being answered is kept.
    #[must_use]
    pub fn begin() -> Self {
        ANSWERING.fetch_add(1, Ordering::SeqCst);
        let (press, pressed) = unbounded_channel();
        let mut listening = JoinSet::new();
        listening.spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && press.send(()).is_ok() {} });
        Self { pressed, _listening: listening }
    }

    /// The next Ctrl-C.
    pub async fn next(&mut self) -> Option<()> {
        self.pressed.recv().await
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        ANSWERING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for a Ctrl-C that nobody answers.
pub async fn unanswered() {
    while tokio::signal::ctrl_c().await.is_ok() {
        if ANSWERING.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
    // Signals cannot be listened to: then they end the program by themselves.
    std::future::pending::<()>().await;
}
