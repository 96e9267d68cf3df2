//! One application on many portals: it stores their tokens in a SQLite file, verifies installations
//! with the authorization server, and removes the tokens when it is uninstalled.
//!
//! ```text
//! cargo run --example portals --features cache,https-client,portals,sqlite,testing
//! ```
//!
//! walks through the life cycle over real sockets, with a stand-in for the authorization server and
//! a temporary database. It prints each step and fails if one goes wrong. To serve real portals, and
//! to query the real authorization server:
//!
//! ```text
//! cargo run --example portals --features cache,https-client,portals,sqlite,testing -- \
//!     serve --client-id app.5f1a
//! ```

mod support {
    pub(crate) mod authorization_server;
    pub(crate) mod client;
}

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Form, Router};
use clap::{Parser, Subcommand};
use support::authorization_server::StandIn;
use support::client::HttpClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_bitrix24::portals::{
    InstallPolicy, Installation, PortalVerifier, PortalsErrorKind, SqliteStore, TokenCache,
    TokenIntrospection, TokenKey,
};
use tower_bitrix24::rest::{AuthorizationServer, HttpsClient};
use tower_bitrix24::testing::TestEvent;
use tower_bitrix24::{Event, EventKind, EventLayer};

/// One application on many portals.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Walk through the life cycle of two installations (the default).
    Walk,
    /// Serve real portals.
    Serve {
        /// The application's client id, as its page in Bitrix24 shows it.
        #[arg(long, env = "BITRIX24_CLIENT_ID")]
        client_id: String,
        /// The file with the portals' tokens, created if it does not exist.
        #[arg(long, default_value = "portals.sqlite")]
        database: PathBuf,
        /// A key of at least 32 bytes that the tokens are hashed with.
        #[arg(long, env = "BITRIX24_TOKEN_KEY", hide_env_values = true)]
        token_key: Option<String>,
        /// The address to listen on.
        #[arg(long, default_value = "127.0.0.1:3000", env = "BIND")]
        bind: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command.unwrap_or(Command::Walk) {
        Command::Walk => walk().await,
        Command::Serve {
            client_id,
            database,
            token_key,
            bind,
        } => serve(client_id, &database, token_key, bind).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Portals = PortalVerifier<SqliteStore>;

fn portals(store: SqliteStore, introspection: TokenIntrospection<HttpsClient>) -> Portals {
    PortalVerifier::new(store)
        .install_policy(InstallPolicy::introspect(introspection))
        .cache(TokenCache::new())
}

/// Returns the application: the events of all portals at one path, and the install page.
fn app(portals: Portals) -> Router {
    Router::new()
        .route("/bitrix24/events", post(on_event))
        .layer(EventLayer::new(portals.clone()).path("/bitrix24/events"))
        .route("/bitrix24/install", post(install_page))
        .with_state(portals)
}

/// Handles the events of every portal. If an ONAPPUNINSTALL fails here, the portal's tokens stay.
async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
    let portal = event.auth().member_id().unwrap_or_default();
    println!("    handled {} of {portal}", event.code());
    StatusCode::OK
}

/// Handles the page that an administrator's browser opens when an application with a user interface
/// is installed. Such an application receives no event of the installation.
async fn install_page(
    State(portals): State<Portals>,
    Form(installation): Form<Installation>,
) -> Result<&'static str, (StatusCode, String)> {
    match portals.install(installation).await {
        Ok(()) => Ok("installed\n"),
        Err(error) => Err(match error.kind() {
            PortalsErrorKind::Rejected => (StatusCode::FORBIDDEN, format!("{error}\n")),
            PortalsErrorKind::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
            }
            _ => (StatusCode::BAD_REQUEST, format!("{error}\n")),
        }),
    }
}

async fn serve(
    client_id: String,
    database: &Path,
    token_key: Option<String>,
    bind: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    let introspection = TokenIntrospection::new(
        client_id,
        AuthorizationServer::default(),
        HttpsClient::new(),
    )?;
    let mut portals = portals(SqliteStore::open(database).await?, introspection);
    if let Some(key) = token_key {
        portals = portals.hash_tokens(TokenKey::new(key)?);
    }
    let listener = TcpListener::bind(bind).await;
    let listener = listener.map_err(|error| {
        format!("cannot listen on {bind}: {error}; set BIND to another address")
    })?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(portals)).await?;
    Ok(())
}

const CLIENT_ID: &str = "app.5f1a";

/// Two portals, by their member ids, with their tokens.
const RIGA: [&str; 2] = ["a223c6b3710f85df22e9377d6c4f7553", "riga-token"];
const OSLO: [&str; 2] = ["3f1b8c0f8f7d4f1f9be2b9a9c54cf4f2", "oslo-token"];

async fn walk() -> Result<(), Box<dyn Error>> {
    let database = Database::new();
    let authorization = StandIn::start().await?;
    authorization.install("access-riga", CLIENT_ID, RIGA[0]);
    authorization.install("access-oslo", CLIENT_ID, OSLO[0]);
    authorization.install("access-other", "app.other", RIGA[0]);
    println!(
        "the authorization server is a stand-in on {}",
        authorization.origin()
    );

    let server = Server::start(&database.0, &authorization).await?;
    println!(
        "the application is on {}, its tokens in {}",
        server.url,
        database.0.display()
    );

    println!("two portals install it");
    let installs = |[member_id, token]: [&'static str; 2], access_token| {
        event(EventKind::AppInstall, [member_id, token]).access_token(access_token)
    };
    server.expect(200, installs(RIGA, "access-riga")).await?;
    server.expect(200, installs(OSLO, "access-oslo")).await?;

    println!("both send events");
    server
        .expect(200, event(EventKind::CrmDealAdd, RIGA))
        .await?;
    server.expect(200, event(EventKind::TaskAdd, OSLO)).await?;

    println!("the token of one is not valid for the other");
    let crossed = event(EventKind::CrmDealAdd, [OSLO[0], RIGA[1]]);
    server.expect(403, crossed).await?;

    println!("forged installations do not take a portal over");
    for access_token in ["access-oslo", "access-other", "made-up"] {
        let forged = installs([RIGA[0], "forged-token"], access_token);
        server.expect(403, forged).await?;
    }
    server
        .expect(403, event(EventKind::CrmDealAdd, [RIGA[0], "forged-token"]))
        .await?;
    server
        .expect(200, event(EventKind::CrmDealAdd, RIGA))
        .await?;

    println!(
        "the install page of one brings a new token; the previous one stays valid for a while"
    );
    server
        .open_install_page(OSLO[0], "oslo-token-2", "access-oslo")
        .await?;
    server
        .expect(200, event(EventKind::TaskAdd, [OSLO[0], "oslo-token-2"]))
        .await?;
    server.expect(200, event(EventKind::TaskAdd, OSLO)).await?;

    println!("the application restarts and still has their tokens");
    server.stop().await;
    let server = Server::start(&database.0, &authorization).await?;
    server
        .expect(200, event(EventKind::CrmDealAdd, RIGA))
        .await?;

    println!("one uninstalls it, and its tokens are removed");
    server
        .expect(200, event(EventKind::AppUninstall, RIGA))
        .await?;
    server
        .expect(403, event(EventKind::CrmDealAdd, RIGA))
        .await?;
    server
        .expect(403, event(EventKind::AppUninstall, RIGA))
        .await?;
    server
        .expect(200, event(EventKind::TaskAdd, [OSLO[0], "oslo-token-2"]))
        .await?;

    server.stop().await;
    println!(
        "done; the authorization server received {} requests",
        authorization.requests()
    );
    Ok(())
}

fn event(kind: EventKind, [member_id, token]: [&str; 2]) -> TestEvent {
    TestEvent::new(kind).member_id(member_id).token(token)
}

/// A file in the temporary directory, removed on drop.
struct Database(PathBuf);

impl Database {
    fn new() -> Self {
        let name = format!("tower-bitrix24-portals-{}.sqlite", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = self.0.clone().into_os_string();
            file.push(suffix);
            // The last connection has already removed the other two.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// The application, listening on a port of its own.
struct Server {
    url: String,
    client: HttpClient,
    task: JoinHandle<()>,
    store: SqliteStore,
}

impl Server {
    async fn start(database: &Path, authorization: &StandIn) -> Result<Self, Box<dyn Error>> {
        let server = AuthorizationServer::insecure_custom(authorization.origin())?;
        let introspection = TokenIntrospection::new(CLIENT_ID, server, HttpsClient::new())?;
        let store = SqliteStore::open(database).await?;
        let app = app(portals(store.clone(), introspection).hash_tokens(TokenKey::new([7; 32])?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task =
            tokio::spawn(async { axum::serve(listener, app).await.expect("the server runs") });
        Ok(Self {
            url,
            client: HttpClient::new(),
            task,
            store,
        })
    }

    async fn stop(self) {
        self.task.abort();
        self.store.close().await;
    }

    /// Sends the event as a portal would. Returns an error if the status is not the expected one.
    async fn expect(&self, status: u16, event: TestEvent) -> Result<(), Box<dyn Error>> {
        let form = event.form();
        self.post("/bitrix24/events", form, status).await
    }

    /// Sends the form that an administrator's browser sends when the application is installed.
    async fn open_install_page(
        &self,
        member_id: &str,
        token: &str,
        access_token: &str,
    ) -> Result<(), Box<dyn Error>> {
        let page = [
            ("member_id", member_id),
            ("APPLICATION_TOKEN", token),
            ("AUTH_ID", access_token),
            ("PLACEMENT", "DEFAULT"),
        ];
        let form = serde_urlencoded::to_string(page)?;
        self.post("/bitrix24/install", form, 200).await
    }

    async fn post(&self, path: &str, form: String, expected: u16) -> Result<(), Box<dyn Error>> {
        let url = format!("{}{path}", self.url);
        let response = self.client.post_form(&url, form).await;
        let status = response.map_err(|error| error.to_string())?.status();
        println!("  POST {path}: {status}");
        if status.as_u16() == expected {
            Ok(())
        } else {
            Err(format!("expected {expected}").into())
        }
    }
}
