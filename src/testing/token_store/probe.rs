//! The calls of a store, with portals of our own.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Secret;
use crate::portals::{PortalToken, TokenKind, TokenStore};

/// What was found in place of what a rule expects.
pub(super) type Outcome<T = ()> = Result<T, String>;

/// A store under check. Each call remembers its portal, for it to be removed in the end.
pub(super) struct Probe<'a, S: ?Sized> {
    store: &'a S,
    /// What the ids of this check begin with, and those of no other.
    prefix: String,
    next: AtomicU32,
    used: Mutex<Vec<String>>,
}

impl<'a, S: TokenStore + ?Sized> Probe<'a, S> {
    pub(super) fn new(store: &'a S) -> Self {
        // The keys of a `RandomState` are random, so the hash of anything is.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            store,
            prefix: format!("token-store-check-{random:016x}"),
            next: AtomicU32::new(0),
            used: Mutex::default(),
        }
    }

    /// The id of a portal that is not known.
    pub(super) fn portal(&self) -> String {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.use_id(format!("{}-{next}", self.prefix))
    }

    /// Takes an id made of one that [`portal`](Self::portal) gave.
    pub(super) fn use_id(&self, member_id: String) -> String {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.push(member_id.clone());
        member_id
    }

    /// A portal with these tokens.
    pub(super) async fn portal_with(&self, tokens: &[PortalToken]) -> Outcome<String> {
        let portal = self.portal();
        for token in tokens {
            self.add(&portal, token).await?;
        }
        Ok(portal)
    }

    pub(super) async fn tokens(&self, member_id: &str) -> Outcome<Vec<PortalToken>> {
        let tokens = self.store.tokens(member_id).await;
        tokens.map_err(|error| failed("tokens", error))
    }

    pub(super) async fn add(&self, member_id: &str, token: &PortalToken) -> Outcome {
        let added = self.store.add(member_id, token.clone()).await;
        added.map_err(|error| failed("add", error))
    }

    pub(super) async fn add_first(&self, member_id: &str, token: &PortalToken) -> Outcome<bool> {
        let added = self.store.add_first(member_id, token.clone()).await;
        added.map_err(|error| failed("add_first", error))
    }

    pub(super) async fn replace(&self, member_id: &str, token: &PortalToken, end: i64) -> Outcome {
        let replaced = self.store.replace(member_id, token.clone(), end).await;
        replaced.map_err(|error| failed("replace", error))
    }

    pub(super) async fn complete(
        &self,
        member_id: &str,
        token: &PortalToken,
        end: i64,
        now: i64,
    ) -> Outcome<bool> {
        let completed = self.store.complete(member_id, token.clone(), end, now);
        completed.await.map_err(|error| failed("complete", error))
    }

    pub(super) async fn remove_token(&self, member_id: &str, stored: &Secret) -> Outcome<bool> {
        let removed = self.store.remove_token(member_id, stored).await;
        removed.map_err(|error| failed("remove_token", error))
    }

    pub(super) async fn remove(&self, member_id: &str) -> Outcome<bool> {
        let removed = self.store.remove(member_id).await;
        removed.map_err(|error| failed("remove", error))
    }

    /// That the portal has these tokens, in any order, and no others.
    pub(super) async fn has(&self, member_id: &str, expected: &[PortalToken]) -> Outcome {
        let found = self.tokens(member_id).await?;
        if is_same(&found, expected) {
            return Ok(());
        }
        let texts = Texts::of(expected);
        let without = |tokens: &[PortalToken], others: &[PortalToken]| {
            let rest = tokens.iter().filter(|token| !others.contains(token));
            texts.list(rest)
        };
        Err(format!(
            "expected {} tokens and found {}; missing {}, unexpected {}",
            expected.len(),
            found.len(),
            without(expected, &found),
            without(&found, expected)
        ))
    }

    /// Removes what the check made. It has said already what is wrong with the store.
    pub(super) async fn clean_up(&self) {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for member_id in used {
            let _ = self.store.remove(&member_id).await;
        }
    }
}

fn failed(call: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> String {
    let error = error.into();
    let mut message = format!("{call} failed: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        // A String takes everything.
        let _ = write!(message, ": {error}");
        source = error.source();
    }
    message
}

/// Whether both have the same tokens, in any order.
pub(super) fn is_same(found: &[PortalToken], expected: &[PortalToken]) -> bool {
    let all = |of: &[PortalToken], are: &[PortalToken]| of.iter().all(|token| are.contains(token));
    found.len() == expected.len() && all(found, expected) && all(expected, found)
}

/// Names for the texts of tokens, so that a report can tell them apart without them.
struct Texts<'a>(Vec<&'a Secret>);

impl<'a> Texts<'a> {
    fn of(tokens: &'a [PortalToken]) -> Self {
        Self(tokens.iter().map(PortalToken::stored).collect())
    }

    /// The tokens, but of many only so many as people read.
    fn list<'b>(&self, tokens: impl Iterator<Item = &'b PortalToken>) -> String {
        const SHOWN: usize = 4;
        let mut list: Vec<_> = tokens.map(|token| self.describe(token)).collect();
        if list.is_empty() {
            return "none".to_owned();
        }
        if list.len() > SHOWN {
            let rest = list.len() - SHOWN;
            list.truncate(SHOWN);
            list.push(format!("{rest} more"));
        }
        format!("[{}]", list.join(", "))
    }

    fn describe(&self, token: &PortalToken) -> String {
        let text = self.0.iter().position(|text| *text == token.stored());
        let text = text.map_or("another text".to_owned(), |at| format!("text {}", at + 1));
        let time = |time: Option<i64>| time.map_or("none".to_owned(), |time| time.to_string());
        format!(
            "{} ({text}, issued {}, expires {})",
            token.kind().as_str(),
            time(token.issued()),
            time(token.expires())
        )
    }
}

/// A token of this kind.
pub(super) fn token(kind: TokenKind, text: &str) -> PortalToken {
    PortalToken::new(kind, Secret::new(text))
}

/// A token of the application.
pub(super) fn application(text: &str) -> PortalToken {
    token(TokenKind::Application, text)
}
