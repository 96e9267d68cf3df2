//! Logs and metrics: their fields, and the secrets that they never contain.

mod callbacks;
mod counters;
mod handling;
mod rejection;
mod secret_in_url;
mod span;

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
pub(crate) fn set_global_subscriber() {
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
