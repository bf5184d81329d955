//! Snapshots in memory, in a table that fails now and then.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;

use zae_limiter_aggregator::Snapshots;
use zae_limiter_core::{StoreError, StoreErrorKind};
use zae_limiter_store_dynamodb::position::StreamPosition;
use zae_limiter_store_dynamodb::snapshot::{Added, SnapshotKey, SnapshotUpdate};

use crate::history::Ledger;

/// How a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Good,
    /// It does not arrive.
    Lost,
    /// It is carried out, but nobody hears of it.
    Unheard,
    /// Others come first.
    Slow,
}

#[derive(Debug, Default)]
struct Snapshot {
    last: Option<StreamPosition>,
    consumed: BTreeMap<String, i128>,
    acquires: i128,
}

#[derive(Debug, Default)]
pub(crate) struct MemorySnapshots {
    all: Mutex<HashMap<SnapshotKey, Snapshot>>,
    /// Of the next writes; those after them are good.
    pub(crate) fates: Mutex<VecDeque<Fate>>,
}

impl Snapshots for &MemorySnapshots {
    async fn add(&self, update: &SnapshotUpdate) -> Result<Added, StoreError> {
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Good);
        let failed = || StoreError::new(StoreErrorKind::Unavailable, "as the test wants it");
        match fate {
            Fate::Lost => return Err(failed()),
            Fate::Slow => tokio::task::yield_now().await,
            Fate::Good | Fate::Unheard => {}
        }
        let mut all = self.all.lock().unwrap();
        let snapshot = all.entry(update.key.clone()).or_default();
        if let Some(last) = &snapshot.last
            && *last >= update.first
        {
            return Ok(Added::Includes(last.clone()));
        }
        snapshot.last = Some(update.last.clone());
        for (limit, amount) in &update.consumed {
            *snapshot.consumed.entry(limit.to_string()).or_default() += amount;
        }
        snapshot.acquires += update.acquires;
        if fate == Fate::Unheard { Err(failed()) } else { Ok(Added::Done) }
    }
}

impl MemorySnapshots {
    /// All that they tell, as a ledger does.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::new();
        for (key, snapshot) in self.all.lock().unwrap().iter() {
            let name = format!("{}{} {}", key.namespace, key.entity_id, key.resource);
            let mut put = |limit: Option<String>, amount| {
                ledger.insert((key.window, key.start, name.clone(), limit), amount);
            };
            snapshot.consumed.iter().for_each(|(limit, amount)| put(Some(limit.clone()), *amount));
            put(None, snapshot.acquires);
        }
        ledger
    }
}
