//! One store under test, the clock that it reads, and calls on it that say what is expected.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::store::StoreAnswer;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{
    Amounts, Change, Clock, Decision, EntityId, Level, LimitStatus, ManualClock, Reading, Store, Timestamp,
    UsageQuery, UsageSnapshot, Window,
};

use crate::shorthand::{burst_of, id, resource};
use crate::{Fixture, Scale};

/// When the clock of a new store starts: 2096-02-28 10:20:30.400 UTC.
///
/// In the future, so that a store engine that expires records by the system's clock expires none.
pub(crate) const START: Timestamp = Timestamp::from_millis(3_981_262_830_400);

/// A store under test. Clones share it.
#[derive(Clone)]
pub(crate) struct Harness {
    fixture: Arc<dyn Fixture>,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
}

impl Harness {
    pub(crate) fn new(fixture: impl Fixture) -> Self {
        Self::with(Arc::new(fixture))
    }

    /// A harness around another new store.
    pub(crate) fn renewed(&self) -> Self {
        Self::with(self.fixture.clone())
    }

    fn with(fixture: Arc<dyn Fixture>) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let store = fixture.store(clock.clone());
        Self { fixture, clock, store }
    }

    pub(crate) fn scale(&self) -> Scale {
        self.fixture.scale()
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock forwards.
    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Moves the clock to `millis` after the start; backwards, if that is earlier than now.
    pub(crate) fn set(&self, millis: u64) {
        self.clock.set(START.after(Duration::from_millis(millis)));
    }

    /// Moves the clock to an instant.
    pub(crate) fn set_to(&self, now: Timestamp) {
        self.clock.set(now);
    }

    #[track_caller]
    pub(crate) fn take(&self, levels: &[Level], amounts: &Amounts, acquires: i64) -> Decision {
        ask(self.store.take(Change { levels, amounts, acquires }))
    }

    /// Takes, counting one acquire, and expects to be admitted. The states after it.
    #[track_caller]
    pub(crate) fn admit(&self, levels: &[Level], amounts: &Amounts) -> Reading {
        match self.take(levels, amounts, 1) {
            Decision::Admitted(reading) => self.checked(levels, reading),
            Decision::Denied(reading) => {
                panic!("denied: {:?}", reading.statuses(levels, amounts).collect::<Vec<_>>())
            }
        }
    }

    /// Tries to take, and expects to be denied. The status of every limit.
    #[track_caller]
    pub(crate) fn deny(&self, levels: &[Level], amounts: &Amounts) -> Vec<LimitStatus> {
        match self.take(levels, amounts, 1) {
            Decision::Admitted(reading) => {
                let left: Vec<_> = reading.balances(levels).collect();
                panic!("{amounts:?} admitted, leaving {left:?}")
            }
            Decision::Denied(reading) => {
                let statuses: Vec<_> = self.checked(levels, reading).statuses(levels, amounts).collect();
                assert!(statuses.iter().any(LimitStatus::is_exceeded), "denied for no reason: {statuses:?}");
                statuses
            }
        }
    }

    /// Whether a take that counts one acquire is admitted.
    #[track_caller]
    pub(crate) fn admits(&self, levels: &[Level], amounts: &Amounts) -> bool {
        matches!(self.take(levels, amounts, 1), Decision::Admitted(_))
    }

    #[track_caller]
    pub(crate) fn apply(&self, levels: &[Level], amounts: &Amounts, acquires: i64) {
        ask(self.store.apply(Change { levels, amounts, acquires }));
    }

    /// Returns what a take of `amounts` took, and its acquire.
    #[track_caller]
    pub(crate) fn roll_back(&self, levels: &[Level], amounts: &Amounts) {
        self.apply(levels, &amounts.iter().map(|amount| -*amount).collect(), -1);
    }

    #[track_caller]
    pub(crate) fn read(&self, levels: &[Level]) -> Reading {
        self.checked(levels, self.read_while_others_write(levels))
    }

    /// Reads at a time when the clock may move.
    #[track_caller]
    pub(crate) fn read_while_others_write(&self, levels: &[Level]) -> Reading {
        ask(self.store.read(levels))
    }

    /// What each limit of each level holds.
    #[track_caller]
    pub(crate) fn balances(&self, levels: &[Level]) -> Amounts {
        self.read(levels).balances(levels).collect()
    }

    /// The recorded buckets of a resource that are not full: for each limit that is not, one line
    /// `entity limit balance`. A full bucket may be recorded or not.
    #[track_caller]
    pub(crate) fn listed(&self, on: &str) -> Vec<String> {
        let (levels, reading) = ask(self.store.buckets(&resource(on)));
        let reading = self.checked(&levels, reading);
        let ids: Vec<&EntityId> = levels.iter().map(|level| &level.entity_id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "not by entity id, or one twice: {ids:?}");
        let mut lines = Vec::new();
        for ((level, limit), balance) in limits_of(&levels).zip(reading.balances(&levels)) {
            assert_eq!(level.resource.as_str(), on, "listed a bucket of another resource");
            if balance != burst_of(limit) {
                lines.push(format!("{} {limit} {balance}", level.entity_id));
            }
        }
        // The order of the limits within a record is the store's own affair.
        lines.sort();
        lines
    }

    /// The usage of one entity in windows of one kind, as [`Harness::usage`] writes it.
    #[track_caller]
    pub(crate) fn usage_of(&self, entity: &str, window: Window) -> Vec<String> {
        self.usage(&UsageQuery::of(id(entity), window))
    }

    /// Usage, one line a snapshot: `entity resource start limit=tokens … events=n`. A counter of zero says
    /// nothing that its absence does not.
    #[track_caller]
    pub(crate) fn usage(&self, query: &UsageQuery) -> Vec<String> {
        ask(self.store.usage(query)).iter().map(usage_line).collect()
    }

    /// A reading, if it has a state for each limit and says the time of a clock that stands still.
    #[track_caller]
    fn checked(&self, levels: &[Level], reading: Reading) -> Reading {
        assert_eq!(reading.full_at.len(), limits_of(levels).count(), "one state for each limit");
        assert_eq!(reading.at, self.now(), "the time of the store's clock");
        reading
    }
}

/// The answer of a call that is expected to succeed.
#[track_caller]
pub(crate) fn ask<T>(answer: StoreAnswer<'_, T>) -> T {
    pollster::block_on(answer).unwrap_or_else(|error| panic!("{error} ({error:?})"))
}

fn usage_line(snapshot: &UsageSnapshot) -> String {
    assert_eq!(snapshot.window_end, snapshot.window.end(snapshot.window_start), "{snapshot:?}");
    let mut line = format!("{} {} {}", snapshot.entity_id, snapshot.resource, snapshot.window_start);
    for (name, amount) in snapshot.counters.iter().filter(|(_, amount)| !amount.is_zero()) {
        // Writing to a string cannot fail.
        let _ = write!(line, " {name}={amount}");
    }
    let _ = write!(line, " events={}", snapshot.total_events);
    line
}

#[cfg(test)]
mod tests {
    use super::START;

    #[test]
    fn starts_when_it_says() {
        assert_eq!(START.to_string(), "2096-02-28T10:20:30.4Z");
    }
}
