//! Stores that report what they are asked.

use std::sync::Arc;

use zae_limiter::{Block, Limiter, Observed, StoreErrorKind};

use crate::scripted::Fate;
use crate::setup::{Setup, limits, setup};

/// A limiter on the store of `setup`, observed.
fn observed(setup: &Setup) -> Limiter {
    let store = Arc::new(Observed::new(setup.store.clone()));
    Limiter::builder().clock(setup.clock.clone()).build(store)
}

/// An admitted and a denied acquire, a commit, a failure, and a call that is cancelled while it is pending.
fn calls(setup: &Setup) {
    let (limiter, n) = (observed(setup), limits("n=10/min"));
    let acquire = |tokens| limiter.acquire("a", "r", &n).consume("n", tokens).cascade(true).wait();
    let mut lease = acquire(10).unwrap();
    lease.adjust("n", 1).unwrap();
    lease.commit().wait().unwrap();
    acquire(1).unwrap_err();
    limiter.create_entity("b").wait().unwrap();
    limiter.create_entity("b").wait().unwrap_err();

    setup.store.script_for("take", Fate::Fails(StoreErrorKind::Unavailable));
    acquire(1).unwrap_err();
    setup.store.script_for("read", Fate::Hesitates);
    limiter.available("a", "r", &n).wait().unwrap();
    let mut cancelled = Box::pin(limiter.available("a", "r", &n));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(cancelled.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn i6_what_is_ready_stays_ready_and_what_is_pending_stays_cancel_safe() {
    use zae_limiter::Store;
    use zae_limiter::core::{Change, Level};
    let setup = setup();
    let store = Observed::new(setup.store.clone());
    let n = limits("n=10/min");
    let levels =
        &[Level { entity_id: "a".parse().unwrap(), resource: "r".parse().unwrap(), limits: n.clone() }];
    let amounts = &[zae_limiter::Millitokens::from_tokens(3)];
    let take = || store.take(Change { levels, amounts, acquires: 1 });
    assert!(take().into_ready().is_ok());
    assert_eq!(store.get_ref().calls("take"), 1);

    setup.store.script(|_| Fate::AnsweredLate);
    let mut pending = Box::pin(take());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(pending.as_mut().poll(&mut cx).is_pending());
    drop(pending);
    setup.store.script(|_| Fate::Answered);
    assert_eq!((setup.left("a", &n, "n"), setup.acquires("a")), (7, 1));
}

#[cfg(feature = "tracing")]
mod events {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;

    use crate::setup::setup;

    /// Writes down what it is told, one line an event: the level, the fields but for the time, the span.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    #[derive(Default)]
    struct Fields {
        fields: Vec<String>,
        has_duration: bool,
    }

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            match field.name() {
                "duration_us" => self.has_duration = true,
                "message" => {}
                name => self.fields.push(format!("{name}={value:?}")),
            }
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.fields.push(format!("{}={value}", field.name()));
        }
    }

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
        fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            assert!(fields.has_duration);
            assert_eq!(event.metadata().target(), "zae_limiter::store");
            let span =
                context.event_span(event).map(|span| format!(" in {}", span.name())).unwrap_or_default();
            self.0.lock().unwrap().push(format!(
                "{} {}{span}",
                event.metadata().level(),
                fields.fields.join(" ")
            ));
        }
    }

    #[test]
    fn each_call_is_an_event() {
        let lines = Lines::default();
        let setup = setup();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.clone()), || {
            super::calls(&setup);
        });
        assert_eq!(
            *lines.0.lock().unwrap(),
            [
                "DEBUG call=config entity=a resource=r outcome=ok",
                "DEBUG call=take entity=a resource=r outcome=admitted",
                "DEBUG call=apply entity=a resource=r outcome=ok",
                "DEBUG call=take entity=a resource=r outcome=denied",
                "DEBUG call=create_entity entity=b outcome=ok",
                "DEBUG call=create_entity entity=b outcome=already_exists error=entity b exists already",
                "WARN call=take entity=a resource=r outcome=unavailable error=take was told to fail",
                "DEBUG call=read entity=a resource=r outcome=ok in store_call",
                "DEBUG call=read entity=a resource=r outcome=cancelled in store_call",
            ]
        );
    }
}

#[cfg(feature = "metrics")]
mod meters {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use crate::setup::setup;

    #[test]
    fn calls_are_counted_and_timed() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let setup = setup();
        metrics::with_local_recorder(&recorder, || super::calls(&setup));

        let mut lines: Vec<String> = Vec::new();
        for (key, unit, description, value) in snapshotter.snapshot().into_vec() {
            assert!(unit.is_some() && description.is_some(), "{key:?}");
            let labels = key.key().labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let value = match value {
                DebugValue::Counter(count) => format!("counted {count}"),
                DebugValue::Histogram(times) => {
                    assert!(
                        times.iter().all(|seconds| (0.0..10.0).contains(&seconds.into_inner())),
                        "{times:?}"
                    );
                    format!("timed {}", times.len())
                }
                DebugValue::Gauge(_) => panic!("{key:?}"),
            };
            lines.push(format!("{}{} {value}", key.key().name(), labels.collect::<String>()));
        }
        lines.sort();
        assert_eq!(
            lines,
            [
                "zae_limiter_store_call_seconds call=apply timed 1",
                "zae_limiter_store_call_seconds call=config timed 1",
                "zae_limiter_store_call_seconds call=create_entity timed 2",
                "zae_limiter_store_call_seconds call=read timed 2",
                "zae_limiter_store_call_seconds call=take timed 3",
                "zae_limiter_store_errors_total call=create_entity kind=already_exists counted 1",
                "zae_limiter_store_errors_total call=read kind=cancelled counted 1",
                "zae_limiter_store_errors_total call=take kind=unavailable counted 1",
                "zae_limiter_takes_total resource=r decision=admitted counted 1",
                "zae_limiter_takes_total resource=r decision=denied counted 1",
            ]
        );
    }
}
