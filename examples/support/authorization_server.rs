//! A stand-in for Bitrix24's authorization server, on loopback. It responds to `app.info` for the
//! access tokens that were added, and with an error for any other.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running stand-in, which stops on drop.
pub(crate) struct StandIn {
    origin: String,
    server: Arc<Server>,
    task: JoinHandle<io::Result<()>>,
}

#[derive(Default)]
struct Server {
    /// The client id and the member id by access token.
    installations: Mutex<HashMap<String, (String, String)>>,
    requests: AtomicUsize,
}

#[allow(dead_code, reason = "each test and example uses its part")]
impl StandIn {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let server = Arc::new(Server::default());
        let responder = server.clone();
        let app_info = get(move |uri: Uri| async move { responder.app_info(&uri) });
        let app = Router::new().route("/rest/app.info", app_info);
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            origin,
            server,
            task,
        })
    }

    /// Returns the origin for `AuthorizationServer::insecure_custom`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Adds an access token of the application on the portal.
    pub(crate) fn install(&self, access_token: &str, client_id: &str, member_id: &str) {
        let installation = (client_id.to_owned(), member_id.to_owned());
        let mut installations = self.server.installations.lock().unwrap();
        installations.insert(access_token.to_owned(), installation);
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.server.requests.load(Ordering::Relaxed)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    fn app_info(&self, uri: &Uri) -> Response {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let query = uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let tokens: Vec<_> = query.iter().filter(|(name, _)| name == "auth").collect();
        let installations = self.installations.lock().unwrap();
        let known = match &tokens[..] {
            [(_, token)] => installations.get(token),
            _ => None,
        };
        let Some((client_id, member_id)) = known else {
            let error = json!({
                "error": "invalid_token",
                "error_description": "Unable to get application by token",
            });
            return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
        };
        let result = json!({
            "client_id": client_id,
            "scope": "crm",
            "expires": "1714649632",
            "user_id": 1,
            "install": {
                "installed": false,
                "version": "1",
                "status": "F",
                "scope": "crm",
                "domain": "some-domain.bitrix24.com",
                "uri": "https://some-domain.bitrix24.com/",
                "client_endpoint": "https://some-domain.bitrix24.com/rest/",
                "member_id": member_id,
                "member_type": "b24",
            },
        });
        Json(json!({ "result": result })).into_response()
    }
}
