//! Pages whose users are introspected, through the layer: the calls that are made, and what they prove.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_bitrix24::callback::{
    Callback, CallbackEnvelope, Placement, PlacementCode, Proof, ProofLevel, Settings,
};
use tower_bitrix24::portals::{
    InstallPolicy, Installation, MemoryStore, PageVerifier, PortalVerifier, TokenIntrospection,
};
use tower_bitrix24::rest::AuthorizationServer;
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{
    ApplicationToken, EventLayer, EventRouter, Rejection, RejectionKind, Secret, VerifyError,
    VerifyToken,
};

use crate::common::TOKEN;

const CLIENT_ID: &str = "app.5f1a";
const ADMIN: &str = "token-of-admin";
const EMPLOYEE: &str = "token-of-employee";

/// The platform: the authorization server and the portals, and the addresses that were called.
#[derive(Clone, Default)]
struct Platform {
    calls: Arc<Mutex<Vec<String>>>,
    /// `client_endpoint` in the responses of `app.info`.
    endpoint: Arc<Mutex<Option<String>>>,
    expires_in: Arc<Mutex<i64>>,
}

impl Platform {
    fn new() -> Self {
        let platform = Self::default();
        platform.set_endpoint("https://some-domain.bitrix24.com/rest/");
        *platform.expires_in.lock().unwrap() = 3600;
        platform
    }

    fn set_endpoint(&self, endpoint: &str) {
        *self.endpoint.lock().unwrap() = Some(endpoint.to_owned());
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn respond(&self, uri: &str) -> (u16, String) {
        self.calls.lock().unwrap().push(uri.to_owned());
        let (address, token) = uri.split_once("?auth=").unwrap();
        let (client_id, member_id, user, is_admin) = match token {
            ADMIN => (CLIENT_ID, "a", 1, true),
            EMPLOYEE => (CLIENT_ID, "a", 7, false),
            "token-of-another-application" => ("app.other", "a", 1, true),
            "token-of-another-portal" => (CLIENT_ID, "b", 1, true),
            "token-of-an-overload" => return (503, String::new()),
            _ => return (401, r#"{"error": "invalid_token"}"#.to_owned()),
        };
        if address == "https://oauth.bitrix.info/rest/app.info" {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs() as i64;
            let expires = now + *self.expires_in.lock().unwrap();
            let endpoint = serde_json::to_string(&*self.endpoint.lock().unwrap()).unwrap();
            let install =
                format!(r#"{{"member_id": "{member_id}", "client_endpoint": {endpoint}}}"#);
            let result = format!(
                r#"{{"client_id": "{client_id}", "expires": {expires}, "install": {install}}}"#
            );
            (200, format!(r#"{{"result": {result}}}"#))
        } else if address == "https://some-domain.bitrix24.com/rest/profile" {
            (
                200,
                format!(r#"{{"result": {{"ID": "{user}", "ADMIN": {is_admin}}}}}"#),
            )
        } else {
            panic!("{uri} is called");
        }
    }

    fn introspection(
        &self,
    ) -> TokenIntrospection<
        impl Service<Request<String>, Response = Response<String>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    > {
        let platform = self.clone();
        let client = service_fn(move |request: Request<String>| {
            let (status, body) = platform.respond(&request.uri().to_string());
            let response = Response::builder().status(status).body(body).unwrap();
            std::future::ready(Ok::<_, Infallible>(response))
        });
        TokenIntrospection::new(CLIENT_ID, AuthorizationServer::default(), client).unwrap()
    }

    fn verifier(&self) -> PageVerifier<ApplicationToken> {
        PageVerifier::new(ApplicationToken::new(TOKEN).unwrap(), self.introspection())
    }
}

fn page(access_token: &str) -> String {
    format!(
        "AUTH_ID={access_token}&AUTH_EXPIRES=3600&member_id=a&APPLICATION_TOKEN={TOKEN}\
         &SERVER_ENDPOINT=https://evil.example/rest/&PLACEMENT=DEFAULT&DOMAIN=evil.example"
    )
}

/// A page of a build before 2025.
fn old_page(access_token: &str) -> String {
    format!("AUTH_ID={access_token}&AUTH_EXPIRES=3600&member_id=a&PLACEMENT=DEFAULT")
}

async fn verify<V: VerifyToken>(verifier: &V, body: &str) -> Result<Callback, VerifyError> {
    Callback::verify(CallbackEnvelope::scan(body.to_owned()).unwrap(), verifier).await
}

async fn proof<V: VerifyToken>(verifier: &V, body: &str) -> Proof {
    verify(verifier, body).await.unwrap().proof()
}

async fn rejected<V: VerifyToken>(verifier: &V, body: &str) -> VerifyErrorKind {
    verify(verifier, body).await.unwrap_err().kind()
}

#[tokio::test]
async fn page_proves_its_user_by_two_calls_of_addresses_that_it_does_not_name() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    let is_admin = true;
    for body in [page(ADMIN), old_page(ADMIN)] {
        let admin = Proof::Introspected { user: 1, is_admin };
        assert_eq!(proof(&verifier, &body).await, admin);
    }
    assert_eq!(
        platform.calls(),
        [
            "https://oauth.bitrix.info/rest/app.info?auth=token-of-admin",
            "https://some-domain.bitrix24.com/rest/profile?auth=token-of-admin",
        ]
    );
    let is_admin = false;
    let employee = Proof::Introspected { user: 7, is_admin };
    assert_eq!(proof(&verifier, &page(EMPLOYEE)).await, employee);
}

#[tokio::test]
async fn forged_pages_are_rejected_whichever_token_of_them_is_wrong() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    // The application token is compared first, so that strangers cause no calls.
    let wrong = page(ADMIN).replace(TOKEN, "guess");
    assert_eq!(rejected(&verifier, &wrong).await, VerifyErrorKind::Rejected);
    assert!(platform.calls().is_empty());
    for token in [
        "guess",
        "token-of-another-application",
        "token-of-another-portal",
        &"x".repeat(600),
    ] {
        for body in [page(token), old_page(token)] {
            let kind = rejected(&verifier, &body).await;
            assert_eq!(kind, VerifyErrorKind::Rejected, "{token}");
        }
    }
    let other_portal = page(ADMIN).replace("member_id=a", "member_id=b");
    assert_eq!(
        rejected(&verifier, &other_portal).await,
        VerifyErrorKind::Rejected
    );
    let long = page(ADMIN).replace("member_id=a", &format!("member_id={}", "a".repeat(200)));
    assert_eq!(rejected(&verifier, &long).await, VerifyErrorKind::Rejected);
    let overloaded = rejected(&verifier, &page("token-of-an-overload")).await;
    assert_eq!(overloaded, VerifyErrorKind::Unavailable);
}

#[tokio::test]
async fn verified_page_is_remembered_and_its_application_token_is_compared_each_time() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    for _ in 0..3 {
        proof(&verifier, &page(ADMIN)).await;
    }
    assert_eq!(platform.calls().len(), 2);
    let forged = page(ADMIN).replace(TOKEN, "guess");
    assert_eq!(
        rejected(&verifier, &forged).await,
        VerifyErrorKind::Rejected
    );
    // Rejections are not remembered: a token may become valid.
    rejected(&verifier, &page("guess")).await;
    rejected(&verifier, &page("guess")).await;
    assert_eq!(platform.calls().len(), 2);

    for verifier in [
        verifier.clone().cache_capacity(0),
        verifier.cache_ttl(Duration::ZERO),
    ] {
        proof(&verifier, &page(ADMIN)).await;
        proof(&verifier, &page(ADMIN)).await;
        assert_eq!(platform.calls().len(), 4);
    }
    *platform.expires_in.lock().unwrap() = 0;
    let verifier = platform.verifier();
    proof(&verifier, &page(ADMIN)).await;
    proof(&verifier, &page(ADMIN)).await;
    assert_eq!(platform.calls().len(), 4);
}

#[tokio::test]
async fn portal_without_an_address_over_https_is_not_called() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    for endpoint in [
        "",
        "/rest/",
        "http://some-domain.bitrix24.com/rest/",
        "https://user@some-domain.bitrix24.com/rest/",
        "https://some-domain.bitrix24.com/rest/?x=1",
        "ftp://some-domain.bitrix24.com/rest/",
        "not an address",
    ] {
        platform.set_endpoint(endpoint);
        let error = verify(&verifier, &page(ADMIN)).await.unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::Unavailable, "{endpoint}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "the portal has no address with HTTPS", "{endpoint}");
        assert_eq!(platform.calls().len(), 1, "{endpoint}");
    }
}

#[tokio::test]
async fn page_without_an_access_token_has_the_proof_of_its_application_token() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    assert_eq!(proof(&verifier, &page("")).await, Proof::ApplicationToken);
    assert_eq!(
        rejected(&verifier, &old_page("")).await,
        VerifyErrorKind::Missing
    );
    assert!(platform.calls().is_empty());
}

#[tokio::test]
async fn robots_and_messages_are_not_introspected_and_settings_are() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    let auth =
        format!("auth[access_token]={ADMIN}&auth[member_id]=a&auth[application_token]={TOKEN}");
    for body in [
        format!("event_token=1&code=ship&{auth}"),
        format!("message_id=1&message_body=x&code=p&{auth}"),
    ] {
        assert_eq!(proof(&verifier, &body).await, Proof::ApplicationToken);
    }
    assert!(platform.calls().is_empty());
    for body in [
        format!("event=OnAppSettingsInstall&{auth}"),
        format!("data[key]=1&{auth}"),
    ] {
        let is_admin = true;
        let admin = Proof::Introspected { user: 1, is_admin };
        assert_eq!(proof(&verifier, &body).await, admin);
    }
}

#[tokio::test]
async fn install_page_is_proven_before_anything_is_stored() {
    let platform = Platform::new();
    let portals = PortalVerifier::new(MemoryStore::new())
        .install_policy(InstallPolicy::introspect(platform.introspection()));
    let pages = PageVerifier::new(portals.clone(), platform.introspection());
    // The portal is unknown to the verifier of everything else.
    assert_eq!(
        rejected(&pages, &page(ADMIN)).await,
        VerifyErrorKind::Rejected
    );

    let install_page = PageVerifier::install_page(platform.introspection());
    let callback = verify(&install_page, &page(ADMIN)).await.unwrap();
    assert_eq!(callback.proof().level(), ProofLevel::Administrator);
    assert_eq!(
        rejected(&install_page, &page("guess")).await,
        VerifyErrorKind::Rejected
    );
    for other in [
        format!("event_token=1&code=ship&auth[application_token]={TOKEN}"),
        page(""),
    ] {
        assert_eq!(
            rejected(&install_page, &other).await,
            VerifyErrorKind::Rejected
        );
    }
    let event = format!("event=ONAPPTEST&auth[application_token]={TOKEN}");
    let envelope = tower_bitrix24::Envelope::scan(event).unwrap();
    assert!(
        tower_bitrix24::Event::verify(envelope, &install_page)
            .await
            .is_err()
    );

    let auth = callback.auth();
    let token = auth.application_token().unwrap().clone();
    let installation = Installation::new(auth.member_id().unwrap(), token)
        .access_token(auth.access_token().unwrap().clone());
    portals.install(installation).await.unwrap();
    assert_eq!(
        proof(&pages, &page(ADMIN)).await.level(),
        ProofLevel::Administrator
    );
    assert_eq!(
        proof(&pages, &page(EMPLOYEE)).await.level(),
        ProofLevel::User
    );
}

#[tokio::test]
async fn handler_that_demands_an_administrator_gets_no_other_page() {
    let platform = Platform::new();
    let router = EventRouter::builder()
        .at_least(ProofLevel::Administrator, |router| {
            router
                .on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {})
                .on_settings(async |_: Settings, _: Callback| {})
        })
        .build()
        .unwrap();
    let layer = EventLayer::new(platform.verifier()).callbacks();
    let service = layer.layer(router);
    for (body, status) in [
        (page(ADMIN), StatusCode::OK),
        (old_page(ADMIN), StatusCode::OK),
        (page(EMPLOYEE), StatusCode::FORBIDDEN),
        (page(""), StatusCode::FORBIDDEN),
        (page("guess"), StatusCode::FORBIDDEN),
        (
            page("token-of-an-overload"),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        (
            format!("event=OnAppSettingsInstall&auth[application_token]={TOKEN}"),
            StatusCode::FORBIDDEN,
        ),
    ] {
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from(body.clone()))
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        if body.contains("overload") {
            let rejection = response.extensions().get::<Rejection>().unwrap();
            assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        }
    }
}

#[tokio::test]
async fn no_token_of_a_page_is_in_an_error_or_in_debug() {
    let client = service_fn(|request: Request<String>| {
        std::future::ready(Err::<Response<String>, _>(format!(
            "cannot get {}",
            request.uri()
        )))
    });
    let introspection =
        TokenIntrospection::new(CLIENT_ID, AuthorizationServer::default(), client).unwrap();
    let verifier = PageVerifier::new(ApplicationToken::new(TOKEN).unwrap(), introspection);
    let canary = "canary7f3a";
    let error = verify(&verifier, &page(canary)).await.unwrap_err();
    let mut shown = format!("{error} {error:?} {verifier:?}");
    let mut source = std::error::Error::source(&error);
    assert!(source.is_some());
    while let Some(error) = source {
        shown.push_str(&format!("{error} {error:?}"));
        source = error.source();
    }
    assert!(!shown.contains(canary) && !shown.contains(TOKEN), "{shown}");
    assert!(!format!("{:?}", Secret::new(canary)).contains(canary));
}

/// The query of a page is not verified by anything.
#[tokio::test]
async fn addresses_in_the_query_of_a_page_are_never_called() {
    let platform = Platform::new();
    let layer = EventLayer::new(platform.verifier()).callbacks();
    for body in [page(ADMIN), old_page(ADMIN)] {
        let verdict = layer.verify(
            Request::post(
                "/?DOMAIN=evil.example&PROTOCOL=1&SERVER_ENDPOINT=https://evil.example/rest/",
            )
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into_bytes())
            .unwrap(),
        );
        let tower_bitrix24::layer::Verdict::Pass(request) = verdict.await else {
            panic!()
        };
        let callback = request.extensions().get::<Callback>().unwrap();
        assert_eq!(callback.proof().level(), ProofLevel::Administrator);
    }
    // The second page is remembered.
    let calls = platform.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| !call.contains("evil")), "{calls:?}");
}

/// Otherwise a user of a portal without the application has a proof for up to an hour.
#[tokio::test]
async fn remembered_user_is_forgotten_with_the_portal() {
    let platform = Platform::new();
    let verifier = platform.verifier();
    let remembered = async || {
        proof(&verifier, &old_page(ADMIN)).await;
        platform.calls().is_empty()
    };
    assert!(!remembered().await);
    assert!(remembered().await);

    let handle = async |code: &str, member_id: &str| {
        let form =
            format!("event={code}&auth[member_id]={member_id}&auth[application_token]={TOKEN}");
        let envelope = tower_bitrix24::Envelope::scan(form).unwrap();
        let event = tower_bitrix24::Event::verify(envelope, &verifier).await;
        event.unwrap().mark_handled(&verifier).await;
    };
    handle("ONAPPUNINSTALL", "b").await;
    handle("ONAPPUPDATE", "a").await;
    assert!(remembered().await);
    handle("ONAPPUNINSTALL", "a").await;
    assert!(!remembered().await);

    verifier.remove_portal("a");
    assert!(!remembered().await);
    assert!(remembered().await);
}

/// A robot that is named as an event is none.
#[tokio::test]
async fn robot_named_as_an_uninstallation_removes_nothing() {
    let platform = Platform::new();
    let portals = PortalVerifier::new(MemoryStore::new());
    let token = Secret::new(TOKEN);
    portals.set_token("a", &token).await.unwrap();
    let verifier = PageVerifier::new(portals, platform.introspection());
    let robot = format!(
        "workflow_id=1&code=ONAPPUNINSTALL&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
         &document_id[2]=DEAL_18&event_token=1.a&auth[member_id]=a&auth[application_token]={TOKEN}"
    );
    let router = EventRouter::builder()
        .on_robot(
            "ONAPPUNINSTALL",
            async |_: tower_bitrix24::callback::Robot, _: Callback| {},
        )
        .fallback(async |_: tower_bitrix24::Event| StatusCode::IM_A_TEAPOT)
        .build()
        .unwrap();
    let layer = EventLayer::new(verifier.clone()).callbacks();
    for _ in 0..2 {
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from(robot.clone()));
        let response = layer.layer(router.clone()).oneshot(request.unwrap()).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn user_whose_introspection_began_before_the_portal_was_removed_is_not_remembered() {
    let platform = Platform::new();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (behind, opened) = (platform.clone(), gate.clone());
    let client = service_fn(move |request: Request<String>| {
        let (status, body) = behind.respond(&request.uri().to_string());
        let opened = opened.clone();
        async move {
            let _permit = opened.acquire().await.unwrap();
            let response = Response::builder().status(status).body(body).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    let introspection =
        TokenIntrospection::new(CLIENT_ID, AuthorizationServer::default(), client).unwrap();
    let verifier = PageVerifier::new(ApplicationToken::new(TOKEN).unwrap(), introspection);
    let running = tokio::spawn({
        let verifier = verifier.clone();
        async move { proof(&verifier, &old_page(ADMIN)).await }
    });
    while platform.calls.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    verifier.remove_portal("a");
    gate.add_permits(1);
    running.await.unwrap();
    assert_eq!(platform.calls().len(), 2);
    for calls in [2, 0] {
        proof(&verifier, &old_page(ADMIN)).await;
        assert_eq!(platform.calls().len(), calls);
    }
}

/// Strangers with invented tokens, to an authorization server that does not respond.
#[tokio::test(start_paused = true)]
async fn flood_of_invented_access_tokens_makes_few_calls_and_delays_no_event() {
    let (running, most) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(0_usize)));
    let (now, highest) = (running.clone(), most.clone());
    let client = service_fn(move |_: Request<String>| {
        struct Running(Arc<Mutex<usize>>);
        impl Drop for Running {
            fn drop(&mut self) {
                *self.0.lock().unwrap() -= 1;
            }
        }
        let count = {
            let mut count = now.lock().unwrap();
            *count += 1;
            *count
        };
        let mut highest = highest.lock().unwrap();
        *highest = count.max(*highest);
        let running = Running(now.clone());
        async move {
            std::future::pending::<()>().await;
            drop(running);
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let introspection =
        TokenIntrospection::new(CLIENT_ID, AuthorizationServer::default(), client).unwrap();
    let verifier = PageVerifier::new(ApplicationToken::new(TOKEN).unwrap(), introspection);
    let layer = EventLayer::new(verifier).callbacks();
    let send = |form: String| {
        let service = layer.layer(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from(form));
        async move { service.oneshot(request.unwrap()).await.unwrap().status() }
    };
    let flood: Vec<_> = (0..6000)
        .map(|at| {
            let page = old_page(&format!("invented{at}"));
            tokio::spawn(send(
                page.replace("member_id=a", &format!("member_id={at}")),
            ))
        })
        .collect();
    tokio::task::yield_now().await;
    let event = send(format!("event=ONAPPTEST&auth[application_token]={TOKEN}"));
    assert_eq!(event.await, StatusCode::OK);
    for page in flood {
        assert_eq!(page.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(*running.lock().unwrap(), 0);
    assert!(*most.lock().unwrap() <= TokenIntrospection::DEFAULT_CONCURRENCY);
    assert!(*most.lock().unwrap() > 0);
}
