//! An HTTPS client.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use tower::Service;

/// How long it may take until a server is connected to, unless a deadline ends it before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client for [`TokenIntrospection`](super::TokenIntrospection), over HTTP/1.1 and TLS (feature
/// `https-client`).
///
/// It trusts the roots that Mozilla does, compiled in: it works the same on every machine, in a
/// container without certificates too, and gets new roots when its dependencies are updated. It
/// follows no redirects, reads no proxy from the environment and gives up connecting to an address
/// after 3 seconds. Where the way out is a proxy, or a private authority signs certificates, bring
/// another client.
///
/// Without TLS it talks to loopback addresses (`http://127.0.0.1:8080`, `http://[::1]:8080`) and to
/// nothing else: to a stand-in in a test.
///
/// ```
/// use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
/// use tower_bitrix24::rest::{AuthorizationServer, HttpsClient};
///
/// let server = AuthorizationServer::default();
/// let proof = TokenIntrospection::new("app.5f1a", server, HttpsClient::new())?;
/// let policy = InstallPolicy::introspect(proof);
/// # let _ = policy;
/// assert!(TokenIntrospection::new("", AuthorizationServer::default(), HttpsClient::new()).is_err());
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct HttpsClient(Client<HttpsConnector<HttpConnector>, String>);

impl HttpsClient {
    /// A client without connections. Clones of it share those that it makes.
    pub fn new() -> Self {
        // Named, because a process may have several providers and then has no default one.
        let provider = ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        Self::of(connector)
    }

    /// Tests trust a certificate of their own through it.
    pub(crate) fn of(connector: HttpsConnectorBuilder<WantsSchemes>) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        // Which addresses are asked without TLS is decided by `is_allowed`.
        http.enforce_http(false);
        let connector = connector
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl Default for HttpsClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsClient")
    }
}

/// Whether the address may be asked: over TLS each, without it one of this machine.
fn is_allowed(uri: &Uri) -> bool {
    if uri.scheme() == Some(&Scheme::HTTPS) {
        return true;
    }
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback())
}

impl Service<Request<String>> for HttpsClient {
    type Response = Response<HttpsBody>;
    type Error = HttpsError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HttpsError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpsError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answer = is_allowed(request.uri()).then(|| self.0.request(request));
        Box::pin(async {
            let answer = answer.ok_or("without TLS only loopback addresses are asked");
            let answer = answer.map_err(HttpsError::new)?.await;
            let body = |body| HttpsBody(BodyExt::map_err(body, HttpsError::new).boxed_unsync());
            Ok(answer.map_err(HttpsError::new)?.map(body))
        })
    }
}

/// The body of an answer that an [`HttpsClient`] got, as it comes in.
#[derive(Debug)]
pub struct HttpsBody(UnsyncBoxBody<Bytes, HttpsError>);

impl Body for HttpsBody {
    type Data = Bytes;
    type Error = HttpsError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpsError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Why an [`HttpsClient`] got no answer, or not the whole of it.
#[derive(Debug)]
pub struct HttpsError(Box<dyn Error + Send + Sync>);

impl HttpsError {
    fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for HttpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for HttpsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_server_without_tls_is_told_nothing_over_https() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{}").await;
            heard[..length].to_vec()
        });
        let request = Request::get(format!("https://{address}/?auth=canary7f3a"));
        let answer = HttpsClient::new().oneshot(request.body(String::new()).unwrap());
        answer.await.unwrap_err();
        let heard = String::from_utf8_lossy(&heard.await.unwrap()).into_owned();
        assert!(!heard.contains("canary7f3a"), "{heard}");
    }

    #[test]
    fn without_tls_only_loopback_is_asked() {
        for (uri, allowed) in [
            ("https://oauth.bitrix.info/", true),
            ("HTTPS://oauth.bitrix.info/", true),
            ("http://oauth.bitrix.info/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost:8080/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://0.0.0.0/", false),
            ("http://10.0.0.1/", false),
            ("http://[::2]/", false),
            ("ftp://192.0.2.1/", false),
            ("/rest/app.info", false),
        ] {
            assert_eq!(is_allowed(&uri.parse().unwrap()), allowed, "{uri}");
        }
    }

    #[tokio::test]
    async fn what_is_not_to_be_asked_is_an_error_and_never_connected_to() {
        let request = Request::get("http://192.0.2.1/?auth=canary7f3a");
        let answer = HttpsClient::new().oneshot(request.body(String::new()).unwrap());
        let error = answer.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "without TLS only loopback addresses are asked"
        );
    }
}
