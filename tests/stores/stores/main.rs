//! The crate's stores keep every rule of `TokenStore`, also if several instances share a database.

#[cfg(feature = "postgres")]
mod postgres;
mod races;
mod sqlite;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_bitrix24::Secret;
use tower_bitrix24::portals::{MemoryStore, PortalToken, TokenKind, TokenStore};
use tower_bitrix24::testing::store_conformance;

/// Two instances of an application with one database, which take turns.
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

/// Returns the error with all its sources, as a log shows it.
fn with_sources(error: &dyn Error) -> String {
    let source = error.source().map(with_sources).unwrap_or_default();
    format!("{error} {error:?} {source}")
}

/// Adds a first token to each portal through every store, concurrently. Returns the number of
/// additions that succeeded.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_with_a_memory_store_never_decide_by_stale_tokens() {
    let store = std::sync::Arc::new(MemoryStore::new());
    Box::pin(races::run([store.clone(), store], races::tries(1_000))).await;
}

#[tokio::test]
async fn memory_store_conforms() {
    store_conformance::check(&MemoryStore::new()).await.unwrap();
}
