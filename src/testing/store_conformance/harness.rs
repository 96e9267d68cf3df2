//! The store under test: its calls, with portals that only this run uses.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::portals::{PortalToken, TokenKind, TokenStore};
use crate::secret::Secret;

pub(super) const CONCURRENT_CALLS: usize = 8;

/// The expiry of expiring tokens, in Unix seconds.
pub(super) const END: i64 = 1_800_000_000;

/// The outcome of a rule. The error says what was expected and what was found.
pub(super) type Outcome<T = ()> = Result<T, String>;

/// A store under test. It records the portals that it uses, so that `clean_up` can remove them.
pub(super) struct Harness<'a, S: ?Sized> {
    store: &'a S,
    prefix: String,
    next: AtomicU32,
    used: Mutex<Vec<String>>,
}

impl<'a, S: TokenStore + ?Sized> Harness<'a, S> {
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

    pub(super) fn unknown_portal(&self) -> String {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.use_id(format!("{}-{next}", self.prefix))
    }

    /// Records a member id derived from one of [`unknown_portal`](Self::unknown_portal).
    pub(super) fn use_id(&self, member_id: String) -> String {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.push(member_id.clone());
        member_id
    }

    pub(super) async fn portal_with(&self, tokens: &[PortalToken]) -> Outcome<String> {
        let portal = self.unknown_portal();
        self.change(&portal, &[], tokens).await?;
        Ok(portal)
    }

    pub(super) async fn tokens(&self, member_id: &str) -> Outcome<Vec<PortalToken>> {
        let tokens = self.store.tokens(member_id).await;
        tokens.map_err(|error| failed("tokens", error))
    }

    pub(super) async fn exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Outcome<bool> {
        let exchanged = self.store.compare_exchange(member_id, expected, tokens);
        let exchanged = exchanged.await;
        exchanged.map_err(|error| failed("compare_exchange", error))
    }

    /// Exchanges the tokens. Returns an error if the store does not.
    pub(super) async fn change(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Outcome {
        if self.exchange(member_id, expected, tokens).await? {
            Ok(())
        } else {
            Err(format!(
                "expected compare_exchange with the portal's {} tokens to return true, found false",
                expected.len()
            ))
        }
    }

    /// Returns an error unless the portal has exactly these tokens, in any order.
    pub(super) async fn has(&self, member_id: &str, expected: &[PortalToken]) -> Outcome {
        let found = self.tokens(member_id).await?;
        if PortalToken::are_same(&found, expected) {
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

    /// Removes the portals. Ignores errors: the rules have reported what is wrong with the store.
    pub(super) async fn clean_up(&self) {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for member_id in used {
            if let Ok(tokens) = self.store.tokens(&member_id).await {
                let _ = self.store.compare_exchange(&member_id, &tokens, &[]).await;
            }
        }
    }
}

fn failed(call: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> String {
    let error = error.into();
    let mut message = format!("{call} failed: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(message, ": {error}");
        source = error.source();
    }
    message
}

/// Names for the texts of tokens, so that a report distinguishes them without quoting them.
struct Texts<'a>(Vec<&'a Secret>);

impl<'a> Texts<'a> {
    fn of(tokens: &'a [PortalToken]) -> Self {
        Self(tokens.iter().map(PortalToken::encoded).collect())
    }

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
        let text = self.0.iter().position(|text| *text == token.encoded());
        let text = text.map_or("another text".to_owned(), |at| format!("text {}", at + 1));
        let time = |time: Option<i64>| time.map_or("none".to_owned(), |time| time.to_string());
        format!(
            "{} ({text}, issued {}, expires {}, added {}, used {})",
            token.kind().as_str(),
            time(token.issued_at()),
            time(token.expires_at()),
            time(token.added_at()),
            time(token.used_at())
        )
    }
}

pub(super) fn token(kind: TokenKind, text: &str) -> PortalToken {
    PortalToken::new(kind, Secret::new(text))
}

pub(super) fn application(text: &str) -> PortalToken {
    token(TokenKind::Application, text)
}

pub(super) fn several_tokens() -> Vec<PortalToken> {
    (0..CONCURRENT_CALLS)
        .map(|at| application(&format!("plain:token-{at}")))
        .collect()
}

pub(super) fn expect(what: &str, expected: bool, found: bool) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "expected {what} to return {expected}, found {found}"
        ))
    }
}
