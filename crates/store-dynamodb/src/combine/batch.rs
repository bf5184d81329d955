//! Requests, and those of them that go into one write together.

use tokio::sync::oneshot;
use zae_limiter_core::{Amounts, Level, LimitSet, Millitokens, StoreError, StoreErrorKind};

use super::LevelDecision;
use crate::plan::{Asked, Kind};
use crate::table::BucketKey;

/// Requests that one write carries at most.
const COMBINED_AT_MOST: usize = 1_000;
/// An apply is not given up for contention before so many writes: what was taken has to be returned.
const ATTEMPTS_OF_APPLIES: u32 = 50;

/// One request in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) level: Level,
    pub(super) amounts: Amounts,
    pub(super) acquires: i64,
    pub(super) kind: Kind,
    pub(super) attempts: u32,
    /// What had been sent to the table when this was asked: see `State::sends`.
    pub(super) sends_before: u64,
    /// `None` if nobody waits for the outcome.
    pub(super) reply: Option<oneshot::Sender<Result<LevelDecision, StoreError>>>,
}

/// Requests that go into one write together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) waiting: Vec<Waiting>,
    level: Level,
    amounts: Amounts,
    acquires: i64,
    kind: Kind,
}

impl Waiting {
    /// Whether whoever asked has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// Tells whoever waits. What was taken for one who has gone is handed back to the caller.
    #[must_use = "what was taken for one who has gone has to be returned"]
    pub(super) fn answer_or_return(
        self,
        answer: Result<LevelDecision, StoreError>,
    ) -> Option<(Level, Amounts, i64)> {
        let reply = self.reply?;
        match reply.send(answer) {
            Err(Ok(LevelDecision::Admitted(_))) if self.kind == Kind::Take => {
                Some((self.level, self.amounts, self.acquires))
            }
            _ => None,
        }
    }

    /// Tells whoever waits that nothing was taken.
    pub(super) fn answer(self, answer: Result<LevelDecision, StoreError>) {
        if let Some(reply) = self.reply {
            // Whoever has gone need not know.
            let _ = reply.send(answer);
        }
    }
}

impl Batch {
    pub(super) fn of(waiting: Waiting) -> Self {
        Self {
            level: waiting.level.clone(),
            amounts: waiting.amounts.clone(),
            acquires: waiting.acquires,
            kind: waiting.kind,
            waiting: vec![waiting],
        }
    }

    pub(super) fn can_take_in(&self, next: &Waiting) -> bool {
        let same_way =
            |(own, more): (&Millitokens, &Millitokens)| own.get().signum() * more.get().signum() >= 0;
        !self.is_full()
            && self.level.limits == next.level.limits
            && self.amounts.iter().zip(&next.amounts).all(same_way)
    }

    pub(super) fn take_in(&mut self, next: Waiting) {
        for (own, more) in self.amounts.iter_mut().zip(&next.amounts) {
            *own += *more;
        }
        self.acquires += next.acquires;
        self.waiting.push(next);
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= COMBINED_AT_MOST
    }

    /// What it asks in all.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { level: &self.level, amounts: &self.amounts, acquires: self.acquires, kind: self.kind }
    }

    /// The most writes that one of its requests has been part of.
    pub(super) fn attempts(&self) -> u32 {
        self.waiting.iter().map(|waiting| waiting.attempts).max().unwrap_or(0)
    }

    pub(super) fn limits(&self) -> &LimitSet {
        &self.level.limits
    }

    /// Tells all in the batch that `error` kept it from being written.
    pub(super) fn fail(self, error: &StoreError) {
        for waiting in self.waiting {
            waiting.answer(Err(StoreError::new(error.kind(), error.to_string())));
        }
    }

    /// Those that may try again; the others are told that they cannot.
    pub(super) fn retried(self, attempts: u32, key: &BucketKey) -> Vec<Waiting> {
        let mut again = Vec::with_capacity(self.waiting.len());
        for mut waiting in self.waiting {
            waiting.attempts += 1;
            let at_most = match waiting.kind {
                Kind::Take => attempts,
                Kind::Apply => attempts.max(ATTEMPTS_OF_APPLIES),
            };
            if waiting.attempts < at_most {
                again.push(waiting);
            } else {
                let message = format!("{key} changed under {at_most} writes in a row: too much contention");
                waiting.answer(Err(StoreError::new(StoreErrorKind::Unavailable, message)));
            }
        }
        again
    }
}
