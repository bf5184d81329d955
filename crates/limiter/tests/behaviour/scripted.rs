//! A store that does what it is told: it counts its calls, and fails, hesitates or answers late by script.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use zae_limiter::core::store::{StoreAnswer, Task};
use zae_limiter::core::{Answer, Change, Decision, EntityConfig, Level, Reading};
use zae_limiter::{
    Entity, EntityId, LimitScope, LimitSet, MemoryStore, Millitokens, Resource, Store, StoreError,
    StoreErrorKind, UsageQuery, UsageSnapshot,
};

/// What becomes of a call. Dropped while it is pending, it does what the contract of a store demands: a take is
/// returned, an apply is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered at once.
    Answered,
    /// It fails, and changes nothing.
    Fails(StoreErrorKind),
    /// It does what it should, but the answer is lost.
    LosesAnswer,
    /// It is pending once before the store is asked.
    Hesitates,
    /// It is pending once after the store has done what it was asked.
    AnsweredLate,
}

type Script = Box<dyn FnMut(&'static str) -> Fate + Send>;

pub(crate) struct ScriptedStore {
    inner: Arc<MemoryStore>,
    calls: Mutex<Vec<&'static str>>,
    script: Mutex<Script>,
}

impl fmt::Debug for ScriptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedStore")
    }
}

/// Pending once, and woken at once.
async fn one_poll() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl ScriptedStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self {
            inner: Arc::new(inner),
            calls: Mutex::default(),
            script: Mutex::new(Box::new(|_| Fate::Answered)),
        }
    }

    /// From here on, `script` decides on each call by the name of its method.
    pub(crate) fn script(&self, script: impl FnMut(&'static str) -> Fate + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// From here on, all calls of `method` have one fate, the others are answered.
    pub(crate) fn script_for(&self, method: &'static str, fate: Fate) {
        self.script(move |called| if called == method { fate } else { Fate::Answered });
    }

    /// How often `method` was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|called| **called == method).count()
    }

    /// The methods called since the last time this was asked.
    pub(crate) fn calls_since(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        method: &'static str,
        ask: impl FnOnce(&'a MemoryStore) -> StoreAnswer<'a, T> + Send + 'a,
        when_dropped: WhenDropped<'a, T>,
    ) -> StoreAnswer<'a, T> {
        self.calls.lock().unwrap().push(method);
        let fate = (self.script.lock().unwrap())(method);
        match fate {
            Fate::Answered => ask(&self.inner),
            Fate::Fails(kind) => {
                Answer::ready(Err(StoreError::new(kind, format!("{method} was told to fail"))))
            }
            Fate::LosesAnswer => {
                ask(&self.inner).into_ready().expect("memory is ready").unwrap();
                Answer::ready(Err(StoreError::new(StoreErrorKind::Unavailable, "the answer was lost")))
            }
            Fate::Hesitates => Answer::pending(async move {
                let ask = || ask(&self.inner).into_ready().expect("memory is ready");
                let carried_out = matches!(when_dropped, WhenDropped::CarryOut);
                let mut question = Question { ask: Some(ask), carried_out };
                one_poll().await;
                question.ask.take().expect("only taken here")()
            }),
            Fate::AnsweredLate => Answer::pending(async move {
                let answer = ask(&self.inner).into_ready().expect("memory is ready");
                let mut late = Late { answer: Some(answer), when_dropped };
                one_poll().await;
                late.answer.take().expect("only taken here")
            }),
        }
    }
}

/// What becomes of a call whose answer is dropped.
enum WhenDropped<'a, T> {
    /// Nothing: it may be carried out or not.
    Nothing,
    /// It is carried out all the same.
    CarryOut,
    /// What it did is undone.
    Undo(Box<dyn FnOnce(&T) + Send + 'a>),
}

/// A question on its way.
struct Question<T, A: FnOnce() -> T> {
    ask: Option<A>,
    carried_out: bool,
}

impl<T, A: FnOnce() -> T> Drop for Question<T, A> {
    fn drop(&mut self) {
        if let Some(ask) = self.ask.take().filter(|_| self.carried_out) {
            ask();
        }
    }
}

/// An answer on its way.
struct Late<'a, T> {
    answer: Option<Result<T, StoreError>>,
    when_dropped: WhenDropped<'a, T>,
}

impl<T> Drop for Late<'_, T> {
    fn drop(&mut self) {
        let when_dropped = std::mem::replace(&mut self.when_dropped, WhenDropped::Nothing);
        if let (Some(Ok(answer)), WhenDropped::Undo(undo)) = (&self.answer, when_dropped) {
            undo(answer);
        }
    }
}

impl Store for ScriptedStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        let undo = move |decision: &Decision| {
            if let Decision::Admitted(_) = decision {
                let amounts: Vec<Millitokens> = take.amounts.iter().map(|amount| -*amount).collect();
                let back = Change { amounts: &amounts, acquires: -take.acquires, ..take };
                self.inner.apply(back).into_ready().expect("memory is ready").unwrap();
            }
        };
        self.answer("take", move |store| store.take(take), WhenDropped::Undo(Box::new(undo)))
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        self.answer("apply", move |store| store.apply(change), WhenDropped::CarryOut)
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        self.answer("read", move |store| store.read(levels), WhenDropped::Nothing)
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        self.answer("config", move |store| store.config(entity, resource), WhenDropped::Nothing)
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        self.answer("create_entity", move |store| store.create_entity(entity), WhenDropped::Nothing)
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        self.answer("entity", move |store| store.entity(id), WhenDropped::Nothing)
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        self.answer("delete_entity", move |store| store.delete_entity(id), WhenDropped::Nothing)
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        self.answer("entities", MemoryStore::entities, WhenDropped::Nothing)
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        self.answer("children", move |store| store.children(parent), WhenDropped::Nothing)
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        self.answer("put_limits", move |store| store.put_limits(scope, limits), WhenDropped::Nothing)
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        self.answer("limits", move |store| store.limits(scope), WhenDropped::Nothing)
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.answer("delete_limits", move |store| store.delete_limits(scope), WhenDropped::Nothing)
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        self.answer("buckets", move |store| store.buckets(resource), WhenDropped::Nothing)
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        self.answer("usage", move |store| store.usage(query), WhenDropped::Nothing)
    }

    fn spawn(&self, task: Task) {
        self.inner.spawn(task);
    }
}
