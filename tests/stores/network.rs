//! The store in PostgreSQL behind a network that swallows, resets, delays and half-closes: every call
//! ends within its bound, and the store works again as soon as the network does.
//!
//! `BITRIX24_TEST_POSTGRES` is the address of a server's database, without TLS, for a role that may
//! create schemas in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_bitrix24::Secret;
use tower_bitrix24::portals::{
    PortalToken, PostgresStore, PostgresStoreBuilder, StoreError, TokenKind, TokenStore,
};

/// The maximum time until the store works again.
const RECOVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Nothing arrives, without an error. Connections that met the fault stay dead.
    Swallow,
    /// Every connection is reset.
    Reset,
    /// Everything arrives 20 milliseconds later.
    Delay,
    /// Everything arrives later than an idle connection may take to respond.
    LongDelay,
    /// The client reads the end of the stream, and the server notices nothing.
    HalfClose,
}

impl Fault {
    fn delay(self) -> Option<Duration> {
        match self {
            Self::Delay => Some(Duration::from_millis(20)),
            // A response takes two delays.
            Self::LongDelay => Some(PostgresStoreBuilder::DEFAULT_CALL_TIMEOUT / 7),
            _ => None,
        }
    }

    fn is_delay(self) -> bool {
        self.delay().is_some()
    }

    fn connects(self) -> bool {
        self == Self::None || self.is_delay()
    }
}

struct Network {
    fault: watch::Sender<Fault>,
    url: String,
}

impl Network {
    async fn to(server: &str) -> Self {
        let (_, host) = server.rsplit_once('@').expect("a user in the address");
        let (host, _) = host.split_once('/').expect("a database in the address");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let url = server.replace(host, &here);
        let (fault, seen) = watch::channel(Fault::None);
        tokio::spawn(accept(listener, host.to_owned(), seen));
        Self { fault, url }
    }

    fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn accept(listener: TcpListener, host: String, fault: watch::Receiver<Fault>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(connect(client, host.clone(), fault.clone()));
    }
}

async fn connect(client: TcpStream, host: String, mut fault: watch::Receiver<Fault>) {
    client.set_nodelay(true).unwrap();
    let now = *fault.borrow();
    if now.connects() {
        let server = TcpStream::connect(host).await.unwrap();
        server.set_nodelay(true).unwrap();
        let (from_client, mut to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        // Both halves are kept, since dropping one would close its direction.
        let mut forth = Pump::new(from_client, fault.clone());
        let mut back = Pump::new(from_server, fault.clone());
        let met = tokio::select! {
            () = forth.run(&mut to_server) => None,
            () = back.run(&mut to_client) => None,
            met = fault.wait_for(|fault| !fault.connects()) => met.ok().map(|met| *met),
        };
        if let Some(met) = met {
            let client = forth.from.reunite(to_client).unwrap();
            fail(client, met).await;
            // The server notices nothing.
            std::future::pending::<()>().await;
        }
    } else {
        fail(client, now).await;
    }
}

async fn fail(mut client: TcpStream, fault: Fault) {
    match fault {
        Fault::Reset => {
            #[allow(deprecated)]
            client.set_linger(Some(Duration::ZERO)).unwrap();
        }
        Fault::HalfClose => {
            let _ = client.shutdown().await;
            swallow(client).await;
        }
        _ => swallow(client).await,
    }
}

async fn swallow(mut client: TcpStream) {
    let mut chunk = [0; 4096];
    while client.read(&mut chunk).await.is_ok_and(|read| read > 0) {}
}

struct Pump {
    from: OwnedReadHalf,
    fault: watch::Receiver<Fault>,
}

impl Pump {
    fn new(from: OwnedReadHalf, fault: watch::Receiver<Fault>) -> Self {
        Self { from, fault }
    }

    async fn run(&mut self, to: &mut OwnedWriteHalf) {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = self.from.read(&mut chunk).await {
            let delay = self.fault.borrow().delay();
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            if to.write_all(&chunk[..read]).await.is_err() {
                return;
            }
        }
    }
}

/// An empty schema, and the network to its server.
struct Namespace {
    name: String,
    network: Network,
}

impl Namespace {
    async fn new(name: &str) -> Self {
        let server = std::env::var("BITRIX24_TEST_POSTGRES").expect("BITRIX24_TEST_POSTGRES");
        let network = Network::to(&server).await;
        let name = format!("bitrix24_net_{name}_{}", std::process::id());
        let namespace = Self { name, network };
        namespace
            .execute(&format!("CREATE SCHEMA {}", namespace.name))
            .await;
        namespace
    }

    fn of(&self, server: &str) -> String {
        let also = if server.contains('?') { '&' } else { '?' };
        format!(
            "{server}{also}sslmode=disable&application_name={0}&options=-csearch_path%3D{0}",
            self.name
        )
    }

    async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.of(&self.network.url))
            .await
            .unwrap()
    }

    fn direct(&self) -> String {
        self.of(&std::env::var("BITRIX24_TEST_POSTGRES").unwrap())
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.direct()).await.unwrap()
    }

    async fn execute(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        self.connection().await.execute(statement).await.unwrap();
    }

    async fn remove(self) {
        // A statement of a client that has gone would still hold the tables.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND application_name =";
        self.execute(&format!("{end} '{}'", self.name)).await;
        self.execute(&format!("DROP SCHEMA {} CASCADE", self.name))
            .await;
    }
}

const METHODS: [&str; 2] = ["tokens", "compare_exchange"];

async fn call(store: &PostgresStore, method: &str, portal: &str) -> Result<(), StoreError> {
    let token = PortalToken::new(TokenKind::Application, Secret::new("plain:a"));
    match method {
        "tokens" => store.tokens(portal).await.map(drop),
        "compare_exchange" => {
            let tokens = [token];
            if !store.compare_exchange(portal, &[], &tokens).await? {
                store.compare_exchange(portal, &tokens, &[]).await?;
            }
            Ok(())
        }
        _ => unreachable!(),
    }
}

/// The limit is far above the bound of a call, because the machine may be busy.
async fn call_ends(store: &PostgresStore, method: &str, portal: &str) -> Result<(), StoreError> {
    let limit = PostgresStoreBuilder::DEFAULT_CALL_TIMEOUT * 4;
    let called = tokio::time::timeout(limit, call(store, method, portal)).await;
    called.unwrap_or_else(|_| panic!("{method} does not end"))
}

/// Calls the method until it succeeds. Returns the time that took.
async fn recovery(store: &PostgresStore, method: &str, portal: &str) -> Duration {
    let began = Instant::now();
    while call_ends(store, method, portal).await.is_err() {}
    began.elapsed()
}

/// Every method meets the fault with a connection in use and with an idle one.
async fn every_method_survives(fault: Fault) {
    let namespace = Namespace::new(&format!("{fault:?}").to_lowercase()).await;
    let mut stores = Vec::new();
    for method in METHODS {
        let store = namespace.store().await;
        call(&store, method, method).await.unwrap();
        stores.push((method, store));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut calling = JoinSet::new();
    for (method, store) in stores.clone() {
        let is_over = Arc::clone(&is_over);
        calling.spawn(async move {
            // The fault begins during the first call.
            let (mut calls, mut errors) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                calls += 1;
                errors.extend(call_ends(&store, method, method).await.err());
            }
            (method, calls, errors)
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    namespace.network.set(fault);
    // Longer than a call may take, so that no call outlives the fault.
    let outage = PostgresStoreBuilder::DEFAULT_CALL_TIMEOUT + Duration::from_secs(1);
    tokio::time::sleep(outage).await;
    namespace.network.set(Fault::None);
    is_over.store(true, Ordering::Relaxed);
    let mut recovering = JoinSet::new();
    for (method, store) in stores {
        recovering.spawn(async move { (method, recovery(&store, method, method).await) });
    }
    for (method, took) in recovering.join_all().await {
        assert!(took < RECOVERY, "{method} works again after {took:?}");
    }
    for (method, calls, errors) in calling.join_all().await {
        // A busy machine may delay a call beyond its bound, but not many.
        let expected = if fault.is_delay() {
            0..=calls / 10
        } else {
            1..=calls
        };
        let failed = errors.len();
        assert!(
            expected.contains(&failed),
            "{method}: {errors:?} of {calls}"
        );
    }
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_survives_a_network_that_swallows() {
    every_method_survives(Fault::Swallow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_survives_a_network_that_resets() {
    every_method_survives(Fault::Reset).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_survives_a_network_that_delays() {
    every_method_survives(Fault::Delay).await;
}

/// A read is one statement, so it succeeds within its bound. A change is several statements.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_reads_over_a_network_slower_than_the_idle_timeout() {
    let namespace = Namespace::new("slow").await;
    let store = namespace.store().await;
    call_ends(&store, "tokens", "portal").await.unwrap();
    namespace.network.set(Fault::LongDelay);
    for _ in 0..3 {
        call_ends(&store, "tokens", "portal").await.unwrap();
    }
    namespace.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_survives_a_network_that_half_closes() {
    every_method_survives(Fault::HalfClose).await;
}

/// An outage could leak a permit of the pool, or leave a portal's lock with a lost session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_survives_four_outages_and_leaves_no_lock() {
    let namespace = Namespace::new("outages").await;
    let store = namespace.store().await;
    // Another instance, whose network has no fault.
    let other = PostgresStore::connect(&namespace.direct()).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut calling = JoinSet::new();
    for at in 0..14 {
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        calling.spawn(async move {
            let method = METHODS[at % METHODS.len()];
            while !is_over.load(Ordering::Relaxed) {
                let _ = call_ends(&store, method, method).await;
            }
        });
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        namespace.network.set(Fault::Swallow);
        tokio::time::sleep(Duration::from_secs(3)).await;
        namespace.network.set(Fault::None);
    }
    is_over.store(true, Ordering::Relaxed);
    // More calls at once than the store has connections.
    let mut recovering = JoinSet::new();
    for at in 0..4 * METHODS.len() {
        let store = if at % 2 == 0 { &store } else { &other }.clone();
        let method = METHODS[at % METHODS.len()];
        recovering.spawn(async move { (method, recovery(&store, method, method).await) });
    }
    for (method, took) in recovering.join_all().await {
        assert!(took < RECOVERY, "{method} works again after {took:?}");
    }
    calling.join_all().await;

    let open = "SELECT count(*) FROM pg_stat_activity \
                WHERE application_name = $1 AND state LIKE 'idle in transaction%'";
    let mut connection = namespace.connection().await;
    let began = Instant::now();
    loop {
        let open: i64 = sqlx::query_scalar(open)
            .bind(&namespace.name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if open == 0 {
            break;
        }
        // The server ends the transactions of clients that vanished, but not at once.
        assert!(began.elapsed() < RECOVERY, "{open} transactions are open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    namespace.remove().await;
}

#[tokio::test]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_session_has_the_limits_of_its_store() {
    let namespace = Namespace::new("limits").await;
    let settings = PostgresStore::builder().call_timeout(Duration::from_secs(7));
    let pooled = settings.clone().behind_pooler();
    for (portal, settings, in_session) in [("session", settings, true), ("pooled", pooled, false)] {
        let store = settings.connect(&namespace.direct()).await.unwrap();
        // A trigger records the settings of the session that adds a row.
        namespace
            .execute(
                "CREATE TABLE IF NOT EXISTS seen (name text, setting text); TRUNCATE seen; \
                 CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN INSERT INTO seen SELECT name, setting FROM pg_settings; RETURN NEW; END $$; \
                 CREATE OR REPLACE TRIGGER see BEFORE INSERT ON bitrix24_portal_tokens \
                 FOR EACH ROW EXECUTE FUNCTION see()",
            )
            .await;
        call(&store, "compare_exchange", portal).await.unwrap();
        let seen = |name: &'static str| {
            let namespace = &namespace;
            async move {
                let setting: String =
                    sqlx::query_scalar("SELECT setting FROM seen WHERE name = $1")
                        .bind(name)
                        .fetch_one(&mut namespace.connection().await)
                        .await
                        .unwrap();
                setting
            }
        };
        assert_eq!(seen("idle_in_transaction_session_timeout").await, "3500");
        assert_eq!(seen("lock_timeout").await, "3500");
        assert_eq!(seen("statement_timeout").await, "7000");
        let keepalive = seen("tcp_keepalives_idle").await;
        assert_eq!(keepalive == "10", in_session, "{keepalive}");
        store.close().await;
    }
    namespace.remove().await;
}
