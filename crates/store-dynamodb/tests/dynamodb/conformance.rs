//! The store has every property that a store must have, in both ways to write a call on several levels.

use std::sync::Arc;

use zae_limiter_conformance::{Fixture, Scale};
use zae_limiter_core::{ManualClock, Store};
use zae_limiter_store_dynamodb::Cascade;

use crate::counted::Counted;
use crate::engine::{open, options};

struct Table(Cascade);

impl Fixture for Table {
    fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
        let mut options = options();
        options.cascade = self.0;
        let table = options.table.to_string();
        Arc::new(Counted::new(open(options, clock.clone()), table, clock))
    }

    fn scale(&self) -> Scale {
        Scale::Quick
    }
}

mod parallel {
    zae_limiter_conformance::conformance_tests!(super::Table(super::Cascade::Parallel));
}

mod transaction {
    //! What takes from several levels; all else is the same in both ways.

    use zae_limiter_conformance::{all_cases, run};

    use super::{Cascade, Table};

    fn run_group(group: &str) {
        let cases = all_cases().iter().filter(|case| case.name().split("::").next() == Some(group));
        let ran = cases.map(|case| run(case.name(), Table(Cascade::Transaction))).count();
        assert_ne!(ran, 0, "there is no group {group}");
    }

    #[test]
    fn atomicity() {
        run_group("atomicity");
    }

    #[test]
    fn conservation() {
        run_group("conservation");
    }

    #[test]
    fn concurrency() {
        run_group("concurrency");
    }

    #[test]
    fn cancellation() {
        run_group("cancellation");
    }

    #[test]
    fn differential() {
        run_group("differential");
    }
}
