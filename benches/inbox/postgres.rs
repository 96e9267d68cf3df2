//! The inbox in PostgreSQL: accepting and working off.

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tower_bitrix24::inbox::PostgresInbox;

use super::{Opened, accept, work};

/// Opens an inbox in an empty schema.
async fn open() -> Opened<PostgresInbox> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let url = std::env::var("BITRIX24_TEST_POSTGRES").expect("BITRIX24_TEST_POSTGRES");
    let schema = format!("inbox_bench_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let create = sqlx::raw_sql(AssertSqlSafe(sql));
    connection.execute(create).await.unwrap();
    connection.close().await.unwrap();
    let url = format!("{url}?options=-c%20search_path%3D{schema}");
    Opened {
        store: PostgresInbox::connect(&url).await.unwrap(),
        _directory: None,
    }
}

pub(super) async fn measure(senders: &[usize]) {
    accept::measure("PostgreSQL", open, senders).await;
    work::measure("PostgreSQL", open).await;
}
