//! The users of access tokens, remembered until the tokens expire.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::time::Instant;

use super::clock::unix_now;
use super::introspection::Owned;
use crate::secret::Secret;
use crate::verify::TokenOwner;

/// For a token whose expiry the authorization server does not tell.
const UNKNOWN_EXPIRY: Duration = Duration::from_secs(60);

/// A bounded cache. It holds no token, only hashes under a key that nobody else has.
pub(super) struct Owners {
    key: Hmac<Sha256>,
    ttl: Duration,
    capacity: usize,
    generations: Mutex<Generations>,
}

/// Once `young` has half of the capacity, it becomes `old`, whose entries are dropped. So an entry costs
/// no search for another that makes room.
#[derive(Default)]
struct Generations {
    young: HashMap<OwnerKey, Remembered>,
    old: HashMap<OwnerKey, Remembered>,
    /// Of all portals, so that it needs no memory for those that are gone.
    removals: Removals,
}

/// The number of portals that had been removed at some time.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Removals(u64);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OwnerKey {
    token: [u8; 32],
    portal: PortalKey,
}

#[derive(Clone, Copy)]
struct Remembered {
    portal: PortalKey,
    owner: TokenOwner,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PortalKey([u8; 16]);

impl Owners {
    pub(super) fn new(capacity: usize, ttl: Duration) -> Self {
        Self {
            key: random_key(),
            ttl,
            capacity,
            generations: Mutex::default(),
        }
    }

    pub(super) fn key(&self, member_id: &str, access_token: &Secret) -> OwnerKey {
        let mut hmac = self.key.clone();
        // The length, so that bytes cannot move between the two strings.
        hmac.update(&(member_id.len() as u64).to_be_bytes());
        hmac.update(member_id.as_bytes());
        hmac.update(access_token.expose().as_bytes());
        OwnerKey {
            token: hmac.finalize().into_bytes().into(),
            portal: self.portal(member_id),
        }
    }

    fn portal(&self, member_id: &str) -> PortalKey {
        let mut hmac = self.key.clone();
        // No length of a member id, so that this is the hash of no token.
        hmac.update(&u64::MAX.to_be_bytes());
        hmac.update(member_id.as_bytes());
        let hash: [u8; 32] = hmac.finalize().into_bytes().into();
        PortalKey(std::array::from_fn(|at| hash[at]))
    }

    /// Forgets the users of a portal.
    pub(super) fn remove_portal(&self, member_id: &str) {
        let portal = self.portal(member_id);
        let mut generations = self.lock();
        let Generations {
            young,
            old,
            removals,
        } = &mut *generations;
        removals.0 += 1;
        for remembered in [young, old] {
            remembered.retain(|_, remembered| remembered.portal != portal);
        }
    }

    /// Read it before a token is introspected, for [`insert`](Self::insert).
    pub(super) fn removals(&self) -> Removals {
        self.lock().removals
    }

    pub(super) fn get(&self, key: OwnerKey) -> Option<TokenOwner> {
        let generations = self.lock();
        let remembered = generations.young.get(&key);
        let remembered = remembered.or_else(|| generations.old.get(&key))?;
        (Instant::now() < remembered.until).then_some(remembered.owner)
    }

    /// Remembers the user, unless a portal was removed since `before`: it may be that of the token.
    pub(super) fn insert(&self, key: OwnerKey, owned: &Owned, before: Removals) {
        let left = match owned.expires {
            Some(expires) => {
                let left = expires.saturating_sub(unix_now());
                Duration::from_secs(left.try_into().unwrap_or(0))
            }
            None => UNKNOWN_EXPIRY,
        };
        let left = left.min(self.ttl);
        if self.capacity == 0 || left.is_zero() {
            return;
        }
        let remembered = Remembered {
            portal: key.portal,
            owner: owned.owner,
            until: Instant::now() + left,
        };
        let mut generations = self.lock();
        if generations.removals != before {
            return;
        }
        if generations.young.len() >= self.capacity.div_ceil(2) {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, remembered);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The standard library takes the keys of its maps from the operating system. Their hashes are this
/// key, which spares a dependency for 32 random bytes.
fn random_key() -> Hmac<Sha256> {
    let random = |_| RandomState::new().build_hasher().finish().to_be_bytes();
    let key: [[u8; 8]; 4] = std::array::from_fn(random);
    Hmac::new_from_slice(key.as_flattened()).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(user: u64, expires_in: Option<i64>) -> Owned {
        Owned {
            owner: TokenOwner {
                user,
                is_admin: false,
            },
            expires: expires_in.map(|seconds| unix_now() + seconds),
        }
    }

    fn key(owners: &Owners, token: &str) -> OwnerKey {
        owners.key("portal", &Secret::new(token))
    }

    #[tokio::test(start_paused = true)]
    async fn owner_is_remembered_until_the_token_expires_and_never_longer_than_the_ttl() {
        let owners = Owners::new(100, Duration::from_secs(600));
        for (token, expires_in, seconds) in [
            ("soon", Some(100), 95),
            ("late", Some(3600), 600),
            ("unknown", None, 60),
        ] {
            let key = key(&owners, token);
            owners.insert(key, &owned(7, expires_in), owners.removals());
            tokio::time::advance(Duration::from_secs(seconds - 5)).await;
            assert_eq!(owners.get(key).map(|owner| owner.user), Some(7), "{token}");
            tokio::time::advance(Duration::from_secs(11)).await;
            assert_eq!(owners.get(key), None, "{token}");
        }
        let expired = key(&owners, "expired");
        owners.insert(expired, &owned(7, Some(-1)), owners.removals());
        assert_eq!(owners.get(expired), None);
    }

    #[tokio::test]
    async fn owner_of_another_portal_or_token_is_unknown() {
        let owners = Owners::new(100, Duration::from_secs(600));
        let secret = Secret::new("btoken");
        owners.insert(
            owners.key("a", &secret),
            &owned(7, Some(3600)),
            owners.removals(),
        );
        assert!(owners.get(owners.key("a", &secret)).is_some());
        for (member_id, token) in [
            ("b", "btoken"),
            ("ab", "token"),
            ("a", "btokeN"),
            ("", "abtoken"),
        ] {
            assert_eq!(owners.get(owners.key(member_id, &Secret::new(token))), None);
        }
        let other = Owners::new(100, Duration::from_secs(600));
        assert!(other.key("a", &secret) != owners.key("a", &secret));
    }

    #[tokio::test]
    async fn removed_portal_leaves_no_owner_and_takes_none_of_another() {
        let owners = Owners::new(100, Duration::from_secs(600));
        let keys: Vec<_> = (0..90)
            .map(|at| owners.key(["a", "b"][at % 2], &Secret::new(at.to_string())))
            .collect();
        for key in &keys {
            owners.insert(*key, &owned(7, Some(3600)), owners.removals());
        }
        owners.remove_portal("a");
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(owners.get(*key).is_some(), at % 2 == 1, "{at}");
        }
    }

    #[tokio::test]
    async fn owners_are_bounded_and_the_latest_are_kept() {
        let owners = Owners::new(10, Duration::from_secs(600));
        for user in 0..1000 {
            let key = key(&owners, &user.to_string());
            owners.insert(key, &owned(user, Some(3600)), owners.removals());
            assert_eq!(owners.get(key).unwrap().user, user);
            let generations = owners.lock();
            assert!(generations.young.len() + generations.old.len() <= 10);
        }
        assert!(owners.get(key(&owners, "995")).is_some());
        assert!(owners.get(key(&owners, "900")).is_none());
        let none = Owners::new(0, Duration::from_secs(600));
        none.insert(key(&none, "a"), &owned(1, Some(3600)), none.removals());
        assert_eq!(none.get(key(&none, "a")), None);
    }
}
