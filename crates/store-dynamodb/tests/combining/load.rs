//! Callers that ask again as soon as they have been told.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use zae_limiter_store_dynamodb::combine::CombineOptions;

use crate::table::{ROUND_TRIP, Scripted};

const TAKES: usize = 10;

#[tokio::test(start_paused = true)]
async fn one_write_carries_all_that_ask_again() {
    let table = Scripted::new();
    let process = table.process(1, CombineOptions::default());
    let mut callers = JoinSet::new();
    // Half of them come while a write of the others is under way.
    for comes in [Duration::ZERO, ROUND_TRIP / 2].repeat(4) {
        let process = process.clone();
        callers.spawn(async move {
            sleep(comes).await;
            for _ in 0..TAKES {
                process.take("n=1000/min", 1_000).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    assert_eq!(table.consumed(), 80_000);
    assert_eq!(table.sent(), TAKES + 1, "the two halves do not take turns");
}
