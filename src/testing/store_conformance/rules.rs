//! The rules, each a function of its own.

use std::slice::from_ref;

use super::probe::{Outcome, Probe, application, token};
use super::together::{Call, given_up, together};
use crate::portals::{PortalToken, TokenKind, TokenStore};

const KINDS: [TokenKind; 3] = [
    TokenKind::Application,
    TokenKind::Webhook,
    TokenKind::Pending,
];

/// How many calls are made at once.
const AT_ONCE: usize = 8;

/// How often calls are made at once, since they meet by chance.
const ROUNDS: usize = 4;

/// A time that tokens end at, in unix seconds.
const END: i64 = 1_800_000_000;

/// Runs every rule and tells the outcome of each.
pub(super) async fn check<S: TokenStore + ?Sized>(
    of: &Probe<'_, S>,
    mut tell: impl FnMut(&'static str, Outcome),
) {
    tell(
        "a portal that is not known has no tokens",
        unknown(of).await,
    );
    tell("all that is known of a token is kept", kept(of).await);
    tell("texts are kept byte for byte", texts(of).await);
    tell("portals are kept apart", portals(of).await);
    tell(
        "compare_exchange replaces all tokens of the portal",
        replaced(of).await,
    );
    tell(
        "compare_exchange changes nothing if the portal has other tokens",
        unexpected(of).await,
    );
    tell(
        "compare_exchange compares all that is known of a token",
        compared(of).await,
    );
    tell("expected tokens come in any order", in_any_order(of).await);
    tell(
        "a portal that is left without tokens is not known",
        left_empty(of).await,
    );
    tell(
        "of several that expect the same at once, one changes it",
        exchanged_at_once(of).await,
    );
    tell(
        "of decisions at once, none is lost",
        decided_at_once(of).await,
    );
    tell("a call is seen whole or not at all", seen_whole(of).await);
    tell(
        "a call given up has happened or not",
        whole_when_given_up(of).await,
    );
}

fn expect(what: &str, expected: bool, found: bool) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected {what} to give {expected}, found {found}"))
    }
}

/// Tokens of the application that differ in their texts.
fn several() -> Vec<PortalToken> {
    (0..AT_ONCE)
        .map(|at| application(&format!("plain:token-{at}")))
        .collect()
}

async fn unknown<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let portal = of.portal();
    of.has(&portal, &[]).await?;
    of.change(&portal, &[], &[]).await?;
    of.has(&portal, &[]).await
}

async fn kept<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let times = [
        None,
        Some(0),
        Some(-1),
        Some(END),
        Some(i64::MIN),
        Some(i64::MAX),
    ];
    let mut tokens = Vec::new();
    for kind in KINDS {
        for time in times {
            for which in 0..4 {
                let token = token(kind, &format!("plain:{}", tokens.len()));
                let is = |at| if which == at { time } else { Some(END) };
                tokens.push(
                    token
                        .with_issued_at(is(0))
                        .with_expires_at(is(1))
                        .with_added_at(is(2))
                        .with_used_at(is(3)),
                );
            }
        }
    }
    let portal = of.portal_with(&tokens).await?;
    of.has(&portal, &tokens).await
}

async fn texts<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let texts = [
        "plain:a".to_owned(),
        "plain:A".to_owned(),
        "plain:a ".to_owned(),
        " plain:a".to_owned(),
        "plain:%".to_owned(),
        "plain:_".to_owned(),
        "plain:*".to_owned(),
        "plain:\\".to_owned(),
        "plain:'; DELETE FROM bitrix24_portal_tokens; --".to_owned(),
        "plain:\"`$1?".to_owned(),
        "plain:0".to_owned(),
        "plain:00".to_owned(),
        "plain:0.0".to_owned(),
        // One letter, and a letter with its accent after it.
        "plain:\u{e9}".to_owned(),
        "plain:e\u{301}".to_owned(),
        "plain:токен".to_owned(),
        "plain:ТОКЕН".to_owned(),
        "plain:\u{df}".to_owned(),
        "plain:ss".to_owned(),
        "plain:🔑".to_owned(),
        "a".repeat(300),
        "a".repeat(301),
        "a".repeat(512),
        "🔑".repeat(128),
    ];
    let tokens: Vec<_> = (0..)
        .zip(&texts)
        .map(|(at, text)| application(text).with_issued_at(at))
        .collect();
    let portal = of.portal_with(&tokens).await?;
    of.has(&portal, &tokens).await?;
    for at in 0..tokens.len() {
        of.change(&portal, &tokens[at..], &tokens[at + 1..]).await?;
        of.has(&portal, &tokens[at + 1..]).await?;
    }
    Ok(())
}

async fn portals<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let id = of.portal();
    let long = format!("{id}{}", "a".repeat(127 - id.len()));
    let mut ids = vec![
        id.clone(),
        id.to_uppercase(),
        format!(" {id}"),
        format!("{long}b"),
    ];
    let ends = [
        " ",
        "a",
        "A",
        "%",
        "_",
        "*",
        "'",
        "\"",
        "\\",
        "' OR '1'='1",
        "'; DELETE FROM portals; --",
        "$1",
        "?",
        "\u{e9}",
        "e\u{301}",
        "портал",
        "ПОРТАЛ",
        "🏢",
        "🏢🏢",
    ];
    ids.extend(ends.iter().map(|end| format!("{id}{end}")));
    ids.push(format!("{long}a"));
    ids.sort();
    ids.dedup();
    let portals: Vec<_> = ids.into_iter().map(|id| of.use_id(id)).collect();
    // All have a token of the same text, and each is to be told by when it was issued.
    let token = |at: usize| application("plain:a").with_issued_at(at as i64);
    for (at, portal) in portals.iter().enumerate() {
        of.change(portal, &[], &[token(at)]).await?;
    }
    for (at, portal) in portals.iter().enumerate() {
        of.has(portal, &[token(at)]).await?;
    }
    let other = application("plain:b");
    for (at, portal) in portals.iter().enumerate() {
        of.change(portal, &[token(at)], from_ref(&other)).await?;
        of.has(portal, from_ref(&other)).await?;
        of.change(portal, from_ref(&other), &[]).await?;
        of.has(portal, &[]).await?;
        if let Some(next) = portals.get(at + 1) {
            of.has(next, &[token(at + 1)]).await?;
        }
    }
    Ok(())
}

async fn replaced<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let before = [
        application("plain:stays").with_issued_at(1),
        application("plain:changes").with_issued_at(2),
        application("plain:goes"),
        token(TokenKind::Webhook, "plain:webhook").with_added_at(3),
        token(TokenKind::Pending, "pending").with_expires_at(END),
    ];
    let portal = of.portal_with(&before).await?;
    let other = of.portal_with(&before).await?;
    // Every field of the one changes, one after another, and then all back again.
    let changed = token(TokenKind::Webhook, "plain:changes");
    let mut now = before.to_vec();
    for changed in [
        changed.clone(),
        changed.clone().with_issued_at(7),
        changed.clone().with_issued_at(8).with_expires_at(END),
        changed.clone().with_expires_at(END).with_added_at(9),
        changed.clone().with_used_at(10),
        before[1].clone(),
    ] {
        let next = vec![
            before[0].clone(),
            changed,
            application("plain:comes").with_added_at(END),
            before[3].clone(),
        ];
        of.change(&portal, &now, &next).await?;
        of.has(&portal, &next).await?;
        now = next;
    }
    of.has(&other, &before).await
}

async fn unexpected<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let known = [
        application("plain:a"),
        application("plain:b").with_expires_at(0),
    ];
    let more = [&known[..], &[application("plain:c")]].concat();
    let others = [
        application("plain:a"),
        application("plain:c").with_expires_at(0),
    ];
    let portal = of.portal_with(&known).await?;
    let unknown = of.portal();
    let new = [application("plain:new")];
    for (portal, has, expected) in [
        (&portal, &known[..], &[][..]),
        (&portal, &known, &known[..1]),
        (&portal, &known, &known[1..]),
        (&portal, &known, &more),
        (&portal, &known, &others),
        (&portal, &known, &new),
        (&unknown, &[], &new),
        (&unknown, &[], &known),
    ] {
        for tokens in [&new[..], &[], &known, &more] {
            let exchanged = of.exchange(portal, expected, tokens).await?;
            expect("compare_exchange", false, exchanged)?;
            of.has(portal, has).await?;
        }
    }
    Ok(())
}

async fn compared<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let token = application("plain:a")
        .with_issued_at(1)
        .with_expires_at(END)
        .with_added_at(2)
        .with_used_at(3);
    let webhook = PortalToken::new(TokenKind::Webhook, token.encoded().clone())
        .with_issued_at(1)
        .with_expires_at(END)
        .with_added_at(2)
        .with_used_at(3);
    let portal = of.portal_with(from_ref(&token)).await?;
    for (what, expected) in [
        ("kind", webhook),
        ("issued", token.clone().with_issued_at(2)),
        ("issued", token.clone().with_issued_at(None)),
        ("expires", token.clone().with_expires_at(END + 1)),
        ("expires", token.clone().with_expires_at(None)),
        ("added", token.clone().with_added_at(1)),
        ("added", token.clone().with_added_at(None)),
        ("used", token.clone().with_used_at(4)),
        ("used", token.clone().with_used_at(None)),
    ] {
        for tokens in [&[][..], from_ref(&expected)] {
            let exchanged = of.exchange(&portal, from_ref(&expected), tokens).await?;
            let found = expect("compare_exchange", false, exchanged);
            found.map_err(|found| format!("with another {what} {found}"))?;
            of.has(&portal, from_ref(&token)).await?;
        }
    }
    let portal = of.portal_with(&[application("plain:a")]).await?;
    let exchanged = of.exchange(&portal, from_ref(&token), &[]).await?;
    expect("compare_exchange", false, exchanged)
}

async fn in_any_order<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let mut tokens = several();
    let portal = of.portal_with(&tokens).await?;
    for _ in 0..AT_ONCE {
        tokens.rotate_left(1);
        let mut next = tokens.clone();
        next[0] = next[0].clone().with_used_at(END);
        of.change(&portal, &tokens, &next).await?;
        tokens = next;
        tokens.reverse();
    }
    of.has(&portal, &tokens).await
}

async fn left_empty<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let token = application("plain:a");
    let portal = of.portal_with(from_ref(&token)).await?;
    for _ in 0..2 {
        of.change(&portal, from_ref(&token), &[]).await?;
        of.has(&portal, &[]).await?;
        let exchanged = of.exchange(&portal, from_ref(&token), &[]).await?;
        expect("a second compare_exchange", false, exchanged)?;
        of.change(&portal, &[], from_ref(&token)).await?;
    }
    of.has(&portal, &[token]).await
}

async fn exchanged_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let known = application("plain:known").with_issued_at(1);
    let of_same_text = |at: i64| vec![known.clone().with_issued_at(at + 2)];
    for _ in 0..ROUNDS {
        for (before, after) in [
            // The first tokens of a portal that is not known: nothing is there yet to be locked.
            (
                vec![],
                several().into_iter().map(|token| vec![token]).collect(),
            ),
            (
                vec![known.clone()],
                several()
                    .into_iter()
                    .map(|token| vec![known.clone().with_expires_at(END), token])
                    .collect(),
            ),
            (
                vec![known.clone()],
                (0..AT_ONCE as i64).map(of_same_text).collect(),
            ),
            (vec![known.clone()], vec![vec![]; AT_ONCE]),
        ] {
            let after: Vec<Vec<PortalToken>> = after;
            let portal = of.portal_with(&before).await?;
            let calls = after
                .iter()
                .map(|tokens| -> Call<'_, _> { Box::pin(of.exchange(&portal, &before, tokens)) });
            let outcomes = together(calls.collect()).await;
            let outcomes: Vec<bool> = outcomes.into_iter().collect::<Outcome<_>>()?;
            let mut done = after.iter().zip(&outcomes).filter(|(_, done)| **done);
            let (Some((tokens, _)), None) = (done.next(), done.next()) else {
                let found = outcomes.iter().filter(|done| **done).count();
                return Err(format!(
                    "expected one of {AT_ONCE} to give true, found {found}"
                ));
            };
            of.has(&portal, tokens).await?;
        }
    }
    Ok(())
}

/// Each adds a token to those that it finds, as often as others are first.
async fn decided_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let portal = of.portal();
        let all = several();
        let calls = all.iter().map(|token| -> Call<'_, Outcome> {
            Box::pin(async {
                // Whoever fails was overtaken by one that is done.
                for _ in 0..AT_ONCE {
                    let known = of.tokens(&portal).await?;
                    let next = [&known[..], from_ref(token)].concat();
                    if of.exchange(&portal, &known, &next).await? {
                        return Ok(());
                    }
                }
                Err(format!("expected a decision within {AT_ONCE} tries"))
            })
        });
        let outcomes = together(calls.collect()).await;
        outcomes.into_iter().collect::<Outcome>()?;
        of.has(&portal, &all).await?;
    }
    Ok(())
}

/// The changes that are tried: the first tokens, all that can happen to several, and their end.
const CHANGES: [&str; 3] = ["first", "mixed", "last"];

/// A portal, what it has before a change, and what after.
struct Change<'a, S: ?Sized> {
    of: &'a Probe<'a, S>,
    portal: String,
    before: Vec<PortalToken>,
    after: Vec<PortalToken>,
}

impl<'a, S: TokenStore + ?Sized> Change<'a, S> {
    async fn prepare(of: &'a Probe<'a, S>, change: &str) -> Outcome<Self> {
        let olds = || (0..3).map(|at| application(&format!("plain:{at}")));
        let ended = || olds().skip(1).map(|token| token.with_expires_at(END));
        let new = application("plain:new").with_issued_at(1);
        let mixed = ended().chain([new]).collect::<Vec<_>>();
        let (before, after) = match change {
            "first" => (vec![], mixed),
            "mixed" => (olds().collect(), mixed),
            _ => (mixed, vec![]),
        };
        let portal = of.portal_with(&before).await?;
        Ok(Self {
            of,
            portal,
            before,
            after,
        })
    }

    fn call(&self) -> Call<'_, Outcome<bool>> {
        Box::pin(self.of.exchange(&self.portal, &self.before, &self.after))
    }

    /// That nothing of the change is there, or all.
    async fn is_whole(&self) -> Outcome {
        let found = self.of.tokens(&self.portal).await?;
        let is = |tokens| PortalToken::are_same(&found, tokens);
        if is(&self.before) || is(&self.after) {
            Ok(())
        } else {
            Err("expected compare_exchange to be whole or not there, found a part".to_owned())
        }
    }

    async fn is_done(&self) -> Outcome {
        let found = self.of.has(&self.portal, &self.after).await;
        found.map_err(|found| format!("after compare_exchange {found}"))
    }
}

async fn seen_whole<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for change in CHANGES {
        for _ in 0..ROUNDS {
            let change = Change::prepare(of, change).await?;
            let readers = (0..AT_ONCE).map(|_| -> Call<'_, Outcome> {
                Box::pin(async {
                    change.is_whole().await?;
                    change.is_whole().await
                })
            });
            let call: Call<'_, Outcome> = Box::pin(async {
                let done = change.call().await?;
                expect("compare_exchange", true, done)
            });
            let calls = [call].into_iter().chain(readers).collect();
            together(calls).await.into_iter().collect::<Outcome>()?;
            change.is_done().await?;
        }
    }
    Ok(())
}

async fn whole_when_given_up<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let mut changes = Vec::new();
    for change in CHANGES {
        for polls in 1..=16 {
            let change = Change::prepare(of, change).await?;
            let outcome = given_up(change.call(), polls).await;
            let is_done = outcome.transpose()?.is_some();
            change.is_whole().await?;
            changes.push(change);
            if is_done {
                break;
            }
        }
    }
    // What was given up has had time, and the store goes on: nothing holds a lock, and nothing
    // that others do is undone with it.
    for change in &changes {
        change.is_whole().await?;
        let found = of.tokens(&change.portal).await?;
        of.change(&change.portal, &found, &change.before).await?;
    }
    for changes in changes.chunks(AT_ONCE) {
        let calls = changes.iter().map(|change| change.call());
        let outcomes = together(calls.collect()).await;
        for done in outcomes {
            expect("compare_exchange", true, done?)?;
        }
        for change in changes {
            change.is_done().await?;
        }
    }
    Ok(())
}
