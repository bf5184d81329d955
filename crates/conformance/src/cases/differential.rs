//! A random sequence of calls, each compared with the model: every decision, and every state to the last part
//! of a millitoken.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use zae_limiter_core::take::limits_of;
use zae_limiter_core::{
    Amounts, Change, Decision, EntityId, Level, Limit, Millitokens, Reading, Resource, Timestamp, UsageQuery,
    Window,
};

use crate::harness::{Harness, START, ask};
use crate::model::{Key, Tank, World, key};
use crate::shorthand::{burst_of, id, read, resource, set_of};

/// The environment variable that holds the one seed to run, instead of those that the suite runs.
pub const SEED_VARIABLE: &str = "ZAE_CONFORMANCE_SEED";

const ENTITIES: [&str; 4] = ["organisation", "project", "key 1", "key 2"];
const RESOURCES: [&str; 2] = ["r", "s"];
/// The terms that a limit may have, by its name. The periods have few divisors in common.
const TERMS: [&str; 3] = [
    "x=5/s x=7/3s:burst=11 x=2/s:burst=4 x=5/2s x=5/s:capacity=6",
    "y=100/min y=90/7s:burst=300 y=1k/min y=37/41s",
    "z=3/h z=1/day z=50/day:capacity=10:burst=20",
];
/// A sequence stays within this time, so that no store has reason to drop usage for its age.
const LONGEST: Duration = Duration::from_hours(40);

pub(crate) fn agrees_with_the_exact_model(h: &Harness) {
    let steps = h.scale().pick(400, 250, 150);
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        let seed = seed.parse().unwrap_or_else(|error| panic!("{SEED_VARIABLE}={seed}: {error}"));
        return Run::new(h.clone(), seed).run(steps);
    }
    for seed in 0..h.scale().pick(60, 15, 4) {
        Run::new(h.renewed(), seed).run(steps);
    }
}

/// A store, the model beside it, and a source of calls for both.
struct Run {
    harness: Harness,
    random: Rng,
    seed: u64,
    world: World,
    /// The terms that each limit was last known by. They change only where the outcome is certain: see
    /// [`Run::may_become`].
    terms: BTreeMap<Key, Limit>,
    /// [`TERMS`], by name.
    possible: Vec<Vec<Limit>>,
}

/// A call, as it is shown when its outcome is not that of the model.
#[derive(Debug)]
enum Call {
    Take(Asked),
    Apply(Asked),
    Read(Vec<Level>),
    Delete(&'static str),
    List(&'static str),
    CountUsage,
}

#[derive(Debug)]
struct Asked {
    levels: Vec<Level>,
    amounts: Amounts,
    acquires: i64,
}

impl Asked {
    fn change(&self) -> Change<'_> {
        Change { levels: &self.levels, amounts: &self.amounts, acquires: self.acquires }
    }
}

/// How the store and the model differ.
type Outcome = Result<(), String>;

fn same<T: PartialEq + fmt::Debug>(what: impl fmt::Display, store: &T, model: &T) -> Outcome {
    if store == model { Ok(()) } else { Err(format!("{what}: the store has {store:?}, the model {model:?}")) }
}

impl Run {
    fn new(harness: Harness, seed: u64) -> Self {
        let random = Rng::with_seed(seed);
        let possible = TERMS.iter().map(|terms| terms.split(' ').map(read).collect()).collect();
        Self { harness, random, seed, world: World::default(), terms: BTreeMap::new(), possible }
    }

    fn run(mut self, steps: u32) {
        for step in 0..steps {
            self.pass_time();
            let call = self.next_call(step + 1 == steps);
            if let Err(difference) = self.compare(&call) {
                let (seed, now) = (self.seed, self.harness.now());
                panic!(
                    "{difference}\n  in step {step} at {now}: {call:?}\n  again with {SEED_VARIABLE}={seed}"
                );
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.harness.now()
    }

    fn pass_time(&mut self) {
        let millis = match self.random.u8(0..100) {
            0..40 => 0,
            40..70 => self.random.u64(0..50),
            70..90 => self.random.u64(0..5_000),
            90..99 => self.random.u64(0..600_000),
            _ => self.random.u64(0..3_600_000),
        };
        if self.now().after(Duration::from_millis(millis)) < START.after(LONGEST) {
            self.harness.advance(millis);
        }
    }

    fn next_call(&mut self, last: bool) -> Call {
        match self.random.u8(0..100) {
            _ if last => Call::CountUsage,
            0..55 => self.next_take(),
            55..80 => self.next_apply(),
            80..92 => {
                let count = self.random.usize(1..=3);
                Call::Read(self.levels(count, true))
            }
            92..94 => Call::Delete(ENTITIES[self.random.usize(0..ENTITIES.len())]),
            94..98 => Call::List(RESOURCES[self.random.usize(0..RESOURCES.len())]),
            _ => Call::CountUsage,
        }
    }

    fn next_take(&mut self) -> Call {
        // A store may write level after level and return what it took when a later one denies. Then a changed
        // limit stays changed on the first: only takes on one level change limits here.
        let count = if self.random.bool() { 1 } else { self.random.usize(2..=4) };
        let levels = self.levels(count, count == 1);
        let mode = self.random.u8(0..10);
        let edge = self.random.usize(0..limits_of(&levels).count());
        let amounts = limits_of(&levels)
            .enumerate()
            .map(|(place, (level, limit))| {
                let balance = self.world.tank(level, limit, self.now()).balance().get();
                let amount = match mode {
                    // Just what there is, or just more than that.
                    0..4 if place == edge => balance + self.random.i64(0..=1),
                    9 => self.random.i64(0..=burst_of(limit).get() * 11 / 10),
                    _ if self.random.u8(0..6) == 0 => 0,
                    _ => self.random.i64(0..=balance.max(0) / 3),
                };
                Millitokens::new(amount.max(0))
            })
            .collect();
        let acquires = if self.random.u8(0..8) == 0 { self.random.i64(0..4) } else { 1 };
        Call::Take(Asked { levels, amounts, acquires })
    }

    fn next_apply(&mut self) -> Call {
        let count = self.random.usize(1..=3);
        let levels = self.levels(count, true);
        let amounts = limits_of(&levels)
            .map(|(level, limit)| {
                let burst = burst_of(limit).get();
                let missing = burst - self.world.tank(level, limit, self.now()).balance().get();
                let amount = match self.random.u8(0..8) {
                    0 => -missing,
                    1 => -missing - self.random.i64(0..2_000),
                    2 => self.random.i64(0..=2 * burst),
                    3 => 0,
                    _ => self.random.i64(-burst / 2..=burst / 4),
                };
                // A store may pass over a limit that nothing is applied to, and then does not change it either.
                let changed = self.terms.get(&key(level, limit)).is_some_and(|known| known != limit);
                Millitokens::new(if changed && amount == 0 { 1 } else { amount })
            })
            .collect();
        Call::Apply(Asked { levels, amounts, acquires: self.random.i64(-1..=1) })
    }

    /// So many buckets, each held to some limits in some order.
    fn levels(&mut self, count: usize, may_change: bool) -> Vec<Level> {
        let mut buckets: Vec<_> = ENTITIES
            .iter()
            .flat_map(|entity| RESOURCES.iter().map(move |on| (id(entity), resource(on))))
            .collect();
        self.random.shuffle(&mut buckets);
        buckets.truncate(count);
        buckets.into_iter().map(|(entity, on)| self.level(entity, on, may_change)).collect()
    }

    fn level(&mut self, entity_id: EntityId, resource: Resource, may_change: bool) -> Level {
        let mut wanted: Vec<Limit> =
            self.possible.iter().map(|terms| terms[self.random.usize(0..terms.len())].clone()).collect();
        self.random.shuffle(&mut wanted);
        wanted.truncate(self.random.usize(1..=TERMS.len()));
        let level = Level { entity_id, resource, limits: set_of(wanted) };
        let known: Vec<_> =
            level.limits.iter().map(|limit| self.on_terms(&level, limit, may_change)).collect();
        Level { limits: set_of(known), ..level }
    }

    /// `limit`, or the limit of its name on the terms that it is known by.
    fn on_terms(&mut self, level: &Level, limit: &Limit, may_change: bool) -> Limit {
        let known = self.terms.entry(key(level, limit)).or_insert_with(|| limit.clone()).clone();
        let change = may_change && self.random.u8(0..4) == 0 && self.may_become(level, &known, limit);
        if change { limit.clone() } else { known }
    }

    /// Whether it is certain what a limit holds once its terms change. A limit that is full may have been
    /// forgotten; then it is full on any terms, while one that is remembered keeps a smaller balance.
    fn may_become(&self, level: &Level, known: &Limit, new: &Limit) -> bool {
        self.world.tank(level, known, self.now()).missing() > 0 || new.burst() <= known.burst()
    }

    fn compare(&mut self, call: &Call) -> Outcome {
        let now = self.now();
        match call {
            Call::Take(asked) => self.compare_take(asked),
            Call::Apply(asked) => {
                self.harness.apply(&asked.levels, &asked.amounts, asked.acquires);
                self.world.apply(asked.change(), now);
                self.remember(&asked.levels);
                self.compare_states(&asked.levels, &self.harness.read(&asked.levels))
            }
            Call::Read(levels) => self.compare_states(levels, &self.harness.read(levels)),
            Call::Delete(entity) => {
                ask(self.harness.store().delete_entity(&id(entity)));
                self.world.delete(&id(entity));
                self.terms.retain(|(other, ..), _| other.as_str() != *entity);
                Ok(())
            }
            Call::List(on) => {
                let mut expected: Vec<String> = self
                    .world
                    .tanks(now)
                    .filter(|((_, resource, _), tank)| {
                        resource.as_str() == *on && tank.balance() != burst_of(tank.limit())
                    })
                    .map(|((entity, ..), tank)| format!("{entity} {} {}", tank.limit(), tank.balance()))
                    .collect();
                expected.sort();
                same("buckets", &self.harness.listed(on), &expected)
            }
            Call::CountUsage => {
                let all = UsageQuery { entity_id: None, ..UsageQuery::of(id("all"), Window::Hourly) };
                same("usage", &self.harness.usage(&all), &self.world.usage())
            }
        }
    }

    fn compare_take(&mut self, asked: &Asked) -> Outcome {
        let now = self.now();
        let waits: Vec<_> = self
            .tanks(&asked.levels)
            .iter()
            .zip(&asked.amounts)
            .map(|(tank, amount)| tank.wait(*amount))
            .collect();
        let decision = self.harness.take(&asked.levels, &asked.amounts, asked.acquires);
        let admitted = self.world.take(asked.change(), now);
        same("admitted", &matches!(decision, Decision::Admitted(_)), &admitted)?;
        match decision {
            Decision::Admitted(reading) => {
                self.remember(&asked.levels);
                self.compare_states(&asked.levels, &reading)
            }
            Decision::Denied(reading) => {
                let statuses = reading.statuses(&asked.levels, &asked.amounts);
                same("waits", &statuses.map(|status| status.wait).collect(), &waits)?;
                self.compare_states(&asked.levels, &reading)
            }
        }
    }

    fn tanks(&self, levels: &[Level]) -> Vec<Tank> {
        limits_of(levels).map(|(level, limit)| self.world.tank(level, limit, self.now())).collect()
    }

    fn compare_states(&self, levels: &[Level], reading: &Reading) -> Outcome {
        same("time", &reading.at, &self.now())?;
        same("number of states", &reading.full_at.len(), &limits_of(levels).count())?;
        for ((level, limit), (full_at, tank)) in
            limits_of(levels).zip(reading.full_at.iter().zip(self.tanks(levels)))
        {
            let missing = (full_at.scaled() - limit.rate().scaled_now(reading.at)).max(0);
            let what = format!(
                "missing of {} on {}, {limit}, in parts of {} ms",
                level.entity_id,
                level.resource,
                limit.refill_period().as_millis()
            );
            same(what, &missing, &tank.missing())?;
        }
        Ok(())
    }

    /// The terms that a call came with are those that its limits are known by from now on.
    fn remember(&mut self, levels: &[Level]) {
        for (level, limit) in limits_of(levels) {
            self.terms.insert(key(level, limit), limit.clone());
        }
    }
}
