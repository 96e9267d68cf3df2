//! Requests that the layer passes as other callbacks, read by axum's `Form`, serde_qs, and PHP if
//! `php` is installed. None of them may find an event.

use std::convert::Infallible;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::TOKEN;
use crate::common::client::HttpClient;
use axum::extract::FromRequest;
use axum::{Form, body::Body};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use serde::Deserialize;
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::envelope::EnvelopeErrorKind;
use tower_bitrix24::{ApplicationToken, Envelope, Event, EventLayer, Rejection};

const FORM: &str = "application/x-www-form-urlencoded";

/// serde_qs fills it by name, or from a list in order.
#[derive(Deserialize)]
struct Callback {
    event: Option<String>,
}

#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    query: &'static str,
    content_types: &'static [&'static str],
    body: &'static str,
}

impl Sent {
    fn request<B>(&self, body: impl FnOnce(Bytes) -> B) -> Request<B> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("/{}", self.query))
            .body(body(Bytes::from_static(self.body.as_bytes())))
            .unwrap();
        for value in self.content_types {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(CONTENT_TYPE, value);
        }
        request
    }

    /// Returns `true` if the request reaches the service without an event.
    async fn passes(&self) -> bool {
        let layer = EventLayer::new(ApplicationToken::new(TOKEN).unwrap()).pass_other_callbacks();
        let service = service_fn(|request: Request<Full<Bytes>>| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            if request.extensions().get::<Event>().is_none() {
                response.extensions_mut().insert(());
            }
            Ok::<_, Infallible>(response)
        });
        let request = self.request(Full::new);
        let response = layer.layer(service).oneshot(request).await.unwrap();
        let passes = response.extensions().get::<()>().is_some();
        assert_ne!(passes, response.extensions().get::<Rejection>().is_some());
        passes
    }

    async fn axum_reads(&self) -> bool {
        let form = Form::<Callback>::from_request(self.request(Body::from), &()).await;
        form.is_ok_and(|Form(callback)| callback.event.is_some_and(|event| !event.is_empty()))
    }

    /// Reads the query whatever the content type, and the body if it may be a form, as the
    /// extractors of serde_qs do.
    fn serde_qs_reads(&self) -> bool {
        let form = self
            .content_types
            .iter()
            .any(|value| value.contains("form-urlencoded"));
        serde_qs_reads(self.query.trim_start_matches('?')) || form && serde_qs_reads(self.body)
    }
}

fn serde_qs_reads(text: &str) -> bool {
    [false, true].into_iter().any(|form_encoding| {
        let config = serde_qs::Config::new().use_form_encoding(form_encoding);
        let callback: Result<Callback, _> = config.deserialize_str(text);
        callback.is_ok_and(|callback| callback.event.is_some_and(|event| !event.is_empty()))
    })
}

const MULTIPART: &str =
    "--x\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\nONAPPUNINSTALL\r\n--x--\r\n";

/// Returns every combination of these parts.
fn requests() -> Vec<Sent> {
    const CONTENT_TYPES: &[&[&str]] = &[
        &[FORM],
        &[FORM, FORM],
        &["application/x-www-form-urlencoded, application/x-www-form-urlencoded"],
        &["application/x-www-form-urlencoded,"],
        &["application/x-www-form-urlencoded, text/plain"],
        &["text/plain, application/x-www-form-urlencoded"],
        &[FORM, "text/plain"],
        &["text/plain", FORM],
        &["application/x-www-form-urlencodedX"],
        &["application/x-www-form-urlencoded x"],
        &["application/x-www-form-urlencoded\t"],
        &["Application/X-WWW-Form-URLEncoded; charset=UTF-8"],
        &["application/x-www-form-urlencoded; charset=UTF-8, application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["Multipart/Form-Data;boundary=x"],
        &["text/plain"],
        &["application/json"],
        &[],
    ];
    const BODIES: &[&str] = &[
        "",
        "PLACEMENT=DEFAULT",
        "event=ONAPPUNINSTALL",
        "event[]=ONAPPUNINSTALL",
        "%65vent=ONAPPUNINSTALL",
        "[event]=ONAPPUNINSTALL",
        "[]=ONAPPUNINSTALL",
        "[0]=ONAPPUNINSTALL&[1]=x",
        "%5B%5D=ONAPPUNINSTALL",
        "=ONAPPUNINSTALL",
        "PLACEMENT=DEFAULT&=ONAPPUNINSTALL",
        MULTIPART,
    ];
    const QUERIES: &[&str] = &[
        "",
        "?DOMAIN=some-domain.bitrix24.com&APP_SID=1",
        "?event=ONAPPUNINSTALL",
        "?[]=ONAPPUNINSTALL",
    ];
    let mut requests = Vec::new();
    for method in [
        Method::POST,
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ] {
        for &content_types in CONTENT_TYPES {
            for &body in BODIES {
                for &query in QUERIES {
                    requests.push(Sent {
                        method: method.clone(),
                        query,
                        content_types,
                        body,
                    });
                }
            }
        }
    }
    requests
}

#[tokio::test]
async fn axum_and_serde_qs_read_no_event_in_a_passed_callback() {
    let (mut passed, mut read) = (0, 0);
    for sent in requests() {
        let reads = sent.axum_reads().await || sent.serde_qs_reads();
        if sent.passes().await {
            assert!(!reads, "{sent:?}");
            passed += 1;
        }
        read += usize::from(reads);
    }
    // Otherwise nothing was tested.
    assert!(passed > 100 && read > 500, "{passed} {read}");
}

#[tokio::test]
async fn real_callbacks_pass_the_layer() {
    for (method, query, content_types, body) in [
        (Method::POST, "", &[FORM][..], "PLACEMENT=DEFAULT&AUTH_ID=1"),
        (
            Method::POST,
            "?DOMAIN=x&APP_SID=1",
            &[FORM, FORM],
            "PLACEMENT=DEFAULT",
        ),
        (Method::GET, "?code=1&state=2&domain=x", &[], ""),
        (Method::HEAD, "", &[], ""),
        (Method::POST, "", &["application/json"], "{}"),
        (Method::PUT, "", &["application/json"], "{}"),
        (Method::DELETE, "", &[], ""),
    ] {
        let sent = Sent {
            method,
            query,
            content_types,
            body,
        };
        assert!(sent.passes().await, "{sent:?}");
    }
}

/// Some readers, such as actix, decode a form by the charset of its content type.
#[tokio::test]
async fn form_in_another_charset_hides_no_event() {
    for (content_type, body, passes) in [
        (
            &["application/x-www-form-urlencoded; charset=utf-16le"][..],
            "e\0v\0e\0n\0t\0=\0A\0",
            false,
        ),
        (
            &["application/x-www-form-urlencoded;a=b; Charset = UTF-16"],
            "PLACEMENT=DEFAULT",
            false,
        ),
        (
            &["application/x-www-form-urlencoded; charset=UTF-8; charset=utf-16"],
            "PLACEMENT=DEFAULT",
            false,
        ),
        (
            &["application/x-www-form-urlencoded; charset=UTF-8"],
            "PLACEMENT=DEFAULT",
            true,
        ),
        (
            &["application/x-www-form-urlencoded;charset=\"utf-8\""],
            "PLACEMENT=DEFAULT",
            true,
        ),
        (
            &["application/x-www-form-urlencoded"],
            "PLACEMENT=DEFAULT&charset=utf-16",
            true,
        ),
    ] {
        let sent = Sent {
            method: Method::POST,
            query: "",
            content_types: content_type,
            body,
        };
        assert_eq!(sent.passes().await, passes, "{sent:?}");
    }
}

/// Tries every key of a few characters that have a meaning to a parser.
#[test]
fn serde_qs_reads_no_event_that_the_scan_does_not_find() {
    const SIGNS: [&str; 10] = ["[", "]", "0", "%5B", "%5D", "%5b", "+", "&", "=", "event"];
    let mut keys = vec![String::new()];
    let mut read = 0;
    for _ in 0..4 {
        let longer = |key: &String| SIGNS.map(|sign| format!("{key}{sign}"));
        keys = keys.iter().flat_map(longer).collect();
        for key in &keys {
            let form = format!("{key}=ONAPPUNINSTALL");
            if serde_qs_reads(&form) {
                read += 1;
                let error = Envelope::scan(form.clone()).err();
                let kind = error.map(|error| error.kind());
                assert_ne!(kind, Some(EnvelopeErrorKind::NoEvent), "{form}");
            }
        }
    }
    assert!(read > 100, "{read}");
}

/// PHP's own web server, with a script that reports whether it reads an event.
struct Php {
    server: Child,
    port: u16,
}

impl Php {
    async fn start(script: &std::path::Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new("php")
            .arg("-S")
            .arg(format!("127.0.0.1:{port}"))
            .arg(script)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let php = Self { server, port };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                return Some(php);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PHP does not listen");
    }

    async fn reads(&self, client: &HttpClient, sent: &Sent) -> bool {
        let mut request = sent.request(Full::new);
        let url = format!("http://127.0.0.1:{}/{}", self.port, sent.query);
        *request.uri_mut() = url.parse().unwrap();
        let response = client.send(request).await.unwrap();
        match response.headers()["x-event"].to_str().unwrap() {
            "read" => true,
            "none" => false,
            other => panic!("{other}"),
        }
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn php_reads_no_event_in_a_passed_callback() {
    let script = format!("reads-{}.php", std::process::id());
    let script = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(script);
    std::fs::write(
        &script,
        "<?php header('X-Event: ' . (empty($_REQUEST['event']) ? 'none' : 'read'));",
    )
    .unwrap();
    let Some(php) = Php::start(&script).await else {
        // Bypasses the capture of the test output.
        writeln!(
            std::io::stderr(),
            "not tested: the program `php` is not found"
        )
        .unwrap();
        return;
    };
    let client = HttpClient::new();
    let sent = |content_type, body| Sent {
        method: Method::POST,
        query: "",
        content_types: content_type,
        body,
    };
    // Otherwise nothing was tested: PHP reads an ordinary event.
    for content_types in [
        &[FORM][..],
        &["application/x-www-form-urlencoded, text/plain"],
        &["application/x-www-form-urlencoded x"],
    ] {
        let sent = sent(content_types, "event=ONAPPUNINSTALL");
        assert!(php.reads(&client, &sent).await, "{sent:?}");
        assert!(!sent.passes().await, "{sent:?}");
    }
    let multipart = sent(&["multipart/form-data; boundary=x"], MULTIPART);
    assert!(php.reads(&client, &multipart).await);
    assert!(!multipart.passes().await);

    for sent in requests() {
        if sent.passes().await {
            assert!(!php.reads(&client, &sent).await, "{sent:?}");
        }
    }
}
