//! The check of token stores can fail: each store that is wrong in one way is caught, by the rule
//! that it breaks.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Mutex;

use tokio::task::yield_now;
use tower_bitrix24::Secret;
use tower_bitrix24::portals::{MemoryStore, PortalToken, TokenKind, TokenStore};
use tower_bitrix24::testing::token_store::{self, BrokenRules};

/// A way of being wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KnowsEveryPortal,
    LosesTheKind,
    LosesWhenIssued,
    CannotKeepTimesBefore1970,
    ForgetsWhatHasEnded,
    CutsTexts,
    IgnoresCaseOfTexts,
    IgnoresCaseOfPortals,
    TrimsPortals,
    CutsPortals,
    RemovesByPattern,
    AddsTwice,
    AddKeepsTheOldFields,
    AddReplacesAll,
    AddFirstAddsAlways,
    AddFirstOverwrites,
    AddFirstCountsWhatIsValid,
    AddFirstCountsApplications,
    AddFirstLooksThenAdds,
    ReplaceEndsNothing,
    ReplaceEndsEveryKind,
    ReplaceProlongs,
    ReplaceRemoves,
    ReplaceKeepsTheOldFields,
    ReplaceWantsAKnownPortal,
    ReplaceReadsThenWrites,
    ReplaceAddsFirst,
    CompleteTakesWhatHasEnded,
    CompleteTakesAnyToken,
    CompleteLeavesThePending,
    CompleteAddsOnly,
    CompleteLooksThenReplaces,
    RemoveTokenSaysAlways,
    RemoveTokenRemovesAll,
    RemoveTokenLooksThenRemoves,
    LastTokenLeavesThePortal,
    RemoveLeavesWebhooks,
    RemoveSaysAlways,
    RemoveLooksThenRemoves,
    CompletesWhatIsRemoved,
}

/// A store in memory that is wrong in one way.
struct Broken {
    fault: Fault,
    store: MemoryStore,
    /// The portals that it keeps though they have no tokens.
    kept: Mutex<HashSet<String>>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            store: MemoryStore::new(),
            kept: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn id(&self, member_id: &str) -> String {
        match self.fault {
            Fault::IgnoresCaseOfPortals => member_id.to_lowercase(),
            Fault::TrimsPortals => member_id.trim_end().to_owned(),
            Fault::CutsPortals => member_id.chars().take(64).collect(),
            _ => member_id.to_owned(),
        }
    }

    fn text(&self, stored: &Secret) -> Secret {
        Secret::new(match self.fault {
            Fault::CutsTexts => stored.expose().chars().take(255).collect(),
            Fault::IgnoresCaseOfTexts => stored.expose().to_lowercase(),
            _ => stored.expose().to_owned(),
        })
    }

    fn token(&self, token: &PortalToken) -> PortalToken {
        let kind = match self.fault {
            Fault::LosesTheKind => TokenKind::Application,
            _ => token.kind(),
        };
        let issued = match self.fault {
            Fault::LosesWhenIssued => None,
            Fault::CannotKeepTimesBefore1970 => token.issued().map(|time| time.max(0)),
            _ => token.issued(),
        };
        PortalToken::new(kind, self.text(token.stored()))
            .issued_at(issued)
            .expires_at(token.expires())
    }

    async fn all(&self, id: &str) -> Vec<PortalToken> {
        let Ok(tokens) = self.store.tokens(id).await;
        tokens
    }

    async fn find(&self, id: &str, stored: &Secret) -> Option<PortalToken> {
        let tokens = self.all(id).await;
        tokens.into_iter().find(|token| token.stored() == stored)
    }
}

impl TokenStore for Broken {
    type Error = Infallible;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Infallible> {
        let id = self.id(member_id);
        let mut tokens = self.all(&id).await;
        if self.is(Fault::KnowsEveryPortal) && tokens.is_empty() {
            tokens.push(PortalToken::new(TokenKind::Webhook, Secret::new("plain:")));
        }
        if self.is(Fault::ForgetsWhatHasEnded) {
            tokens.retain(|token| token.expires().is_none_or(|expires| expires > 0));
        }
        if self.is(Fault::AddsTwice) {
            tokens.extend(tokens.first().cloned());
        }
        Ok(tokens)
    }

    async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), Infallible> {
        let (id, token) = (self.id(member_id), self.token(&token));
        match self.fault {
            Fault::AddKeepsTheOldFields if self.find(&id, token.stored()).await.is_some() => Ok(()),
            Fault::AddReplacesAll => {
                self.store.remove(&id).await?;
                self.store.add(&id, token).await
            }
            _ => self.store.add(&id, token).await,
        }
    }

    async fn add_first(&self, member_id: &str, token: PortalToken) -> Result<bool, Infallible> {
        let (id, token) = (self.id(member_id), self.token(&token));
        let tokens = self.all(&id).await;
        let counts = |token: &PortalToken| match self.fault {
            Fault::AddFirstCountsWhatIsValid => token.expires().is_none_or(|expires| expires > 0),
            Fault::AddFirstCountsApplications => token.kind() == TokenKind::Application,
            _ => true,
        };
        let is_first = !tokens.iter().any(counts);
        match self.fault {
            Fault::LastTokenLeavesThePortal if self.kept.lock().unwrap().contains(&id) => Ok(false),
            Fault::AddFirstAddsAlways => {
                self.store.add(&id, token).await?;
                Ok(true)
            }
            Fault::AddFirstOverwrites => {
                self.store.add(&id, token).await?;
                Ok(is_first)
            }
            Fault::AddFirstLooksThenAdds => {
                yield_now().await;
                if is_first {
                    self.store.add(&id, token).await?;
                }
                Ok(is_first)
            }
            Fault::AddFirstCountsWhatIsValid | Fault::AddFirstCountsApplications => {
                if is_first {
                    self.store.add(&id, token).await?;
                }
                Ok(is_first)
            }
            _ => self.store.add_first(&id, token).await,
        }
    }

    async fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> Result<(), Infallible> {
        let (id, token) = (self.id(member_id), self.token(&token));
        let mut others = self.all(&id).await;
        others.retain(|other| other.stored() != token.stored());
        match self.fault {
            Fault::ReplaceEndsNothing => self.store.add(&id, token).await,
            Fault::ReplaceEndsEveryKind => {
                for other in others {
                    let ends = other.expires().map_or(end, |time| time.min(end));
                    self.store.add(&id, other.expires_at(ends)).await?;
                }
                self.store.add(&id, token).await
            }
            Fault::ReplaceProlongs => {
                for other in others
                    .into_iter()
                    .filter(|other| other.kind() == token.kind())
                {
                    self.store.add(&id, other.expires_at(end)).await?;
                }
                self.store.add(&id, token).await
            }
            Fault::ReplaceRemoves => {
                self.store.remove(&id).await?;
                self.store.add(&id, token).await
            }
            Fault::ReplaceKeepsTheOldFields => {
                let old = self.find(&id, token.stored()).await;
                self.store.replace(&id, old.unwrap_or(token), end).await
            }
            Fault::ReplaceWantsAKnownPortal if self.all(&id).await.is_empty() => Ok(()),
            Fault::ReplaceReadsThenWrites => {
                yield_now().await;
                self.store.remove(&id).await?;
                for other in others {
                    let ends = other.expires().map_or(end, |time| time.min(end));
                    let other = match other.kind() == token.kind() {
                        true => other.expires_at(ends),
                        false => other,
                    };
                    self.store.add(&id, other).await?;
                }
                self.store.add(&id, token).await
            }
            Fault::ReplaceAddsFirst => {
                self.store.add(&id, token.clone()).await?;
                yield_now().await;
                self.store.replace(&id, token, end).await
            }
            _ => self.store.replace(&id, token, end).await,
        }
    }

    async fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> Result<bool, Infallible> {
        let (id, token) = (self.id(member_id), self.token(&token));
        let tokens = self.all(&id).await;
        let pending = tokens.iter().find(|token| {
            token.kind() == TokenKind::Pending && token.expires().is_none_or(|time| now < time)
        });
        match (self.fault, pending) {
            (Fault::CompleteTakesWhatHasEnded, _) => {
                self.store.complete(&id, token, end, i64::MIN).await
            }
            (Fault::CompleteTakesAnyToken, None) if !tokens.is_empty() => {
                self.store.replace(&id, token, end).await?;
                Ok(true)
            }
            (Fault::CompleteLeavesThePending, Some(_)) => {
                self.store.replace(&id, token, end).await?;
                Ok(true)
            }
            (Fault::CompleteAddsOnly, Some(pending)) => {
                self.store.remove_token(&id, pending.stored()).await?;
                self.store.add(&id, token).await?;
                Ok(true)
            }
            (Fault::CompleteLooksThenReplaces, Some(pending)) => {
                yield_now().await;
                self.store.remove_token(&id, pending.stored()).await?;
                self.store.replace(&id, token, end).await?;
                Ok(true)
            }
            // Only one completes, but another call may come between its two halves.
            (Fault::CompletesWhatIsRemoved, Some(pending)) => {
                if !self.store.remove_token(&id, pending.stored()).await? {
                    return Ok(false);
                }
                yield_now().await;
                self.store.replace(&id, token, end).await?;
                Ok(true)
            }
            _ => self.store.complete(&id, token, end, now).await,
        }
    }

    async fn remove_token(&self, member_id: &str, stored: &Secret) -> Result<bool, Infallible> {
        let (id, stored) = (self.id(member_id), self.text(stored));
        match self.fault {
            Fault::RemoveTokenSaysAlways => {
                self.store.remove_token(&id, &stored).await?;
                Ok(true)
            }
            Fault::RemoveTokenRemovesAll if self.find(&id, &stored).await.is_some() => {
                self.store.remove(&id).await
            }
            Fault::RemoveTokenLooksThenRemoves => {
                let found = self.find(&id, &stored).await.is_some();
                yield_now().await;
                self.store.remove_token(&id, &stored).await?;
                Ok(found)
            }
            Fault::LastTokenLeavesThePortal => {
                let removed = self.store.remove_token(&id, &stored).await?;
                if removed && self.all(&id).await.is_empty() {
                    self.kept.lock().unwrap().insert(id);
                }
                Ok(removed)
            }
            _ => self.store.remove_token(&id, &stored).await,
        }
    }

    async fn remove(&self, member_id: &str) -> Result<bool, Infallible> {
        let id = self.id(member_id);
        match self.fault {
            Fault::RemovesByPattern if id.ends_with('%') => {
                // Of the portals that match, those that the check has by then are enough.
                for end in ["", " ", "a", "A", "_", "*"] {
                    let like = format!("{}{end}", id.trim_end_matches('%'));
                    self.store.remove(&like).await?;
                }
                self.store.remove(&id).await
            }
            Fault::RemoveLeavesWebhooks => {
                let tokens = self.all(&id).await;
                let removed = self.store.remove(&id).await?;
                for token in tokens {
                    if token.kind() == TokenKind::Webhook {
                        self.store.add(&id, token).await?;
                    }
                }
                Ok(removed)
            }
            Fault::RemoveSaysAlways => {
                self.store.remove(&id).await?;
                Ok(true)
            }
            Fault::RemoveLooksThenRemoves => {
                let found = !self.all(&id).await.is_empty();
                yield_now().await;
                self.store.remove(&id).await?;
                Ok(found)
            }
            _ => self.store.remove(&id).await,
        }
    }
}

async fn broken_by(fault: Fault) -> BrokenRules {
    let broken = token_store::check(&Broken::new(fault)).await;
    broken.expect_err(&format!("{fault:?} is found"))
}

#[tokio::test]
async fn each_fault_is_caught_by_the_rule_that_it_breaks() {
    use Fault::*;

    let unknown = "a portal that is not known has no tokens";
    let kept = "add keeps what it is given";
    let texts = "texts are kept byte for byte";
    let portals = "portals are kept apart";
    let same_text = "add replaces a token of the same text";
    let first = "add_first adds where a portal has no tokens";
    let first_of_any_kind = "add_first counts tokens of every kind, ended or not";
    let first_at_once = "of several that add a first token at once, one does";
    let replaced = "replace ends the other tokens of its kind";
    let revived = "replace revives a token of the same text";
    let replaced_unknown = "replace adds to a portal that is not known";
    let replaced_at_once = "of several that replace at once, the last stays";
    let not_completed = "complete wants a pending token that has not ended";
    let completed = "complete removes the pending token and replaces";
    let completed_at_once = "of several that complete at once, one does";
    let token_removed = "remove_token removes the token of that text alone";
    let token_removed_at_once = "of several that remove a token at once, one does";
    let last_removed = "a portal whose last token is removed is not known";
    let removed = "remove removes every token of the portal";
    let removed_at_once = "of several that remove a portal at once, one does";
    let in_some_order = "calls at once are as if one after another";
    let seen_whole = "a call is seen whole or not at all";
    let given_up = "a call given up has happened or not";

    for (fault, rules) in [
        (KnowsEveryPortal, &[unknown][..]),
        (LosesTheKind, &[kept]),
        (LosesWhenIssued, &[kept]),
        (CannotKeepTimesBefore1970, &[kept]),
        (ForgetsWhatHasEnded, &[kept]),
        (CutsTexts, &[texts]),
        (IgnoresCaseOfTexts, &[texts]),
        (IgnoresCaseOfPortals, &[portals]),
        (TrimsPortals, &[portals]),
        (CutsPortals, &[portals]),
        (RemovesByPattern, &[portals]),
        (AddsTwice, &[kept, texts]),
        (AddKeepsTheOldFields, &[same_text]),
        (AddReplacesAll, &[kept, same_text]),
        (AddFirstAddsAlways, &[first]),
        (AddFirstOverwrites, &[first]),
        (AddFirstCountsWhatIsValid, &[first_of_any_kind]),
        (AddFirstCountsApplications, &[first_of_any_kind]),
        (AddFirstLooksThenAdds, &[first_at_once]),
        (ReplaceEndsNothing, &[replaced]),
        (ReplaceEndsEveryKind, &[replaced]),
        (ReplaceProlongs, &[replaced]),
        (ReplaceRemoves, &[replaced]),
        (ReplaceKeepsTheOldFields, &[revived]),
        (ReplaceWantsAKnownPortal, &[replaced_unknown]),
        (ReplaceReadsThenWrites, &[replaced_at_once]),
        (ReplaceAddsFirst, &[seen_whole, given_up]),
        (CompleteTakesWhatHasEnded, &[not_completed]),
        (CompleteTakesAnyToken, &[not_completed]),
        (CompleteLeavesThePending, &[completed]),
        (CompleteAddsOnly, &[completed]),
        (CompleteLooksThenReplaces, &[completed_at_once]),
        (RemoveTokenSaysAlways, &[token_removed]),
        (RemoveTokenRemovesAll, &[token_removed]),
        (RemoveTokenLooksThenRemoves, &[token_removed_at_once]),
        (LastTokenLeavesThePortal, &[last_removed]),
        (RemoveLeavesWebhooks, &[removed]),
        (RemoveSaysAlways, &[removed]),
        (RemoveLooksThenRemoves, &[removed_at_once]),
        (CompletesWhatIsRemoved, &[in_some_order, given_up]),
    ] {
        let broken = broken_by(fault).await;
        let found: Vec<_> = broken.rules().iter().map(|broken| broken.rule()).collect();
        for rule in rules {
            assert!(found.contains(rule), "{fault:?} breaks {rule:?}: {broken}");
        }
    }
}

#[tokio::test]
async fn a_report_tells_what_is_wrong_and_no_texts_of_tokens() {
    let broken = broken_by(Fault::ReplaceProlongs).await;
    let report = broken.to_string();
    let expected = "the store breaks 1 of the rules:\n- replace ends the other tokens of its kind: \
                    expected 16 tokens and found 16; missing [application (text 2, issued 7, \
                    expires -9223372036854775808)";
    assert!(report.starts_with(expected), "{report}");
    assert_eq!(format!("{broken:?}"), report);
    for fault in [Fault::CutsTexts, Fault::KnowsEveryPortal, Fault::AddsTwice] {
        let report = broken_by(fault).await.to_string();
        assert!(!report.contains("plain:"), "{report}");
    }
}

/// A store that is down.
struct Down;

impl TokenStore for Down {
    type Error = std::io::Error;

    async fn tokens(&self, _: &str) -> std::io::Result<Vec<PortalToken>> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn add(&self, _: &str, _: PortalToken) -> std::io::Result<()> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn add_first(&self, _: &str, _: PortalToken) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn replace(&self, _: &str, _: PortalToken, _: i64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn complete(&self, _: &str, _: PortalToken, _: i64, _: i64) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn remove_token(&self, _: &str, _: &Secret) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn remove(&self, _: &str) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }
}

#[tokio::test]
async fn a_store_that_fails_breaks_every_rule_and_says_why() {
    let broken = token_store::check(&Down).await.unwrap_err();
    assert_eq!(broken.rules().len(), 23);
    assert_eq!(
        broken.rules()[0].found(),
        "tokens failed: connection refused"
    );
}

#[tokio::test]
async fn the_check_leaves_nothing_behind_and_can_run_in_a_task() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let check = tokio::spawn({
        let store = store.clone();
        async move { token_store::check(&*store).await }
    });
    check.await.unwrap().unwrap();
    assert_eq!(format!("{store:?}"), "MemoryStore { portals: 0 }");
}
