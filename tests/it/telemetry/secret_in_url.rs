//! A secret in the URL: nothing behind the layer, and nothing that the layer writes, shows it.

use tower::ServiceBuilder;
use tower_bitrix24::Callback;
use tower_bitrix24::inbox::{Filter, Inbox, InboxKey, MemoryInbox};
use tower_bitrix24::layer::UrlSecret;
use tower_http::trace::{DefaultMakeSpan, DefaultOnRequest, DefaultOnResponse, TraceLayer};

use super::*;

const SECRET: &str = "canary9b1c7e02";
const OLD_SECRET: &str = "canary-of-last-year";
const WEBHOOK_ROBOT: &str = "document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    &document_id[2]=DEAL_1&auth[domain]=a.bitrix24.com&auth[member_id]=a";

fn secrets() -> [(&'static str, UrlSecret); 2] {
    [
        (
            "/hook?a=1&secret={}&b=2",
            UrlSecret::query("secret", [SECRET]).unwrap(),
        ),
        (
            "/hook/{}/events?a=1",
            UrlSecret::path("/hook/{secret}/events", [SECRET]).unwrap(),
        ),
    ]
}

/// Event, callback, rejection by token, by form and by size: each is sent with the right secret, with
/// one that was right once, and with the right one in other spellings.
fn requests(template: &str) -> Vec<Request<AnyBody>> {
    let spelled = SECRET.replace('c', "%63");
    let twice = format!("{SEED}&auth[application_token]={TOKEN}");
    let large = "x".repeat(2000);
    let mut requests = Vec::new();
    for secret in [SECRET, OLD_SECRET, &spelled] {
        for body in [SEED, WEBHOOK_ROBOT, &forged(), "a=1", &twice, &large] {
            let mut request = post(boxed_full(body.to_owned()));
            *request.uri_mut() = template.replace("{}", secret).parse().unwrap();
            requests.push(request);
        }
    }
    requests
}

struct Canary(Vec<String>);

impl Canary {
    fn add(&mut self, shown: impl Into<String>) {
        self.0.push(shown.into());
    }

    fn assert_silent(&self) {
        for shown in &self.0 {
            for secret in ["canary", "%63anary"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn secret_of_the_url_is_in_nothing_that_is_logged_counted_or_shown() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let (log, _guard) = Log::start();
    let mut canary = Canary(Vec::new());
    for (template, secret) in secrets() {
        let layer = layer().callbacks().url_secret(secret).body_limit(1000);
        canary.add(format!("{layer:?}"));
        let (mut accepted, mut rejected) = (0, 0);
        for request in requests(template) {
            let shown = Arc::new(Mutex::new(Vec::new()));
            let seen = shown.clone();
            let handler = move |request: Request<EventBody<AnyBody>>| {
                let mut seen = seen.lock().unwrap();
                seen.push(format!("{:?}", request.uri()));
                seen.push(format!("{:?}", request.extensions()));
                if let Some(event) = request.extensions().get::<Event>() {
                    seen.push(format!(
                        "{event:?} {}",
                        serde_json::to_string(event).unwrap()
                    ));
                }
                if let Some(callback) = request.extensions().get::<Callback>() {
                    let json = serde_json::to_string(callback).unwrap();
                    seen.push(format!("{callback:?} {json}"));
                }
                // A line that an application logs itself.
                tracing::error!(uri = %request.uri(), "the handler failed");
                ready(Err::<Response<Full<Bytes>>, BoxError>(
                    format!("{} failed", request.uri()).into(),
                ))
            };
            let trace = TraceLayer::new_for_http()
                .make_span_with(
                    DefaultMakeSpan::new()
                        .level(Level::ERROR)
                        .include_headers(true),
                )
                .on_request(DefaultOnRequest::new().level(Level::ERROR))
                .on_response(
                    DefaultOnResponse::new()
                        .level(Level::ERROR)
                        .include_headers(true),
                );
            let service = ServiceBuilder::new()
                .layer(layer.clone().wrap_body())
                .layer(trace)
                .service(service_fn(handler));
            match service.oneshot(request).await {
                Ok(response) => {
                    let rejection = response.extensions().get::<Rejection>().unwrap();
                    canary.add(format!("{rejection} {rejection:?}"));
                    canary.add(format!("{:?}", response.headers()));
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    canary.add(String::from_utf8(body.to_vec()).unwrap());
                    rejected += 1;
                }
                Err(error) => {
                    canary.add(format!("{error} {error:?}"));
                    accepted += 1;
                }
            }
            canary.0.append(&mut shown.lock().unwrap());
        }
        // The event, the robot and the form of no kind, in both spellings of the secret.
        assert_eq!((accepted, rejected), (6, 12), "{template}");
    }
    let written = log.written();
    assert!(
        written.contains("redacted") && written.contains("the handler failed"),
        "{written}"
    );
    canary.add(written);
    canary.add(format!("{:?}", log.recorded()));
    for (name, _) in counted(&recorder.snapshotter()) {
        canary.add(name);
    }
    canary.assert_silent();
}

/// The control: without the layer's redaction, what stands behind it shows the secret.
#[tokio::test]
async fn secret_of_the_url_is_found_if_the_layer_does_not_know_it() {
    let (log, _guard) = Log::start();
    let trace =
        TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::ERROR));
    let handler = |_: Request<EventBody<AnyBody>>| async {
        tracing::error!("the handler failed");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    };
    let service = ServiceBuilder::new()
        .layer(layer().callbacks().wrap_body())
        .layer(trace)
        .service(service_fn(handler));
    let mut request = post(boxed_full(SEED));
    *request.uri_mut() = format!("/hook?secret={SECRET}").parse().unwrap();
    service.oneshot(request).await.unwrap();
    assert!(log.written().contains(SECRET), "{}", log.written());
}

#[tokio::test]
async fn secret_of_the_url_is_in_no_entry_of_an_inbox_and_no_error_of_it() {
    for (template, secret) in secrets() {
        let (log, _guard) = Log::start();
        // Unsealed, so that the search reads what is sealed otherwise.
        let store = MemoryInbox::new();
        let inbox = Inbox::insecure_unsealed(store).build();
        let layer = layer().callbacks().url_secret(secret);
        for body in [SEED, WEBHOOK_ROBOT] {
            let mut request = post(Full::<Bytes>::from(body));
            *request.uri_mut() = template.replace("{}", SECRET).parse().unwrap();
            let Ok(response) = layer.layer(inbox.receive()).oneshot(request).await;
            assert_eq!(response.status(), 200);
        }
        let echo = service_fn(async |request: tower_bitrix24::inbox::WorkerRequest| {
            Err::<Response<Full<Bytes>>, _>(format!("{} failed", request.uri()))
        });
        let worker = inbox.worker(echo).spawn();
        for _ in 0..2000 {
            let records = inbox.list(&Filter::new(), 9).await.unwrap();
            if records.iter().all(|record| record.error.is_some()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.shutdown(Duration::ZERO).await;
        let mut canary = Canary(vec![log.written(), format!("{inbox:?}")]);
        for record in inbox.list(&Filter::new(), 9).await.unwrap() {
            assert!(record.error.as_deref().unwrap().ends_with(" failed"));
            canary.add(String::from_utf8_lossy(&record.entry.body));
            let opened = inbox.get(record.seq).await.unwrap().unwrap();
            canary.add(serde_json::to_string(opened.request.as_ref().unwrap()).unwrap());
            canary.add(format!("{opened:?} {:?}", record.error));
        }
        assert_eq!(canary.0.len(), 8);
        canary.assert_silent();
    }
    // A rejected one is not stored at all.
    let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    for (template, secret) in secrets() {
        let layer = layer().callbacks().url_secret(secret);
        let mut request = post(Full::<Bytes>::from(SEED));
        *request.uri_mut() = template.replace("{}", OLD_SECRET).parse().unwrap();
        let Ok(response) = layer.layer(inbox.receive()).oneshot(request).await;
        assert_eq!(response.status(), 403);
    }
    assert!(inbox.list(&Filter::new(), 9).await.unwrap().is_empty());
}
