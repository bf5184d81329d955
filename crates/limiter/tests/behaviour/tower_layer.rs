//! The tower layer, around a service that is a function.

use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use serde_json::Value;
use sfv::{BareItem, List, ListEntry, Parser};
use tower::{Layer, Service, ServiceExt, service_fn};
use zae_limiter::tower::{LeaseHandle, LeaseHandleError, RateLimitLayer, Settlement, Target};
use zae_limiter::{AcquireError, Block, FailureMode, Lease, LimitScope, LimitSet, Limits, StoreErrorKind};

use crate::scripted::Fate;
use crate::setup::{Setup, limits, setup};

const DOWN: Fate = Fate::Fails(StoreErrorKind::Unavailable);

/// A request of `key`, which is its body.
fn request(key: &str) -> Request<String> {
    Request::new(key.to_owned())
}

/// Takes `tokens` of `n` from the bucket of the request's key on `r`; a request without a key is not limited.
fn target(limits: &LimitSet, tokens: u64) -> impl Fn(&Request<String>) -> Option<Target> + Clone + use<> {
    let limits = limits.clone();
    move |request| {
        let key = Some(request.body()).filter(|key| !key.is_empty())?;
        Some(Target::new(key, "r", &limits).consume("n", tokens))
    }
}

type Answer = Result<Response<String>, Infallible>;

async fn ok(_: Request<String>) -> Answer {
    Ok(Response::new("hello".to_owned()))
}

/// Sends a request for `key` through `layer` to `service`.
fn send<K, F, E>(
    layer: &RateLimitLayer<K>,
    service: impl FnMut(Request<String>) -> F + Clone,
    key: &str,
) -> Result<Response<String>, E>
where
    K: Fn(&Request<String>) -> Option<Target> + Clone,
    F: Future<Output = Result<Response<String>, E>>,
{
    layer.layer(service_fn(service)).oneshot(request(key)).wait()
}

fn field<'a>(answer: &'a Response<String>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

fn body(answer: &Response<String>) -> Value {
    assert_eq!(field(answer, "content-type"), Some("application/json"));
    serde_json::from_str(answer.body()).unwrap()
}

#[test]
fn admits_and_says_how_the_limits_stand() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 3));
    let answer = send(&layer, ok, "a").unwrap();
    assert_eq!((answer.status(), answer.body().as_str()), (StatusCode::OK, "hello"));
    assert_eq!(field(&answer, "ratelimit-policy"), Some(r#""n";q=10;w=60"#));
    assert_eq!(field(&answer, "ratelimit"), Some(r#""n";r=7;t=18"#));
    assert_eq!(field(&answer, "retry-after"), None);
    assert_eq!((setup.left("a", &n, "n"), setup.acquires("a")), (7, 1));
}

#[test]
fn denies_by_itself_with_429() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 4));
    let mut denied = None;
    for _ in 0..3 {
        denied = Some(send(&layer, ok, "a").unwrap());
    }
    let denied = denied.unwrap();
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(field(&denied, "retry-after"), Some("12"));
    assert_eq!(field(&denied, "ratelimit-policy"), Some(r#""n";q=10;w=60"#));
    assert_eq!(field(&denied, "ratelimit"), Some(r#""n";r=2;t=12"#));
    let object = body(&denied);
    assert_eq!(
        (&object["error"], &object["retry_after_ms"]),
        (&"rate_limit_exceeded".into(), &12_000.into())
    );
    assert_eq!(object["limits"][0]["entity_id"], "a");
    let error = denied.extensions().get::<Arc<AcquireError>>().unwrap();
    assert_eq!(object, serde_json::to_value(error.exceeded().unwrap()).unwrap());
    assert_eq!(setup.acquires("a"), 2);
}

#[test]
fn a_denial_does_not_reach_the_service() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 11));
    let unreachable = async |_: Request<String>| -> Answer { panic!("called") };
    let denied = send(&layer, unreachable, "a").unwrap();
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(field(&denied, "retry-after"), None, "it can never succeed");
    assert_eq!(body(&denied)["retry_after_seconds"], Value::Null);
}

#[test]
fn retry_after_is_never_zero() {
    let (setup, n) = (setup(), limits("n=1000/s"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 1_000));
    send(&layer, ok, "a").unwrap();
    setup.advance(999);
    assert_eq!(field(&send(&layer, ok, "a").unwrap(), "retry-after"), Some("1"));
}

#[test]
fn requests_without_a_target_pass_untouched() {
    let setup = setup();
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&limits("n=1/min"), 1));
    for _ in 0..3 {
        let answer = send(&layer, ok, "").unwrap();
        assert_eq!((answer.status(), field(&answer, "ratelimit")), (StatusCode::OK, None));
    }
    assert!(setup.store.calls_since().is_empty());
}

#[test]
fn every_limit_of_every_level_has_a_member_that_any_client_can_parse() {
    let setup = setup();
    setup.limiter.create_entity("key").parent("project").wait().unwrap();
    setup.limiter.create_entity("project").parent("org").wait().unwrap();
    let (own, above) = (limits("n=10/min, m=5/h:burst=50"), limits("n=100/min"));
    for entity in ["project", "org"] {
        setup.limiter.set_limits(&LimitScope::Entity(entity.parse().unwrap()), &above).wait().unwrap();
    }
    let layer = RateLimitLayer::new(setup.limiter.clone(), move |_: &Request<String>| {
        Some(Target::new("key", "r", &own).consume("n", 1).cascade(true).partition_key("r"))
    });
    let answer = send(&layer, ok, "key").unwrap();
    let list = |name: &str| -> Vec<(String, Vec<(String, i64)>)> {
        let list: List = Parser::new(field(&answer, name).unwrap()).parse().unwrap();
        let member = |entry| {
            let ListEntry::Item(item) = entry else { panic!("{entry:?}") };
            let BareItem::String(policy) = item.bare_item else { panic!("{:?}", item.bare_item) };
            assert_eq!(item.params["pk"], BareItem::ByteSequence(b"r".to_vec()));
            let numbers = item.params.into_iter().filter_map(|(key, value)| match value {
                BareItem::Integer(number) => Some((key.as_str().to_owned(), i64::from(number))),
                _ => None,
            });
            (policy.as_str().to_owned(), numbers.collect())
        };
        list.into_iter().map(member).collect()
    };
    let parameters =
        |of: &[(&str, i64)]| of.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect::<Vec<_>>();
    assert_eq!(
        list("ratelimit-policy"),
        [
            ("n".to_owned(), parameters(&[("q", 10), ("w", 60)])),
            ("m".to_owned(), parameters(&[("q", 5), ("w", 3600), ("zae-burst", 50)])),
            ("n/1".to_owned(), parameters(&[("q", 100), ("w", 60)])),
            ("n/2".to_owned(), parameters(&[("q", 100), ("w", 60)])),
        ]
    );
    assert_eq!(
        list("ratelimit"),
        [
            ("n".to_owned(), parameters(&[("r", 9), ("t", 6)])),
            ("m".to_owned(), parameters(&[("r", 50)])),
            ("n/1".to_owned(), parameters(&[("r", 99), ("t", 1)])),
            ("n/2".to_owned(), parameters(&[("r", 99), ("t", 1)])),
        ]
    );
}

#[test]
fn layers_in_layers_add_their_members() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let all = limits("all=100/min");
    let inner = RateLimitLayer::new(setup.limiter.clone(), target(&n, 1));
    let outer = RateLimitLayer::new(setup.limiter.clone(), move |_: &Request<String>| {
        Some(Target::new("everybody", "r", &all).consume("all", 1))
    });
    let service = outer.layer(inner.layer(service_fn(ok)));
    let answer = service.oneshot(request("a")).wait().unwrap();
    let fields: Vec<_> = answer.headers().get_all("ratelimit").iter().collect();
    assert_eq!(fields, [r#""n";r=9;t=6"#, r#""all";r=99;t=1"#]);
}

#[test]
fn what_the_client_sent_wrong_is_400() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 1));
    let answer = send(&layer, ok, "a#b").unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body(&answer)["error"], "invalid_request");
    assert_eq!(body(&answer)["message"], "entity id \"a#b\" must not contain '#'");

    let too_much = RateLimitLayer::new(setup.limiter.clone(), target(&n, u64::MAX));
    assert_eq!(send(&too_much, ok, "a").unwrap().status(), StatusCode::BAD_REQUEST);
    assert!(setup.store.calls_since().is_empty());
}

#[test]
fn what_is_wrong_in_the_server_is_500_and_not_told() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let misnamed = RateLimitLayer::new(setup.limiter.clone(), move |_: &Request<String>| {
        Some(Target::new("a", "r", &n).consume("m", 1))
    });
    let nothing_stored = RateLimitLayer::new(setup.limiter.clone(), |_: &Request<String>| {
        Some(Target::new("a", "r", Limits::Stored))
    });
    let answers = [send(&misnamed, ok, "a").unwrap(), send(&nothing_stored, ok, "a").unwrap()];
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body(&answer)["message"], "the rate limiter is not set up correctly");
        assert!(answer.extensions().get::<Arc<AcquireError>>().is_some(), "but those further out may log it");
    }
    for kind in [StoreErrorKind::Corrupt, StoreErrorKind::PermissionDenied, StoreErrorKind::Invalid] {
        setup.store.script(move |_| Fate::Fails(kind));
        let layer = RateLimitLayer::new(setup.limiter.clone(), target(&limits("n=10/min"), 1));
        assert_eq!(send(&layer, ok, "a").unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[test]
fn an_unavailable_store_is_503_or_let_through() {
    let (setup, n) = (setup(), limits("n=10/min"));
    setup.store.script(|_| DOWN);
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 1));
    let answer = send(&layer, ok, "a").unwrap();
    assert_eq!(
        (answer.status(), field(&answer, "retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, Some("5"))
    );
    assert_eq!(body(&answer)["error"], "unavailable");
    assert!(!answer.body().contains("told to fail"), "what the store says is not for clients");
    assert_eq!(field(&answer, "ratelimit"), None);
    for (wait, seconds) in
        [(Duration::ZERO, "1"), (Duration::from_millis(1), "1"), (Duration::from_millis(1_001), "2")]
    {
        let told = layer.clone().unavailable_retry_after(wait);
        assert_eq!(field(&send(&told, ok, "a").unwrap(), "retry-after"), Some(seconds));
    }

    let open = RateLimitLayer::new(setup.limiter.clone(), move |request: &Request<String>| {
        Some(Target::new(request.body(), "r", &n).consume("n", 1).failure_mode(FailureMode::FailOpen))
    });
    let handler = async |request: Request<String>| -> Answer {
        let lease = request.extensions().get::<LeaseHandle>().unwrap();
        assert!(lease.is_degraded());
        ok(request).await
    };
    let answer = send(&open, handler, "a").unwrap();
    assert_eq!((answer.status(), field(&answer, "ratelimit")), (StatusCode::OK, None));
}

#[test]
fn server_errors_are_rolled_back_and_everything_else_is_committed() {
    for (status, left) in [(200, 7), (304, 7), (404, 7), (429, 7), (499, 7), (500, 10), (503, 10), (599, 10)]
    {
        let (setup, n) = (setup(), limits("n=10/min"));
        let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 3));
        let handler = move |_: Request<String>| {
            std::future::ready(Answer::Ok(Response::builder().status(status).body(String::new()).unwrap()))
        };
        let answer = send(&layer, handler, "a").unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(setup.left("a", &n, "n"), left, "{status}");
        assert_eq!(setup.acquires("a"), i64::from(left < 10), "{status}");
        let said: String =
            field(&answer, "ratelimit").unwrap().chars().skip(4).take_while(|c| *c != ';').collect();
        assert_eq!(said, format!("r={left}"), "the fields tell of the settlement");
    }
}

#[test]
fn the_settlement_can_be_chosen_by_the_head_of_the_answer() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 3)).settle_by(|answer| {
        if answer.headers.contains_key("x-cache") { Settlement::Rollback } else { Settlement::Commit }
    });
    let failing = async |_: Request<String>| -> Answer {
        Ok(Response::builder().status(500).body(String::new()).unwrap())
    };
    send(&layer, failing, "a").unwrap();
    assert_eq!(setup.left("a", &n, "n"), 7);
    let cached = async |_: Request<String>| -> Answer {
        Ok(Response::builder().header("x-cache", "hit").body(String::new()).unwrap())
    };
    send(&layer, cached, "a").unwrap();
    assert_eq!(setup.left("a", &n, "n"), 7);
}

#[test]
fn a_service_that_fails_or_panics_is_rolled_back() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 3));
    let failing = async |_: Request<String>| Err::<Response<String>, _>("broken");
    assert_eq!(send(&layer, failing, "a").unwrap_err(), "broken");
    assert_eq!((setup.left("a", &n, "n"), setup.acquires("a")), (10, 0));
    let panicking = async |_: Request<String>| -> Answer { panic!("broken") };
    assert!(catch_unwind(AssertUnwindSafe(|| send(&layer, panicking, "a"))).is_err());
    assert_eq!((setup.left("a", &n, "n"), setup.acquires("a")), (10, 0));
}

#[test]
fn a_handler_corrects_the_cost() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 5));
    let kept: Arc<Mutex<Option<LeaseHandle>>> = Arc::default();
    for (correction, left) in [(3, 2), (-4, 9), (6, -1)] {
        let kept = kept.clone();
        let handler = move |request: Request<String>| {
            let lease = request.extensions().get::<LeaseHandle>().unwrap();
            lease.adjust("n", correction + 1).unwrap();
            lease.release("n", 1).unwrap();
            assert!(matches!(lease.adjust("m", 1), Err(LeaseHandleError::Request(_))));
            assert_eq!(lease.consumed()["n"], 5 + correction);
            assert!(!lease.is_degraded());
            *kept.lock().unwrap() = Some(lease.clone());
            ok(request)
        };
        let answer = send(&layer, handler, "a").unwrap();
        assert_eq!(setup.left("a", &n, "n"), left);
        assert!(field(&answer, "ratelimit").unwrap().starts_with(&format!("\"n\";r={};", left.max(0))));
        setup.advance(60 * 60_000);
    }
    let ended = kept.lock().unwrap().clone().unwrap();
    assert!(matches!(ended.adjust("n", 1), Err(LeaseHandleError::Ended)));
    assert!(matches!(ended.release("n", 1), Err(LeaseHandleError::Ended)));
    assert!(ended.take().is_none() && ended.consumed().is_empty());
    assert_eq!(setup.consumed("a", "n"), 8 + 1 + 11);
}

#[test]
fn a_handler_may_take_the_lease_over_and_settle_it_later() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 5));
    let stream: Arc<Mutex<Option<Lease>>> = Arc::default();
    let stream_there = stream.clone();
    let handler = move |request: Request<String>| {
        *stream_there.lock().unwrap() = request.extensions().get::<LeaseHandle>().unwrap().take();
        ok(request)
    };
    let answer = send(&layer, handler, "a").unwrap();
    assert_eq!(field(&answer, "ratelimit"), Some(r#""n";r=5;t=30"#));
    assert_eq!(setup.left("a", &n, "n"), 5);
    let mut lease = stream.lock().unwrap().take().unwrap();
    lease.adjust("n", 2).unwrap();
    lease.commit().wait().unwrap();
    assert_eq!(setup.left("a", &n, "n"), 3);
}

#[test]
fn a_settlement_that_fails_leaves_the_answer_as_it_is() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 5));
    setup.store.script_for("apply", DOWN);
    let handler = async |request: Request<String>| -> Answer {
        request.extensions().get::<LeaseHandle>().unwrap().adjust("n", 1).unwrap();
        ok(request).await
    };
    assert_eq!(send(&layer, handler, "a").unwrap().status(), StatusCode::OK);
}

/// Sends a request through `layer` to `handler`, on a store that hesitates, and drops it after `polls` polls. Whether it
/// was answered by then.
fn cancelled_after<F: Future<Output = Answer>>(
    setup: &Setup,
    layer: &RateLimitLayer<impl Fn(&Request<String>) -> Option<Target> + Clone>,
    handler: impl FnMut(Request<String>) -> F + Clone,
    polls: usize,
) -> bool {
    setup.store.script(|_| Fate::Hesitates);
    let mut service = layer.layer(service_fn(handler));
    let mut call = pin!(Some(service.call(request("a"))));
    let mut cx = Context::from_waker(Waker::noop());
    let answered =
        (0..polls).any(|_| call.as_mut().as_pin_mut().is_some_and(|call| call.poll(&mut cx).is_ready()));
    call.set(None);
    setup.store.script(|_| Fate::Answered);
    answered
}

#[test]
fn i6_a_request_that_is_cancelled_at_any_point_takes_nothing_or_is_settled_as_a_whole() {
    let n = limits("n=100/min");
    let mut committed = Vec::new();
    for polls in 0.. {
        let setup = setup();
        let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 5));
        let handler = async |request: Request<String>| -> Answer {
            tokio::task::yield_now().await;
            request.extensions().get::<LeaseHandle>().unwrap().adjust("n", 2).unwrap();
            tokio::task::yield_now().await;
            ok(request).await
        };
        let answered = cancelled_after(&setup, &layer, handler, polls);
        let state = (setup.left("a", &n, "n"), setup.acquires("a"), setup.consumed("a", "n"));
        assert!(state == (100, 0, 0) || state == (93, 1, 7), "dropped after {polls} polls: {state:?}");
        committed.push(state.1 == 1);
        if answered {
            break;
        }
    }
    assert!(committed.is_sorted() && committed[committed.len() - 1], "{committed:?}");
    assert!(committed.iter().filter(|committed| !**committed).count() >= 4, "{committed:?}");
}

#[test]
fn i6_a_cancelled_request_takes_nothing_although_its_handle_lives_on() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let layer = RateLimitLayer::new(setup.limiter.clone(), target(&n, 5));
    let kept: Arc<Mutex<Option<LeaseHandle>>> = Arc::default();
    let kept_there = kept.clone();
    let handler = move |request: Request<String>| {
        *kept_there.lock().unwrap() = request.extensions().get::<LeaseHandle>().cloned();
        pending::<Answer>()
    };
    assert!(!cancelled_after(&setup, &layer, handler, 4));
    assert!(kept.lock().unwrap().is_some(), "the handler was called");
    assert_eq!((setup.left("a", &n, "n"), setup.acquires("a")), (10, 0));
}

#[test]
fn a_denied_request_waits_if_its_target_says_so() {
    let (setup, n) = (setup(), limits("n=60/min"));
    let patient = n.clone();
    let layer = RateLimitLayer::new(setup.limiter.clone(), move |request: &Request<String>| {
        let target = Target::new(request.body(), "r", &patient).consume("n", 40);
        Some(target.wait_at_most(Duration::from_secs(20)))
    });
    send(&layer, ok, "a").unwrap();
    assert_eq!(send(&layer, ok, "a").unwrap().status(), StatusCode::OK);
    assert_eq!(setup.elapsed(), 20_000);
    assert_eq!(send(&layer, ok, "a").unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
}

/// A service that has to be asked whether it is ready; its clones are not.
#[derive(Default)]
struct Ready(bool);

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<String>> for Ready {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "called without being ready");
        std::future::ready(Ok(Response::new(String::new())))
    }
}

#[test]
fn the_service_that_was_ready_is_the_one_that_is_called() {
    let (setup, n) = (setup(), limits("n=10/min"));
    for key in ["a", ""] {
        let mut service = RateLimitLayer::new(setup.limiter.clone(), target(&n, 1)).layer(Ready::default());
        for _ in 0..3 {
            service.ready().wait().unwrap().call(request(key)).wait().unwrap();
        }
        assert!(!service.get_ref().0);
        assert!(!service.into_inner().0);
    }
}
