//! Stores that hold hashes of tokens.

use super::*;

fn hashed(store: &Arc<Watched>, key: u8) -> Watching {
    PortalVerifier::new(store.clone())
        .install_policy(InstallPolicy::trust_on_first_use())
        .hash_tokens(TokenKey::new([key; 32]).unwrap())
}

#[tokio::test]
async fn token_key_keeps_every_token_out_of_the_store() {
    let store = Watched::new();
    let portals = hashed(&store, 7);
    assert_eq!(send(&portals, INSTALL, "a", "canary").await, Ok(()));
    portals.set_token("a", &secret("canary2")).await.unwrap();
    portals.add_webhook("a", &secret("canary3")).await.unwrap();
    let tokens = store.store.tokens("a").await.unwrap();
    assert_eq!(tokens.len(), 3);
    for token in tokens {
        assert!(!token.encoded().expose().contains("canary"));
        // A reader of the store has nothing to send.
        let stored = token.encoded().expose();
        assert_eq!(send(&portals, DEAL, "a", stored).await, REJECTED);
    }
    for token in ["canary", "canary2", "canary3"] {
        assert_eq!(send(&portals, DEAL, "a", token).await, Ok(()));
    }
    assert!(portals.remove_token("a", &secret("canary3")).await.unwrap());
    assert_eq!(send(&portals, DEAL, "a", "canary3").await, REJECTED);
    assert_eq!(send(&portals, UNINSTALL, "a", "canary2").await, Ok(()));
    assert!(store.store.tokens("a").await.unwrap().is_empty());
}

#[tokio::test]
async fn token_key_can_be_introduced_but_not_changed() {
    let store = Watched::new();
    let plain = PortalVerifier::new(store.clone());
    plain.set_token("a", &secret("one")).await.unwrap();
    let portals = hashed(&store, 7);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert!(portals.remove_token("a", &secret("one")).await.unwrap());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&plain, DEAL, "a", "one").await, REJECTED);
    assert_eq!(send(&hashed(&store, 8), DEAL, "a", "one").await, REJECTED);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}
