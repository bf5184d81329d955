//! Leases and calls can move between threads and tasks.

use std::sync::Arc;

use zae_limiter::{AcquireError, Error, Lease, LimitSet, Limiter, ManualClock, MemoryStore, Timestamp};

fn limiter() -> Limiter {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
    Limiter::builder().clock(clock.clone()).jitter(Arc::new(())).build(Arc::new(MemoryStore::new(clock)))
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    #[error(transparent)]
    Limiter(#[from] Error),
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "what is shown here is that a task can be spawned")]
async fn a_call_with_work_can_be_spawned() {
    let limiter = limiter();
    let limits: LimitSet = "rpm=10/min".parse().unwrap();
    let task = {
        let (limiter, limits) = (limiter.clone(), limits.clone());
        tokio::task::spawn(async move {
            limiter
                .acquire("a", "r", &limits)
                .consume("rpm", 3)
                .run(async |lease: &mut Lease| {
                    tokio::task::yield_now().await;
                    lease.consume(&[("rpm", 2)]).await?;
                    Ok::<_, WorkError>(())
                })
                .await
        })
    };
    task.await.unwrap().unwrap();
    assert_eq!(limiter.available("a", "r", &limits).await.unwrap()["rpm"], 5);
}
