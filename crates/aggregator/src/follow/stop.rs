//! Being told to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a follower to stop, from any thread. It finishes the batch that it is at, and remembers how far it has come.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Says so. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been said.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is said.
    pub(super) async fn said(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Waits for `duration`, or until it is said.
    pub(super) async fn or_after(&self, duration: std::time::Duration) {
        tokio::select! {
            () = self.said() => {}
            () = tokio::time::sleep(duration) => {}
        }
    }
}
