//! What all of a simulation share: true time, chance, the items, and the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use zae_limiter_store_dynamodb::item::BucketItem;
use zae_limiter_store_dynamodb::table::BucketKey;

use crate::clock::TrueTime;
use crate::history::{Decided, Event, History};
use crate::mutation::Mutation;
use crate::network::Network;

/// Everything shared. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    time: TrueTime,
    runtime: Handle,
    mutation: Option<Mutation>,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug)]
pub struct State {
    /// The source of all chance.
    pub rng: Rng,
    /// The table.
    pub items: BTreeMap<BucketKey, BucketItem>,
    /// How requests fare at present.
    pub network: Network,
    /// Tokens of transactions that were applied.
    pub tokens: Vec<String>,
    /// When transactions were decided on, by their tokens.
    pub decided: BTreeMap<String, Decided>,
    /// What happened.
    pub history: History,
}

impl World {
    /// An empty table.
    pub fn new(rng: Rng, network: Network, mutation: Option<Mutation>, skew_ms: u64) -> Self {
        let history = History::new(skew_ms);
        let state = State {
            rng,
            items: BTreeMap::new(),
            network,
            tokens: Vec::new(),
            decided: BTreeMap::new(),
            history,
        };
        Self(Arc::new(Inner {
            time: TrueTime::begin(),
            runtime: Handle::current(),
            mutation,
            state: Mutex::new(state),
        }))
    }

    /// The true time.
    pub fn time(&self) -> TrueTime {
        self.0.time
    }

    /// Where everything runs.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// What is broken about the protocol.
    pub fn mutation(&self) -> Option<Mutation> {
        self.0.mutation
    }

    /// What changes, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Writes down what happens now.
    pub fn note(&self, event: Event) {
        let now = self.0.time.now();
        self.state().history.note(now, event);
    }

    /// By chance, as often as `per_mille` of 1,000.
    pub fn chance(&self, per_mille: u32) -> bool {
        self.state().rng.u32(..1_000) < per_mille
    }

    /// A time in whole ms, evenly spread up to `most`.
    pub fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.state().rng.u64(..=most))
    }

    /// Deletes some of the items that have expired by a clock that is ahead by so many ms.
    pub fn delete_expired(&self, ahead_ms: u64) {
        let now_ms = self.0.time.now();
        let mut state = self.state();
        let State { rng, items, history, .. } = &mut *state;
        let expired = |item: &BucketItem| item.ttl * 1_000 < now_ms + ahead_ms;
        let chosen: Vec<_> = items
            .iter()
            .filter(|(_, item)| expired(item))
            .filter(|_| rng.bool())
            .map(|(key, _)| key.clone())
            .collect();
        for key in chosen {
            if let Some(item) = items.remove(&key) {
                history.note(now_ms, Event::Deleted { key, item });
            }
        }
    }
}
