//! Changes of one portal's tokens at once, in one process and against others.

use std::convert::Infallible;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::*;

fn webhook(at: usize) -> Secret {
    Secret::new(format!("hook-{at}"))
}

#[tokio::test(start_paused = true)]
async fn concurrent_changes_of_one_portal_all_succeed() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let hooks: Vec<_> = (0..64).map(webhook).collect();
    let added = join_all(hooks.iter().map(|hook| portals.add_webhook("a", hook)));
    assert!(added.await.iter().all(Result::is_ok));
    store.is(Health::Well).await;
    assert_eq!(store.tokens("a").await.unwrap().len(), 64);
    for at in 0..64 {
        assert_eq!(
            send(&portals, DEAL, "a", &format!("hook-{at}")).await,
            Ok(())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_portal_do_not_delay_another() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let flood: Vec<_> = (0..1_000)
        .map(|at| {
            let portals = portals.clone();
            tokio::spawn(async move { portals.add_webhook("flood", &webhook(at)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_millis(20));
    // It reads once before its turn.
    assert_eq!(send(&portals, INSTALL, "b", "one").await, Ok(()));
    assert_eq!(began.elapsed(), Duration::from_millis(50));
    let flood = join_all(flood).await;
    let added = flood.iter().filter(|added| added.as_ref().unwrap().is_ok());
    assert_eq!(added.count(), 256);
}

#[tokio::test(start_paused = true)]
async fn rejected_installs_take_no_turn_of_the_portal() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let forged = join_all((0..1_000).map(|_| send(&portals, INSTALL, "a", "forged")));
    let began = Instant::now();
    let (forged, added) = tokio::join!(forged, async {
        portals.add_webhook("a", &webhook(1)).await.unwrap();
        began.elapsed()
    });
    assert!(forged.iter().all(|forged| *forged == REJECTED));
    assert_eq!(added, Duration::from_millis(20));
}

/// A store that another process changes before every change.
#[derive(Clone, Default)]
struct Contended(MemoryStore);

impl TokenStore for Contended {
    type Error = Infallible;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Infallible> {
        self.0.tokens(member_id).await
    }

    async fn compare_exchange(
        &self,
        _: &str,
        _: &[PortalToken],
        _: &[PortalToken],
    ) -> Result<bool, Infallible> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(false)
    }
}

#[tokio::test(start_paused = true)]
async fn change_of_a_contended_portal_is_unavailable_after_five_store_timeouts() {
    let portals = PortalVerifier::new(Contended::default())
        .install_policy(InstallPolicy::trust_on_first_use());
    let began = Instant::now();
    let (token, hook) = (secret("one"), webhook(1));
    let (set, added) = tokio::join!(
        portals.set_token("a", &token),
        portals.add_webhook("a", &hook)
    );
    assert_eq!(kind(set), PortalsErrorKind::Unavailable);
    assert_eq!(kind(added), PortalsErrorKind::Unavailable);
    let limit = Duration::from_secs(10);
    assert!(began.elapsed() <= limit && began.elapsed() > limit / 2);

    let began = Instant::now();
    let install = Envelope::scan(body(INSTALL, "b", "one")).unwrap();
    let error = Event::verify(install, &portals).await.unwrap_err();
    assert_eq!(error.kind(), VerifyErrorKind::Unavailable);
    assert!(began.elapsed() <= limit && began.elapsed() > limit / 2);
}

#[tokio::test(start_paused = true)]
async fn changes_that_wait_for_a_silent_store_end_within_five_store_timeouts() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    store.is(Health::Silent).await;
    let began = Instant::now();
    let hooks: Vec<_> = (0..64).map(webhook).collect();
    let added = join_all(hooks.iter().map(|hook| portals.add_webhook("a", hook)));
    for added in added.await {
        assert_eq!(kind(added), PortalsErrorKind::Unavailable);
    }
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}
