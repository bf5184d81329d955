//! What waits for a bucket, and which of it goes into the next write.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use zae_limiter_core::{LimitName, Timestamp};

use super::LevelDecision;
use super::balances::Balances;
use super::batch::{Batch, Waiting};
use super::gather::Gathering;
use crate::item::{BucketItem, Known};
use crate::plan::{Asked, BucketWrite, Kind, Stamp, Step, plan};
use crate::table::BucketKey;

/// Writes that an apply tries on the limits that it came with. Then it goes by those of the item, and leaves it to the
/// next take to change them: such a write does not depend on the exact state, which others may keep changing.
const ATTEMPTS_ON_OWN_TERMS: u32 = 2;

/// A bucket as this process sees it: what it knows, and who waits.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(super) key: BucketKey,
    pub(super) gathering: Mutex<Gathering>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Waiting>,
    /// Whether a worker is at it. It goes on until the queue is empty.
    working: bool,
    known: Option<Known>,
    /// Writes and reads sent to the table so far.
    sends: u64,
    /// The one of them that `known` was the answer to.
    known_by: u64,
    /// Whether `known` is what a write found that failed, or a read, and nothing was sent since: no guess is better.
    is_fresh: bool,
    busy: BTreeMap<LimitName, Busyness>,
}

/// How often a limit was found busy lately where that was not known, of 256. Decides between the two conditions.
#[derive(Clone, Copy, Debug, Default)]
struct Busyness(u16);

impl Busyness {
    fn observe(&mut self, busy: bool) {
        let target = if busy { 256 } else { 0 };
        self.0 = (self.0 * 7 + target) / 8;
    }

    const fn is_likely(self) -> bool {
        self.0 > 128
    }
}

/// What a worker does next.
pub(super) enum Next {
    /// Writes this.
    Write(Batch),
    /// Reads the item: a request needs to know it that no write could answer.
    Read,
    /// Nothing: the queue is empty.
    Rest,
}

impl Bucket {
    pub(super) fn new(key: BucketKey) -> Self {
        Self { key, gathering: Mutex::default(), state: Mutex::default() }
    }

    /// Puts a request in the queue. True if a worker has to be started.
    pub(super) fn push(&self, mut waiting: Waiting) -> bool {
        let mut state = self.state.lock();
        waiting.sends_before = state.sends;
        state.queue.push_back(waiting);
        !std::mem::replace(&mut state.working, true)
    }

    pub(super) fn is_working(&self) -> bool {
        self.state.lock().working
    }

    /// How many wait for the next write.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// A write is about to tell so many.
    pub(super) fn tells(&self, number: usize) {
        let waiting = self.waiting();
        self.gathering.lock().tells(number, waiting);
    }

    pub(super) fn pop(&self) -> Option<Waiting> {
        self.state.lock().queue.pop_front()
    }

    /// Puts requests back in front of the queue, in their order.
    pub(super) fn put_back(&self, waiting: Vec<Waiting>) {
        let mut state = self.state.lock();
        for waiting in waiting.into_iter().rev() {
            state.queue.push_front(waiting);
        }
    }

    /// Takes the next batch from the queue, and answers those requests that need no write.
    pub(super) fn next(&self, now: Timestamp, denial_ttl: Duration) -> Next {
        self.state.lock().next(now, denial_ttl)
    }

    /// Plans the write of a batch.
    pub(super) fn plan(&self, batch: &Batch, now: Timestamp, stamp: Stamp) -> BucketWrite {
        let asked = batch.asked();
        let terms_found = (asked.kind == Kind::Apply && batch.attempts() >= ATTEMPTS_ON_OWN_TERMS)
            .then(|| self.known().and_then(|known| known.item?.on_its_terms(asked.level)))
            .flatten();
        self.plan_for(Asked { level: terms_found.as_ref().unwrap_or(asked.level), ..asked }, now, stamp)
    }

    /// Plans a write that changes nothing but the stamp.
    pub(super) fn plan_nothing(&self, batch: &Batch, now: Timestamp, stamp: Stamp) -> BucketWrite {
        let asked = Asked { amounts: &[], acquires: 0, kind: Kind::Apply, ..batch.asked() };
        self.plan_for(asked, now, stamp)
    }

    /// Plans a write that will be sent now.
    pub(crate) fn plan_for(&self, asked: Asked<'_>, now: Timestamp, stamp: Stamp) -> BucketWrite {
        let mut state = self.state.lock();
        state.sends += 1;
        let is_fresh = std::mem::take(&mut state.is_fresh);
        let likely_busy =
            |name: &LimitName| !is_fresh && state.busy.get(name).is_some_and(|busy| busy.is_likely());
        plan(asked, state.known.as_ref(), likely_busy, now, stamp)
    }

    /// Learns from a write: the item after it, or, if its condition failed, the item found.
    pub(crate) fn learn(&self, write: &BucketWrite, item: Option<BucketItem>, applied: bool, now: Timestamp) {
        let mut state = self.state.lock();
        state.observe(write, item.as_ref(), applied, now);
        state.know(item, now);
        state.is_fresh = !applied;
    }

    /// Learns what was read.
    pub(crate) fn learn_read(&self, item: Option<BucketItem>, now: Timestamp) {
        let mut state = self.state.lock();
        state.sends += 1;
        state.know(item, now);
        state.is_fresh = true;
    }

    /// What is known, be it old.
    pub(crate) fn known(&self) -> Option<Known> {
        self.state.lock().known.clone()
    }
}

impl State {
    fn know(&mut self, item: Option<BucketItem>, now: Timestamp) {
        self.known = Some(Known { item, at: now });
        self.known_by = self.sends;
    }

    fn next(&mut self, now: Timestamp, denial_ttl: Duration) -> Next {
        loop {
            // Whoever gave up while waiting to take is passed over. An apply is carried out all the same.
            self.queue.retain(|waiting| waiting.kind == Kind::Apply || !waiting.is_abandoned());
            let Some(head) = self.queue.front() else {
                self.working = false;
                return Next::Rest;
            };
            let next = match head.kind {
                Kind::Apply => self.next_applies().map(Next::Write),
                Kind::Take => self.next_takes(now, denial_ttl),
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// The applies at the head of the queue, as long as their amounts go the same way: a charge and a return do not
    /// commute where the bucket gets full between them.
    fn next_applies(&mut self) -> Option<Batch> {
        let mut batch = Batch::of(self.queue.pop_front()?);
        while self.queue.front().is_some_and(|next| next.kind == Kind::Apply && batch.can_take_in(next)) {
            let Some(next) = self.queue.pop_front() else { break };
            batch.take_in(next);
        }
        Some(batch)
    }

    /// The takes at the head of the queue that the balance suffices for, in their order. Those it does not suffice for
    /// are denied on the spot if that is certain. `None` if nothing is left of the head that a write is needed for.
    fn next_takes(&mut self, now: Timestamp, denial_ttl: Duration) -> Option<Next> {
        let limits = self.queue.front()?.level.limits.clone();
        let mut balances = Balances::new(self.known.as_ref(), &limits, now);
        let recent = self.known.as_ref().is_some_and(|known| now.since(known.at) < denial_ttl);
        let mut batch: Option<Batch> = None;
        while let Some(waiting) = self.queue.front() {
            let full = batch.as_ref().is_some_and(Batch::is_full);
            if full || waiting.kind != Kind::Take || waiting.level.limits != limits {
                break;
            }
            let suffices = balances.take(&waiting.amounts);
            // What is known answers for sure if it was asked for after the request, or so lately that a denial holds.
            let certain = recent || self.known.is_some() && self.known_by > waiting.sends_before;
            if !suffices && !certain {
                if batch.is_none() && balances.can_never_take(&waiting.amounts) {
                    return Some(Next::Read);
                }
                if batch.is_none() {
                    // It will be denied, most likely, but only the table can say so.
                    batch = self.queue.pop_front().map(Batch::of);
                }
                break;
            }
            let Some(waiting) = self.queue.pop_front() else { break };
            match &mut batch {
                _ if !suffices => waiting.answer(Ok(LevelDecision::Denied(balances.reading()))),
                Some(batch) => batch.take_in(waiting),
                None => batch = Some(Batch::of(waiting)),
            }
        }
        batch.map(Next::Write)
    }

    /// Notes whether limits were found busy, where that was not known beforehand.
    fn observe(&mut self, write: &BucketWrite, found: Option<&BucketItem>, applied: bool, now: Timestamp) {
        for limit_write in &write.limits {
            let name = limit_write.limit.name();
            let scaled_now = limit_write.limit.rate().scaled_now(now);
            let state_of = |item: &BucketItem| item.limits.get(name).map(|held| held.full_at.scaled());
            let known = self.known.as_ref().and_then(|known| known.item.as_ref()).and_then(state_of);
            if known.is_some_and(|state| state >= scaled_now) {
                continue;
            }
            let busy = match (&limit_write.step, applied) {
                (Step::Busy { .. }, true) => true,
                (Step::Idle { .. }, true) => false,
                (Step::Busy { .. } | Step::Idle { .. }, false) => {
                    found.and_then(state_of).is_some_and(|state| state >= scaled_now)
                }
                (Step::Stay { .. } | Step::Return { .. } | Step::Swap { .. } | Step::Never, _) => continue,
            };
            self.busy.entry(name.clone()).or_default().observe(busy);
        }
    }
}
