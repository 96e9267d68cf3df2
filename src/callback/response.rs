//! Responses to the callbacks whose response is read.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde::Serialize;

use super::json_error::JsonError;

/// Creates a 200 with JSON, which the settings form wants.
///
/// ```
/// use tower_bitrix24::callback::json_response;
///
/// let saved = json_response(&std::collections::BTreeMap::from([("status", "success")]))?;
/// assert_eq!(saved.body(), r#"{"status":"success"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns an error if `value` cannot be serialized as JSON, for example if a key of a map is not a
/// string.
pub fn json_response<T>(value: &T) -> Result<Response<Bytes>, JsonError>
where
    T: Serialize + ?Sized,
{
    let json = serde_json::to_vec(value).map_err(JsonError::new)?;
    Ok(response("application/json", json.into()))
}

/// Creates a 200 with a page, which a placement wants. The portal shows it in a frame, so an outer
/// layer must not add `X-Frame-Options`, or a `frame-ancestors` without the portal.
pub fn html_response(html: impl Into<String>) -> Response<Bytes> {
    response("text/html; charset=utf-8", html.into().into())
}

fn response(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
