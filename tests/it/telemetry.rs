//! Logs and metrics: their fields, and the secrets that they never contain.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use crate::common::{BoxError, Frames, SEED, TOKEN, data, forged, layer, post};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Channel, Full};
use metrics::Unit;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower::{Layer as _, ServiceExt, service_fn};
use tower_bitrix24::background::BackgroundQueue;
use tower_bitrix24::event::{kind, payload::ItemId};
use tower_bitrix24::handler::HandlerError;
use tower_bitrix24::handler::extract::On;
use tower_bitrix24::portals::{MemoryStore, PortalToken, PortalVerifier, TokenCache, TokenStore};
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventBody, EventLayer, EventRouter, Rejection,
    RejectionKind, Secret, VerifyError, VerifyToken,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

type Fields = BTreeMap<String, String>;

#[derive(Clone, Debug, Default)]
struct Recorded {
    spans: Vec<(String, Fields)>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    level: Level,
    target: String,
    fields: Fields,
    /// The names of the enclosing spans, the innermost first.
    spans: Vec<&'static str>,
}

#[derive(Clone, Default)]
struct Log {
    recorded: Arc<Mutex<Recorded>>,
    /// The same, as `tracing_subscriber::fmt` writes it.
    written: Arc<Mutex<Vec<u8>>>,
}

struct Place(usize);

struct Values<'a>(&'a mut Fields);

impl Visit for Values<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Values(&mut fields));
        let spans = &mut self.recorded.lock().unwrap().spans;
        let span = context.span(id).unwrap();
        span.extensions_mut().insert(Place(spans.len()));
        let metadata = attributes.metadata();
        spans.push((format!("{} {}", metadata.target(), metadata.name()), fields));
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let place = span.extensions().get::<Place>().unwrap().0;
        record.record(&mut Values(
            &mut self.recorded.lock().unwrap().spans[place].1,
        ));
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Values(&mut fields));
        let scope = context.event_scope(event).into_iter().flatten();
        self.recorded.lock().unwrap().lines.push(Line {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            fields,
            spans: scope.map(|span| span.name()).collect(),
        });
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.written.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Tracing caches the interest in a span or line for all threads when the first one reaches it, so a
/// thread without a subscriber would disable it.
fn set_global_subscriber() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
}

impl Log {
    /// Records the spans and lines of this thread down to TRACE while the guard lives.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        set_global_subscriber();
        let log = Self::default();
        let writer = log.clone();
        let written = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry()
            .with(log.clone())
            .with(written);
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn recorded(&self) -> Recorded {
        self.recorded.lock().unwrap().clone()
    }

    fn written(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }

    /// Returns the fields of the only span.
    fn span(&self) -> Fields {
        let spans = self.recorded().spans;
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert_eq!(spans[0].0, "tower_bitrix24 bitrix24.event");
        spans[0].1.clone()
    }

    /// Returns the layer's own lines.
    fn lines(&self) -> Vec<Line> {
        let mut lines = self.recorded().lines;
        lines.retain(|line| line.target == "tower_bitrix24");
        lines
    }
}

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

fn any<B>(body: B) -> AnyBody
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

fn boxed_full(body: impl Into<Bytes>) -> AnyBody {
    any(Full::new(body.into()))
}

/// Sends `request` through `layer` to a service that logs a line, waits, and logs another.
async fn send_observed<V: VerifyToken>(
    layer: EventLayer<V>,
    request: Request<AnyBody>,
) -> Response<()> {
    set_global_subscriber();
    let handler = |request: Request<EventBody<AnyBody>>| async move {
        tracing::info!("begun");
        tokio::task::yield_now().await;
        let _ = request.into_body().collect().await;
        tracing::info!("done");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    };
    let service = layer.wrap_body().layer(service_fn(handler));
    service.oneshot(request).await.unwrap().map(|_| ())
}

fn unavailable(_: &Envelope) -> Ready<Result<(), VerifyError>> {
    ready(Err(VerifyError::unavailable("no\nroute to the database")))
}

#[tokio::test]
async fn accepted_event_has_a_span_with_its_fields() {
    let (log, _guard) = Log::start();
    let body = format!("{SEED}&event_handler_id=7");
    send_observed(layer(), post(boxed_full(body.clone()))).await;

    let mut span = log.span();
    let elapsed = span.remove("elapsed_us").unwrap();
    assert!(elapsed.parse::<u64>().unwrap() < 10_000_000);
    let expected = [
        ("body_bytes", &*body.len().to_string()),
        ("code", "ONCRMREQUISITEADD"),
        ("kind", "CrmRequisiteAdd"),
        ("member_id", "a223c6b3710f85df22e9377d6c4f7553"),
        ("handler_id", "7"),
        ("outcome", "accepted"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(span, Fields::from(expected));
    let [line] = &log.lines()[..] else {
        panic!("{:?}", log.lines())
    };
    assert_eq!(line.level, Level::DEBUG);
}

#[tokio::test]
async fn span_contains_the_lines_of_verifier_and_handler() {
    let (log, _guard) = Log::start();
    let verifier = |_: &Envelope| async {
        tracing::info!("looked up");
        tokio::task::yield_now().await;
        tracing::info!("found");
        Ok(())
    };
    let outer = tracing::info_span!("request");
    let sent = send_observed(EventLayer::new(verifier), post(boxed_full(SEED)));
    tracing::Instrument::instrument(sent, outer).await;
    tracing::info!("after");

    let mut lines = log.recorded().lines;
    lines.retain(|line| line.target != "tower_bitrix24");
    let recorded: Vec<_> = lines
        .iter()
        .map(|line| (&*line.fields["message"], &*line.spans))
        .collect();
    let inside: &[_] = &["bitrix24.event", "request"];
    assert_eq!(
        recorded,
        [
            ("looked up", inside),
            ("found", inside),
            ("begun", inside),
            ("done", inside),
            ("after", &[]),
        ]
    );
}

#[tokio::test]
async fn span_contains_the_lines_of_a_background_handler() {
    let (log, _guard) = Log::start();
    let background = BackgroundQueue::new();
    let handler = service_fn(|_: Request<EventBody<AnyBody>>| async {
        tokio::task::yield_now().await;
        tracing::info!("handled");
        Ok::<_, Infallible>(Response::new(AnyBody::default()))
    });
    let service = layer()
        .wrap_body()
        .layer(background.layer().wrap_body().layer(handler));
    let response = service.oneshot(post(boxed_full(SEED))).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    assert!(
        background
            .shutdown(Duration::from_secs(10))
            .await
            .is_empty()
    );

    let lines = log.recorded().lines;
    let handled: Vec<_> = lines
        .iter()
        .filter(|line| line.target != "tower_bitrix24")
        .map(|line| (&*line.fields["message"], &*line.spans))
        .collect();
    assert_eq!(handled, [("handled", &["bitrix24.event"][..])]);
}

#[tokio::test]
async fn probe_is_recorded_with_its_outcome() {
    let (log, _guard) = Log::start();
    let mut get = post(boxed_full(""));
    *get.method_mut() = Method::GET;
    send_observed(layer().respond_to_probes(), get).await;
    assert_eq!(log.span().get("outcome").unwrap(), "probed");
    assert!(log.recorded().lines.is_empty());
}

/// Returns a request for each reason of rejection, with the level of its line.
fn rejections() -> Vec<(RejectionKind, Level, Request<AnyBody>)> {
    let with = |name, value| {
        let mut request = post(boxed_full(SEED));
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
        request
    };
    let mut get = post(boxed_full(SEED));
    *get.method_mut() = Method::GET;
    let (sender, endless) = Channel::<Bytes, BoxError>::new(1);
    // The body must stay open while the test runs.
    std::mem::forget(sender);
    let broken = Frames([data("event=A"), Err("the cable is cut".into())].into_iter());
    let twice = format!("{SEED}&auth[application_token]={TOKEN}");
    let without = SEED.replace(TOKEN, "");
    use RejectionKind::*;
    vec![
        (MethodNotAllowed, Level::DEBUG, get),
        (NotAForm, Level::DEBUG, with(CONTENT_TYPE, "text/plain")),
        (ContentEncoding, Level::DEBUG, with(CONTENT_ENCODING, "br")),
        (NoEvent, Level::DEBUG, post(boxed_full("DOMAIN=x"))),
        (
            BodyTooLarge,
            Level::INFO,
            post(boxed_full("x".repeat(2000))),
        ),
        (BodyTimeout, Level::INFO, post(any(endless))),
        (BodyIncomplete, Level::INFO, post(any(broken))),
        (Malformed, Level::WARN, post(boxed_full(twice))),
        (TokenMissing, Level::WARN, post(boxed_full(without))),
        (TokenRejected, Level::WARN, post(boxed_full(forged()))),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_rejection_is_logged_at_its_level_with_its_reason() {
    for (kind, level, request) in rejections() {
        let (log, _guard) = Log::start();
        let layer = layer()
            .body_limit(1000)
            .body_timeout(Duration::from_secs(1));
        let response = send_observed(layer, request).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), kind);

        let [line] = &log.recorded().lines[..] else {
            panic!("{kind:?}: {:?}", log.recorded())
        };
        assert_eq!(line.level, level, "{kind:?}");
        assert_eq!(line.spans, ["bitrix24.event"]);
        assert_eq!(line.fields["reason"], kind.as_str());
        assert_eq!(line.fields["message"], rejection.to_string());
        let span = log.span();
        assert_eq!(span["reason"], kind.as_str());
        assert_eq!(span["outcome"], "rejected");
        // An unverified request is not attributed to a portal.
        for field in ["kind", "member_id", "handler_id"] {
            assert_eq!(span.get(field), None, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn failing_store_is_logged_as_an_error_with_its_message() {
    let (log, _guard) = Log::start();
    send_observed(EventLayer::new(unavailable), post(boxed_full(SEED))).await;
    let [line] = &log.lines()[..] else {
        panic!("{:?}", log.lines())
    };
    assert_eq!(line.level, Level::ERROR);
    assert_eq!(line.fields["reason"], "unavailable");
    assert_eq!(line.fields["error"], r"no\nroute to the database");
    assert_eq!(log.span()["reason"], "unavailable");
}

#[test]
fn logged_reason_is_the_kind_in_snake_case() {
    let kinds = rejections().into_iter().map(|(kind, ..)| kind);
    for kind in kinds.chain([RejectionKind::Unavailable]) {
        let mut snake = String::new();
        for letter in format!("{kind:?}").chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        assert_eq!(kind.as_str(), snake);
    }
}

#[tokio::test]
async fn mismatch_is_logged_by_its_path_only() {
    let (log, _guard) = Log::start();
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    send_observed(layer(), post(boxed_full(body))).await;
    let lines = log.lines();
    let line = lines.iter().find(|line| line.level == Level::WARN).unwrap();
    assert_eq!(line.fields["path"], "data.FIELDS.ID");
    assert_eq!(log.span()["outcome"], "accepted");
    assert!(!log.written().contains("twentyseven"));
}

/// Sends a body to a router and to `On`, and returns the statuses.
async fn handled_as_requisite(body: &str) -> [u16; 2] {
    async fn on(requisite: On<kind::CrmRequisiteAdd>) -> String {
        requisite.id.to_string()
    }
    set_global_subscriber();
    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, async |_: ItemId, _| {})
        .build()
        .unwrap();
    let routed = layer()
        .wrap_body()
        .layer(router)
        .oneshot(post(boxed_full(body.to_owned())));
    let app: axum::Router = axum::Router::new()
        .route("/bitrix24/events", axum::routing::post(on))
        .layer(layer());
    let extracted = app.oneshot(post(axum::body::Body::from(body.to_owned())));
    [
        routed.await.unwrap().status().as_u16(),
        extracted.await.unwrap().status().as_u16(),
    ]
}

#[tokio::test]
async fn mismatch_rejected_by_every_handler_is_logged_as_an_error_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    assert_eq!(handled_as_requisite(&body).await, [422, 422]);
    assert_eq!(handled_as_requisite(SEED).await, [200, 200]);

    let mut errors = log.lines();
    errors.retain(|line| line.level == Level::ERROR);
    assert_eq!(errors.len(), 2, "{errors:?}");
    for line in errors {
        assert_eq!(line.fields["code"], "ONCRMREQUISITEADD");
        assert_eq!(line.fields["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
        assert_eq!(line.fields["domain"], "some-domain.bitrix24.com");
        assert_eq!(line.fields["path"], "data.FIELDS.ID");
        assert_eq!(line.spans, ["bitrix24.event"]);
    }
    for secret in ["twentyseven", TOKEN] {
        assert!(!log.written().contains(secret));
    }
    let counted = counted(&recorder.snapshotter());
    assert_eq!(
        counted["bitrix24_mismatches_total{kind=CrmRequisiteAdd}"],
        2
    );
}

#[tokio::test]
async fn mismatch_kept_by_a_fallback_is_not_an_error() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, async |_: ItemId, _| {})
        .fallback(async |_: Event| {})
        .build()
        .unwrap();
    let response = layer()
        .wrap_body()
        .layer(router)
        .oneshot(post(boxed_full(body.clone())));
    assert_eq!(response.await.unwrap().status(), 200);
    let keeps = async |requisite: Result<On<kind::CrmRequisiteAdd>, HandlerError>| {
        assert!(requisite.unwrap_err().event().is_some());
    };
    let app: axum::Router = axum::Router::new()
        .route("/bitrix24/events", axum::routing::post(keeps))
        .layer(layer());
    let response = app.oneshot(post(axum::body::Body::from(body)));
    assert_eq!(response.await.unwrap().status(), 200);

    assert!(log.lines().iter().all(|line| line.level != Level::ERROR));
    let counted = counted(&recorder.snapshotter());
    assert!(!counted.keys().any(|name| name.contains("mismatches")));
}

#[tokio::test]
async fn forged_code_is_escaped_and_truncated_in_the_log() {
    let (log, _guard) = Log::start();
    let end = "Z".repeat(10_000);
    let body = format!(
        "event=A%0D%0A2026-01-01+ERROR+all+is+lost%1B[2J{end}&auth[member_id]=x%0Ay\
         &auth[application_token]=guess"
    );
    send_observed(layer(), post(boxed_full(body))).await;
    let code = &log.span()["code"];
    assert!(code.starts_with(r"A\r\n2026-01-01 ERROR all is lost\u{1b}[2J"));
    assert!(code.ends_with("Z…") && code.len() < 100, "{code}");
    let written = log.written();
    assert_eq!(written.lines().count(), 1, "{written}");
    assert!(!written.contains(['\r', '\x1b']) && written.len() < 500);
}

#[tokio::test]
async fn text_of_a_portal_is_escaped_in_the_log() {
    let (log, _guard) = Log::start();
    let body = format!("event=A&auth[member_id]=x%0Ay&auth[application_token]={TOKEN}");
    send_observed(layer(), post(boxed_full(body))).await;
    let span = log.span();
    assert_eq!(span["member_id"], r"x\ny");
    assert_eq!(span["kind"], "undocumented");
}

#[tokio::test]
async fn unselected_request_is_not_logged_but_a_passed_one_is() {
    let (log, _guard) = Log::start();
    send_observed(layer().path("/elsewhere"), post(boxed_full(SEED))).await;
    assert!(log.recorded().spans.is_empty());
    assert!(log.lines().is_empty());

    let placement = "DOMAIN=portal&AUTH_ID=canary";
    let page = Request::get("/").body(boxed_full(placement)).unwrap();
    for request in [post(boxed_full(placement)), page] {
        let (log, _guard) = Log::start();
        send_observed(layer().pass_other_callbacks(), request).await;
        let span = log.span();
        assert_eq!(span["outcome"], "passed");
        assert_eq!(span.get("code"), None);
        assert!(log.lines().is_empty());
        assert_eq!(log.recorded().lines[0].spans, ["bitrix24.event"]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_token_and_no_data_are_logged_even_at_trace() {
    const CANARY: &str = "canary7f3a";
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let auth = [
        "application_token",
        "access_token",
        "refresh_token",
        "domain",
    ]
    .map(|key| format!("&auth[{key}]={CANARY}"))
    .concat();
    let mut sent = 0;
    for pairs in [
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27",
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=canary7f3a",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a&data[METHOD]=user.get&data[CONFIRMED]=1",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a",
        "event=ONIMBOTMESSAGEADD&data[BOT][7][application_token]=canary7f3a",
        "event=ONAPPTEST&data[QUERY][client_secret]=canary7f3a&canary7f3a=canary7f3a",
        "event=ONUNKNOWN&data[a][b]=canary7f3a&data[canary7f3a]=1",
        "notanevent=canary7f3a",
    ] {
        let body = format!("{pairs}{auth}");
        for body in [body.clone(), format!("{body}&auth[application_token]=x")] {
            let frames = Frames([data(&body), Err(CANARY.into())].into_iter());
            for token in [CANARY, "configured51c2"] {
                let layer = EventLayer::new(ApplicationToken::new(token).unwrap());
                send_observed(layer.clone(), post(boxed_full(body.clone()))).await;
                send_observed(layer.pass_other_callbacks(), post(boxed_full(body.clone()))).await;
                sent += 2;
            }
            send_observed(layer(), post(any(frames))).await;
            send_observed(EventLayer::new(unavailable), post(boxed_full(body))).await;
            sent += 2;
        }
    }
    let recorded = log.recorded();
    assert_eq!(recorded.spans.len(), sent);
    let counted: Vec<_> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, ..)| key)
        .collect();
    for shown in [
        format!("{recorded:?}"),
        log.written(),
        format!("{counted:?}"),
    ] {
        assert!(shown.contains("rejected"));
        for secret in [CANARY, "configured51c2"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

/// Returns the counters as `name{label=value,…}`, and the number of values of each histogram.
fn counted(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    metrics
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let count = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Histogram(values) => {
                    assert!(
                        values
                            .iter()
                            .all(|seconds| (0.0..10.0).contains(&**seconds))
                    );
                    values.len() as u64
                }
                DebugValue::Gauge(value) => value.into_inner() as u64,
            };
            (
                format!("{}{{{}}}", key.key().name(), labels.join(",")),
                count,
            )
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn events_and_rejections_are_counted_and_timed() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    for body in [SEED, SEED, &SEED.replace("ONCRMREQUISITEADD", "ONOWN")] {
        send_observed(layer(), post(boxed_full(body.to_owned()))).await;
    }
    let small = || layer().body_limit(1000);
    for (_, _, request) in rejections() {
        send_observed(small().body_timeout(Duration::from_secs(1)), request).await;
    }
    send_observed(EventLayer::new(unavailable), post(boxed_full(SEED))).await;
    send_observed(layer().pass_other_callbacks(), post(boxed_full("DOMAIN=x"))).await;
    send_observed(layer().path("/elsewhere"), post(boxed_full(SEED))).await;

    let mut expected = BTreeMap::from(
        [
            (
                "bitrix24_events_total{outcome=accepted,kind=CrmRequisiteAdd}",
                2,
            ),
            (
                "bitrix24_events_total{outcome=accepted,kind=undocumented}",
                1,
            ),
            ("bitrix24_events_total{outcome=rejected,kind=none}", 11),
            ("bitrix24_events_total{outcome=passed,kind=none}", 1),
            ("bitrix24_verification_seconds{outcome=accepted}", 3),
            ("bitrix24_handled_total{outcome=completed}", 3),
            ("bitrix24_handling_seconds{outcome=completed}", 3),
            // No event, malformed, token missing and rejected, store down.
            ("bitrix24_verification_seconds{outcome=rejected}", 5),
        ]
        .map(|(name, count)| (name.to_owned(), count)),
    );
    let kinds = rejections().into_iter().map(|(kind, ..)| kind);
    for kind in kinds.chain([RejectionKind::Unavailable]) {
        let name = format!("bitrix24_rejections_total{{reason={}}}", kind.as_str());
        expected.insert(name, 1);
    }
    assert_eq!(counted(&recorder.snapshotter()), expected);
}

#[tokio::test]
async fn metrics_have_descriptions() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    tower_bitrix24::telemetry::describe_metrics();
    send_observed(layer(), post(boxed_full(forged()))).await;
    let metrics = recorder.snapshotter().snapshot().into_vec();
    assert_eq!(metrics.len(), 3);
    for (key, unit, description, _) in metrics {
        let seconds = key.key().name().ends_with("_seconds");
        let expected = if seconds { Unit::Seconds } else { Unit::Count };
        assert_eq!(unit, Some(expected));
        assert!(description.is_some());
    }
}

/// A store in memory that removes nothing.
struct Unforgetting(MemoryStore);

impl TokenStore for Unforgetting {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        Ok(self.0.tokens(member_id).await.unwrap())
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        if tokens.is_empty() {
            return Err("the disk\nis full");
        }
        let exchanged = self.0.compare_exchange(member_id, expected, tokens).await;
        Ok(exchanged.unwrap())
    }
}

/// A store in memory that can fail.
#[derive(Default)]
struct Failing {
    store: MemoryStore,
    is_down: AtomicBool,
}

impl TokenStore for Failing {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err("the disk\nis full");
        }
        Ok(self.store.tokens(member_id).await.unwrap())
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        let exchanged = self.store.compare_exchange(member_id, expected, tokens);
        Ok(exchanged.await.unwrap())
    }
}

#[tokio::test]
async fn event_accepted_from_a_stale_cache_is_logged_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let store = Arc::new(Failing::default());
    let cache = TokenCache::new().ttl(Duration::ZERO);
    let portals = PortalVerifier::new(store.clone()).cache(cache);
    let portal = "a223c6b3710f85df22e9377d6c4f7553";
    portals
        .set_token(portal, &Secret::new(TOKEN))
        .await
        .unwrap();
    for is_down in [false, true] {
        let down = &store.is_down;
        down.store(is_down, Ordering::Relaxed);
        let response =
            send_observed(EventLayer::new(portals.clone()), post(boxed_full(SEED))).await;
        assert!(response.status().is_success());
    }

    let lines = log.lines();
    let mut warnings = lines.iter().filter(|line| line.level == Level::WARN);
    let line = warnings.next().unwrap();
    assert!(line.fields["message"].starts_with("the token store failed"));
    assert_eq!(line.fields["member_id"], portal);
    assert_eq!(line.fields["error"], "the disk\\nis full");
    assert!(warnings.next().is_none());
    assert!(!log.written().contains(TOKEN));
    let counted = counted(&recorder.snapshotter());
    assert_eq!(counted["bitrix24_portals_accepted_stale_total{}"], 1);
}

#[tokio::test]
async fn failed_removal_of_a_portal_is_logged_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let portals = PortalVerifier::new(Unforgetting(MemoryStore::new()));
    let token = Secret::new(TOKEN);
    portals
        .set_token("a223c6b3710f85df22e9377d6c4f7553", &token)
        .await
        .unwrap();
    // After the token was stored.
    let uninstall = SEED
        .replace("ONCRMREQUISITEADD", "ONAPPUNINSTALL")
        .replace("ts=1466439714", "ts=4102444800");
    let response = send_observed(EventLayer::new(portals), post(boxed_full(uninstall))).await;
    assert!(response.status().is_success());

    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line.level == Level::ERROR)
        .unwrap();
    assert_eq!(line.fields["message"], "the portal is not forgotten");
    assert_eq!(line.fields["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
    assert_eq!(line.fields["error"], "the disk\\nis full");
    assert_eq!(line.spans, ["bitrix24.event"]);
    assert!(!log.written().contains(TOKEN));
    let counted = counted(&recorder.snapshotter());
    assert_eq!(counted["bitrix24_portals_not_forgotten_total{}"], 1);
}

/// Returns the ERROR lines of handlings that failed.
fn not_handled(log: &Log) -> Vec<Fields> {
    let mut lines = log.lines();
    lines.retain(|line| line.level == Level::ERROR);
    lines.into_iter().map(|line| line.fields).collect()
}

/// Returns the counts of ended handlings. Panics unless each has a time.
fn outcomes(recorder: &DebuggingRecorder) -> Vec<(String, u64)> {
    let counted = counted(&recorder.snapshotter());
    for gauge in ["queued", "queued_bytes", "running"] {
        let name = format!("bitrix24_queue_{gauge}{{}}");
        assert_eq!(counted.get(&name).copied().unwrap_or_default(), 0, "{name}");
    }
    let handled = counted.iter().filter_map(|(name, count)| {
        let label = name.strip_prefix("bitrix24_handled_total")?;
        let times = counted.get(&format!("bitrix24_handling_seconds{label}"));
        assert_eq!(times, Some(count), "{label}");
        let outcome = label.trim_start_matches("{outcome=").trim_end_matches('}');
        Some((outcome.to_owned(), *count))
    });
    handled.collect()
}

fn one(outcome: &str) -> Vec<(String, u64)> {
    vec![(outcome.to_owned(), 1)]
}

#[tokio::test]
async fn failed_handler_of_the_router_has_one_line_with_the_chain_of_its_error() {
    #[derive(Debug)]
    struct Unreachable(std::io::Error);
    impl std::fmt::Display for Unreachable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the database is unreachable")
        }
    }
    impl std::error::Error for Unreachable {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let router = EventRouter::builder()
        .fallback(async |_: Event| Err::<(), _>(Unreachable(std::io::Error::other("no\nroute"))))
        .build()
        .unwrap();
    let service = layer().layer(router);
    let response = service
        .oneshot(post(Full::<Bytes>::from(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["code"], "ONCRMREQUISITEADD");
    assert_eq!(lines[0]["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
    assert_eq!(lines[0]["outcome"], "failed");
    assert_eq!(
        lines[0]["error"],
        r"the handler of ONCRMREQUISITEADD failed: the database is unreachable: no\nroute"
    );
    assert_eq!(outcomes(&recorder), one("failed"));
}

#[tokio::test]
async fn each_end_of_a_foreground_handling_has_one_line_and_one_count() {
    #[derive(Clone, Copy)]
    enum End {
        Well,
        BadStatus,
        Error,
        Panic,
        Pending,
    }
    for (end, outcome) in [
        (End::Well, "completed"),
        (End::BadStatus, "failed"),
        (End::Error, "failed"),
        (End::Panic, "panicked"),
        (End::Pending, "cancelled"),
    ] {
        let (log, _guard) = Log::start();
        let recorder = DebuggingRecorder::new();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let service = layer().layer(service_fn(move |_: Request<Full<Bytes>>| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            match end {
                End::Well => {}
                End::BadStatus => *response.status_mut() = http::StatusCode::BAD_GATEWAY,
                End::Error => return Err("down"),
                End::Panic => panic!("a bug"),
                End::Pending => std::future::pending().await,
            }
            Ok(response)
        }));
        let call = service.oneshot(post(Full::<Bytes>::from(SEED)));
        let call =
            std::panic::AssertUnwindSafe(tokio::time::timeout(Duration::from_millis(5), call));
        drop(futures_util::FutureExt::catch_unwind(call).await);
        assert_eq!(outcomes(&recorder), one(outcome));
        let lines = not_handled(&log);
        assert_eq!(
            lines.len(),
            usize::from(outcome != "completed"),
            "{lines:?}"
        );
        for line in lines {
            assert_eq!(line["code"], "ONCRMREQUISITEADD");
            assert_eq!(line["domain"], "some-domain.bitrix24.com");
            assert_eq!(line["outcome"], outcome);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_in_the_background_has_one_line_and_one_count() {
    for (outcome, status) in [
        ("completed", 200),
        ("failed", 200),
        ("panicked", 200),
        ("timed_out", 200),
        ("aborted", 200),
        ("queue_full", 503),
        ("shutting_down", 503),
    ] {
        let (log, _guard) = Log::start();
        let recorder = DebuggingRecorder::new();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let background = BackgroundQueue::builder()
            .timeout(Duration::from_secs(5))
            .concurrency(1)
            .capacity(0)
            .build();
        let handler = service_fn(move |_: Request<Full<Bytes>>| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            match outcome {
                "failed" => *response.status_mut() = http::StatusCode::BAD_GATEWAY,
                "panicked" => panic!("a bug"),
                "timed_out" | "aborted" => std::future::pending().await,
                "queue_full" => tokio::time::sleep(Duration::from_secs(1)).await,
                _ => {}
            }
            Ok::<_, Infallible>(response)
        });
        let service = layer().layer(background.layer().layer(handler));
        if outcome == "queue_full" {
            let first = service
                .clone()
                .oneshot(post(Full::<Bytes>::from(SEED)))
                .await;
            assert_eq!(first.unwrap().status(), 200);
        }
        if outcome == "shutting_down" {
            assert!(background.shutdown(Duration::ZERO).await.is_empty());
        }
        let response = service
            .oneshot(post(Full::<Bytes>::from(SEED)))
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{outcome}");
        let timeout = Duration::from_secs(if outcome == "aborted" { 1 } else { 60 });
        assert_eq!(
            background.shutdown(timeout).await.is_empty(),
            outcome != "aborted"
        );

        let mut expected = one(outcome);
        if outcome == "queue_full" {
            expected.insert(0, ("completed".to_owned(), 1));
        }
        assert_eq!(outcomes(&recorder), expected);
        let lines = not_handled(&log);
        assert_eq!(
            lines.len(),
            usize::from(outcome != "completed"),
            "{outcome}: {lines:?}"
        );
        for line in lines {
            assert_eq!(line["code"], "ONCRMREQUISITEADD");
            assert_eq!(line["outcome"], outcome);
        }
    }
}

#[tokio::test]
async fn events_and_portals_of_the_verify_entry_are_recorded_as_behind_the_layer() {
    use tower_bitrix24::layer::Verdict;

    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let verify = async || match layer().verify(post(SEED)).await {
        Verdict::Event(event) => event,
        other => panic!("{other:?}"),
    };
    verify().await.handled().await;
    verify()
        .await
        .failed(&std::io::Error::other("the disk is full"));
    drop(verify().await);
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["error"], "the disk is full");
    let counts = ["cancelled", "completed", "failed"].map(|outcome| (outcome.to_owned(), 1));
    assert_eq!(outcomes(&recorder), counts);
}

#[tokio::test]
async fn verified_event_without_memory_to_wait_is_accepted_and_overloaded_never_rejected() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let busy = tower::ServiceBuilder::new()
        .concurrency_limit(1)
        .service(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let mut place = busy.clone();
    let _permit = ServiceExt::<Request<Full<Bytes>>>::ready(&mut place)
        .await
        .unwrap();
    let response = layer()
        .body_budget(100)
        .layer(busy)
        .oneshot(post(Full::<Bytes>::from(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::BodyBudgetExhausted);
    let counted = counted(&recorder.snapshotter());
    assert_eq!(
        counted["bitrix24_events_total{outcome=accepted,kind=CrmRequisiteAdd}"],
        1
    );
    assert_eq!(counted["bitrix24_handled_total{outcome=overloaded}"], 1);
    assert!(
        !counted
            .keys()
            .any(|name| name.contains("rejected") || name.contains("rejections"))
    );
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "overloaded");
}
