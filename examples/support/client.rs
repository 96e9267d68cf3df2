//! A small HTTP client for the examples and the tests: no TLS, no redirects, no proxy.

use std::error::Error;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;

type BoxError = Box<dyn Error + Send + Sync>;

/// Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient(Client<HttpConnector, UnsyncBoxBody<Bytes, BoxError>>);

#[allow(dead_code, reason = "each test and example uses its part")]
impl HttpClient {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Result<Response<Bytes>, BoxError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let (head, body) = self.0.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response<Bytes>, BoxError> {
        self.send(Request::get(url).body(Full::default())?).await
    }

    pub(crate) async fn post_form(
        &self,
        url: &str,
        form: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, BoxError> {
        self.post(url, "application/x-www-form-urlencoded", form)
            .await
    }

    pub(crate) async fn post_json(
        &self,
        url: &str,
        json: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, BoxError> {
        self.post(url, "application/json", json).await
    }

    async fn post(
        &self,
        url: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, BoxError> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(body.into()))?;
        self.send(request).await
    }
}

/// Returns `true` if no connection was made.
#[allow(dead_code, reason = "each test and example uses its part")]
pub(crate) fn is_connect(error: &BoxError) -> bool {
    error
        .downcast_ref::<legacy::Error>()
        .is_some_and(legacy::Error::is_connect)
}

/// Returns the response's body as text.
#[allow(dead_code, reason = "each test and example uses its part")]
pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

/// Reads an address that this client can send to.
#[allow(dead_code, reason = "each test and example uses its part")]
pub(crate) fn http_url(text: &str) -> Result<Uri, BoxError> {
    let url: Uri = text.parse()?;
    match url.scheme_str() {
        Some("http") => Ok(url),
        Some("https") => Err("https is not supported: use the application's own http port".into()),
        Some(scheme) => Err(format!("the scheme is {scheme}, but must be http").into()),
        None => Err("the address must start with http://".into()),
    }
}
