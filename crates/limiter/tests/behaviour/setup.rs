//! A limiter on a memory store and a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use zae_limiter::{
    Block, EntityId, Lease, LimitSet, Limiter, LimiterBuilder, Limits, ManualClock, MemoryStore, Millitokens,
    Timestamp, UsageQuery, Window,
};

use crate::scripted::ScriptedStore;

/// 2023-11-14 22:13:20 UTC: well within an hour, so that usage does not spread over two.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) struct Setup {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<ScriptedStore>,
    pub(crate) limiter: Limiter,
}

/// A limiter without jitter.
pub(crate) fn setup() -> Setup {
    setup_with(|builder| builder)
}

pub(crate) fn setup_with(options: impl FnOnce(LimiterBuilder) -> LimiterBuilder) -> Setup {
    let clock = Arc::new(ManualClock::new(START));
    let store = Arc::new(ScriptedStore::new(MemoryStore::new(clock.clone())));
    let builder = options(Limiter::builder().clock(clock.clone()).jitter(Arc::new(())));
    Setup { limiter: builder.build(store.clone()), clock, store }
}

pub(crate) fn limits(text: &str) -> LimitSet {
    text.parse().unwrap()
}

impl Setup {
    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// How long the clock has moved since the start, in ms.
    pub(crate) fn elapsed(&self) -> u64 {
        use zae_limiter::Clock;
        self.clock.now().as_millis() - START.as_millis()
    }

    /// What the bucket of `entity` on `r` holds of a limit, in whole tokens.
    #[track_caller]
    pub(crate) fn left(&self, entity: &str, limits: impl Into<Limits>, name: &str) -> i64 {
        self.limiter.available(entity, "r", limits).wait().unwrap()[name]
    }

    /// Takes, on resource `r`, or panics.
    #[track_caller]
    pub(crate) fn take(&self, entity: &str, limits: &LimitSet, name: &str, tokens: u64) -> Lease {
        self.limiter.acquire(entity, "r", limits).consume(name, tokens).with_statuses().wait().unwrap()
    }

    /// Acquires of `entity` on all resources, net of those rolled back.
    pub(crate) fn acquires(&self, entity: &str) -> i64 {
        self.usage(entity).0
    }

    /// Net consumption of a limit by `entity` on all resources, in whole tokens.
    pub(crate) fn consumed(&self, entity: &str, name: &str) -> i64 {
        let (_, counters) = self.usage(entity);
        counters
            .iter()
            .filter(|(limit, _)| limit == name)
            .map(|(_, amount)| *amount)
            .sum::<Millitokens>()
            .whole_tokens()
    }

    fn usage(&self, entity: &str) -> (i64, Vec<(String, Millitokens)>) {
        let query = UsageQuery::of(EntityId::new(entity).unwrap(), Window::Monthly);
        let snapshots = self.limiter.usage(&query).wait().unwrap();
        let acquires = snapshots.iter().map(|snapshot| snapshot.total_events).sum();
        let counters = snapshots.into_iter().flat_map(|snapshot| snapshot.counters);
        (acquires, counters.map(|(name, amount)| (name.to_string(), amount)).collect())
    }
}
