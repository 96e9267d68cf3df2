//! Introspection by an authorization server, and by servers that are none.

#[path = "../../../examples/support/authorization_server.rs"]
mod authorization_server;

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;
use std::future::{Future, pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use authorization_server::StandIn;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceExt, service_fn};
use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
use tower_bitrix24::rest::{AuthorizationServer, HttpsClient};
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{Secret, VerifyError};

const CLIENT_ID: &str = "app.5f1a";
const PORTAL: &str = "a223c6b3";
const TOKEN: &str = "canary7f3a";
const APP_INFO: &str =
    r#"{"result": {"client_id": "app.5f1a", "install": {"member_id": "a223c6b3"}}}"#;

fn introspection<C>(origin: &str, client: C) -> TokenIntrospection<C> {
    let server = AuthorizationServer::insecure_custom(origin).unwrap();
    TokenIntrospection::new(CLIENT_ID, server, client).unwrap()
}

fn over_http(origin: &str) -> TokenIntrospection<HttpsClient> {
    introspection(origin, HttpsClient::new())
}

/// Returns the outcome, with the reason if it is unavailable. Panics if it contains the token.
fn outcome(result: Result<(), VerifyError>) -> String {
    let Err(error) = result else {
        return "verified".to_owned();
    };
    assert_silent(&error);
    match error.kind() {
        VerifyErrorKind::Rejected => "rejected".to_owned(),
        VerifyErrorKind::Unavailable => {
            let source = error.source().expect("a reason").to_string();
            source.replace("the authorization server", "it")
        }
        other => panic!("{other:?}"),
    }
}

fn assert_silent(error: &VerifyError) {
    let mut texts = vec![format!("{error} {error:?} {error:#?}")];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(format!("{error} {error:?}"));
        source = error.source();
    }
    assert!(!texts.concat().contains(TOKEN), "{texts:?}");
}

async fn verify(origin: &str) -> String {
    let introspection = over_http(origin);
    outcome(introspection.verify(PORTAL, &Secret::new(TOKEN)).await)
}

/// Reads the head of one request for each connection, then calls `respond`.
struct Raw {
    origin: String,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    async fn start<F, Fut>(respond: F) -> Self
    where
        F: Fn(String, TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        break;
                    };
                    head.push(byte);
                }
                tokio::spawn(respond(String::from_utf8(head).unwrap(), stream));
            }
        });
        Self {
            origin,
            connections,
        }
    }

    /// Responds with these bytes and closes the connection.
    async fn responding(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |_, mut stream| {
            let response = response.clone();
            async move {
                // The client may close early.
                let _ = stream.write_all(&response).await;
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

async fn respond(status: &str, body: &str) -> String {
    let server = Raw::responding(http(status, "", body.as_bytes())).await;
    verify(&server.origin).await
}

#[tokio::test]
async fn introspection_verifies_an_access_token_of_the_application_in_the_portal() {
    let server = StandIn::start().await.unwrap();
    let introspection = over_http(server.origin());
    let token = Secret::new(TOKEN);
    assert_eq!(
        outcome(introspection.verify(PORTAL, &token).await),
        "rejected"
    );

    server.install(TOKEN, CLIENT_ID, PORTAL);
    assert_eq!(
        outcome(introspection.verify(PORTAL, &token).await),
        "verified"
    );
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn introspection_rejects_an_access_token_of_another_portal_or_application() {
    let server = StandIn::start().await.unwrap();
    server.install("of another portal", CLIENT_ID, "b334d7c4");
    server.install("of another application", "app.6a2b", PORTAL);
    server.install("in upper case", CLIENT_ID, "A223C6B3");
    server.install("application in upper case", "APP.5F1A", PORTAL);
    server.install("longer", CLIENT_ID, "a223c6b3 ");
    server.install("of nobody", CLIENT_ID, "");
    server.install("of nothing", "", PORTAL);
    let introspection = over_http(server.origin());
    for token in [
        "of another portal",
        "of another application",
        "in upper case",
        "application in upper case",
        "longer",
        "of nobody",
        "of nothing",
        "not known",
    ] {
        let asked = server.requests();
        let verified = introspection.verify(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(verified), "rejected", "{token}");
        assert_eq!(server.requests(), asked + 1);
    }
}

#[tokio::test]
async fn introspection_rejects_an_implausible_access_token_without_a_request() {
    let server = StandIn::start().await.unwrap();
    let introspection = over_http(server.origin());
    for token in ["", &"a".repeat(513), "a\nb", "a\0", "a\u{85}"] {
        server.install(token, CLIENT_ID, PORTAL);
        let verified = introspection.verify(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(verified), "rejected", "{token}");
    }
    server.install(TOKEN, CLIENT_ID, "");
    let verified = introspection.verify("", &Secret::new(TOKEN)).await;
    assert_eq!(outcome(verified), "rejected");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn introspection_percent_encodes_the_access_token() {
    let server = StandIn::start().await.unwrap();
    let introspection = over_http(server.origin());
    server.install("other", CLIENT_ID, PORTAL);
    for token in [
        "x&auth=other",
        "other#",
        "other&",
        "other%00",
        "other ",
        "../other",
    ] {
        let verified = introspection.verify(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(verified), "rejected", "{token}");
    }
    for token in [
        "a&auth=b",
        "a/b?c#d",
        "a b+c%20",
        "ключ",
        "'\"<>",
        &"z".repeat(512),
    ] {
        server.install(token, CLIENT_ID, PORTAL);
        let verified = introspection.verify(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(verified), "verified", "{token}");
    }
}

#[tokio::test]
async fn introspection_sends_only_the_access_token_to_app_info() {
    let (heads, mut head) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |head, mut stream| {
        heads.send(head).unwrap();
        async move {
            stream
                .write_all(&http("200 OK", "", APP_INFO.as_bytes()))
                .await
                .unwrap();
        }
    })
    .await;
    assert_eq!(verify(&server.origin).await, "verified");
    let head = head.recv().await.unwrap().to_lowercase();
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    lines[1..].sort_unstable();
    let host = server.origin.replace("http://", "host: ");
    let agent = format!("user-agent: tower-bitrix24/{}", version());
    assert_eq!(
        lines,
        [
            "get /rest/app.info?auth=canary7f3a http/1.1",
            "accept: application/json",
            &host,
            &agent,
        ]
    );
}

/// The version of the crate, which is not this package's.
fn version() -> &'static str {
    let manifest = include_str!("../../../Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    version.unwrap().trim_matches('"')
}

#[tokio::test]
async fn introspection_rejects_an_expired_access_token() {
    let body = r#"{"error": "expired_token", "error_description": "has expired"}"#;
    assert_eq!(respond("401 Unauthorized", body).await, "rejected");
}

#[tokio::test]
async fn introspection_is_unavailable_while_the_server_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = verify(&origin).await;
    assert!(outcome.starts_with("it cannot be called: "), "{outcome}");
    assert!(outcome.contains("refused (os error"), "{outcome}");
}

#[tokio::test]
async fn introspection_is_unavailable_if_the_server_hangs_up() {
    let server = Raw::responding("").await;
    let outcome = verify(&server.origin).await;
    assert!(outcome.starts_with("it cannot be called: "), "{outcome}");
}

/// Introspects with a timeout of 0.2 seconds.
async fn verify_late(server: &Raw) -> String {
    let introspection = over_http(&server.origin).timeout(Duration::from_millis(200));
    let started = Instant::now();
    let outcome = outcome(introspection.verify(PORTAL, &Secret::new(TOKEN)).await);
    assert!(started.elapsed() < Duration::from_secs(5));
    outcome
}

#[tokio::test]
async fn introspection_times_out_without_a_response() {
    let server = Raw::start(|_, stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!(verify_late(&server).await, "it did not respond in time");
}

#[tokio::test]
async fn introspection_times_out_before_a_late_response() {
    let server = Raw::start(|_, mut stream| async move {
        sleep(Duration::from_millis(400)).await;
        let _ = stream
            .write_all(&http("200 OK", "", APP_INFO.as_bytes()))
            .await;
    })
    .await;
    assert_eq!(verify_late(&server).await, "it did not respond in time");
}

#[tokio::test]
async fn introspection_times_out_during_a_dripping_response() {
    let server = Raw::start(|_, mut stream| async move {
        for byte in http("200 OK", "", APP_INFO.as_bytes()) {
            if stream.write_u8(byte).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(verify_late(&server).await, "it did not respond in time");
}

#[tokio::test]
async fn introspection_is_unavailable_for_server_errors_whatever_the_body() {
    for (status, outcome) in [
        ("429 Too Many Requests", "it responded with status 429"),
        ("500 Internal Server Error", "it responded with status 500"),
        ("502 Bad Gateway", "it responded with status 502"),
        ("503 Service Unavailable", "it responded with status 503"),
    ] {
        assert_eq!(respond(status, APP_INFO).await, outcome);
        assert_eq!(
            respond(status, r#"{"error": "expired_token"}"#).await,
            outcome
        );
    }
    let overloaded = r#"{"error": "OVERLOAD_LIMIT"}"#;
    assert_eq!(
        respond("401 Unauthorized", overloaded).await,
        "it responded with the error OVERLOAD_LIMIT"
    );
}

#[tokio::test]
async fn introspection_does_not_follow_a_redirect() {
    let elsewhere = Raw::responding(http("200 OK", "", APP_INFO.as_bytes())).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ] {
        let location = format!(
            "location: {}/rest/app.info?auth={TOKEN}\r\n",
            elsewhere.origin
        );
        let server = Raw::responding(http(status, &location, APP_INFO.as_bytes())).await;
        let code = &status[..3];
        assert_eq!(
            verify(&server.origin).await,
            format!("it responded with status {code}")
        );
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn introspection_is_unavailable_for_garbage() {
    for (body, outcome) in [
        ("", "the response of it ends early"),
        (&APP_INFO[..40], "the response of it ends early"),
        (
            "<html>Sign in to the network</html>",
            "the response of it is not JSON",
        ),
        ("\u{feff}{}", "the response of it is not JSON"),
        ("null", "the response of it is not that of app.info"),
        ("[]", "the response of it is not that of app.info"),
        (
            r#"{"result": []}"#,
            "the response of it is not that of app.info",
        ),
    ] {
        assert_eq!(respond("200 OK", body).await, outcome, "{body}");
    }
    let server = Raw::responding("SSH-2.0-OpenSSH_9.6\r\n").await;
    let outcome = verify(&server.origin).await;
    assert!(outcome.starts_with("it cannot be called: "), "{outcome}");
}

#[tokio::test]
async fn introspection_is_unavailable_for_a_duplicate_key() {
    let twice = APP_INFO.replace(
        "{\"client_id\"",
        "{\"client_id\": \"app.6a2b\", \"client_id\"",
    );
    assert_eq!(
        respond("200 OK", &twice).await,
        "the response of it is not that of app.info"
    );
}

#[tokio::test]
async fn introspection_is_unavailable_for_an_incomplete_response() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let server = Raw::responding(format!("{head}{APP_INFO}")).await;
    let outcome = verify(&server.origin).await;
    assert!(
        outcome.starts_with("the response of it is incomplete: "),
        "{outcome}"
    );
}

#[tokio::test]
async fn introspection_is_unavailable_for_a_compressed_response() {
    // `APP_INFO`.
    let body =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x4a\x2d\x2e\xcd\x29\x51\xb2\x52\
        \xa8\x56\x4a\xce\xc9\x4c\xcd\x2b\x89\xcf\x4c\x01\xf2\x94\x12\x0b\x0a\xf4\x4c\xd3\x0c\
        \x13\x95\x74\x14\x94\x32\xf3\x8a\x4b\x12\x73\x72\xc0\x8a\x72\x53\x73\x93\x52\x8b\x60\
        \x8a\x8c\x8c\x8c\x93\xcd\x92\x8c\x95\x6a\x6b\x6b\x01\x01\x03\xcc\x0b\x4b\x00\x00\x00";
    let server = Raw::responding(http("200 OK", "content-encoding: gzip\r\n", body)).await;
    assert_eq!(
        verify(&server.origin).await,
        "the response of it is not JSON"
    );
}

/// Introspects with a client that counts the bytes of the body that were read.
async fn verify_counting(origin: &str) -> (String, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    let client = HttpsClient::new().map_response(move |response: Response<_>| {
        let read = count.clone();
        response.map(|body| Counted { body, read })
    });
    let result = introspection(origin, client)
        .verify(PORTAL, &Secret::new(TOKEN))
        .await;
    (outcome(result), read.load(Ordering::Relaxed))
}

struct Counted<B> {
    body: B,
    read: Arc<AtomicUsize>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.read.fetch_add(bytes, Ordering::Relaxed);
        }
        frame
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const TOO_LONG: &str = "the response of it is above 65536 bytes";

/// The maximum number of bytes that a server may have sent before a response is found to be too
/// long: the limit, and what the client had read from the socket.
const MOST_READ: usize = 1024 * 1024;

fn ten_megabytes() -> String {
    let padding = "x".repeat(10_000_000);
    APP_INFO.replace(
        "{\"result\"",
        &format!("{{\"padding\": \"{padding}\", \"result\""),
    )
}

#[tokio::test]
async fn introspection_does_not_read_ten_megabytes_of_known_length() {
    let server = Raw::responding(http("200 OK", "", ten_megabytes().as_bytes())).await;
    assert_eq!(
        verify_counting(&server.origin).await,
        (TOO_LONG.to_owned(), 0)
    );
}

#[tokio::test]
async fn introspection_reads_ten_megabytes_of_unknown_length_to_the_limit() {
    let body = ten_megabytes();
    let server = Raw::responding(format!("HTTP/1.1 200 OK\r\n\r\n{body}")).await;
    let (outcome, read) = verify_counting(&server.origin).await;
    assert_eq!(outcome, TOO_LONG);
    assert!(read < MOST_READ, "{read}");
}

#[tokio::test]
async fn introspection_reads_an_endless_response_to_the_limit() {
    let (ends, mut end) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |_, mut stream| {
        let ends = ends.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            ends.send(()).unwrap();
        }
    })
    .await;
    let (outcome, read) = verify_counting(&server.origin).await;
    assert_eq!(outcome, TOO_LONG);
    assert!(read < MOST_READ, "{read}");
    let end = timeout(Duration::from_secs(5), end.recv()).await;
    end.expect("the server is hung up on").unwrap();
}

#[tokio::test]
async fn introspection_closes_the_connection_on_endless_headers() {
    let server = Raw::start(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"a: b\r\n").await.is_ok() {}
    })
    .await;
    let outcome = verify(&server.origin).await;
    assert!(outcome.starts_with("it cannot be called: "), "{outcome}");
}

#[tokio::test]
async fn introspection_response_limit_is_inclusive() {
    let server = Raw::responding(http("200 OK", "", APP_INFO.as_bytes())).await;
    let token = Secret::new(TOKEN);
    let enough = over_http(&server.origin).response_limit(APP_INFO.len());
    assert_eq!(outcome(enough.verify(PORTAL, &token).await), "verified");
    let limit = APP_INFO.len() - 1;
    let short = over_http(&server.origin).response_limit(limit);
    assert_eq!(
        outcome(short.verify(PORTAL, &token).await),
        format!("the response of it is above {limit} bytes")
    );
}

#[tokio::test]
async fn introspection_calls_only_the_given_server() {
    let client = service_fn(|request: Request<String>| async move {
        assert_eq!(request.method(), "GET");
        assert_eq!(
            request.uri(),
            "https://oauth.bitrix24.tech/rest/app.info?auth=canary7f3a"
        );
        assert_eq!(request.body(), "");
        Ok::<_, Infallible>(Response::new(APP_INFO.to_owned()))
    });
    let server = AuthorizationServer::BITRIX24_TECH;
    let introspection = TokenIntrospection::new(CLIENT_ID, server, client).unwrap();
    let token = Secret::new(TOKEN);
    assert_eq!(
        outcome(introspection.verify(PORTAL, &token).await),
        "verified"
    );
    assert_eq!(
        outcome(introspection.verify("b334d7c4", &token).await),
        "rejected"
    );
}

#[tokio::test]
async fn introspection_concurrency_is_bounded_and_others_wait() {
    let go = Arc::new(Notify::new());
    let running = Arc::new(AtomicUsize::new(0));
    let client = {
        let (go, running) = (go.clone(), running.clone());
        service_fn(move |_: Request<String>| {
            let (go, running) = (go.clone(), running.clone());
            async move {
                running.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                Ok::<_, Infallible>(Response::new(APP_INFO.to_owned()))
            }
        })
    };
    let introspection = introspection("http://127.0.0.1", client).concurrency(2);
    let start = |portal: &'static str| {
        // Clones share the permits.
        let introspection = introspection.clone();
        tokio::spawn(
            async move { outcome(introspection.verify(portal, &Secret::new(TOKEN)).await) },
        )
    };
    let (first, second) = (start("one"), start("other"));
    while running.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    let third = start(PORTAL);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running.load(Ordering::Relaxed), 2);

    // A cancelled call makes room for another.
    first.abort();
    first.await.unwrap_err();
    while running.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
    go.notify_waiters();
    assert_eq!(second.await.unwrap(), "rejected");
    assert_eq!(third.await.unwrap(), "verified");
}

#[tokio::test(start_paused = true)]
async fn introspection_of_one_portal_does_not_delay_another() {
    let client = service_fn(|request: Request<String>| async move {
        if request.uri().query() != Some("auth=canary7f3a") {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(APP_INFO.to_owned()))
    });
    let introspection = introspection("http://127.0.0.1", client);
    let flood: Vec<_> = (0..1_000)
        .map(|_| {
            let introspection = introspection.clone();
            tokio::spawn(
                async move { outcome(introspection.verify("flood", &Secret::new("x")).await) },
            )
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = tokio::time::Instant::now();
    let token = Secret::new(TOKEN);
    for _ in 0..10 {
        assert_eq!(
            outcome(introspection.verify(PORTAL, &token).await),
            "verified"
        );
    }
    assert_eq!(began.elapsed(), Duration::ZERO);

    let mut late = 0;
    for flooding in flood {
        match &*flooding.await.unwrap() {
            "it did not respond in time" => late += 1,
            "too many calls of it run and wait" => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(late, 64);
    assert_eq!(
        outcome(introspection.verify("flood", &token).await),
        "rejected"
    );
}

#[tokio::test(start_paused = true)]
async fn introspection_of_one_portal_delays_another_by_one_call_if_there_is_one_permit() {
    for concurrency in [1, 2, 7] {
        let client = service_fn(|request: Request<String>| async move {
            if request.uri().query() != Some("auth=canary7f3a") {
                std::future::pending::<()>().await;
            }
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Response::new(APP_INFO.to_owned()))
        });
        let introspection = introspection("http://127.0.0.1", client).concurrency(concurrency);
        for _ in 0..1_000 {
            let introspection = introspection.clone();
            tokio::spawn(
                async move { outcome(introspection.verify("flood", &Secret::new("x")).await) },
            );
        }
        sleep(Duration::from_millis(1)).await;
        let token = Secret::new(TOKEN);
        // It waits for the flood's running call, and the flood's next call waits for it.
        let began = tokio::time::Instant::now();
        assert_eq!(
            outcome(introspection.verify(PORTAL, &token).await),
            "verified"
        );
        let delay = began.elapsed() - Duration::from_secs(1);
        let limit = Duration::from_secs(if concurrency == 1 { 5 } else { 0 });
        assert!(delay <= limit, "{delay:?} {concurrency}");
    }
}

#[tokio::test(start_paused = true)]
async fn introspection_waits_for_a_permit_no_longer_than_a_call() {
    let client = service_fn(|_: Request<String>| {
        std::future::pending::<Result<Response<String>, Infallible>>()
    });
    let introspection = introspection("http://127.0.0.1", client).concurrency(1);
    let token = Secret::new(TOKEN);
    let began = tokio::time::Instant::now();
    let verify = async |after| {
        sleep(Duration::from_secs(after)).await;
        let outcome = outcome(introspection.verify(PORTAL, &token).await);
        assert_eq!(outcome, "it did not respond in time");
        began.elapsed().as_secs()
    };
    let ended = tokio::join!(verify(0), verify(1), verify(2));
    // The first and the second have the permit for 5 seconds each, the third never has it.
    assert_eq!(ended, (5, 10, 7));
}

#[test]
#[should_panic = "the concurrency must be at least 1"]
fn introspection_concurrency_of_zero_panics() {
    let _ = over_http("http://127.0.0.1").concurrency(0);
}

#[test]
fn introspection_without_a_client_id_is_an_error() {
    let error = TokenIntrospection::new("", AuthorizationServer::default(), ()).unwrap_err();
    assert_eq!(error.to_string(), "the application's client id is empty");
}

/// Becomes ready after a number of polls, and panics if called before.
#[derive(Clone)]
struct Unready {
    polls: usize,
    error: Option<&'static str>,
}

impl Service<Request<String>> for Unready {
    type Response = Response<String>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.polls == 0 {
            return Poll::Ready(self.error.map_or(Ok(()), |error| Err(error.into())));
        }
        self.polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        assert!(self.polls == 0 && self.error.is_none(), "called unready");
        ready(Ok(Response::new(APP_INFO.to_owned())))
    }
}

#[tokio::test]
async fn introspection_calls_the_client_when_it_is_ready() {
    let token = Secret::new(TOKEN);
    let verify = async |polls, error| {
        let client = Unready { polls, error };
        let introspection =
            introspection("http://127.0.0.1", client).timeout(Duration::from_millis(200));
        outcome(introspection.verify(PORTAL, &token).await)
    };
    assert_eq!(verify(0, None).await, "verified");
    assert_eq!(verify(3, None).await, "verified");
    assert_eq!(
        verify(1, Some("closed")).await,
        "it cannot be called: closed"
    );
    assert_eq!(verify(usize::MAX, None).await, "it did not respond in time");
}

#[tokio::test]
async fn introspection_errors_do_not_contain_the_access_token() {
    let token = Secret::new(TOKEN);
    // A client that quotes the request, as many do.
    let quoting = service_fn(|request: Request<String>| async move {
        let quoted = format!("error for {}: broken", request.uri());
        Err::<Response<String>, _>(io::Error::other(quoted))
    });
    let verified = introspection("http://127.0.0.1", quoting)
        .verify(PORTAL, &token)
        .await;
    assert_eq!(outcome(verified), "it cannot be called: [redacted]");

    let breaking_off = service_fn(|request: Request<String>| async move {
        let error = io::Error::other(request.uri().to_string());
        let frames = [Ok(Frame::data(Bytes::from("{"))), Err(error)];
        Ok::<_, Infallible>(Response::new(Frames(frames.into_iter())))
    });
    let verified = introspection("http://127.0.0.1", breaking_off)
        .verify(PORTAL, &token)
        .await;
    assert_eq!(
        outcome(verified),
        "the response of it is incomplete: [redacted]"
    );

    // A server that quotes it.
    let error = format!(r#"{{"error": "no {TOKEN}"}}"#);
    assert_eq!(
        respond("400 Bad Request", &error).await,
        "it responded with the error [redacted]"
    );
    let mistyped = format!(r#"{{"result": "{TOKEN}"}}"#);
    assert_eq!(
        respond("200 OK", &mistyped).await,
        "the response of it is not that of app.info"
    );
}

/// Includes the logs of the dependencies.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn introspection_logs_do_not_contain_the_access_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = Raw::responding(http("200 OK", "", APP_INFO.as_bytes())).await;
    assert_eq!(verify(&server.origin).await, "verified");
    let down = verify("http://127.0.0.1:1").await;
    assert!(down.starts_with("it cannot be called: "), "{down}");
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // The client does log.
    assert!(log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn introspection_debug_shows_no_access_token_and_no_client() {
    let server = StandIn::start().await.unwrap();
    let introspection = over_http(server.origin());
    let rejected = introspection.verify(PORTAL, &Secret::new(TOKEN)).await;
    assert_eq!(outcome(rejected), "rejected");
    let shown = format!("{introspection:?}");
    assert!(
        shown.contains(CLIENT_ID) && !shown.contains(TOKEN),
        "{shown}"
    );
    let policy = InstallPolicy::introspect(introspection);
    assert_eq!(format!("{policy:?}"), "InstallPolicy::introspect(..)");
}

#[test]
fn introspection_can_be_shared_between_threads() {
    fn assert_shared<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}
    fn assert_send<T: Send>(_: T) {}
    let introspection = over_http("http://127.0.0.1");
    assert_shared(&introspection);
    assert_send(introspection.verify(PORTAL, &Secret::new(TOKEN)));
}

struct Frames<I>(I);

impl<I> Body for Frames<I>
where
    I: Iterator<Item = io::Result<Frame<Bytes>>> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
