//! The one request that every acquire makes.
//!
//! The SDK's clients assemble for each request what requests of every kind may need, which is a third of what an acquire
//! costs this host. Here the same parts are put together once, and used in the order in which clients use them.

mod answer;
mod parts;
mod request;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::error::{BoxError, SdkError};
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use zae_limiter_core::StoreError;

pub(crate) use self::answer::{Rejected, Updated};
use self::parts::Parts;
pub(crate) use self::request::UpdateRequest;
use crate::aws::{Place, Watch};
use crate::skew::CorrectedClock;

/// Sends updates, each of them once: a write may not be repeated without a thought.
#[derive(Debug)]
pub(crate) struct UpdateSender {
    parts: Parts,
    attempt_timeout: Duration,
    watch: Watch,
}

type Failed = SdkError<Rejected, HttpResponse>;

impl UpdateSender {
    /// A sender by way of what `config` has, to where the SDK would send. `watch` sees requests and answers.
    pub(crate) async fn new(
        config: &SdkConfig,
        endpoint_url: Option<&str>,
        place: &Place,
        watch: Watch,
    ) -> Result<Self, StoreError> {
        let clock = CorrectedClock { own: Arc::clone(&watch.clock), skew: Arc::clone(&watch.skew) };
        let parts = Parts::of(config, endpoint_url, place.connect_timeout, clock).await?;
        Ok(Self { parts, attempt_timeout: place.attempt_timeout, watch })
    }

    pub(crate) async fn send(&self, request: &UpdateRequest<'_>) -> Result<Updated, Failed> {
        match tokio::time::timeout(self.attempt_timeout, self.attempt(request)).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(SdkError::timeout_error(elapsed)),
        }
    }

    async fn attempt(&self, request: &UpdateRequest<'_>) -> Result<Updated, Failed> {
        let mut request = self.written(request).map_err(SdkError::construction_failure)?;
        self.parts.sign(&mut request).await.map_err(unsigned)?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());

        let sent = self.watch.sends();
        let answered = self.parts.connector().call(request).await;
        let response = answered.map_err(SdkError::dispatch_failure)?;
        let response = whole(response).await?;
        self.watch.hears(sent, &response);

        if response.status().is_server_error()
            && let Some(connection) = connection.get()
        {
            // To a host that fails: the next request goes elsewhere.
            connection.poison();
        }
        answer::read(response)
    }

    /// By the AWS JSON 1.0 protocol of Smithy.
    fn written(&self, request: &UpdateRequest<'_>) -> Result<HttpRequest, BoxError> {
        let mut http = HttpRequest::new(SdkBody::from(serde_json::to_vec(request)?));
        http.set_method("POST")?;
        http.set_uri(self.parts.url())?;
        let headers = http.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.0");
        headers.insert("x-amz-target", "DynamoDB_20120810.UpdateItem");
        headers.insert("user-agent", concat!("zae-limiter/", env!("CARGO_PKG_VERSION")));
        Ok(http)
    }
}

/// Where credentials come from may be out of reach for a while, like the table.
fn unsigned(error: BoxError) -> Failed {
    SdkError::dispatch_failure(ConnectorError::other(error, None))
}

/// A response with all of its body.
async fn whole(mut response: HttpResponse) -> Result<HttpResponse, Failed> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    match ByteStream::new(body).collect().await {
        Ok(body) => {
            *response.body_mut() = SdkBody::from(body.into_bytes());
            Ok(response)
        }
        Err(error) => Err(SdkError::response_error(error, response)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};
    use std::sync::atomic::{AtomicBool, Ordering};

    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future::ProvideCredentials as ProvideCredentialsFuture;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::{
        Credentials, IdentityCache, IntoShared, ProvideCredentials, SharedCredentialsProvider,
    };
    use aws_sdk_dynamodb::error::ProvideErrorMetadata;
    use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
    use aws_smithy_async::rt::sleep::TokioSleep;
    use aws_smithy_runtime_api::client::connection::ConnectionMetadata;
    use aws_smithy_runtime_api::client::http::{HttpConnectorFuture, http_client_fn};
    use aws_smithy_runtime_api::http::StatusCode;
    use parking_lot::Mutex;
    use zae_limiter_core::{ManualClock, StoreErrorKind, Timestamp};

    use super::*;
    use crate::expression::{Expression, Value};
    use crate::skew::Skew;

    /// 2026-01-01T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    /// What stands for the network: keeps what is sent, and answers as told.
    #[derive(Clone, Debug, Default)]
    struct Wire(Arc<Mutex<Kept>>);

    #[derive(Debug, Default)]
    struct Kept {
        sent: Vec<HttpRequest>,
        answers: VecDeque<(u16, &'static str, &'static str)>,
        connections_closed: u32,
    }

    impl Wire {
        fn answers(&self, status: u16, date: &'static str, body: &'static str) {
            self.0.lock().answers.push_back((status, date, body));
        }
    }

    impl HttpConnector for Wire {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let mut kept = self.0.lock();
            if let Some(capture) = request.extension::<CaptureSmithyConnection>() {
                let wire = self.clone();
                let connection = ConnectionMetadata::builder().proxied(false);
                let connection = connection.poison_fn(move || wire.0.lock().connections_closed += 1).build();
                capture.set_connection_retriever(move || Some(connection.clone()));
            }
            kept.sent.push(request);
            let (status, date, body) = kept.answers.pop_front().unwrap_or((200, "", "{}"));
            let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
            answer.headers_mut().insert("date", date);
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    fn config(wire: &Wire) -> SdkConfig {
        config_with(wire, Credentials::new("key", "secret", Some("token".to_owned()), None, "test"))
    }

    fn config_with(wire: &Wire, credentials: impl ProvideCredentials + 'static) -> SdkConfig {
        let wire = wire.clone();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build())
            .sleep_impl(TokioSleep::new())
            .http_client(http_client_fn(move |_, _| wire.clone().into_shared()))
            .build()
    }

    async fn sender(config: &SdkConfig, clock: &Arc<ManualClock>) -> UpdateSender {
        let skew = Arc::new(Skew::new(Duration::from_secs(2)));
        let watch = Watch { clock: clock.clone(), skew, meter: None };
        let (connect_timeout, attempt_timeout) = (Duration::from_secs(1), Duration::from_secs(1));
        let place = Place { region: None, endpoint_url: None, connect_timeout, attempt_timeout };
        UpdateSender::new(config, None, &place, watch).await.unwrap()
    }

    fn request() -> UpdateRequest<'static> {
        let expression = Expression {
            update: "SET #x=:x".to_owned(),
            condition: "#x<:u".to_owned(),
            names: vec![("#x".into(), "a \"name\"".to_owned())],
            values: vec![(":x".into(), Value::Number(-7)), (":u".into(), Value::Text("ü\n".to_owned()))],
        };
        UpdateRequest::new("some_table", ("p".to_owned(), "s".to_owned()), expression, None)
    }

    fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
        request.headers().get(name).unwrap_or_default()
    }

    fn asked(request: &HttpRequest) -> serde_json::Value {
        serde_json::from_slice(request.body().bytes().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn asks_what_a_client_of_the_sdk_would_ask() {
        let wire = Wire::default();
        let config = config(&wire);
        let clock = Arc::new(ManualClock::new(NOW));
        sender(&config, &clock).await.send(&request()).await.unwrap();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let client = Client::new(&config).update_item().table_name("some_table");
        let client = client.key("PK", text("p")).key("SK", text("s"));
        let client = client.update_expression("SET #x=:x").condition_expression("#x<:u");
        let client = client.set_expression_attribute_names(Some(HashMap::from([(
            "#x".to_owned(),
            "a \"name\"".to_owned(),
        )])));
        let client = client.expression_attribute_values(":x", AttributeValue::N("-7".to_owned()));
        let client = client.expression_attribute_values(":u", text("ü\n"));
        let client = client.return_values(ReturnValue::AllNew);
        let client =
            client.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        client.send().await.unwrap();

        let kept = wire.0.lock();
        let [ours, theirs] = &kept.sent[..] else { panic!("{:?}", kept.sent) };
        assert_eq!(asked(ours), asked(theirs));
        assert_eq!((ours.method(), ours.uri()), (theirs.method(), theirs.uri()));
        for name in ["content-type", "x-amz-target", "x-amz-security-token"] {
            assert_eq!(header(ours, name), header(theirs, name), "{name}");
        }
        assert_eq!(header(ours, "x-amz-date"), "20260101T000000Z");
        let signed = header(ours, "authorization");
        let scope = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/dynamodb/aws4_request, ";
        assert!(signed.starts_with(scope), "{signed}");
    }

    #[tokio::test]
    async fn a_host_whose_clock_is_wrong_signs_by_the_servers() {
        let wire = Wire::default();
        let clock = Arc::new(ManualClock::new(NOW));
        let sender = sender(&config(&wire), &clock).await;
        wire.answers(
            400,
            "Thu, 01 Jan 2026 00:10:00 GMT",
            r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"expired"}"#,
        );
        let refused = sender.send(&request()).await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidSignatureException"));
        sender.send(&request()).await.unwrap();
        let kept = wire.0.lock();
        assert_eq!(header(&kept.sent[0], "x-amz-date"), "20260101T000000Z");
        assert_eq!(header(&kept.sent[1], "x-amz-date"), "20260101T001000Z");
    }

    #[tokio::test]
    async fn only_a_host_that_fails_is_asked_by_a_new_connection() {
        let wire = Wire::default();
        let sender = sender(&config(&wire), &Arc::new(ManualClock::new(NOW))).await;
        for (status, closed) in [(200, 0), (400, 0), (500, 1), (503, 2), (200, 2)] {
            wire.answers(status, "", "{}");
            assert_eq!(sender.send(&request()).await.is_ok(), status == 200, "{status}");
            assert_eq!(wire.0.lock().connections_closed, closed, "{status}");
        }
    }
    /// Has credentials only when asked again.
    #[derive(Debug, Default)]
    struct Hesitant(AtomicBool);

    impl ProvideCredentials for Hesitant {
        fn provide_credentials<'a>(&'a self) -> ProvideCredentialsFuture<'a>
        where
            Self: 'a,
        {
            ProvideCredentialsFuture::ready(if self.0.swap(true, Ordering::Relaxed) {
                Ok(Credentials::new("key", "secret", None, None, "test"))
            } else {
                Err(CredentialsError::provider_error("the metadata service is busy"))
            })
        }
    }

    #[tokio::test]
    async fn credentials_that_are_late_are_trouble_that_passes() {
        let wire = Wire::default();
        let config = config_with(&wire, Hesitant::default());
        let sender = sender(&config, &Arc::new(ManualClock::new(NOW))).await;
        let failure = crate::error::classify(sender.send(&request()).await.unwrap_err(), "some_table");
        assert_eq!(failure.error.kind(), StoreErrorKind::Unavailable);
        assert!(failure.error.to_string().contains("the metadata service is busy"), "{}", failure.error);
        assert!(wire.0.lock().sent.is_empty());
        sender.send(&request()).await.unwrap();
    }
}
