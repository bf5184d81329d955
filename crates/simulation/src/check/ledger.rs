//! What callers were told against what was counted: net consumption and acquires of every bucket.
//!
//! Where no outcome stayed unknown and nobody crashed, both are equal. Otherwise every difference is due to a request
//! that was given up, and bounded by it.

use std::collections::{BTreeMap, BTreeSet};

use zae_limiter_core::LimitName;
use zae_limiter_store_dynamodb::item::Writer;
use zae_limiter_store_dynamodb::plan::{BucketWrite, Kind};
use zae_limiter_store_dynamodb::table::BucketKey;

use super::{Summary, Violation};
use crate::history::{End, Event, Heard, History, Op, Part, Request};

/// What is counted: a limit's net consumption in millitokens, or the acquires.
type Account<'a> = (&'a BucketKey, Option<&'a LimitName>);

/// A write, and all tries of it. A transaction has one stamp for all of its buckets.
type Stamped<'a> = (Writer, u64, &'a BucketKey);

/// A client is at work on a cancelled call for no longer than this after it was cancelled, in ms.
const CANCELLED_FOR_MS: u64 = 60_000;

pub(super) fn check(history: &History) -> Result<Summary, Violation> {
    let mut ledger = Ledger::default();
    let mut summary = Summary::default();
    for (at, event) in &history.events {
        if let Event::Ended { op, end: End::DeniedForNothing } = event {
            return Err(Violation::new("I3", format!("call {} was denied, and no limit says why", op.0)));
        }
        ledger.note(*at, event);
        summary.note(event);
    }
    ledger.give_up_with_fences();
    let mut expected: BTreeMap<Account<'_>, Range> = BTreeMap::new();
    for call in ledger.calls.values() {
        ledger.expect(call, &mut expected);
    }
    for write in ledger.writes.values() {
        write.expect(&mut expected);
    }
    let mut counted: BTreeMap<Account<'_>, i64> = BTreeMap::new();
    for write in ledger.writes.values().filter(|write| write.is_applied) {
        write.accounts().for_each(|(account, amount)| *counted.entry(account).or_default() += amount);
    }
    summary.is_exact = expected.values().all(|range| range.least == range.most);
    for (account, range) in expected {
        let counted = counted.remove(&account).unwrap_or(0);
        if counted < range.least || counted > range.most {
            let (key, name) = account;
            let of = name.map_or_else(|| "acquires".to_owned(), |name| format!("millitokens of {name}"));
            let what = format!("{counted} {of} are counted of {key}, it should be {range}");
            // More than callers know of errs low, but is not theirs.
            let invariant = if counted < range.least { "I4" } else { "I3, I4, I6" };
            return Err(Violation::new(invariant, what));
        }
    }
    Ok(summary)
}

/// What may have been counted.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    least: i64,
    most: i64,
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.least)
        } else {
            write!(f, "{}..{}", self.least, self.most)
        }
    }
}

impl Range {
    fn exactly(&mut self, amount: i64) {
        self.least += amount;
        self.most += amount;
    }

    /// Applied or not.
    fn perhaps(&mut self, amount: i64) {
        self.least += amount.min(0);
        self.most += amount.max(0);
    }
}

struct Call<'a> {
    client: Writer,
    kind: Kind,
    parts: &'a [Part],
    acquires: i64,
    ended: Option<(u64, End)>,
}

/// What a call came to.
enum Became {
    /// All of it is counted.
    Done,
    /// Nothing of it is.
    Nothing,
    /// The one or the other.
    Either,
}

/// A write, through all tries of it.
struct Tried<'a> {
    client: Writer,
    key: &'a BucketKey,
    write: &'a BucketWrite,
    is_applied: bool,
    /// What the client knows of the outcome.
    is_certain: bool,
}

#[derive(Default)]
struct Ledger<'a> {
    calls: BTreeMap<Op, Call<'a>>,
    writes: BTreeMap<Stamped<'a>, Tried<'a>>,
    requests: BTreeMap<Request, Stamped<'a>>,
    crashed: BTreeMap<Writer, u64>,
}

impl<'a> Ledger<'a> {
    fn note(&mut self, at: u64, event: &'a Event) {
        match event {
            Event::Called { op, client, kind, parts, acquires } => {
                let call = Call { client: *client, kind: *kind, parts, acquires: *acquires, ended: None };
                self.calls.insert(*op, call);
            }
            Event::Ended { op, end } => {
                if let Some(call) = self.calls.get_mut(op) {
                    call.ended = Some((at, *end));
                }
            }
            Event::Sent { request, client, key, write, .. } => {
                let stamp = (write.stamp.writer, write.stamp.number, key);
                self.requests.insert(*request, stamp);
                let new = Tried { client: *client, key, write, is_applied: false, is_certain: false };
                self.writes.entry(stamp).or_insert(new);
            }
            Event::Applied { request, .. } => {
                if let Some(write) = self.write_of(*request) {
                    write.is_applied = true;
                }
            }
            Event::Heard { request, heard } => {
                if let Some(write) = self.write_of(*request) {
                    write.is_certain = matches!(heard, Heard::Done | Heard::Repeated | Heard::Failed);
                }
            }
            Event::Crashed { client } => {
                self.crashed.insert(*client, at);
            }
            Event::Started { .. }
            | Event::Stepped { .. }
            | Event::NotApplied { .. }
            | Event::Deleted { .. } => {}
        }
    }

    /// A write whose fence was given up was given up.
    fn give_up_with_fences(&mut self) {
        let given_up = self.writes.values().filter(|write| !write.is_certain);
        let fenced: BTreeSet<_> =
            given_up.map(|write| (write.write.stamp.writer, write.write.stamp.first)).collect();
        for ((writer, number, _), write) in &mut self.writes {
            write.is_certain &= !fenced.contains(&(*writer, *number));
        }
    }

    fn write_of(&mut self, request: Request) -> Option<&mut Tried<'a>> {
        self.requests.get(&request).and_then(|stamp| self.writes.get_mut(stamp))
    }

    /// What a call says of each account.
    fn expect(&self, call: &Call<'a>, expected: &mut BTreeMap<Account<'a>, Range>) {
        for part in call.parts {
            let tokens = part
                .limits
                .iter()
                .zip(&part.amounts)
                .map(|(limit, amount)| (Some(limit.name()), amount.get()));
            for (name, amount) in tokens.chain([(None, call.acquires)]) {
                let range = expected.entry((&part.key, name)).or_default();
                match self.became(call, part) {
                    Became::Done => range.exactly(amount),
                    Became::Nothing => {}
                    Became::Either => range.perhaps(amount),
                }
            }
        }
    }

    /// What a call came to, as far as its caller can tell.
    fn became(&self, call: &Call<'_>, part: &Part) -> Became {
        match (call.kind, call.ended) {
            (_, Some((_, End::Done))) => Became::Done,
            (_, Some((at, End::Cancelled))) if self.crashed_soon_after(call.client, at) => Became::Either,
            // Nothing was taken, or it was returned.
            (Kind::Take, Some(_)) => Became::Nothing,
            // Carried out, although nobody waits for it.
            (Kind::Apply, Some((_, End::Cancelled))) if !self.gave_up(call.client, &part.key) => Became::Done,
            (Kind::Apply, Some(_)) | (_, None) => Became::Either,
        }
    }

    fn crashed_soon_after(&self, client: Writer, at: u64) -> bool {
        self.crashed.get(&client).is_some_and(|crashed| *crashed < at + CANCELLED_FOR_MS)
    }

    /// Whether a client gave up on a write to a bucket.
    fn gave_up(&self, client: Writer, key: &BucketKey) -> bool {
        self.writes.values().any(|write| write.client == client && write.key == key && !write.is_certain)
    }
}

impl<'a> Tried<'a> {
    fn accounts(&self) -> impl Iterator<Item = (Account<'a>, i64)> {
        let (key, write) = (self.key, self.write);
        let tokens =
            write.limits.iter().map(move |limit| ((key, Some(limit.limit.name())), limit.consumed.get()));
        tokens.chain([((key, None), write.acquires)])
    }

    /// What a write that was given up adds: it took and nobody knows, or it was to return and did not.
    fn expect(&self, expected: &mut BTreeMap<Account<'a>, Range>) {
        if self.is_certain {
            return;
        }
        for (account, amount) in self.accounts() {
            let kept = if self.is_applied { amount.max(0) } else { (-amount).max(0) };
            expected.entry(account).or_default().most += kept;
        }
    }
}

impl Summary {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Called { .. } => self.calls += 1,
            Event::Sent { .. } => self.writes += 1,
            Event::Deleted { .. } => self.deleted += 1,
            Event::Ended { end: End::Denied, .. } => self.denied += 1,
            Event::Ended { end: End::Cancelled, .. } => self.cancelled += 1,
            Event::Ended { end: End::Failed(_), .. } => self.failed += 1,
            Event::Ended { end: End::Done, .. } => self.admitted += 1,
            _ => {}
        }
    }
}
