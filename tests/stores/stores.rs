//! The stores that come with the crate keep every rule of the trait, also where several instances
//! of an application share one.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_bitrix24::Secret;
use tower_bitrix24::portals::{MemoryStore, PortalToken, TokenKind, TokenStore};
use tower_bitrix24::testing::store_conformance;

/// Two stores of one database, as two instances of an application have them, which take turns.
struct Instances<S>([S; 2], AtomicUsize);

impl<S: TokenStore> Instances<S> {
    fn new(stores: [S; 2]) -> Self {
        Self(stores, AtomicUsize::new(0))
    }

    fn next(&self) -> &S {
        &self.0[self.1.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

impl<S: TokenStore> TokenStore for Instances<S> {
    type Error = S::Error;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, S::Error> {
        self.next().tokens(member_id).await
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, S::Error> {
        self.next()
            .compare_exchange(member_id, expected, tokens)
            .await
    }
}

fn application(text: &str) -> PortalToken {
    PortalToken::new(TokenKind::Application, Secret::new(text))
}

/// The error with all its sources, as a log has it.
fn in_a_log(error: &dyn Error) -> String {
    let source = error.source().map(in_a_log).unwrap_or_default();
    format!("{error} {error:?} {source}")
}

/// Adds a first token to each of several portals through every store, each store in a thread's task
/// of its own, and says how many were added.
async fn race<S: TokenStore + Clone + 'static>(stores: &[S], portals: &[String]) -> usize {
    let mut racers = tokio::task::JoinSet::new();
    for (at, store) in stores.iter().enumerate() {
        for portal in portals {
            let (store, portal) = (store.clone(), portal.clone());
            racers.spawn(async move {
                let token = application(&format!("plain:{at}"));
                let added = store.compare_exchange(&portal, &[], &[token]).await;
                added.map_err(Into::into).unwrap()
            });
        }
    }
    let added = racers.join_all().await;
    added.into_iter().filter(|added| *added).count()
}

/// Makes the portal have these tokens alone.
async fn set<S: TokenStore>(
    store: &S,
    portal: &str,
    tokens: &[PortalToken],
) -> Result<(), S::Error> {
    let known = store.tokens(portal).await?;
    assert!(store.compare_exchange(portal, &known, tokens).await?);
    Ok(())
}

fn portals(name: &str) -> Vec<String> {
    (0..20).map(|at| format!("{name}-{at}")).collect()
}

/// What two instances of an application decide at once over one portal.
mod races {
    use std::convert::Infallible;
    use std::future::Future;

    use http::{Request, Response};
    use tower::service_fn;
    use tower_bitrix24::portals::{InstallPolicy, PortalVerifier, TokenIntrospection};
    use tower_bitrix24::rest::AuthorizationServer;
    use tower_bitrix24::{Envelope, Event, VerifyToken};

    use super::*;

    /// How often each is tried: as many times as `BITRIX24_TEST_RACES` says, which CI does.
    pub(super) fn tries(unless_set: usize) -> usize {
        std::env::var("BITRIX24_TEST_RACES").map_or(unless_set, |tries| tries.parse().unwrap())
    }

    /// Proves that whose access token is the portal's id.
    fn prove() -> InstallPolicy {
        let client = service_fn(|request: Request<String>| async move {
            let portal = request.uri().query().unwrap()["auth=".len()..].to_owned();
            let install =
                format!(r#"{{"client_id": "app", "install": {{"member_id": "{portal}"}}}}"#);
            Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
        });
        let server = AuthorizationServer::default();
        InstallPolicy::introspect(TokenIntrospection::new("app", server, client).unwrap())
    }

    fn envelope(code: &str, portal: &str, ts: i64, token: &str) -> Envelope {
        let body = format!(
            "event={code}&ts={ts}&auth[access_token]={portal}&auth[member_id]={portal}\
             &auth[application_token]={token}"
        );
        Envelope::scan(body).unwrap()
    }

    /// An instance of the application.
    struct Instance<S>(PortalVerifier<S>);

    impl<S: TokenStore + 'static> Instance<S> {
        /// Whether the event is accepted.
        fn send(
            &self,
            code: &str,
            portal: &str,
            ts: i64,
            token: &str,
        ) -> impl Future<Output = bool> + Send + 'static {
            let (portals, envelope) = (self.0.clone(), envelope(code, portal, ts, token));
            async move { Event::verify(envelope, &portals).await.is_ok() }
        }
    }

    /// Both at once, each in a task of its own.
    async fn at_once<A: Send + 'static, B: Send + 'static>(
        one: impl Future<Output = A> + Send + 'static,
        other: impl Future<Output = B> + Send + 'static,
    ) -> (A, B) {
        let (one, other) = tokio::join!(tokio::spawn(one), tokio::spawn(other));
        (one.unwrap(), other.unwrap())
    }

    /// Runs every race so many times between two stores of one database.
    pub(super) async fn run<S: TokenStore + Clone + 'static>(stores: [S; 2], tries: usize) {
        let with = |policy: fn() -> InstallPolicy| {
            let instance =
                |store: &S| Instance(PortalVerifier::new(store.clone()).install_policy(policy()));
            [instance(&stores[0]), instance(&stores[1])]
        };
        let mut wrong = [0; 7];
        for at in 0..tries {
            let portal = |race: &str| format!("{race}-{at}");
            let [one, two] = with(prove);

            // The older of two installations never stays the current one.
            let id = portal("installations");
            let outcomes = at_once(
                one.send("ONAPPINSTALL", &id, 100, "T1"),
                two.send("ONAPPINSTALL", &id, 200, "T2"),
            );
            assert_eq!(outcomes.await, (true, true));
            let tokens = stores[0].tokens(&id).await.map_err(Into::into).unwrap();
            let current = tokens.iter().filter(|token| token.expires_at().is_none());
            let current: Vec<_> = current.map(PortalToken::issued_at).collect();
            wrong[0] += usize::from(current != [Some(200)] || tokens.len() != 2);

            // An installation that is accepted while an earlier uninstallation is being settled is
            // not forgotten.
            let id = portal("uninstallation");
            assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
            let gone = envelope("ONAPPUNINSTALL", &id, 150, "T1");
            assert!(one.0.verify(&gone).await.is_ok());
            let settled = one.0.on_handled(&gone).unwrap();
            let again = two.send("ONAPPINSTALL", &id, 200, "T1");
            let ((), accepted) = at_once(settled, again).await;
            let known = one.send("ONCRMDEALADD", &id, 300, "T1").await;
            wrong[1] += usize::from(!accepted || !known);

            // Nor is one with the same token in the same second.
            let id = portal("second");
            assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
            let gone = envelope("ONAPPUNINSTALL", &id, 100, "T1");
            assert!(one.0.verify(&gone).await.is_ok());
            let settled = one.0.on_handled(&gone).unwrap();
            let again = two.send("ONAPPINSTALL", &id, 100, "T1");
            let ((), accepted) = at_once(settled, again).await;
            let known = one.send("ONCRMDEALADD", &id, 300, "T1").await;
            wrong[6] += usize::from(!accepted || !known);

            // That events come with a token is noted down of one that is there, and never brings
            // one back.
            let id = portal("use");
            assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
            let gone = envelope("ONAPPUNINSTALL", &id, 150, "T1");
            assert!(one.0.verify(&gone).await.is_ok());
            let settled = one.0.on_handled(&gone).unwrap();
            at_once(settled, two.send("ONCRMDEALADD", &id, 120, "T1")).await;
            wrong[2] += usize::from(one.send("ONCRMDEALADD", &id, 300, "T1").await);

            // What the application records while an installation comes is not lost.
            let id = portal("webhook");
            let (portals, hook) = (one.0.clone(), id.clone());
            let add = async move { portals.add_webhook(&hook, &Secret::new("W")).await.is_ok() };
            let outcomes = at_once(add, two.send("ONAPPINSTALL", &id, 200, "T1"));
            assert_eq!(outcomes.await, (true, true));
            let webhook = two.send("ONCRMDEALADD", &id, 300, "W").await;
            let token = one.send("ONCRMDEALADD", &id, 300, "T1").await;
            wrong[3] += usize::from(!webhook || !token);

            // One takes an expected installation, and one the first of a portal.
            let [one, two] = with(InstallPolicy::complete_pending);
            let id = portal("pending");
            let minute = std::time::Duration::from_secs(60);
            one.0.expect_install(&id, minute).await.unwrap();
            let (first, second) = at_once(
                one.send("ONAPPINSTALL", &id, 100, "T1"),
                two.send("ONAPPINSTALL", &id, 200, "T2"),
            )
            .await;
            wrong[4] += usize::from(first == second);
            let [one, two] = with(InstallPolicy::trust_on_first_use);
            let id = portal("first");
            let (first, second) = at_once(
                one.send("ONAPPINSTALL", &id, 100, "T1"),
                two.send("ONAPPUSERREADY", &id, 200, "T2"),
            )
            .await;
            wrong[5] += usize::from(first == second);
        }
        assert_eq!(wrong, [0; 7], "of {tries} tries each");
        let [one, two] = with(InstallPolicy::reject);
        Box::pin(add_many_at_once(&one.0, &two.0)).await;
    }

    /// Adds webhooks to one portal through two instances. Each change fits in its deadline.
    async fn add_many_at_once<S: TokenStore + 'static>(
        one: &PortalVerifier<S>,
        two: &PortalVerifier<S>,
    ) {
        let mut adding = tokio::task::JoinSet::new();
        for at in 0..64 {
            let portals = if at % 2 == 0 { one } else { two }.clone();
            let hook = Secret::new(format!("W{at}"));
            adding.spawn(async move { portals.add_webhook("many", &hook).await });
        }
        for added in adding.join_all().await {
            added.unwrap();
        }
        for at in 0..64 {
            let event = envelope("ONCRMDEALADD", "many", 300, &format!("W{at}"));
            assert!(one.verify(&event).await.is_ok(), "W{at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_instances_with_one_memory_none_decides_by_what_is_over() {
    let store = std::sync::Arc::new(MemoryStore::new());
    Box::pin(races::run([store.clone(), store], races::tries(1_000))).await;
}

#[tokio::test]
async fn a_store_in_memory_keeps_the_rules() {
    store_conformance::check(&MemoryStore::new()).await.unwrap();
}

mod sqlite {
    use std::path::PathBuf;
    use std::time::Duration;

    use sqlx::{Connection, Executor, SqliteConnection};
    use tower_bitrix24::portals::{SqliteStore, StoreErrorKind};

    use super::*;

    /// An empty directory, removed with what is in it.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            let path = path.join(format!("stores-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("portals.db")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_store_in_a_file_keeps_the_rules() {
        let directory = Directory::new("rules");
        let store = SqliteStore::open(directory.file()).await.unwrap();
        store_conformance::check(&store).await.unwrap();
    }

    #[tokio::test]
    async fn two_instances_with_one_file_keep_the_rules() {
        let directory = Directory::new("two");
        let open = || async { SqliteStore::open(directory.file()).await.unwrap() };
        let instances = Instances::new([open().await, open().await]);
        store_conformance::check(&instances).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn instances_that_start_at_once_lay_the_file_out_once_and_race_for_each_portal() {
        let directory = Directory::new("race");
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            opening.spawn(SqliteStore::open(directory.file()));
        }
        let stores = opening.join_all().await;
        let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
        assert_eq!(race(&stores, &portals("portal")).await, 20);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_two_instances_with_one_file_none_decides_by_what_is_over() {
        let directory = Directory::new("decisions");
        let open = || async { SqliteStore::open(directory.file()).await.unwrap() };
        let stores = [open().await, open().await];
        Box::pin(races::run(stores, races::tries(20))).await;
    }

    #[tokio::test]
    async fn a_file_of_the_first_version_is_brought_up_to_date() {
        let directory = Directory::new("first");
        let url = format!("sqlite:{}?mode=rwc", directory.file().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        for statement in [
            "CREATE TABLE bitrix24_portal_schema (version INTEGER PRIMARY KEY) STRICT",
            include_str!("../../src/portals/store/migrations/sqlite/001_tokens.sql"),
            "INSERT INTO bitrix24_portal_schema (version) VALUES (1)",
            "INSERT INTO bitrix24_portal_tokens VALUES ('portal', 'plain:a', 'application', 1, 2)",
        ] {
            connection.execute(statement).await.unwrap();
        }
        connection.close().await.unwrap();

        let store = SqliteStore::open(directory.file()).await.unwrap();
        let known = [application("plain:a").with_issued_at(1).with_expires_at(2)];
        assert_eq!(store.tokens("portal").await.unwrap(), known);
        let used = [known[0].clone().with_added_at(3).with_used_at(4)];
        set(&store, "portal", &used).await.unwrap();
        assert_eq!(store.tokens("portal").await.unwrap(), used);
        store_conformance::check(&store).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_file_holds_is_there_when_it_is_opened_again() {
        let directory = Directory::new("again");
        let token = application("plain:a").with_issued_at(1).with_expires_at(2);
        for is_first in [true, false] {
            let store = SqliteStore::open(directory.file()).await.unwrap();
            let token = std::slice::from_ref(&token);
            let added = store.compare_exchange("portal", &[], token).await.unwrap();
            assert_eq!(added, is_first);
            assert_eq!(store.tokens("portal").await.unwrap(), token);
            store.close().await;
            assert!(store.tokens("portal").await.is_err());
        }
        // Closed, it is one file, to be moved or copied.
        assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_directory_that_is_missing_is_named_as_the_reason() {
        let directory = Directory::new("missing");
        let path = directory.0.join("none").join("portals.db");
        let error = SqliteStore::open(path).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Connection);
        assert_eq!(
            error.to_string(),
            "the directory of the SQLite file does not exist"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error_and_stays_as_it_is() {
        let directory = Directory::new("other");
        let text = "not a database, but long enough to be the head of one".repeat(10);
        std::fs::write(directory.file(), &text).unwrap();
        let error = SqliteStore::open(directory.file()).await.unwrap_err();
        assert!(
            in_a_log(&error).contains("file is not a database"),
            "{error:?}"
        );
        assert_eq!(std::fs::read_to_string(directory.file()).unwrap(), text);
    }

    #[tokio::test]
    async fn a_name_that_means_something_to_sqlite_is_a_file_all_the_same() {
        let directory = Directory::new("names");
        for name in [":memory:", "file:a?mode=memory", "a#b?c%20d"] {
            let store = SqliteStore::open(directory.0.join(name)).await.unwrap();
            set(&store, "portal", &[application("plain:a")])
                .await
                .unwrap();
            assert!(directory.0.join(name).is_file(), "{name}");
        }
        assert!(SqliteStore::open("").await.is_err());
    }

    #[tokio::test]
    async fn a_call_ends_while_another_process_writes_and_the_next_one_succeeds() {
        let directory = Directory::new("busy");
        let store = SqliteStore::builder()
            .call_timeout(Duration::from_millis(300))
            .open(directory.file())
            .await
            .unwrap();
        let url = format!("sqlite:{}", directory.file().display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        for _ in 0..3 {
            assert!(
                store
                    .compare_exchange("portal", &[], &[application("plain:a")])
                    .await
                    .is_err()
            );
            assert_eq!(store.tokens("portal").await.unwrap(), []);
        }
        other.execute("ROLLBACK").await.unwrap();
        // The last of these calls may still wait, in its own thread.
        let mut added = false;
        for _ in 0..100 {
            added = added
                || store
                    .compare_exchange("portal", &[], &[application("plain:a")])
                    .await
                    .is_ok();
        }
        assert!(added);
        assert_eq!(
            store.tokens("portal").await.unwrap(),
            [application("plain:a")]
        );
        store.close().await;
    }

    #[tokio::test]
    async fn more_calls_than_connections_wait_for_each_other() {
        let directory = Directory::new("few");
        let store = SqliteStore::builder()
            .max_readers(1)
            .call_timeout(Duration::from_secs(60))
            .open(directory.file())
            .await
            .unwrap();
        let mut calling = tokio::task::JoinSet::new();
        for at in 0..40 {
            let store = store.clone();
            calling.spawn(async move {
                // Some are given up in the middle, and cost no connection.
                if at % 4 == 0 {
                    let tokens = [application("plain:b")];
                    let adding = store.compare_exchange("portal", &[], &tokens);
                    let _ = tokio::time::timeout(Duration::from_micros(500), adding).await;
                } else {
                    store.tokens("portal").await.unwrap();
                    store
                        .compare_exchange("portal", &[], &[application("plain:a")])
                        .await
                        .unwrap();
                }
            });
        }
        calling.join_all().await;
        set(&store, "portal", &[]).await.unwrap();
        store.close().await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_but_the_owner_can_read_a_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let directory = Directory::new("mode");
        let store = SqliteStore::open(directory.file()).await.unwrap();
        set(&store, "portal", &[application("plain:a")])
            .await
            .unwrap();
        let files: Vec<_> = std::fs::read_dir(&directory.0).unwrap().collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file:?}");
        }
    }

    #[tokio::test]
    async fn a_file_of_a_later_version_is_rejected() {
        let directory = Directory::new("later");
        SqliteStore::open(directory.file())
            .await
            .unwrap()
            .close()
            .await;
        let url = format!("sqlite:{}", directory.file().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let later = "INSERT INTO bitrix24_portal_schema (version) VALUES (1000)";
        connection.execute(later).await.unwrap();
        connection.close().await.unwrap();

        let error = SqliteStore::open(directory.file()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
        assert!(
            error
                .to_string()
                .contains("a later version of tower-bitrix24")
        );
    }

    #[tokio::test]
    async fn a_row_of_a_kind_that_is_not_known_is_an_error_without_its_text() {
        let directory = Directory::new("kind");
        let store = SqliteStore::open(directory.file()).await.unwrap();
        let url = format!("sqlite:{}", directory.file().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let row = "INSERT INTO bitrix24_portal_tokens VALUES ('a', 'canary', 'other', 1, 1, 1, 1)";
        connection.execute(row).await.unwrap();

        let error = store.tokens("a").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Query);
        assert!(!in_a_log(&error).contains("canary"));
        let error = store.compare_exchange("a", &[], &[]).await.unwrap_err();
        assert!(!in_a_log(&error).contains("canary"));
    }
}

/// `BITRIX24_TEST_POSTGRES` is the address of a server's database, for a role that may create
/// schemas and roles in it. Each test has a schema of its own.
#[cfg(feature = "postgres")]
mod postgres {
    use std::time::Duration;

    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    use tower_bitrix24::portals::{PostgresStore, StoreErrorKind};

    use super::*;

    fn server() -> String {
        std::env::var("BITRIX24_TEST_POSTGRES").expect("BITRIX24_TEST_POSTGRES")
    }

    /// A schema that is empty.
    struct Namespace(String);

    impl Namespace {
        async fn new(name: &str) -> Self {
            let name = format!("bitrix24_{name}_{}", std::process::id());
            let namespace = Self(name);
            namespace
                .execute(&format!("CREATE SCHEMA {}", namespace.0))
                .await;
            namespace
        }

        /// The server's address with more parameters, to be in the schema.
        fn url(&self, parameters: &str) -> String {
            let server = server();
            let also = if server.contains('?') { '&' } else { '?' };
            format!(
                "{server}{also}options=-csearch_path%3D{}{parameters}",
                self.0
            )
        }

        async fn connect(&self) -> PgConnection {
            PgConnection::connect(&self.url("")).await.unwrap()
        }

        async fn store(&self) -> PostgresStore {
            PostgresStore::connect(&self.url("")).await.unwrap()
        }

        async fn execute(&self, statement: &str) {
            let statement = AssertSqlSafe(statement.to_owned());
            self.connect().await.execute(statement).await.unwrap();
        }

        async fn remove(self) {
            self.execute(&format!("DROP SCHEMA {} CASCADE", self.0))
                .await;
        }
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn a_store_in_postgresql_keeps_the_rules_and_leaves_no_transaction_open() {
        let namespace = Namespace::new("rules").await;
        let url = namespace.url(&format!("&application_name={}", namespace.0));
        let store = PostgresStore::connect(&url).await.unwrap();
        store_conformance::check(&store).await.unwrap();

        let mut connection = namespace.connect().await;
        let open = "SELECT count(*) FROM pg_stat_activity \
                    WHERE application_name = $1 AND state LIKE 'idle in transaction%'";
        let open: i64 = sqlx::query_scalar(open)
            .bind(&namespace.0)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(open, 0);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM bitrix24_portal_tokens")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, 0);
        store.close().await;
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn two_instances_keep_the_rules() {
        let namespace = Namespace::new("two").await;
        let instances = Instances::new([namespace.store().await, namespace.store().await]);
        store_conformance::check(&instances).await.unwrap();
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn a_role_with_another_isolation_keeps_the_rules() {
        let namespace = Namespace::new("isolation").await;
        for level in ["serializable", "repeatable%5C%20read"] {
            let url = namespace.url(&format!("%20-cdefault_transaction_isolation%3D{level}"));
            let store = PostgresStore::connect(&url).await.unwrap();
            store_conformance::check(&store).await.unwrap();
        }
        namespace.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn instances_that_start_at_once_lay_the_tables_out_once_and_race_for_each_portal() {
        let namespace = Namespace::new("race").await;
        let mut connecting = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = namespace.url("");
            // Far above what 80 changes take, for the sake of a busy machine.
            let store = PostgresStore::builder().call_timeout(Duration::from_secs(30));
            connecting.spawn(async move { store.connect(&url).await });
        }
        let stores = connecting.join_all().await;
        let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
        assert_eq!(race(&stores, &portals("portal")).await, 20);
        namespace.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn of_two_instances_none_decides_by_what_is_over() {
        let namespace = Namespace::new("decisions").await;
        let stores = [namespace.store().await, namespace.store().await];
        Box::pin(races::run(stores, races::tries(100))).await;
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn tables_of_the_first_version_are_brought_up_to_date() {
        let namespace = Namespace::new("first").await;
        for statement in [
            "CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)",
            include_str!("../../src/portals/store/migrations/postgres/001_tokens.sql"),
            "INSERT INTO bitrix24_portal_schema (version) VALUES (1)",
            "INSERT INTO bitrix24_portal_tokens VALUES ('portal', 'plain:a', 'application', 1, 2)",
        ] {
            namespace.execute(statement).await;
        }
        let store = namespace.store().await;
        let known = [application("plain:a").with_issued_at(1).with_expires_at(2)];
        assert_eq!(store.tokens("portal").await.unwrap(), known);
        store_conformance::check(&store).await.unwrap();
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn a_connection_that_is_lost_is_made_again() {
        let namespace = Namespace::new("lost").await;
        let url = namespace.url(&format!("&application_name={}", namespace.0));
        let store = PostgresStore::connect(&url).await.unwrap();
        set(&store, "portal", &[application("plain:a")])
            .await
            .unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
        namespace.execute(&format!("{end} '{}'", namespace.0)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(
            store.tokens("portal").await.unwrap(),
            [application("plain:a")]
        );
        set(&store, "portal", &[]).await.unwrap();
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn a_role_that_may_create_nothing_can_use_the_tables() {
        let namespace = Namespace::new("role").await;
        namespace.store().await.close().await;
        let role = &namespace.0;
        namespace
            .execute(&format!(
                "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {role} TO {role}; \
                 GRANT SELECT ON bitrix24_portal_schema TO {role}; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON bitrix24_portal_tokens TO {role}"
            ))
            .await;
        let url = namespace.url(&format!("%20-crole%3D{role}"));
        let store = PostgresStore::connect(&url).await.unwrap();
        store_conformance::check(&store).await.unwrap();
        store.close().await;
        namespace
            .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn tables_of_a_later_version_are_rejected() {
        let namespace = Namespace::new("later").await;
        namespace.store().await.close().await;
        let later = "INSERT INTO bitrix24_portal_schema (version) VALUES (1000)";
        namespace.execute(later).await;
        let error = PostgresStore::connect(&namespace.url(""))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
        namespace.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn an_error_of_the_server_does_not_repeat_a_token() {
        let namespace = Namespace::new("detail").await;
        let store = namespace.store().await;
        // The server tells the row in what it says of it.
        let never = "ALTER TABLE bitrix24_portal_tokens ADD CHECK (stored <> 'plain:canary')";
        namespace.execute(never).await;
        let error = set(&store, "portal", &[application("plain:canary")])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Query);
        assert!(
            in_a_log(&error).contains("violates check constraint"),
            "{error:?}"
        );
        assert!(!in_a_log(&error).contains("canary"), "{error:?}");
        set(&store, "portal", &[application("plain:a")])
            .await
            .unwrap();
        namespace.remove().await;
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_without_the_password() {
        let url = "postgres://app:canary@127.0.0.1:1/portals";
        let error = PostgresStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Connection);
        assert!(!in_a_log(&error).contains("canary"));
    }

    #[tokio::test]
    #[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
    async fn what_the_server_rejects_is_an_error_without_the_password() {
        let server = server();
        let (_, host) = server.rsplit_once('@').expect("a user in the address");
        let (host, _) = host.split_once('/').expect("a database in the address");
        let url = format!("postgres://nobody:canary@{host}/no_such_database");
        let error = PostgresStore::connect(&url).await.unwrap_err();
        assert!(!in_a_log(&error).contains("canary"));
        let store = PostgresStore::connect(&server).await.unwrap();
        assert_eq!(format!("{store:?}"), "PostgresStore { .. }");
    }
}
