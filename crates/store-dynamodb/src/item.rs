//! The record of a bucket as it lies in the table.

use std::collections::BTreeMap;
use std::fmt;

use smallvec::SmallVec;
use zae_limiter_core::{FullAt, Level, Limit, LimitName, LimitSet, Millitokens, Reading, Timestamp};

/// One process that writes to the table: six random letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer([u8; 6]);

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Writer {
    /// The writer with a number, of which the lowest 35 bits count.
    pub fn from_number(mut number: u64) -> Self {
        Self(std::array::from_fn(|_| {
            let letter = LETTERS[(number % 62) as usize];
            number /= 62;
            letter
        }))
    }

    /// The writer of the transactions of this process, which may meet its other writes on one item.
    #[must_use]
    pub fn of_transactions(self) -> Self {
        let place = |letter| LETTERS.iter().position(|other| *other == letter).unwrap_or(0);
        Self(self.0.map(|letter| LETTERS[(place(letter) + LETTERS.len() / 2) % LETTERS.len()]))
    }

    /// Reads what [`fmt::Display`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 6] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| fmt::Write::write_char(f, char::from(*letter)))
    }
}

/// The state of one limit on an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitItem {
    /// The parameters that `full_at` is scaled by.
    pub limit: Limit,
    /// When the bucket will be full.
    pub full_at: FullAt,
    /// Net consumption, ever.
    pub consumed: Millitokens,
}

/// The item of one bucket: everything that is limited about an entity on a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketItem {
    /// By name.
    pub limits: BTreeMap<LimitName, LimitItem>,
    /// Acquires, ever.
    pub acquires: i64,
    /// When the item may be deleted, in s.
    pub ttl: u64,
    /// The last write of each process that wrote here lately. A write whose number is not above its writer's is a
    /// repetition, and refused.
    pub writers: BTreeMap<Writer, u64>,
}

impl BucketItem {
    /// The level with the limits that this item has in place of those of the same names.
    pub fn on_its_terms(&self, level: &Level) -> Option<Level> {
        let held = |limit: &Limit| {
            self.limits.get(limit.name()).map_or_else(|| limit.clone(), |held| held.limit.clone())
        };
        // The names are those of a set already.
        let limits = LimitSet::new(level.limits.iter().map(held)).ok()?;
        Some(Level { limits, ..level.clone() })
    }

    /// The instant at which the state is carried over to other limits: now, but not before any write that the item
    /// remembers. Otherwise two processes that differ about the limits, and whose clocks differ, would make something
    /// of every change to and fro.
    pub fn carried_over_at(&self, now: Timestamp) -> Timestamp {
        // Numbers follow the clock: see `Stamps`.
        let written = self.writers.values().map(|number| Timestamp::from_millis(number / 1_000));
        written.fold(now, Timestamp::max)
    }

    /// The states of `wanted` at `now`, each on the scale of its own rate; a limit that the item has not is full.
    pub fn states_of<'a>(
        &'a self,
        wanted: &'a LimitSet,
        now: Timestamp,
    ) -> impl Iterator<Item = FullAt> + 'a {
        let at = self.carried_over_at(now);
        wanted.iter().map(move |limit| match self.limits.get(limit.name()) {
            Some(held) => held.limit.rate().rescaled(held.full_at, limit.rate(), at),
            None => FullAt::ALWAYS,
        })
    }
}

/// What this process knows of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The item; `None` if there was none.
    pub item: Option<BucketItem>,
    /// When it was read.
    pub at: Timestamp,
}

impl Known {
    /// The states of `wanted` at `now`, as far as this process knows.
    pub fn reading(&self, wanted: &LimitSet, now: Timestamp) -> Reading {
        let full_at: SmallVec<[FullAt; 4]> = match &self.item {
            Some(item) => item.states_of(wanted, now).collect(),
            None => wanted.iter().map(|_| FullAt::ALWAYS).collect(),
        };
        Reading { at: now, full_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_read_what_they_print() {
        for number in [0, 1, 61, 62, u64::MAX] {
            let writer = Writer::from_number(number);
            assert_eq!(Writer::parse(&writer.to_string()), Some(writer));
        }
        assert_eq!(Writer::parse("abc"), None);
        assert_eq!(Writer::parse("abc#ef"), None);
    }
}
