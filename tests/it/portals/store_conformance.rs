//! The conformance check can fail: each store that is wrong in one way is reported by the rule that
//! it breaks.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Mutex;

use tokio::task::yield_now;
use tower_bitrix24::Secret;
use tower_bitrix24::portals::{MemoryStore, PortalToken, TokenKind, TokenStore};
use tower_bitrix24::testing::store_conformance::{self, ConformanceError};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KnowsEveryPortal,
    LosesTheKind,
    LosesWhenIssued,
    LosesWhenAdded,
    LosesWhenUsed,
    CannotKeepTimesBefore1970,
    ForgetsWhatHasEnded,
    CutsTexts,
    IgnoresCaseOfTexts,
    IgnoresCaseOfPortals,
    TrimsPortals,
    CutsPortals,
    RemovesByPattern,
    ReturnsOneTwice,
    KeepsWhatIsNotGiven,
    KeepsTheOldFields,
    KeepsTheOldTimeOfUse,
    ChangesNothing,
    ComparesNothing,
    ComparesHowMany,
    ComparesTexts,
    ComparesAllButKind,
    ComparesAllButIssued,
    ComparesAllButExpires,
    ComparesAllButAdded,
    ComparesAllButUsed,
    WantsTheExpectedAmongOthers,
    WantsNoMoreThanTheExpected,
    WritesWhatIsRefused,
    ComparesInOrder,
    RemembersThatAPortalWasKnown,
    ComparesThenWrites,
    ComparesThenWritesTheFirst,
    ComparesThenRemoves,
    RemovesThenAdds,
    AddsThenRemoves,
}

/// A store in memory with one fault.
struct Broken {
    fault: Fault,
    store: MemoryStore,
    /// The portals that were known once.
    known: Mutex<HashSet<String>>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            store: MemoryStore::new(),
            known: Mutex::default(),
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

    fn kept(&self, token: &PortalToken) -> PortalToken {
        let fault = self.fault;
        let text = token.encoded().expose();
        let text = match fault {
            Fault::CutsTexts => text.chars().take(255).collect(),
            Fault::IgnoresCaseOfTexts => text.to_lowercase(),
            _ => text.to_owned(),
        };
        let kind = match fault {
            Fault::LosesTheKind => TokenKind::Application,
            _ => token.kind(),
        };
        let time = |lost: Fault, time: Option<i64>| match fault {
            _ if fault == lost => None,
            Fault::CannotKeepTimesBefore1970 => time.map(|time| time.max(0)),
            _ => time,
        };
        PortalToken::new(kind, Secret::new(text))
            .with_issued_at(time(Fault::LosesWhenIssued, token.issued_at()))
            .with_expires_at(token.expires_at())
            .with_added_at(time(Fault::LosesWhenAdded, token.added_at()))
            .with_used_at(time(Fault::LosesWhenUsed, token.used_at()))
    }

    async fn all(&self, id: &str) -> Vec<PortalToken> {
        let Ok(tokens) = self.store.tokens(id).await;
        tokens
    }

    async fn set(&self, id: &str, tokens: &[PortalToken]) {
        let known = self.all(id).await;
        let Ok(true) = self.store.compare_exchange(id, &known, tokens).await else {
            panic!("nothing else happens at once");
        };
        if !tokens.is_empty() {
            self.known.lock().unwrap().insert(id.to_owned());
        }
    }

    /// Returns `true` if the portal counts as having the expected tokens.
    fn has(&self, id: &str, known: &[PortalToken], expected: &[PortalToken]) -> bool {
        // Compares without a part of each token.
        let same = |without: fn(&PortalToken) -> PortalToken| {
            let without = |tokens: &[PortalToken]| tokens.iter().map(without).collect::<Vec<_>>();
            PortalToken::are_same(&without(known), &without(expected))
        };
        match self.fault {
            Fault::ComparesNothing => true,
            Fault::ComparesHowMany => known.len() == expected.len(),
            Fault::ComparesTexts => {
                same(|token| PortalToken::new(TokenKind::Application, token.encoded().clone()))
            }
            Fault::ComparesAllButKind => same(|token| {
                PortalToken::new(TokenKind::Application, token.encoded().clone())
                    .with_issued_at(token.issued_at())
                    .with_expires_at(token.expires_at())
                    .with_added_at(token.added_at())
                    .with_used_at(token.used_at())
            }),
            Fault::ComparesAllButIssued => same(|token| token.clone().with_issued_at(None)),
            Fault::ComparesAllButExpires => same(|token| token.clone().with_expires_at(None)),
            Fault::ComparesAllButAdded => same(|token| token.clone().with_added_at(None)),
            Fault::ComparesAllButUsed => same(|token| token.clone().with_used_at(None)),
            Fault::WantsTheExpectedAmongOthers => {
                expected.iter().all(|token| known.contains(token))
            }
            Fault::WantsNoMoreThanTheExpected => known.iter().all(|token| expected.contains(token)),
            Fault::ComparesInOrder => known == expected,
            Fault::RemembersThatAPortalWasKnown
                if expected.is_empty() && self.known.lock().unwrap().contains(id) =>
            {
                false
            }
            _ => PortalToken::are_same(known, expected),
        }
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
            tokens.retain(|token| token.expires_at().is_none_or(|expires| expires > 0));
        }
        if self.is(Fault::ReturnsOneTwice) {
            tokens.extend(tokens.first().cloned());
        }
        Ok(tokens)
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Infallible> {
        let id = self.id(member_id);
        let expected: Vec<_> = expected.iter().map(|token| self.kept(token)).collect();
        // Strings that have become equal are one token.
        let mut kept: Vec<PortalToken> = Vec::new();
        for token in tokens.iter().map(|token| self.kept(token)) {
            kept.retain(|other| other.encoded() != token.encoded());
            kept.push(token);
        }
        let known = self.all(&id).await;
        let has = self.has(&id, &known, &expected);
        if !has && !self.is(Fault::WritesWhatIsRefused) {
            return Ok(false);
        }
        let others = |tokens: &[PortalToken], than: &[PortalToken]| {
            let is_other =
                |token: &&PortalToken| !than.iter().any(|other| other.encoded() == token.encoded());
            tokens.iter().filter(is_other).cloned().collect::<Vec<_>>()
        };
        let old = |token: &PortalToken| {
            let old = known.iter().find(|old| old.encoded() == token.encoded());
            old.unwrap_or(token).clone()
        };
        match self.fault {
            Fault::RemovesByPattern if id.ends_with('%') && kept.is_empty() => {
                // The portals that the check has added by then suffice to match.
                for end in ["", " ", "a", "A", "_", "*"] {
                    self.set(&format!("{}{end}", id.trim_end_matches('%')), &[])
                        .await;
                }
            }
            Fault::KeepsWhatIsNotGiven => kept.extend(others(&known, &kept)),
            Fault::KeepsTheOldFields => kept = kept.iter().map(old).collect(),
            Fault::KeepsTheOldTimeOfUse => {
                let used = |token: &PortalToken| token.clone().with_used_at(old(token).used_at());
                kept = kept.iter().map(used).collect();
            }
            Fault::ChangesNothing => return Ok(true),
            Fault::ComparesThenWrites => yield_now().await,
            Fault::ComparesThenWritesTheFirst if expected.is_empty() => yield_now().await,
            Fault::ComparesThenRemoves if kept.is_empty() => yield_now().await,
            Fault::RemovesThenAdds => {
                let stays = others(&kept, &others(&kept, &known));
                self.set(&id, &stays).await;
                yield_now().await;
            }
            Fault::AddsThenRemoves => {
                let all = [&kept[..], &others(&known, &kept)].concat();
                self.set(&id, &all).await;
                yield_now().await;
            }
            _ => {}
        }
        self.set(&id, &kept).await;
        Ok(has)
    }
}

async fn broken_by(fault: Fault) -> ConformanceError {
    let broken = store_conformance::check(&Broken::new(fault)).await;
    broken.expect_err(&format!("{fault:?} is found"))
}

#[tokio::test]
async fn store_conformance_reports_each_fault_by_its_rule() {
    use Fault::*;

    let unknown = "a portal that is not known has no tokens";
    let kept = "all that is known of a token is kept";
    let texts = "texts are kept byte for byte";
    let portals = "portals are kept apart";
    let replaced = "compare_exchange replaces all tokens of the portal";
    let unexpected = "compare_exchange changes nothing if the portal has other tokens";
    let compared = "compare_exchange compares all that is known of a token";
    let in_any_order = "expected tokens come in any order";
    let left_empty = "a portal that is left without tokens is not known";
    let at_once = "of several that expect the same at once, one changes it";
    let decided = "of decisions at once, none is lost";
    let seen_whole = "a call is seen whole or not at all";
    let cancelled = "a cancelled call takes full effect or none";

    for (fault, rules) in [
        (KnowsEveryPortal, &[unknown][..]),
        (LosesTheKind, &[kept]),
        (LosesWhenIssued, &[kept]),
        (LosesWhenAdded, &[kept]),
        (LosesWhenUsed, &[kept]),
        (CannotKeepTimesBefore1970, &[kept]),
        (ForgetsWhatHasEnded, &[kept]),
        (CutsTexts, &[texts]),
        (IgnoresCaseOfTexts, &[texts]),
        (IgnoresCaseOfPortals, &[portals]),
        (TrimsPortals, &[portals]),
        (CutsPortals, &[portals]),
        (RemovesByPattern, &[portals]),
        (ReturnsOneTwice, &[kept, texts]),
        (KeepsWhatIsNotGiven, &[replaced]),
        (KeepsTheOldFields, &[replaced]),
        (KeepsTheOldTimeOfUse, &[replaced]),
        (ChangesNothing, &[kept, replaced]),
        (ComparesNothing, &[unexpected, compared, at_once]),
        (ComparesHowMany, &[unexpected]),
        (ComparesTexts, &[compared]),
        (ComparesAllButKind, &[compared]),
        (ComparesAllButIssued, &[compared, at_once]),
        (ComparesAllButExpires, &[compared]),
        (ComparesAllButAdded, &[compared]),
        (ComparesAllButUsed, &[compared]),
        (WantsTheExpectedAmongOthers, &[unexpected]),
        (WantsNoMoreThanTheExpected, &[unexpected]),
        (WritesWhatIsRefused, &[unexpected]),
        (ComparesInOrder, &[in_any_order]),
        (RemembersThatAPortalWasKnown, &[left_empty]),
        (ComparesThenWrites, &[at_once, decided]),
        (ComparesThenWritesTheFirst, &[at_once]),
        (ComparesThenRemoves, &[at_once]),
        (RemovesThenAdds, &[seen_whole, cancelled]),
        (AddsThenRemoves, &[seen_whole, cancelled]),
    ] {
        let broken = broken_by(fault).await;
        let found: Vec<_> = broken
            .rules()
            .iter()
            .map(tower_bitrix24::testing::store_conformance::ConformanceFailure::rule)
            .collect();
        for rule in rules {
            assert!(found.contains(rule), "{fault:?} breaks {rule:?}: {broken}");
        }
    }
}

#[tokio::test]
async fn store_conformance_report_contains_no_token() {
    let broken = broken_by(Fault::KeepsTheOldTimeOfUse).await;
    let report = broken.rules()[0].to_string();
    let expected = "compare_exchange replaces all tokens of the portal: expected 4 tokens and \
                    found 4; missing [webhook (text 2, issued none, expires none, added none, \
                    used 10)]";
    assert!(report.starts_with(expected), "{report}");
    let report = broken.to_string();
    assert!(report.starts_with("the store breaks "), "{report}");
    assert_eq!(format!("{broken:?}"), report);
    for fault in [
        Fault::CutsTexts,
        Fault::KnowsEveryPortal,
        Fault::ReturnsOneTwice,
    ] {
        let report = broken_by(fault).await.to_string();
        assert!(!report.contains("plain:"), "{report}");
    }
}

struct Down;

impl TokenStore for Down {
    type Error = std::io::Error;

    async fn tokens(&self, _: &str) -> std::io::Result<Vec<PortalToken>> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn compare_exchange(
        &self,
        _: &str,
        _: &[PortalToken],
        _: &[PortalToken],
    ) -> std::io::Result<bool> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }
}

#[tokio::test]
async fn store_conformance_of_a_failing_store_breaks_every_rule() {
    let broken = store_conformance::check(&Down).await.unwrap_err();
    assert_eq!(broken.rules().len(), 13);
    assert_eq!(
        broken.rules()[0].details(),
        "tokens failed: connection refused"
    );
}

#[tokio::test]
async fn store_conformance_check_cleans_up_and_can_run_in_a_task() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let check = tokio::spawn({
        let store = store.clone();
        async move { store_conformance::check(&*store).await }
    });
    check.await.unwrap().unwrap();
    assert_eq!(format!("{store:?}"), "MemoryStore { portals: 0 }");
}
