//! The tower layer in axum: without a network, and over a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request};
use axum::routing::{get, post};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use zae_limiter::tower::{LeaseHandle, RateLimitLayer, Target};

use crate::setup::{Setup, limits, setup};

fn router(setup: &Setup) -> Router {
    let limits = limits("rpm=2/min, tpm=100/min");
    let layer = RateLimitLayer::new(setup.limiter.clone(), move |request: &Request| {
        let key = request.headers().get("x-api-key")?.to_str().ok()?;
        Some(Target::new(key, "r", &limits).consume("rpm", 1).consume("tpm", 50))
    });
    let chat = async |Extension(lease): Extension<LeaseHandle>, question: String| {
        lease.adjust("tpm", i64::try_from(question.len()).unwrap() - 50).unwrap();
        question.to_uppercase()
    };
    let broken = async || StatusCode::BAD_GATEWAY;
    Router::new().route("/chat", post(chat)).route("/broken", get(broken)).route_layer(layer)
}

fn question(text: &str) -> Request {
    Request::post("/chat").header("x-api-key", "key-1").body(Body::from(text.to_owned())).unwrap()
}

async fn text(body: Body) -> String {
    String::from_utf8(to_bytes(body, 10_000).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn limits_a_router() {
    let setup = setup();
    let router = router(&setup);
    let answer = router.clone().oneshot(question("hello")).await.unwrap();
    assert_eq!(answer.headers()["ratelimit-policy"], r#""rpm";q=2;w=60, "tpm";q=100;w=60"#);
    assert_eq!(answer.headers()["ratelimit"], r#""rpm";r=1;t=30, "tpm";r=95;t=3"#, "at the true cost");
    assert_eq!(text(answer.into_body()).await, "HELLO");

    let broken = Request::get("/broken").header("x-api-key", "key-1").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(broken).await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert_eq!(setup.acquires("key-1"), 1, "the server's failure costs nothing");

    assert_eq!(router.clone().oneshot(question("more")).await.unwrap().status(), StatusCode::OK);
    let denied = router.clone().oneshot(question("too much")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(denied.headers()["retry-after"], "30");
    let object: serde_json::Value = serde_json::from_str(&text(denied.into_body()).await).unwrap();
    assert_eq!(object["limits"][0]["exceeded"], true);

    setup.advance(30_000);
    assert_eq!(router.oneshot(question("again")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_no_id_is_the_clients_mistake() {
    let setup = setup();
    let request = Request::post("/chat").header("x-api-key", "a#b").body(Body::empty()).unwrap();
    assert_eq!(router(&setup).oneshot(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_path_that_is_not_routed_takes_nothing() {
    let setup = setup();
    let request = Request::get("/nowhere").header("x-api-key", "key-1").body(Body::empty()).unwrap();
    assert_eq!(router(&setup).oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(setup.store.calls_since().is_empty());
}

#[tokio::test]
async fn limits_a_server_on_a_socket() {
    let setup = setup();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async { axum::serve(listener, router(&setup)).await.unwrap() };
    let client = async {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = "POST /chat HTTP/1.1\r\nhost: localhost\r\nx-api-key: key-1\r\n\
                           content-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains("\r\nratelimit: \"rpm\";r="), "{answer}");
            statuses.push(answer[9..12].to_owned());
        }
        statuses
    };
    let statuses = tokio::select! {
        () = serve => unreachable!("it serves until it is dropped"),
        statuses = client => statuses,
    };
    assert_eq!(statuses, ["200", "200", "429"]);
}
