//! The stores of this crate, by the battery, and the worker over the store in memory.

#[cfg(feature = "testing")]
use super::*;

#[cfg(feature = "testing")]
#[tokio::test]
async fn memory_inbox_conforms() {
    crate::testing::inbox_conformance::check(&MemoryInbox::new())
        .await
        .unwrap();
}

#[cfg(all(feature = "testing", feature = "sqlite"))]
#[tokio::test]
async fn sqlite_inbox_conforms() {
    let file = format!("bitrix24-inbox-{}.sqlite", std::process::id());
    let file = std::env::temp_dir().join(file);
    let store = SqliteInbox::open(&file).await.unwrap();
    crate::testing::inbox_conformance::check(&store)
        .await
        .unwrap();
    store.close().await;
    std::fs::remove_file(file).unwrap();
}
