//! Bugs of transactions, each under its name.

use std::time::Duration;

use tokio::time::sleep;
use zae_limiter_core::{Decision, Millitokens};
use zae_limiter_store_dynamodb::Cascade;
use zae_limiter_store_dynamodb::combine::CombineOptions;

use crate::table::{Fate, ROUND_TRIP, Scripted};

const BOTH: [(&str, &str); 2] = [("e", "n=10/min"), ("parent", "n=10/min")];

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_not_repeated_because_a_transaction_came_after_it() {
    let table = Scripted::new();
    let process = table.process(1, CombineOptions::default());
    process.take_all(&BOTH, 1_000, Cascade::Transaction).await;
    // The take is carried out, and while its process waits for the answer, a transaction is.
    table.follow([Fate::AnswerLost]);
    let taken = process.take("n=10/min", 1_000);
    let together = async {
        sleep(ROUND_TRIP / 2).await;
        process.take_all(&BOTH, 1_000, Cascade::Transaction).await
    };
    let (taken, _) = tokio::join!(taken, together);
    taken.unwrap();
    assert_eq!(table.consumed(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_arrives_late_is_not_carried_out_once_it_was_denied() {
    let table = Scripted::new();
    let (process, other) =
        (table.process(1, CombineOptions::default()), table.process(2, CombineOptions::default()));
    other.take("n=10/min", 8_000).await.unwrap();
    table.follow([Fate::Late(Duration::from_millis(500))]);
    // Its retry finds that one bucket does not hold enough.
    let (_, decision) = process.take_all(&BOTH, 5_000, Cascade::Transaction).await;
    assert!(matches!(decision, Decision::Denied(_)));
    // When the first try arrives, it does.
    other.apply("n=10/min", -8_000).await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(table.consumed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_denied_transaction_says_which_limit_was_exceeded_although_it_has_refilled_meanwhile() {
    let table = Scripted::new();
    let process = table.process(1, CombineOptions::default());
    process.take("n=10/sec", 10_000).await.unwrap();
    // 25 ms of refill short of 0.5 tokens, and while the other bucket is looked at, 10 ms pass: more than are missing
    // once the transaction has failed.
    sleep(Duration::from_millis(25)).await;
    let levels = [("e", "n=10/sec"), ("parent", "n=10/sec")];
    let (levels, decision) = process.take_all(&levels, 500, Cascade::Transaction).await;
    let Decision::Denied(found) = decision else { panic!("admitted") };
    let amounts = [Millitokens::new(500); 2];
    let exceeded: Vec<_> = found.statuses(&levels, &amounts).map(|status| status.is_exceeded()).collect();
    assert_eq!(exceeded, [true, false]);
}
