//! Asks the authorization server whose access token it is.

mod error;
mod places;
mod response;

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;
use tower::Service;

use self::error::{Failure, Redaction};
use self::places::Places;
use self::response::Answer;
use super::InstallPolicy;
use super::policy::{Policy, Prove};
use crate::error::ConfigError;
use crate::rest::AuthorizationServer;
use crate::secret::Secret;
use crate::verify::VerifyError;

/// How long one proof may take, unless set: 5 seconds.
pub const DEFAULT_PROOF_DEADLINE: Duration = Duration::from_secs(5);

/// How long the answer of the authorization server may be, unless set: 64 KiB. A real one has about
/// 1 KiB.
pub const DEFAULT_PROOF_ANSWER_LIMIT: usize = 64 * 1024;

/// How many proofs run at a time, unless set.
pub const DEFAULT_PROOF_CONCURRENCY: usize = 16;

/// The longest access token that the server is asked about, in bytes. Real ones have about 70.
const LONGEST_TOKEN: usize = 512;

/// What a query takes as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Proves an installation: the authorization server is asked which application and which portal the
/// event's access token belongs to.
///
/// It asks `GET https://<authorization server>/rest/app.info?auth=<access token>` (the
/// documentation's page "app.info"). The installation is proven where the answer has the
/// application's own `client_id` and, as `install.member_id`, the portal that the event claims to
/// come from, both compared exactly. Whether the installation is finished (`install.installed`) is
/// not asked: its event may come before that.
///
/// Three outcomes stay apart:
///
/// - **Proven**: both are as they should be.
/// - **Rejected**: one is not, or the server says that the token is not known, has expired or has
///   too little scope. An empty member id, and an access token that is empty, above 512 bytes or has
///   a control character, are rejected without asking.
/// - **Unavailable**: the server is not reached or not done in time, answers with a redirect, 429
///   or 5xx, with an error that is not about the token (the page "Error codes"), with too many bytes
///   or with what is no answer of `app.info`.
///
/// Only the given server is asked, never an address that stands in the event. A forged installation
/// costs it one request, and no more than [`concurrency`](Self::concurrency) run at a time. Others
/// wait for a place, as long as their deadline lets them. One portal has a quarter of the places at
/// the most and its others wait apart, 64 in all, so a flood of installations that claim one portal
/// delays no other portal. One that claims many portals does: a limit on how often strangers may
/// call the application belongs before it. No more than 4,096 run and wait; what comes beyond either
/// number is unavailable at once.
///
/// What is proven is that the sender holds an access token of the application for the portal. The
/// portal has it, and so has everybody in it who the application is open to and who looks for it in
/// the browser.
///
/// # The client
///
/// Requests go through any `tower` service: the `HttpsClient` of the feature `https-client`, or one
/// of the application's own, with a proxy, say. It must follow no redirects, because those would
/// take the access token elsewhere. Deadline and size are kept here. The request has an empty
/// `String` for its body. Proofs run on a tokio runtime with its time enabled.
///
/// ```
/// use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// use hyper_util::rt::TokioExecutor;
/// use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
/// use tower_bitrix24::rest::AuthorizationServer;
///
/// // In place of a connector with TLS, through a proxy for example.
/// let connector = HttpConnector::new();
/// let client = Client::builder(TokioExecutor::new()).build(connector);
/// let proof = TokenIntrospection::new("app.5f1a", AuthorizationServer::default(), client)?;
/// let policy = InstallPolicy::introspect(proof);
/// # let _ = policy;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # From the application's own install page
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower_bitrix24::portals::TokenIntrospection;
/// use tower_bitrix24::rest::AuthorizationServer;
/// use tower_bitrix24::Secret;
/// use tower_bitrix24::verify::VerifyErrorKind;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// // In place of a real client.
/// let client = tower::service_fn(|request: Request<String>| async move {
///     assert_eq!(request.uri(), "https://oauth.bitrix.info/rest/app.info?auth=c7ae9a66");
///     let install = r#"{"client_id": "app.5f1a", "install": {"member_id": "a223c6b3"}}"#;
///     Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
/// });
/// let proof = TokenIntrospection::new("app.5f1a", AuthorizationServer::default(), client)?;
///
/// let access_token = Secret::new("c7ae9a66");
/// assert!(proof.prove("a223c6b3", &access_token).await.is_ok());
///
/// let error = proof.prove("another portal", &access_token).await.unwrap_err();
/// assert_eq!(error.kind(), VerifyErrorKind::Rejected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct TokenIntrospection<C> {
    client_id: Box<str>,
    server: AuthorizationServer,
    client: C,
    deadline: Duration,
    response_limit: usize,
    places: Arc<Places>,
}

impl<C> TokenIntrospection<C> {
    /// Asks `server` through `client` whether an installation is that of the application with this
    /// `client_id`: the application's code, `local.5f1a…` or `app.5f1a…`, as its page in Bitrix24
    /// shows it.
    ///
    /// # Errors
    ///
    /// Where the client id is empty.
    pub fn new(
        client_id: impl Into<String>,
        server: AuthorizationServer,
        client: C,
    ) -> Result<Self, ConfigError> {
        let client_id = client_id.into().into_boxed_str();
        if client_id.is_empty() {
            return Err(ConfigError::new("the application's client id is empty"));
        }
        Ok(Self {
            client_id,
            server,
            client,
            deadline: DEFAULT_PROOF_DEADLINE,
            response_limit: DEFAULT_PROOF_ANSWER_LIMIT,
            places: Arc::new(Places::new(DEFAULT_PROOF_CONCURRENCY)),
        })
    }

    /// How long a proof may take, from the wait for a place to the last byte of the answer; [5 seconds](DEFAULT_PROOF_DEADLINE) unless set.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// How many bytes the answer may have; [64 KiB](DEFAULT_PROOF_ANSWER_LIMIT) unless set. Of a
    /// longer one no more is read.
    pub const fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// How many proofs run at a time, those of later clones together, and a quarter of it (at least
    /// one) of the same portal; [16](DEFAULT_PROOF_CONCURRENCY) unless set.
    ///
    /// # Panics
    ///
    /// Where it is 0: nothing would ever be proven.
    #[track_caller]
    pub fn concurrency(mut self, proofs: usize) -> Self {
        assert!(proofs > 0, "a concurrency of 0 proves nothing");
        self.places = Arc::new(Places::new(proofs));
        self
    }
}

impl<C, B> TokenIntrospection<C>
where
    C: Service<Request<String>, Response = Response<B>> + Clone,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Finds out whether the access token belongs to the application's installation in this portal.
    ///
    /// # Errors
    ///
    /// [Rejected](crate::verify::VerifyErrorKind::Rejected) where it does not,
    /// [unavailable](crate::verify::VerifyErrorKind::Unavailable) where that could not be found out. The
    /// source of the latter says why; the access token is in neither.
    pub async fn prove(&self, member_id: &str, access_token: &Secret) -> Result<(), VerifyError> {
        let token = access_token.expose();
        let can_be_one = (1..=LONGEST_TOKEN).contains(&token.len());
        if member_id.is_empty() || !can_be_one || token.contains(char::is_control) {
            return Err(VerifyError::rejected());
        }
        let answer = timeout(self.deadline, async {
            let _place = self.places.wait(member_id).await?;
            self.ask(token).await
        });
        let answer = answer.await.unwrap_or(Err(Failure::Late));
        match answer.map_err(VerifyError::unavailable)? {
            Answer::Installation {
                client_id,
                member_id: installed_in,
            } if *client_id == *self.client_id && installed_in == member_id => Ok(()),
            _ => Err(VerifyError::rejected()),
        }
    }

    async fn ask(&self, token: &str) -> Result<Answer, Failure> {
        let encoded = utf8_percent_encode(token, ENCODED).to_string();
        let redaction = Redaction {
            token,
            encoded: &encoded,
        };
        let uri = format!("{}/rest/app.info?auth={encoded}", self.server);
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(
                USER_AGENT,
                concat!("tower-bitrix24/", env!("CARGO_PKG_VERSION")),
            )
            .body(String::new())
            .expect("an origin, a path and an encoded token are a URI");

        let failed = |error: C::Error| Failure::Client(redaction.error(&*error.into()));
        let mut client = self.client.clone();
        poll_fn(|cx| client.poll_ready(cx)).await.map_err(failed)?;
        let response = client.call(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        Answer::expect_in(head.status)?;
        let body = self.collect(body, &redaction).await?;
        Answer::read(head.status, &body).map_err(|failure| match failure {
            Failure::Code(code) => Failure::Code(redaction.text(code)),
            failure => failure,
        })
    }

    async fn collect(&self, body: B, redaction: &Redaction<'_>) -> Result<Vec<u8>, Failure> {
        let mut body = pin!(body);
        let limit = self.response_limit;
        let mut collected = Vec::new();
        if body.size_hint().lower() > limit as u64 {
            return Err(Failure::TooLong(limit));
        }
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| Failure::BrokenOff(redaction.error(&*error.into())))?;
            let Ok(mut data) = frame.into_data() else {
                continue;
            };
            if data.remaining() > limit - collected.len() {
                return Err(Failure::TooLong(limit));
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                collected.extend_from_slice(chunk);
                let read = chunk.len();
                data.advance(read);
            }
        }
        Ok(collected)
    }
}

/// Shows whose installations it proves and its limits.
impl<C> fmt::Debug for TokenIntrospection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIntrospection")
            .field("client_id", &self.client_id)
            .field("server", &self.server)
            .field("deadline", &self.deadline)
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}

impl<C, B> Prove for TokenIntrospection<C>
where
    C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn prove<'a>(
        &'a self,
        member_id: &'a str,
        access_token: &'a Secret,
    ) -> Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send + 'a>> {
        Box::pin(self.prove(member_id, access_token))
    }
}

impl InstallPolicy {
    /// Takes a token whose installation is [proven](TokenIntrospection), also in place of one that the
    /// portal has.
    pub fn introspect<C, B>(proof: TokenIntrospection<C>) -> Self
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Policy::Prove(Arc::new(proof)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn a_policy_proves_as_its_proof_does() {
        let client = tower::service_fn(|_: Request<String>| async {
            let install = r#"{"client_id": "app.1", "install": {"member_id": "a"}}"#;
            Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
        });
        let proof =
            TokenIntrospection::new("app.1", AuthorizationServer::default(), client).unwrap();
        let Policy::Prove(proof) = InstallPolicy::introspect(proof).0 else {
            panic!("another policy");
        };
        let token = Secret::new("c7ae9a66");
        assert!(proof.prove("a", &token).await.is_ok());
        assert!(proof.prove("b", &token).await.is_err());
    }
}
