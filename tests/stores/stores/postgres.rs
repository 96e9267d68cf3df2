//! `PostgresStore` alone and shared by several instances.
//!
//! `BITRIX24_TEST_POSTGRES` is the URL of a database, for a role that may create schemas and roles
//! in it. Each test has a schema of its own.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tower_bitrix24::portals::{PostgresStore, StoreErrorKind};

use super::*;

fn server() -> String {
    std::env::var("BITRIX24_TEST_POSTGRES").expect("BITRIX24_TEST_POSTGRES")
}

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

    /// Returns the server's URL for this schema, with more parameters.
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
async fn postgres_store_conforms_and_leaves_no_transaction_open() {
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
async fn two_postgres_stores_of_one_database_conform() {
    let namespace = Namespace::new("two").await;
    let instances = Instances::new([namespace.store().await, namespace.store().await]);
    store_conformance::check(&instances).await.unwrap();
    namespace.remove().await;
}

#[tokio::test]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_store_conforms_under_another_isolation_level() {
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
async fn concurrently_connected_postgres_stores_migrate_once_and_race_for_each_portal() {
    let namespace = Namespace::new("race").await;
    let mut connecting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = namespace.url("");
        // Far above what 80 changes take, because the machine may be busy.
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
async fn two_instances_with_a_postgres_store_never_decide_by_stale_tokens() {
    let namespace = Namespace::new("decisions").await;
    let stores = [namespace.store().await, namespace.store().await];
    Box::pin(races::run(stores, races::tries(100))).await;
    namespace.remove().await;
}

#[tokio::test]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_tables_of_the_first_version_are_migrated() {
    let namespace = Namespace::new("first").await;
    for statement in [
        "CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)",
        include_str!("../../../src/portals/store/migrations/postgres/001_tokens.sql"),
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
async fn postgres_store_reconnects_after_a_lost_connection() {
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
async fn postgres_role_that_may_not_create_tables_can_use_them() {
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
async fn postgres_tables_of_a_later_version_are_rejected() {
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
async fn postgres_error_does_not_contain_a_token() {
    let namespace = Namespace::new("detail").await;
    let store = namespace.store().await;
    // The server's error quotes the row.
    let never = "ALTER TABLE bitrix24_portal_tokens ADD CHECK (stored <> 'plain:canary')";
    namespace.execute(never).await;
    let error = set(&store, "portal", &[application("plain:canary")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Query);
    assert!(
        with_sources(&error).contains("violates check constraint"),
        "{error:?}"
    );
    assert!(!with_sources(&error).contains("canary"), "{error:?}");
    set(&store, "portal", &[application("plain:a")])
        .await
        .unwrap();
    namespace.remove().await;
}

#[tokio::test]
async fn postgres_connection_error_does_not_contain_the_password() {
    let url = "postgres://app:canary@127.0.0.1:1/portals";
    let error = PostgresStore::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Connection);
    assert!(!with_sources(&error).contains("canary"));
}

#[tokio::test]
#[ignore = "needs BITRIX24_TEST_POSTGRES, a PostgreSQL URL"]
async fn postgres_login_error_does_not_contain_the_password() {
    let server = server();
    let (_, host) = server.rsplit_once('@').expect("a user in the address");
    let (host, _) = host.split_once('/').expect("a database in the address");
    let url = format!("postgres://nobody:canary@{host}/no_such_database");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert!(!with_sources(&error).contains("canary"));
    let store = PostgresStore::connect(&server).await.unwrap();
    assert_eq!(format!("{store:?}"), "PostgresStore { .. }");
}
