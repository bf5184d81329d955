//! Each test is named for its bug.

use std::time::Duration;

use tokio::time::sleep;
use zae_limiter_core::{Decision, Millitokens};
use zae_limiter_store_dynamodb::Cascade;
use zae_limiter_store_dynamodb::combine::{CombineOptions, LevelDecision};

use crate::table::{Fate, ROUND_TRIP, Scripted};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn an_apply_is_carried_out_although_its_caller_has_gone() {
    let table = Scripted::new();
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
    let table = Scripted::new();
    let process = table.process(1, CombineOptions::default());
    let under_way = process.take("n=10/min", 5_000);
    drop(process.take("n=10/min", 1_000));
    sleep(ROUND_TRIP / 2).await;
    drop(under_way);
    sleep(LONG).await;
    assert_eq!(table.consumed(), 0);
    assert_eq!(table.sent(), 2, "the take that was under way, and its return");
}

#[tokio::test(start_paused = true)]
async fn a_return_is_not_given_up_because_others_change_the_limits() {
    let table = Scripted::new();
    let process = table.process(1, CombineOptions { attempts: 3, ..CombineOptions::default() });
    process.take("n=10/min", 5_000).await.unwrap();
    table.follow((20..28).map(Fate::Overtaken));
    process.apply("n=10/min", -2_000).await.unwrap();
    assert_eq!(table.consumed(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn an_apply_goes_by_the_limits_of_the_item_where_others_keep_changing_its_state() {
    let table = Scripted::new();
    let (process, other) =
        (table.process(1, CombineOptions::default()), table.process(2, CombineOptions::default()));
    process.take("n=10/min", 5_000).await.unwrap();
    other.take("n=20/min", 1_000).await.unwrap();
    // The other process writes all the time, one write after the other.
    let busy = async {
        loop {
            other.take("n=20/min", 1).await.unwrap();
        }
    };
    tokio::select! {
        biased;
        () = busy => {}
        returned = process.apply("n=10/min", -2_000) => { returned.unwrap(); }
    }
    let limit = table.item().unwrap().limits.into_values().next().unwrap().limit;
    assert_eq!(limit.capacity(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_arrives_late_does_not_apply_once_its_request_was_denied() {
    let table = Scripted::new();
    let (process, other) =
        (table.process(1, CombineOptions::default()), table.process(2, CombineOptions::default()));
    other.take("n=10/min", 8_000).await.unwrap();
    table.follow([Fate::Late(Duration::from_millis(500))]);
    // The retry finds that the bucket does not hold enough.
    let decision = process.take("n=10/min", 5_000).await.unwrap();
    assert!(matches!(decision, LevelDecision::Denied(_)));
    // When the first try arrives, it does.
    other.apply("n=10/min", -8_000).await.unwrap();
    sleep(LONG).await;
    assert_eq!(table.consumed(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_write_found_is_believed() {
    let table = Scripted::new();
    let (process, other) =
        (table.process(1, CombineOptions::default()), table.process(2, CombineOptions::default()));
    // Time and again the process finds busy what it had left to get full.
    for _ in 0..20 {
        process.take("n=10/min", 1_000).await.unwrap();
        sleep(LONG).await;
        other.take("n=10/min", 4_000).await.unwrap();
    }
    sleep(20 * LONG).await;
    // Now it guesses so, in vain, and learns better.
    let sent = table.sent();
    process.take("n=10/min", 1_000).await.unwrap();
    assert_eq!(table.sent() - sent, 2);
}

#[tokio::test(start_paused = true)]
async fn a_denial_names_the_limit_that_was_exceeded_although_it_has_refilled_meanwhile() {
    let table = Scripted::new();
    let process = table.process(1, CombineOptions::default());
    process.take("n=10/sec", 10_000).await.unwrap();
    // The entity denies at once, 10 ms of refill short; its parent admits after a retry.
    table.follow([Fate::AnswerLost]);
    let (levels, decision) =
        process.take_all(&[("e", "n=10/sec"), ("parent", "n=10/sec")], 200, Cascade::Parallel).await;
    let Decision::Denied(found) = decision else { panic!("admitted") };
    let amounts = [Millitokens::new(200); 2];
    let exceeded: Vec<_> = found.statuses(&levels, &amounts).map(|status| status.is_exceeded()).collect();
    assert_eq!(exceeded, [true, false]);
    assert_eq!(table.consumed(), 10_000);
}
