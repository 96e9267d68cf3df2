//! `HttpsClient`: an HTTPS client.

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

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client over HTTP/1.1 and TLS, for
/// [`TokenIntrospection`](../portals/struct.TokenIntrospection.html) (feature `https-client`).
///
/// It trusts Mozilla's root certificates, which are compiled in. So it works the same on every
/// machine, also in a container without certificates, and gets new roots when its dependencies are
/// updated. It follows no redirects and reads no proxy from the environment. A connection attempt
/// fails after 3 seconds. If you need a proxy, or a private authority signs certificates, use another
/// client.
///
/// Without TLS it calls only loopback addresses (`http://127.0.0.1:8080`, `http://[::1]:8080`), for
/// example a stand-in in a test.
///
/// ```
/// use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
/// use tower_bitrix24::rest::{AuthorizationServer, HttpsClient};
///
/// let server = AuthorizationServer::default();
/// let introspection = TokenIntrospection::new("app.5f1a", server, HttpsClient::new())?;
/// let policy = InstallPolicy::introspect(introspection);
/// # let _ = policy;
/// assert!(TokenIntrospection::new("", AuthorizationServer::default(), HttpsClient::new()).is_err());
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct HttpsClient(Client<HttpsConnector<HttpConnector>, String>);

impl HttpsClient {
    /// Creates a client without connections. Clones share their connections.
    pub fn new() -> Self {
        Self::of(webpki_roots())
    }

    /// Tests use it to trust a certificate of their own.
    pub(crate) fn of(connector: HttpsConnectorBuilder<WantsSchemes>) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        // `is_allowed` decides which addresses are called without TLS.
        http.enforce_http(false);
        let connector = connector
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

fn webpki_roots() -> HttpsConnectorBuilder<WantsSchemes> {
    // Explicit, because a process with several providers has no default one.
    HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(ring::default_provider())
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
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

/// Allows every address over TLS, and without it those of this machine.
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
        let response = is_allowed(request.uri()).then(|| self.0.request(request));
        Box::pin(async {
            let Some(response) = response else {
                return Err(HttpsError::new(
                    "without TLS only loopback addresses are allowed",
                ));
            };
            let response = response.await.map_err(HttpsError::new)?;
            Ok(response.map(|body| HttpsBody(body.map_err(HttpsError::new).boxed_unsync())))
        })
    }
}

/// The body of a response that an [`HttpsClient`] receives.
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

/// The error of an [`HttpsClient`] that receives no response or an incomplete one.
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
    async fn https_client_sends_nothing_without_tls_over_https() {
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
        let response = HttpsClient::new().oneshot(request.body(String::new()).unwrap());
        response.await.unwrap_err();
        let heard = String::from_utf8_lossy(&heard.await.unwrap()).into_owned();
        assert!(!heard.contains("canary7f3a"), "{heard}");
    }

    #[test]
    fn https_client_allows_only_loopback_without_tls() {
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
    async fn https_client_rejects_other_addresses_without_connecting() {
        let request = Request::get("http://192.0.2.1/?auth=canary7f3a");
        let response = HttpsClient::new().oneshot(request.body(String::new()).unwrap());
        let error = response.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "without TLS only loopback addresses are allowed"
        );
    }
}
