//! Many threads at once (I1, I3, I4).

use std::sync::atomic::{AtomicBool, Ordering};

use zae_limiter_core::{Amounts, Decision, Entity, Level, LimitScope, Millitokens, StoreErrorKind, Window};

use crate::harness::{Harness, ask};
use crate::shorthand::{bucket, id, limits, milli, resource, tokens, valid};
use crate::threads::{THREADS, together};

fn random(thread: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(valid(u64::try_from(thread)))
}

pub(crate) fn one_bucket_admits_exactly_its_burst(h: &Harness) {
    let burst = h.scale().pick(3_000, 600, 150);
    let b = [bucket("a", &format!("n={burst}/day m={}/day", 2 * burst))];
    let taken = together(|thread| {
        let mut random = random(thread);
        let (mut sum, mut acquires) = (0, 0);
        loop {
            let amount = random.i64(1..=3);
            if h.admits(&b, &tokens([amount, 1])) {
                (sum, acquires) = (sum + amount, acquires + 1);
            } else if !h.admits(&b, &tokens([1, 1])) {
                return (sum, acquires);
            } else {
                (sum, acquires) = (sum + 1, acquires + 1);
            }
        }
    });
    let sum: i64 = taken.iter().map(|(sum, _)| sum).sum();
    let acquires: i64 = taken.iter().map(|(_, acquires)| acquires).sum();
    assert_eq!(sum, burst);
    assert_eq!(h.balances(&b), tokens([0, 2 * burst - acquires]));
    let line = format!("a r 2096-02-28T10:00:00Z m={acquires} n={burst} events={acquires}");
    assert_eq!(h.usage_of("a", Window::Hourly), [line]);
}

pub(crate) fn what_flows_in_meanwhile_is_admitted_once(h: &Harness) {
    // 1 token a millisecond, and never full: what is admitted and what is left are all that flowed in.
    let b = [bucket("a", "n=1000/s:burst=100k")];
    h.admit(&b, &tokens([100_000]));
    let elapsed = h.scale().pick(3_000, 500, 200);
    let ended = AtomicBool::new(false);
    let admitted = together(|thread| {
        let mut sum = 0;
        if thread == 0 {
            for _ in 0..elapsed {
                h.advance(1);
                sum += i64::from(h.admits(&b, &tokens([1])));
            }
            ended.store(true, Ordering::Release);
        }
        while !ended.load(Ordering::Acquire) {
            sum += i64::from(h.admits(&b, &tokens([1])));
        }
        sum
    });
    let left = h.balances(&b)[0];
    assert!(left >= Millitokens::ZERO, "more admitted than flowed in: {left}");
    assert_eq!(Millitokens::from_tokens(admitted.iter().sum()) + left, Millitokens::from_tokens(elapsed));
}

/// Sets of buckets in any order: no deadlock, no part of a denied take, nothing lost.
pub(crate) fn overlapping_sets_of_buckets_in_any_order(h: &Harness) {
    let calls = h.scale().pick(1_500, 250, 40);
    let all = [
        bucket("org", "n=1M/day"),
        bucket("team", "n=1M/day m=1M/day"),
        bucket("key", "n=1M/day"),
        bucket("small", &format!("n={}/day", 4 * calls)),
        bucket("tiny", "n=50/day"),
    ];
    let sums = together(|thread| {
        let mut random = random(thread);
        let mut taken = [0; 5];
        for _ in 0..calls {
            let mut places: Vec<usize> = (0..all.len()).collect();
            random.shuffle(&mut places);
            places.truncate(random.usize(1..=all.len()));
            let levels: Vec<Level> = places.iter().map(|place| all[*place].clone()).collect();
            let amount = random.i64(1..=5);
            let limits = levels.iter().map(|level| level.limits.len()).sum();
            let amounts = Amounts::from_elem(Millitokens::from_tokens(amount), limits);
            match random.u8(0..8) {
                0 => h.apply(&levels, &amounts, 1),
                1 => {
                    h.read_while_others_write(&levels);
                    continue;
                }
                2 if h.admits(&levels, &amounts) => {
                    h.roll_back(&levels, &amounts);
                    continue;
                }
                _ if h.admits(&levels, &amounts) => {}
                _ => continue,
            }
            for place in places {
                taken[place] += amount;
            }
        }
        taken
    });
    let sum = |place: usize| sums.iter().map(|taken| taken[place]).sum::<i64>();
    let expected = [
        1_000_000 - sum(0),
        1_000_000 - sum(1),
        1_000_000 - sum(1),
        1_000_000 - sum(2),
        4 * calls - sum(3),
        50 - sum(4),
    ];
    assert_eq!(h.balances(&all), tokens(expected));
    for (place, entity) in [(0, "org"), (2, "key"), (3, "small"), (4, "tiny")] {
        let lines = h.usage_of(entity, Window::Hourly).join(", ");
        assert!(lines.contains(&format!(" n={} ", sum(place))), "{lines}: expected {}", sum(place));
    }
}

/// Only ever taken together, two buckets stay equal: neither is taken from when the other denies.
pub(crate) fn a_denied_level_never_shows_on_the_other(h: &Harness) {
    let burst = h.scale().pick(1_000, 250, 100);
    let pair = |limited: &str, free: &str| {
        [bucket(limited, &format!("n={burst}/day")), bucket(free, &format!("n={}/day", 9 * burst))]
    };
    let (forth, back) =
        (pair("narrow", "wide"), [pair("narrow", "wide")[1].clone(), pair("narrow", "wide")[0].clone()]);
    let admitted: i64 = together(|thread| {
        let levels = if thread % 2 == 0 { &forth } else { &back };
        (0..burst).map(|_| i64::from(h.admits(levels, &tokens([1, 1])))).sum::<i64>()
    })
    .into_iter()
    .sum();
    assert_eq!(admitted, burst, "the narrow bucket admits its burst, and the wide one was never in the way");
    assert_eq!(h.balances(&forth), tokens([0, 8 * burst]));
    let line = format!("wide r 2096-02-28T10:00:00Z n={burst} events={burst}");
    assert_eq!(h.usage_of("wide", Window::Hourly), [line]);
}

pub(crate) fn takes_and_their_returns_cancel_out(h: &Harness) {
    let rounds = h.scale().pick(1_500, 200, 50);
    let b = [bucket("a", "n=40/day m=1M/day"), bucket("parent", "n=100/day")];
    together(|thread| {
        let mut random = random(thread);
        for _ in 0..rounds {
            let amounts = milli([random.i64(0..9_000), random.i64(0..9_000), random.i64(0..9_000)]);
            if random.bool() {
                if h.admits(&b, &amounts) {
                    h.roll_back(&b, &amounts);
                }
            } else {
                // A charge is unconditional: there is debt at times.
                h.apply(&b, &amounts, 1);
                h.roll_back(&b, &amounts);
            }
        }
    });
    assert_eq!(h.balances(&b), tokens([40, 1_000_000, 100]));
    assert_eq!(h.usage_of("a", Window::Hourly), [""; 0]);
    assert_eq!(h.usage_of("parent", Window::Hourly), [""; 0]);
}

pub(crate) fn no_charge_is_lost(h: &Harness) {
    let charges = h.scale().pick(1_000, 250, 50);
    let b = [bucket("a", "n=10/day")];
    together(|_| (0..charges).for_each(|_| h.apply(&b, &tokens([3]), 1)));
    let total = 3 * charges * valid(i64::try_from(THREADS));
    assert_eq!(h.balances(&b), tokens([10 - total]));
    let line = format!("a r 2096-02-28T10:00:00Z n={total} events={}", total / 3);
    assert_eq!(h.usage_of("a", Window::Hourly), [line]);
}

pub(crate) fn many_buckets_at_once_do_not_mix(h: &Harness) {
    let rounds = h.scale().pick(500, 100, 20);
    let own = |entity: usize| bucket(&format!("entity {entity}"), "n=1M/day");
    let parent = bucket("parent", "n=1M/day");
    together(|thread| {
        for round in 0..rounds {
            let levels = [own(thread * 1_000 + round % 10), parent.clone()];
            h.admit(&levels, &tokens([1, 1]));
        }
    });
    let rounds: i64 = valid(i64::try_from(rounds));
    for thread in 0..THREADS {
        let levels: Vec<Level> = (0..10).map(|entity| own(thread * 1_000 + entity)).collect();
        assert_eq!(h.balances(&levels), tokens([1_000_000 - rounds / 10; 10]));
    }
    assert_eq!(h.balances(&[parent]), tokens([1_000_000 - rounds * valid(i64::try_from(THREADS))]));
}

/// Callers that go by different limits, and take turns as the threads happen to run.
pub(crate) fn changing_limits_at_once_hand_out_nothing(h: &Harness) {
    let burst = h.scale().pick(500, 150, 60);
    let terms =
        [format!("n={burst}/day"), format!("n={burst}/h"), format!("n={}/7day:burst={burst}", burst - 1)];
    h.admit(&[bucket("a", &terms[0])], &tokens([1]));
    let admitted: i64 = together(|thread| {
        let b = [bucket("a", &terms[thread % terms.len()])];
        (0..burst).map(|_| i64::from(h.admits(&b, &tokens([1])))).sum::<i64>()
    })
    .into_iter()
    .sum();
    assert_eq!(admitted, burst - 1);
    assert_eq!(h.balances(&[bucket("a", &terms[0])]), tokens([0]));
}

pub(crate) fn an_entity_is_created_once(h: &Harness) {
    for round in 0..h.scale().pick(50, 20, 5) {
        let entity = id(&format!("entity {round}"));
        let created = together(|thread| {
            let record = Entity::new(entity.clone(), h.now()).with_name(format!("by {thread}"));
            match pollster::block_on(h.store().create_entity(&record)) {
                Ok(()) => Some(record),
                Err(error) if error.kind() == StoreErrorKind::AlreadyExists => None,
                Err(error) => panic!("{error}"),
            }
        });
        let created: Vec<Entity> = created.into_iter().flatten().collect();
        assert_eq!(created.len(), 1, "created by one thread: {created:?}");
        assert_eq!(ask(h.store().entity(&entity)), created.first().cloned());
    }
}

pub(crate) fn stored_limits_are_never_seen_in_part(h: &Harness) {
    let scope = LimitScope::EntityResource(id("a"), resource("r"));
    let sets = [limits("x=1/s y=1/s z=1/s"), limits("x=2/s y=2/s"), limits("z=3/s")];
    ask(h.store().put_limits(&scope, &sets[0]));
    together(|thread| {
        for round in 0..h.scale().pick(200, 60, 20) {
            if thread < 2 {
                ask(h.store().put_limits(&scope, &sets[(thread + round) % sets.len()]));
            } else {
                let seen = ask(h.store().limits(&scope));
                assert!(sets.iter().any(|set| seen.as_ref() == Some(set)), "{seen:?}");
            }
        }
    });
}

pub(crate) fn a_take_is_denied_only_by_what_others_hold(h: &Harness) {
    let b = [bucket("a", "n=8/day")];
    // As many tokens as threads: whoever takes one and returns it is never denied.
    together(|_| {
        for _ in 0..h.scale().pick(500, 100, 30) {
            assert!(matches!(h.take(&b, &tokens([1]), 1), Decision::Admitted(_)));
            h.roll_back(&b, &tokens([1]));
        }
    });
    assert_eq!(h.balances(&b), tokens([8]));
}
