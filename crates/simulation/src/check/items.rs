//! What every write did to its item, against the model.

use std::collections::{BTreeMap, BTreeSet};

use zae_limiter_core::{Limit, LimitName, Millitokens};
use zae_limiter_store_dynamodb::item::{BucketItem, LimitItem, Writer};
use zae_limiter_store_dynamodb::plan::BucketWrite;
use zae_limiter_store_dynamodb::table::BucketKey;

use super::Violation;
use super::windows::Windows;
use crate::history::{Decided, Event, History, Request};
use crate::model::Bucket;

/// The states of every limit, each with the true time at which it began. A deleted bucket is full: it has none.
pub(super) type States<'a> = BTreeMap<(&'a BucketKey, &'a LimitName), Vec<(u64, Bucket)>>;

pub(super) fn check(history: &History) -> Result<States<'_>, Violation> {
    let mut table = Table { skew_ms: history.skew_ms, ..Table::default() };
    let mut sent: BTreeMap<Request, Sent<'_>> = BTreeMap::new();
    for (at, event) in &history.events {
        match event {
            Event::Sent { request, key, write, decided, .. } => {
                let write = Sent { key, write, decided: *decided };
                sent.insert(*request, write);
            }
            Event::Applied { request, item } => {
                let applied = table.apply(&sent[request], item, *at);
                applied.map_err(|violation| violation.in_request(*request))?;
            }
            Event::Deleted { key, item } => table.delete(key, item, at - history.skew_ms)?,
            _ => {}
        }
    }
    Ok(table.states)
}

impl Violation {
    fn in_request(self, request: Request) -> Self {
        Self { what: format!("{} (request {})", self.what, request.0), ..self }
    }
}

/// A write as its client meant it.
struct Sent<'a> {
    key: &'a BucketKey,
    write: &'a BucketWrite,
    decided: Decided,
}

/// The table as it should be.
#[derive(Default)]
struct Table<'a> {
    skew_ms: u64,
    items: BTreeMap<&'a BucketKey, Item>,
    windows: BTreeMap<(&'a BucketKey, &'a LimitName), Windows>,
    stamps: BTreeSet<(&'a BucketKey, Writer, u64)>,
    states: States<'a>,
}

/// An item as it should be.
#[derive(Default)]
struct Item {
    buckets: BTreeMap<LimitName, Bucket>,
    consumed: BTreeMap<LimitName, i64>,
    /// When clients wrote, by their clocks.
    written: BTreeSet<u64>,
    acquires: i64,
    ttl: u64,
}

impl<'a> Table<'a> {
    fn apply(&mut self, sent: &Sent<'a>, found: &BucketItem, at: u64) -> Result<(), Violation> {
        let Sent { key, write, decided } = *sent;
        let is_take = write.acquires > 0;
        if !self.stamps.insert((key, write.stamp.writer, write.stamp.number)) {
            return Err(Violation::new("I5", format!("a write to {key} was applied twice")));
        }
        let item = self.items.entry(key).or_default();
        item.acquires += write.acquires;
        for limit_write in &write.limits {
            let (limit, milli) = (&limit_write.limit, limit_write.consumed.get());
            let windows = self.windows.entry((key, limit.name()));
            windows
                .or_insert_with(|| Windows::new(limit, self.skew_ms))
                .note(limit, milli, is_take, decided)
                .map_err(|what| Violation::new("I1", format!("{what} on {limit} of {key}")))?;
            let held = found.limits.get(limit.name());
            item.apply(limit, milli, is_take, decided.clock.as_millis(), held)
                .map_err(|what| Violation::new("I1", format!("{what} on {limit} of {key}")))?;
            if let Some(bucket) = item.buckets.get(limit.name()) {
                self.states.entry((key, limit.name())).or_default().push((at, bucket.clone()));
            }
        }
        item.written.insert(write.stamp.number / 1_000);
        item.agrees(found).map_err(|what| Violation::new("I4", format!("{what} of {key}")))?;
        item.expires(found).map_err(|what| Violation::new("I8", format!("{what}: {key}")))
    }

    fn delete(&mut self, key: &'a BucketKey, found: &BucketItem, at: u64) -> Result<(), Violation> {
        let item = self.items.remove(key).unwrap_or_default();
        for (name, bucket) in &item.buckets {
            if !bucket.is_full(at) {
                let what = format!("{key} was deleted at {at}, {name} with {} tokens", bucket.balance(at));
                return Err(Violation::new("I8", format!("{what}; it expired at {} s", found.ttl)));
            }
        }
        Ok(())
    }
}

impl Item {
    /// One limit's share of a write, at `at` by its client's clock.
    fn apply(
        &mut self,
        limit: &Limit,
        milli: i64,
        is_take: bool,
        at: u64,
        found: Option<&LimitItem>,
    ) -> Result<(), String> {
        let bucket = self.buckets.get(limit.name());
        let is_new = bucket.is_none();
        let mut bucket = bucket.map_or_else(|| Bucket::full(limit, at), Clone::clone);
        // Nothing comes of a return to a full bucket.
        let moved = if is_new { milli.max(0) } else { milli };
        if bucket.limit() != limit {
            // Carried over now, or when another client that is ahead wrote last, as far as this one knew of it.
            let later = self.written.range(at + 1..).copied();
            let carried_over = |when: u64| {
                let mut bucket = bucket.clone();
                bucket.change(limit, when);
                bucket
            };
            let is_found = |carried: &Bucket| {
                let mut after = carried.clone();
                after.apply(moved, at);
                found.is_some_and(|held| after.agrees(held.full_at.scaled()))
            };
            bucket = later.map(carried_over).find(is_found).unwrap_or_else(|| carried_over(at));
        }
        if is_take && !bucket.holds(milli, at) {
            let (taken, held) = (Millitokens::new(milli), bucket.balance(at));
            return Err(format!("{taken} tokens were admitted where there were {held}"));
        }
        bucket.apply(moved, at);
        if !is_new || milli != 0 {
            self.buckets.insert(limit.name().clone(), bucket);
            *self.consumed.entry(limit.name().clone()).or_default() += milli;
        }
        Ok(())
    }

    /// Whether the table says the same.
    fn agrees(&self, found: &BucketItem) -> Result<(), String> {
        if found.acquires != self.acquires {
            return Err(format!("{} acquires are counted in place of {}", found.acquires, self.acquires));
        }
        if !found.limits.keys().eq(self.buckets.keys()) {
            return Err("other limits than were written".to_owned());
        }
        for (name, held) in &found.limits {
            let (bucket, consumed) = (&self.buckets[name], self.consumed[name]);
            if held.consumed.get() != consumed {
                return Err(format!(
                    "{} of {name} are counted in place of {consumed} millitokens",
                    held.consumed
                ));
            }
            if held.limit != *bucket.limit() || !bucket.agrees(held.full_at.scaled()) {
                let at = held.limit.rate().full_at_ms(held.full_at);
                return Err(format!(
                    "the state of {} is not what it should be, full at {at}: {bucket:?}",
                    held.limit
                ));
            }
        }
        Ok(())
    }

    /// Whether it expires no sooner than it is full, and no sooner than before.
    fn expires(&mut self, found: &BucketItem) -> Result<(), String> {
        let before = std::mem::replace(&mut self.ttl, found.ttl);
        if found.ttl < before {
            return Err(format!("the expiry moved back from {before} to {} s", found.ttl));
        }
        for held in found.limits.values() {
            let full_at = held.limit.rate().full_at_ms(held.full_at);
            if full_at > found.ttl * 1_000 {
                return Err(format!(
                    "{} is full at {full_at} ms, but expires at {} s",
                    held.limit, found.ttl
                ));
            }
        }
        Ok(())
    }
}
