//! The reference store as if behind a network: every answer keeps its caller waiting, twice.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Amounts, Answer, Change, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet,
    ManualClock, Reading, Resource, Store, UsageQuery, UsageSnapshot,
};

use super::ReferenceStore;

/// Waits before it asks the store, and again before it tells the answer.
#[derive(Debug)]
pub(crate) struct PendingStore {
    inner: ReferenceStore,
    flaw: Option<CancellationFlaw>,
}

/// A mistake about calls that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancellationFlaw {
    /// Keeps what a dropped take took.
    KeepsDroppedTakes,
    /// Does not carry out a change that is dropped before it was sent.
    DropsChanges,
    /// Starts before anybody waits for the answer.
    StartsUnasked,
}

impl PendingStore {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { inner: ReferenceStore::new(clock), flaw: None }
    }

    pub(crate) fn with(flaw: CancellationFlaw, clock: Arc<ManualClock>) -> Self {
        Self { flaw: Some(flaw), ..Self::new(clock) }
    }
}

async fn wait() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Returns a take, unless it is told that the caller has it.
struct Return<'a> {
    store: &'a ReferenceStore,
    taken: Option<Change<'a>>,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken {
            let amounts: Amounts = taken.amounts.iter().map(|amount| -*amount).collect();
            let back = Change { amounts: &amounts, acquires: -taken.acquires, ..taken };
            pollster::block_on(self.store.apply(back)).unwrap();
        }
    }
}

macro_rules! later {
    ($answer:expr) => {
        Answer::pending(async move {
            wait().await;
            let answer = $answer.await;
            wait().await;
            answer
        })
    };
}

impl Store for PendingStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        Answer::pending(async move {
            wait().await;
            let decision = self.inner.take(take).await?;
            let taken = matches!(decision, Decision::Admitted(_));
            let returns = taken && self.flaw != Some(CancellationFlaw::KeepsDroppedTakes);
            let mut dropped = Return { store: &self.inner, taken: returns.then_some(take) };
            wait().await;
            dropped.taken = None;
            Ok(decision)
        })
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        if self.flaw == Some(CancellationFlaw::DropsChanges) {
            return later!(self.inner.apply(change));
        }
        let mut begun = None;
        if self.flaw == Some(CancellationFlaw::StartsUnasked) {
            begun = Some(self.inner.apply(change));
        }
        Answer::pending(async move {
            let answer = begun.unwrap_or_else(|| self.inner.apply(change)).await;
            wait().await;
            wait().await;
            answer
        })
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        later!(self.inner.read(levels))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        later!(self.inner.config(entity, resource))
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        later!(self.inner.create_entity(entity))
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        later!(self.inner.entity(id))
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        later!(self.inner.delete_entity(id))
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        later!(self.inner.entities())
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        later!(self.inner.children(parent))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        later!(self.inner.put_limits(scope, limits))
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        later!(self.inner.limits(scope))
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        later!(self.inner.delete_limits(scope))
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        later!(self.inner.buckets(resource))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        later!(self.inner.usage(query))
    }

    fn spawn(&self, task: Task) {
        std::thread::spawn(move || pollster::block_on(task));
    }
}
