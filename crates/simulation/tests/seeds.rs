//! Runs that have to keep the invariants.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use zae_limiter_simulation::{check, run};

/// Seeds of the default tests. `cargo xtask simulate --seeds N` does more.
const SEEDS: u64 = 1_000;

#[test]
fn every_seed_keeps_the_invariants() {
    let next = AtomicU64::new(0);
    let work = || {
        let mut exact = 0;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return exact;
            }
            match check(&run(seed, None).history) {
                Ok(summary) => exact += u64::from(summary.is_exact),
                Err(violation) => {
                    panic!("seed {seed}: {violation}\nrepeat it: cargo xtask simulate --seed {seed} --trace")
                }
            }
        }
    };
    let exact: u64 = thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().map(|thread| thread.join().expect("a seed fails, see above")).sum()
    });
    // Most runs leave nothing uncertain, so that what was counted has to be what callers were told, to the token.
    assert!(exact > SEEDS / 2, "{exact} runs only");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [3, 17, 29] {
        assert_eq!(run(seed, None).history.to_string(), run(seed, None).history.to_string());
    }
}
