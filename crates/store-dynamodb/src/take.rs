//! A take or an apply over several buckets: each level is an item of its own.

use zae_limiter_core::take::limits_of;
use zae_limiter_core::{Amounts, Change, Decision, Level, Reading, StoreError};

use crate::combine::{Combiner, LevelDecision};
use crate::plan::Kind;
use crate::table::Table;

/// Takes from all levels at once, each by its own write. If one denies, the others are returned before the denial is
/// reported; a crash in between leaves them taken (invariant I5).
pub async fn take_parallel<T: Table>(
    combiner: &Combiner<T>,
    take: Change<'_>,
) -> Result<Decision, StoreError> {
    let submit = |(level, amounts): (&Level, &[_])| {
        combiner.submit(level, amounts.iter().copied().collect(), take.acquires, Kind::Take)
    };
    let shares: Vec<_> = take.by_level().map(submit).collect();
    let mut taken = Taken { combiner, acquires: take.acquires, levels: Vec::new() };
    let mut found = Vec::with_capacity(shares.len());
    let (mut denied, mut failed) = (false, None);
    for ((level, amounts), share) in take.by_level().zip(shares) {
        match share.await {
            Ok(LevelDecision::Admitted(reading)) => {
                taken.levels.push((level.clone(), amounts.iter().copied().collect()));
                found.push(LevelDecision::Admitted(reading));
            }
            Ok(LevelDecision::Denied(reading)) => {
                denied = true;
                found.push(LevelDecision::Denied(reading));
            }
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        taken.give_back().await;
        return Err(error);
    }
    if denied {
        taken.give_back().await;
        return Ok(Decision::Denied(as_found(take, found)));
    }
    taken.levels.clear();
    Ok(Decision::Admitted(joined(found.into_iter().map(LevelDecision::into_reading))))
}

/// Applies signed amounts to all levels, each by its own write. Every level is carried out, whatever becomes of the
/// others and of the caller.
pub async fn apply_parallel<T: Table>(combiner: &Combiner<T>, change: Change<'_>) -> Result<(), StoreError> {
    let concerned = change
        .by_level()
        .filter(|(_, amounts)| change.acquires != 0 || amounts.iter().any(|amount| !amount.is_zero()));
    let shares: Vec<_> = concerned
        .map(|(level, amounts)| {
            combiner.submit(level, amounts.iter().copied().collect(), change.acquires, Kind::Apply)
        })
        .collect();
    let mut outcome = Ok(());
    for share in shares {
        outcome = outcome.and(share.await.map(|_| ()));
    }
    outcome
}

/// What has been taken of several levels, until all have been. Dropped before, it is returned (invariant I6).
struct Taken<'a, T: Table> {
    combiner: &'a Combiner<T>,
    acquires: i64,
    levels: Vec<(Level, Amounts)>,
}

impl<T: Table> Taken<'_, T> {
    /// Returns everything, and waits until that is done.
    async fn give_back(&mut self) {
        let returned: Vec<_> = self
            .levels
            .drain(..)
            .map(|(level, amounts)| {
                let amounts = amounts.iter().map(|amount| -*amount).collect();
                self.combiner.submit(&level, amounts, -self.acquires, Kind::Apply)
            })
            .collect();
        for share in returned {
            // A return that is lost errs towards under-admission; the caller has a decision to report.
            let _ = share.await;
        }
    }
}

impl<T: Table> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        for (level, amounts) in self.levels.drain(..) {
            self.combiner.give_back(level, &amounts, self.acquires);
        }
    }
}

impl LevelDecision {
    fn into_reading(self) -> Reading {
        match self {
            Self::Admitted(reading) | Self::Denied(reading) => reading,
        }
    }
}

/// The states as the levels were found: those that had admitted, without what was taken of them and returned. At the
/// earliest instant of a denial: at a later one, the levels that denied may hold enough again, and none would say why.
fn as_found(take: Change<'_>, found: Vec<LevelDecision>) -> Reading {
    let denials = found.iter().filter_map(|decision| match decision {
        LevelDecision::Denied(reading) => Some(reading.at),
        LevelDecision::Admitted(_) => None,
    });
    let denied_at = denials.min();
    let readings = take.by_level().zip(found).map(|((level, amounts), decision)| match decision {
        LevelDecision::Denied(reading) => reading,
        LevelDecision::Admitted(mut reading) => {
            for ((limit, state), amount) in level.limits.iter().zip(&mut reading.full_at).zip(amounts) {
                *state = limit.rate().give_back(*state, *amount);
            }
            reading
        }
    });
    let mut reading = joined(readings);
    reading.at = denied_at.unwrap_or(reading.at);
    debug_assert_eq!(reading.full_at.len(), limits_of(take.levels).count());
    reading
}

/// One reading of all levels, at the latest of their instants.
fn joined(readings: impl Iterator<Item = Reading>) -> Reading {
    readings
        .reduce(|mut all, next| {
            all.at = all.at.max(next.at);
            all.full_at.extend(next.full_at);
            all
        })
        .unwrap_or_else(|| Reading {
            at: zae_limiter_core::Timestamp::EPOCH,
            full_at: smallvec::SmallVec::new(),
        })
}
