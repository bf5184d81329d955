//! Calls on a store, in few words.

use std::sync::Arc;

use zae_limiter_core::{
    Amounts, Change, Decision, EntityId, Level, LimitSet, ManualClock, Millitokens, Resource, Store,
    StoreError, Timestamp,
};

/// In the future, so that no engine expires a record.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(3_981_262_830_400)))
}

pub(crate) fn id(id: &str) -> EntityId {
    EntityId::new(id).unwrap()
}

pub(crate) fn resource() -> Resource {
    Resource::new("r").unwrap()
}

pub(crate) fn bucket(entity: &str, limits: &str) -> Level {
    let limits = limits.split(' ').map(|limit| limit.parse().unwrap());
    Level { entity_id: id(entity), resource: resource(), limits: LimitSet::new(limits).unwrap() }
}

pub(crate) fn tokens<const N: usize>(amounts: [i64; N]) -> Amounts {
    amounts.map(Millitokens::from_tokens).into_iter().collect()
}

pub(crate) fn take(store: &dyn Store, levels: &[Level], amounts: &Amounts) -> Result<bool, StoreError> {
    let decision = pollster::block_on(store.take(Change { levels, amounts, acquires: 1 }))?;
    Ok(matches!(decision, Decision::Admitted(_)))
}

pub(crate) fn apply(store: &dyn Store, levels: &[Level], amounts: &Amounts) -> Result<(), StoreError> {
    pollster::block_on(store.apply(Change { levels, amounts, acquires: 0 }))
}

pub(crate) fn balances(store: &dyn Store, levels: &[Level]) -> Amounts {
    let reading = pollster::block_on(store.read(levels)).unwrap();
    reading.balances(levels).collect()
}
