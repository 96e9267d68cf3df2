//! The inboxes in databases keep the contract of `InboxStore`.

use tower_bitrix24::inbox::SqliteInbox;
use tower_bitrix24::testing::inbox_conformance;

#[tokio::test]
async fn sqlite_inbox_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("inbox.sqlite");
    let store = SqliteInbox::open(&file).await.unwrap();
    inbox_conformance::check(&store).await.unwrap();
    store.close().await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn postgres_inbox_conforms() {
    use tower_bitrix24::inbox::PostgresInbox;

    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let store = PostgresInbox::connect(&url).await.unwrap();
    inbox_conformance::check(&store).await.unwrap();
    store.close().await;
}
