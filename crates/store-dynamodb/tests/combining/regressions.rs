//! Each test is named for its bug.

use std::time::Duration;

use tokio::time::sleep;
use zae_limiter_store_dynamodb::combine::{CombineOptions, LevelDecision};

use crate::table::{Fate, ROUND_TRIP, Scripted};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn an_apply_is_carried_out_although_its_caller_has_gone() {
    let table = Scripted::default();
    let process = table.process(1, CombineOptions::default());
    let taken = process.take("n=10/min", 5_000);
    // It waits behind the take when its caller goes.
    drop(process.apply("n=10/min", -2_000));
    taken.await.unwrap();
    sleep(LONG).await;
    assert_eq!(table.consumed(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_take_is_not_carried_out_if_its_caller_has_gone() {
    let table = Scripted::default();
    let process = table.process(1, CombineOptions::default());
    let under_way = process.take("n=10/min", 5_000);
    drop(process.take("n=10/min", 1_000));
    sleep(ROUND_TRIP / 2).await;
    drop(under_way);
    sleep(LONG).await;
    assert_eq!(table.consumed(), 0);
    assert_eq!(table.sent(), 2, "the take that was under way, and its return");
}
