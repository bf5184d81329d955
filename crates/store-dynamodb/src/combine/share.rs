//! One request's part in what a bucket's worker does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use zae_limiter_core::{Amounts, Level, StoreError, StoreErrorKind};

use super::{Combiner, LevelDecision};
use crate::plan::Kind;
use crate::table::Table;

/// Waits for the outcome of one request. Dropped before it has been told, it returns what was taken (invariant I6).
pub struct Share<T: Table> {
    combiner: Combiner<T>,
    level: Level,
    amounts: Amounts,
    acquires: i64,
    kind: Kind,
    receiver: oneshot::Receiver<Result<LevelDecision, StoreError>>,
}

impl<T: Table> Share<T> {
    pub(super) fn new(
        combiner: Combiner<T>,
        level: Level,
        amounts: Amounts,
        acquires: i64,
        kind: Kind,
        receiver: oneshot::Receiver<Result<LevelDecision, StoreError>>,
    ) -> Self {
        Self { combiner, level, amounts, acquires, kind, receiver }
    }
}

impl<T: Table> Future for Share<T> {
    type Output = Result<LevelDecision, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx).map(|told| {
            told.unwrap_or_else(|_| {
                let message = "the runtime of the store was shut down";
                Err(StoreError::new(StoreErrorKind::Unavailable, message))
            })
        })
    }
}

impl<T: Table> Drop for Share<T> {
    fn drop(&mut self) {
        // From here on the worker either finds the channel closed and returns the share itself, or has told already.
        self.receiver.close();
        if self.kind == Kind::Take
            && let Ok(Ok(LevelDecision::Admitted(_))) = self.receiver.try_recv()
        {
            self.combiner.give_back(self.level.clone(), &self.amounts, self.acquires);
        }
    }
}
