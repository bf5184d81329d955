//! The record of one bucket: its limits, their states, and the usage of the hour it was last changed in.

#[cfg(feature = "sqlite")]
mod text;

use smallvec::SmallVec;
use zae_limiter_core::limit::LimitError;
use zae_limiter_core::usage::{HourOfUsage, hour_of};
use zae_limiter_core::{EntityId, FullAt, Level, Limit, LimitSet, Millitokens, Refusal, Resource, Timestamp};

/// The state of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell {
    full_at: FullAt,
    /// Net consumption in the record's hour.
    consumed: Millitokens,
}

/// What a store keeps of one bucket. Usage is counted here, hour by hour, so that counting costs no second
/// write; when the hour turns, the store moves [`Record::usage`] to where past hours are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    limits: LimitSet,
    cells: SmallVec<[Cell; 2]>,
    hour: u32,
    acquires: i64,
}

impl Record {
    /// The record of a bucket that was never taken from.
    pub(crate) fn new(limits: &LimitSet, now: Timestamp) -> Self {
        let cells = limits.iter().map(|_| Cell::default()).collect();
        Self { limits: limits.clone(), cells, hour: hour_of(now), acquires: 0 }
    }

    pub(crate) const fn limits(&self) -> &LimitSet {
        &self.limits
    }

    /// The states of all limits of the record.
    pub(crate) fn states(&self) -> impl Iterator<Item = FullAt> + '_ {
        self.cells.iter().map(|cell| cell.full_at)
    }

    /// The states of `wanted`, each on the scale of its own rate; a limit without a record is full.
    pub(crate) fn states_of<'a>(
        &'a self,
        wanted: &'a LimitSet,
        now: Timestamp,
    ) -> impl Iterator<Item = FullAt> + 'a {
        wanted.iter().enumerate().map(move |(i, limit)| match self.index_of(i, limit) {
            Some(i) => self.limits[i].rate().rescaled(self.cells[i].full_at, limit.rate(), now),
            None => FullAt::ALWAYS,
        })
    }

    /// Appends to `states` those of `wanted`.
    #[cfg(feature = "memory")]
    pub(crate) fn read(&self, wanted: &LimitSet, now: Timestamp, states: &mut SmallVec<[FullAt; 4]>) {
        if self.limits.is_same(wanted) {
            for state in self.states() {
                states.push(state);
            }
        } else {
            states.extend(self.states_of(wanted, now));
        }
    }

    /// When the bucket will be full, in whole ms: from then on its record says nothing that absence does not.
    pub(crate) fn full_at_ms(&self) -> u64 {
        let full_at = |(limit, cell): (&Limit, &Cell)| limit.rate().full_at_ms(cell.full_at);
        self.limits.iter().zip(&self.cells).map(full_at).max().unwrap_or(0)
    }

    /// Makes the record hold `wanted` as they are given, carrying balances over to changed limits.
    #[inline(always)]
    pub(crate) fn adopt(&mut self, wanted: &LimitSet, now: Timestamp) -> Result<(), LimitError> {
        if self.limits.is_same(wanted) { Ok(()) } else { self.adopt_others(wanted, now) }
    }

    #[inline(never)]
    fn adopt_others(&mut self, wanted: &LimitSet, now: Timestamp) -> Result<(), LimitError> {
        if self.limits == *wanted {
            // Equal sets share one allocation from here on.
            self.limits = wanted.clone();
            return Ok(());
        }
        let held =
            |(i, limit): (usize, &Limit)| self.index_of(i, limit).is_some_and(|i| self.limits[i] == *limit);
        if wanted.iter().enumerate().all(held) {
            return Ok(());
        }
        let mut limits = self.limits.to_vec();
        let mut cells = self.cells.clone();
        for limit in wanted.iter() {
            if let Some(i) = self.limits.position(limit.name().as_str()) {
                cells[i].full_at = limits[i].rate().rescaled(cells[i].full_at, limit.rate(), now);
                limits[i] = limit.clone();
            } else {
                limits.push(limit.clone());
                cells.push(Cell::default());
            }
        }
        self.limits = LimitSet::new(limits)?;
        self.cells = cells;
        Ok(())
    }

    /// Appends to `after` the state that each limit of `level` would have once `amounts` are taken. False, with
    /// `after` incomplete, if one of them refuses. Changes nothing, not even limits that differ from the level's.
    #[inline(always)]
    pub(crate) fn admits(
        &self,
        level: &Level,
        amounts: &[Millitokens],
        now: Timestamp,
        after: &mut SmallVec<[FullAt; 4]>,
    ) -> bool {
        if self.limits.is_same(&level.limits) {
            admits(self.states(), level, amounts, now, after)
        } else {
            self.admits_others(level, amounts, now, after)
        }
    }

    #[inline(never)]
    fn admits_others(
        &self,
        level: &Level,
        amounts: &[Millitokens],
        now: Timestamp,
        after: &mut SmallVec<[FullAt; 4]>,
    ) -> bool {
        admits(self.states_of(&level.limits, now), level, amounts, now, after)
    }

    /// Writes the states that [`Record::admits`] found, and counts them.
    #[inline(always)]
    pub(crate) fn settle(&mut self, level: &Level, amounts: &[Millitokens], acquires: i64, after: &[FullAt]) {
        let same = self.limits.is_same(&level.limits);
        for (place, (amount, state)) in amounts.iter().zip(after).enumerate() {
            let i = if same { Some(place) } else { self.index_of(place, &level.limits[place]) };
            if let Some(cell) = i.and_then(|i| self.cells.get_mut(i)) {
                cell.full_at = *state;
                cell.consumed += *amount;
            }
        }
        self.acquires += acquires;
    }

    /// Applies signed amounts unconditionally, and counts them. The record has adopted the limits.
    pub(crate) fn apply(&mut self, level: &Level, amounts: &[Millitokens], acquires: i64, now: Timestamp) {
        let after: SmallVec<[FullAt; 4]> = self
            .asked(level, amounts)
            .map(|(limit, amount, i)| limit.rate().apply(self.cells[i].full_at, amount, now))
            .collect();
        self.settle(level, amounts, acquires, &after);
    }

    /// Whether changes at `now` count in the record's hour.
    #[inline]
    pub(crate) const fn is_in_hour_of(&self, now: Timestamp) -> bool {
        self.hour == hour_of(now)
    }

    /// Starts counting for the hour of `now`, from zero; the [`Record::usage`] before it is kept elsewhere.
    pub(crate) fn start_hour(&mut self, now: Timestamp) {
        self.hour = hour_of(now);
        self.acquires = 0;
        for cell in &mut self.cells {
            cell.consumed = Millitokens::ZERO;
        }
    }

    /// The usage of the record's hour, if there was any.
    pub(crate) fn usage(&self, entity: &EntityId, resource: &Resource) -> Option<HourOfUsage> {
        if self.acquires == 0 && self.cells.iter().all(|cell| cell.consumed.is_zero()) {
            return None;
        }
        let counters =
            self.limits.iter().zip(&self.cells).map(|(limit, cell)| (limit.name().clone(), cell.consumed));
        Some(HourOfUsage {
            entity_id: entity.clone(),
            resource: resource.clone(),
            hour: self.hour,
            counters: counters.filter(|(_, consumed)| !consumed.is_zero()).collect(),
            acquires: self.acquires,
        })
    }

    /// Each limit of `level`, what is asked of it, and where its cell is. The record has adopted the limits.
    #[inline]
    fn asked<'a>(
        &'a self,
        level: &'a Level,
        amounts: &'a [Millitokens],
    ) -> impl Iterator<Item = (&'a Limit, Millitokens, usize)> + 'a {
        let same = self.limits.is_same(&level.limits);
        level.limits.iter().zip(amounts).enumerate().filter_map(move |(place, (limit, amount))| {
            let i = if same { place } else { self.index_of(place, limit)? };
            Some((limit, *amount, i))
        })
    }

    /// Where `limit` is in this record: most often at the place `hint` that it has in the request.
    // Apart, to keep the loops tight in which a record mostly holds the very limits that are asked for.
    #[inline(never)]
    fn index_of(&self, hint: usize, limit: &Limit) -> Option<usize> {
        match self.limits.get(hint) {
            Some(held) if held.name() == limit.name() => Some(hint),
            _ => self.limits.position(limit.name().as_str()),
        }
    }
}

#[cfg(feature = "memory")]
/// [`Record::admits`] for a bucket that has no record, and therefore is full.
pub(crate) fn full_admits(
    level: &Level,
    amounts: &[Millitokens],
    now: Timestamp,
    after: &mut SmallVec<[FullAt; 4]>,
) -> bool {
    admits(std::iter::repeat(FullAt::ALWAYS), level, amounts, now, after)
}

#[inline(always)]
fn admits(
    states: impl Iterator<Item = FullAt>,
    level: &Level,
    amounts: &[Millitokens],
    now: Timestamp,
    after: &mut SmallVec<[FullAt; 4]>,
) -> bool {
    for ((limit, amount), state) in level.limits.iter().zip(amounts).zip(states) {
        match limit.rate().take(state, *amount, now) {
            Ok(state) => after.push(state),
            Err(Refusal) => return false,
        }
    }
    true
}
