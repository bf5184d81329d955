//! One planning: an item, what is known of it, and what is asked.

use proptest::prelude::*;
use zae_limiter_core::{
    EntityId, FullAt, Level, Limit, LimitName, LimitSet, Millitokens, Rate, Resource, Timestamp,
};
use zae_limiter_store_dynamodb::item::{BucketItem, Known, LimitItem, Writer};
use zae_limiter_store_dynamodb::plan::{Asked, BucketWrite, EXPIRY_MARGIN_S, Kind, Stamp, plan};

pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// The process that plans.
const OWN_WRITER: u64 = 7;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) item: Option<BucketItem>,
    pub(crate) known: Option<Known>,
    pub(crate) level: Level,
    pub(crate) amounts: Vec<Millitokens>,
    pub(crate) acquires: i64,
    pub(crate) kind: Kind,
    pub(crate) now: Timestamp,
    pub(crate) likely_busy: Vec<LimitName>,
    pub(crate) stamp: Stamp,
}

impl Case {
    /// The write that this process plans.
    pub(crate) fn planned(&self) -> BucketWrite {
        self.planned_from(self.known.as_ref(), &self.likely_busy, self.now)
    }

    /// The write that it plans from other knowledge.
    pub(crate) fn planned_from(
        &self,
        known: Option<&Known>,
        likely_busy: &[LimitName],
        now: Timestamp,
    ) -> BucketWrite {
        let asked =
            Asked { level: &self.level, amounts: &self.amounts, acquires: self.acquires, kind: self.kind };
        plan(asked, known, |name| likely_busy.contains(name), now, self.stamp)
    }

    /// What the item really is, known.
    pub(crate) fn exact(&self) -> Known {
        Known { item: self.item.clone(), at: self.now }
    }

    /// The states after what is asked, one for each limit, by the bucket arithmetic; `None` if it is denied.
    pub(crate) fn by_arithmetic(&self) -> Option<Vec<FullAt>> {
        let at = self.item.as_ref().map_or(self.now, |item| item.carried_over_at(self.now));
        let step = |(limit, amount): (&Limit, &Millitokens)| {
            let found = self
                .held(limit)
                .map_or(FullAt::ALWAYS, |held| held.limit.rate().rescaled(held.full_at, limit.rate(), at));
            match self.kind {
                Kind::Take => limit.rate().take(found, *amount, self.now).ok(),
                Kind::Apply => Some(limit.rate().apply(found, *amount, self.now)),
            }
        };
        self.level.limits.iter().zip(&self.amounts).map(step).collect()
    }

    pub(crate) fn held(&self, limit: &Limit) -> Option<&LimitItem> {
        self.item.as_ref().and_then(|item| item.limits.get(limit.name()))
    }
}

/// One limit in a case: what the level wants, what the item holds, what is believed to be held.
#[derive(Clone, Debug)]
struct Slot {
    wanted: Option<Limit>,
    held: Option<(Limit, FullAt)>,
    believed: Option<(Limit, FullAt)>,
    amount: i64,
    likely_busy: bool,
}

#[derive(Clone, Debug)]
enum Belief {
    Nothing,
    Absent,
    Exact,
    Stale,
}

/// Cases of every sort. Extreme ones have rates and debts at the bounds of the arithmetic.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    prop_oneof![9 => cases_of(false), 1 => cases_of(true)]
}

fn cases_of(extreme: bool) -> impl Strategy<Value = Case> {
    let slots = ["a", "b", "c", "d"].map(|name| slot(name, extreme));
    let kind = prop_oneof![Just(Kind::Take), Just(Kind::Apply)];
    let belief = prop_oneof![
        1 => Just(Belief::Nothing),
        1 => Just(Belief::Absent),
        2 => Just(Belief::Exact),
        2 => Just(Belief::Stale),
    ];
    let millis = prop_oneof![Just(0u64), 0..1_500_000u64];
    let writers = prop::collection::btree_map(0u64..40, 0u64..1_500, 0..20);
    let item = (prop::bool::weighted(0.85), prop_oneof![Just(0u64), 1..4u64, 1..20_000u64], writers);
    (slots, kind, belief, item, millis, 0..3i64, 0..1_000u64).prop_map(
        |(slots, kind, belief, (exists, ttl_spare, writers), millis, acquires, seen)| {
            let now = Timestamp::from_millis(NOW_MS + millis);
            let mut wanted: Vec<_> = slots.iter().filter_map(|slot| slot.wanted.clone()).collect();
            if wanted.is_empty() {
                wanted.push(Limit::per_second("e", 1).unwrap());
            }
            let amounts = wanted
                .iter()
                .map(|limit| {
                    let slot = slots.iter().find(|slot| slot.wanted.as_ref() == Some(limit));
                    let amount = slot.map_or(1_000, |slot| slot.amount);
                    Millitokens::new(if kind == Kind::Take { amount.abs() } else { amount })
                })
                .collect();
            // Writers wrote up to 25 minutes ago, or a little later than now by a clock that is ahead.
            let writers = writers
                .into_iter()
                .map(|(writer, seconds)| {
                    let ahead = if writer == OWN_WRITER { 0 } else { 2_000 };
                    (Writer::from_number(writer), (now.as_millis() + ahead - seconds * 1_000) * 1_000)
                })
                .collect();
            let held = slots.iter().filter_map(|slot| slot.held.clone());
            let item = exists.then(|| BucketItem { writers, ..item_of(held, ttl_spare) });
            let believed = slots.iter().filter_map(|slot| slot.believed.clone());
            let known = match belief {
                Belief::Nothing => None,
                Belief::Absent => Some(None),
                Belief::Exact => Some(item.clone()),
                Belief::Stale => Some(Some(item_of(believed, ttl_spare / 2))),
            };
            let stamp_number = now.as_millis() * 1_000 + seen;
            Case {
                item,
                known: known.map(|item| Known { item, at: now }),
                level: Level {
                    entity_id: EntityId::new("entity").unwrap(),
                    resource: Resource::new("resource").unwrap(),
                    limits: LimitSet::new(wanted).unwrap(),
                },
                amounts,
                acquires,
                kind,
                now,
                likely_busy: slots
                    .iter()
                    .filter(|slot| slot.likely_busy)
                    .filter_map(|slot| slot.wanted.as_ref().map(|limit| limit.name().clone()))
                    .collect(),
                stamp: stamp(stamp_number),
            }
        },
    )
}

pub(crate) fn stamp(number: u64) -> Stamp {
    Stamp::new(Writer::from_number(OWN_WRITER), number)
}

/// An item with these limits, which may be deleted so many seconds after the earliest time that is safe.
fn item_of(limits: impl Iterator<Item = (Limit, FullAt)>, ttl_spare: u64) -> BucketItem {
    let mut item = BucketItem { acquires: 3, ..BucketItem::default() };
    for (limit, full_at) in limits {
        item.ttl = item.ttl.max(limit.rate().full_at_ms(full_at).div_ceil(1_000));
        let consumed = Millitokens::new(5);
        item.limits.insert(limit.name().clone(), LimitItem { limit, full_at, consumed });
    }
    item.ttl = item.ttl.max(NOW_MS / 1_000 - 5_000) + EXPIRY_MARGIN_S + ttl_spare;
    item
}

fn slot(name: &'static str, extreme: bool) -> impl Strategy<Value = Slot> {
    let limits = (limit(name, extreme), limit(name, extreme));
    // Often just full, half full, just empty, or in debt by a burst.
    let thousandths =
        || prop_oneof![2 => -2_000i64..3_500, 1 => prop::sample::select(vec![0i64, 500, 1_000, 2_000])];
    let state = || (thousandths(), -2i64..=2);
    (limits, (0u8..10, 0u8..10), (state(), state()), amount(extreme), any::<bool>()).prop_map(
        |((limit, other), (held, believed), (state, stale), amount, likely_busy)| {
            let wanted = (amount.0 != 0).then(|| limit.clone());
            let in_state = |which: u8, state| {
                let limit = match which {
                    0..6 => &limit,
                    6..8 => &other,
                    _ => return None,
                };
                Some((limit.clone(), full_at(limit.rate(), state)))
            };
            let amount = amount_of(&limit, amount);
            Slot {
                wanted,
                held: in_state(held, state),
                believed: in_state(believed, stale),
                amount,
                likely_busy,
            }
        },
    )
}

/// A state that is so many thousandths of a burst ahead of now, or behind, and a little.
fn full_at(rate: Rate, (thousandths, more): (i64, i64)) -> FullAt {
    let now = rate.scaled_now(Timestamp::from_millis(NOW_MS));
    let ahead = rate.scaled_burst() / 1_000 * i128::from(thousandths) + i128::from(more);
    FullAt::from_scaled((now + ahead).clamp(0, rate.scaled_max()))
}

fn limit(name: &'static str, extreme: bool) -> BoxedStrategy<Limit> {
    if extreme {
        let big = || prop_oneof![Just(1u64), 1..1_000u64, Just(1_000_000_000_000u64)];
        let period = prop_oneof![Just(1u64), Just(1_000_000_000u64)];
        (big(), big(), period)
            .prop_filter_map("fills too slowly", move |(burst, amount, period)| {
                Limit::new(name, 1, burst, amount, period).ok()
            })
            .boxed()
    } else {
        (1..30u64, 0..30u64, 1..50u64, 1..100u64)
            .prop_map(move |(capacity, more, amount, period)| {
                Limit::new(name, capacity, capacity + more, amount, period).unwrap()
            })
            .boxed()
    }
}

/// The sort of an amount, and a number to make it from. Sort 0: the limit is not wanted.
fn amount(extreme: bool) -> impl Strategy<Value = (u8, i64)> {
    let sorts = if extreme { 0..5u8 } else { 0..4u8 };
    // Often half a burst, or all of it.
    (sorts, prop_oneof![2 => -1_000i64..2_200, 1 => prop::sample::select(vec![1_000i64, 2_000])])
}

fn amount_of(limit: &Limit, (sort, number): (u8, i64)) -> i64 {
    match sort {
        0 | 1 => 0,
        // Up to a little more than the burst.
        2 | 3 => i64::try_from(i128::from(limit.burst()) * i128::from(number) / 2).unwrap(),
        _ => number.signum() * 1_000_000_000_000_000,
    }
}
