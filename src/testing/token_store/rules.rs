//! The rules, each a function of its own.

use std::slice::from_ref;

use super::probe::{Outcome, Probe, application, is_same, token};
use super::together::{Call, given_up, together};
use crate::Secret;
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
    tell("add keeps what it is given", kept(of).await);
    tell("texts are kept byte for byte", texts(of).await);
    tell("portals are kept apart", portals(of).await);
    tell("add replaces a token of the same text", same_text(of).await);
    tell(
        "add_first adds where a portal has no tokens",
        first(of).await,
    );
    tell(
        "add_first counts tokens of every kind, ended or not",
        first_of_any_kind(of).await,
    );
    tell(
        "of several that add a first token at once, one does",
        first_at_once(of).await,
    );
    tell(
        "replace ends the other tokens of its kind",
        replaced(of).await,
    );
    tell(
        "replace revives a token of the same text",
        revived(of).await,
    );
    tell(
        "replace adds to a portal that is not known",
        replaced_unknown(of).await,
    );
    tell(
        "of several that replace at once, the last stays",
        replaced_at_once(of).await,
    );
    tell(
        "complete wants a pending token that has not ended",
        not_completed(of).await,
    );
    tell(
        "complete removes the pending token and replaces",
        completed(of).await,
    );
    tell(
        "of several that complete at once, one does",
        completed_at_once(of).await,
    );
    tell(
        "remove_token removes the token of that text alone",
        token_removed(of).await,
    );
    tell(
        "of several that remove a token at once, one does",
        token_removed_at_once(of).await,
    );
    tell(
        "a portal whose last token is removed is not known",
        last_removed(of).await,
    );
    tell(
        "remove removes every token of the portal",
        removed(of).await,
    );
    tell(
        "of several that remove a portal at once, one does",
        removed_at_once(of).await,
    );
    tell(
        "calls at once are as if one after another",
        in_some_order(of).await,
    );
    tell("a call is seen whole or not at all", seen_whole(of).await);
    tell(
        "a call given up has happened or not",
        whole_when_given_up(of).await,
    );
}

fn expect(what: &str, expected: bool, found: bool) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(format!("expected {what} to give {expected}, found {found}")),
    }
}

/// That one of these is `true`.
fn expect_one(outcomes: Vec<Outcome<bool>>) -> Outcome {
    let outcomes: Vec<bool> = outcomes.into_iter().collect::<Outcome<_>>()?;
    let found = outcomes.iter().filter(|done| **done).count();
    match found {
        1 => Ok(()),
        _ => Err(format!(
            "expected one of {} to give true, found {found}",
            outcomes.len()
        )),
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
    let removed = of.remove_token(&portal, &Secret::new("plain:a")).await?;
    expect("remove_token", false, removed)?;
    expect("remove", false, of.remove(&portal).await?)?;
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
            let text = format!("plain:{}", tokens.len());
            tokens.push(token(kind, &text).issued_at(time).expires_at(Some(END)));
            let text = format!("plain:{}", tokens.len());
            tokens.push(token(kind, &text).issued_at(Some(END)).expires_at(time));
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
        .map(|(at, text)| application(text).issued_at(at))
        .collect();
    let portal = of.portal_with(&tokens).await?;
    of.has(&portal, &tokens).await?;
    for at in 0..tokens.len() {
        let removed = of.remove_token(&portal, tokens[at].stored()).await?;
        expect("remove_token", true, removed)?;
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
    let token = |at: usize| application("plain:a").issued_at(at as i64);
    for (at, portal) in portals.iter().enumerate() {
        expect("add_first", true, of.add_first(portal, &token(at)).await?)?;
    }
    for (at, portal) in portals.iter().enumerate() {
        of.has(portal, &[token(at)]).await?;
    }
    let other = application("plain:b");
    for (at, portal) in portals.iter().enumerate() {
        of.replace(portal, &other, END).await?;
        of.has(portal, &[token(at).expires_at(END), other.clone()])
            .await?;
        expect(
            "remove_token",
            true,
            of.remove_token(portal, token(at).stored()).await?,
        )?;
        expect("remove", true, of.remove(portal).await?)?;
        of.has(portal, &[]).await?;
        if let Some(next) = portals.get(at + 1) {
            of.has(next, &[token(at + 1)]).await?;
        }
    }
    Ok(())
}

async fn same_text<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let other = application("plain:b").issued_at(1);
    let portal = of
        .portal_with(&[application("plain:a"), other.clone()])
        .await?;
    for kind in KINDS {
        for changed in [
            token(kind, "plain:a").issued_at(2).expires_at(END),
            token(kind, "plain:a"),
        ] {
            of.add(&portal, &changed).await?;
            of.has(&portal, &[changed, other.clone()]).await?;
        }
    }
    Ok(())
}

async fn first<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let portal = of.portal();
    let token = application("plain:a").issued_at(1).expires_at(END);
    expect("add_first", true, of.add_first(&portal, &token).await?)?;
    of.has(&portal, from_ref(&token)).await?;
    for later in [application("plain:b"), application("plain:a").issued_at(2)] {
        expect(
            "a second add_first",
            false,
            of.add_first(&portal, &later).await?,
        )?;
        of.has(&portal, from_ref(&token)).await?;
    }
    Ok(())
}

async fn first_of_any_kind<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for kind in KINDS {
        for expires in [None, Some(i64::MIN), Some(0)] {
            let known = token(kind, "plain:a").expires_at(expires);
            let portal = of.portal_with(from_ref(&known)).await?;
            for later in KINDS {
                let later = token(later, "plain:b");
                expect("add_first", false, of.add_first(&portal, &later).await?)?;
            }
            of.has(&portal, &[known]).await?;
        }
    }
    Ok(())
}

async fn first_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let portal = of.portal();
        let tokens = several();
        let calls = tokens
            .iter()
            .map(|token| -> Call<'_, _> { Box::pin(of.add_first(&portal, token)) });
        let outcomes = together(calls.collect()).await;
        let added = outcomes.iter().position(|outcome| *outcome == Ok(true));
        expect_one(outcomes)?;
        let added: Vec<_> = added.map(|at| tokens[at].clone()).into_iter().collect();
        of.has(&portal, &added).await?;
    }
    Ok(())
}

async fn replaced<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for kind in KINDS {
        let mut before = Vec::new();
        let mut after = Vec::new();
        for of_kind in KINDS {
            for expires in [
                None,
                Some(i64::MIN),
                Some(END - 1),
                Some(END),
                Some(END + 1),
            ] {
                let text = format!("plain:{}", before.len());
                let old = token(of_kind, &text).issued_at(7).expires_at(expires);
                after.push(match of_kind == kind {
                    true => old
                        .clone()
                        .expires_at(expires.map_or(END, |time| time.min(END))),
                    false => old.clone(),
                });
                before.push(old);
            }
        }
        let portal = of.portal_with(&before).await?;
        let new = token(kind, "plain:new").issued_at(8).expires_at(END + 9);
        of.replace(&portal, &new, END).await?;
        after.push(new);
        of.has(&portal, &after).await?;
    }
    Ok(())
}

async fn revived<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for kind in KINDS {
        let ended = token(kind, "plain:a").issued_at(1).expires_at(0);
        let other = application("plain:b");
        let portal = of.portal_with(&[ended, other.clone()]).await?;
        let new = application("plain:a").issued_at(2);
        of.replace(&portal, &new, END).await?;
        of.has(&portal, &[new, other.expires_at(END)]).await?;
    }
    Ok(())
}

async fn replaced_unknown<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let portal = of.portal();
    let token = application("plain:a").issued_at(1);
    of.replace(&portal, &token, END).await?;
    of.has(&portal, &[token]).await
}

async fn replaced_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let old = application("plain:old");
        let webhook = token(TokenKind::Webhook, "plain:webhook");
        let portal = of.portal_with(&[old.clone(), webhook.clone()]).await?;
        let tokens = several();
        let calls = tokens
            .iter()
            .map(|token| -> Call<'_, _> { Box::pin(of.replace(&portal, token, END)) });
        together(calls.collect())
            .await
            .into_iter()
            .collect::<Outcome>()?;

        let found = of.tokens(&portal).await?;
        let is_last = |token: &&PortalToken| tokens.contains(token);
        let last: Vec<_> = found.iter().filter(is_last).collect();
        let [last] = last[..] else {
            return Err(format!(
                "expected one token without an end, found {}",
                last.len()
            ));
        };
        let ended = tokens.iter().filter(|token| *token != last);
        let ended = ended
            .chain([&old])
            .map(|token| token.clone().expires_at(END));
        let expected: Vec<_> = ended.chain([last.clone(), webhook]).collect();
        of.has(&portal, &expected).await?;
    }
    Ok(())
}

async fn not_completed<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let now = END;
    let pending = |expires: i64| token(TokenKind::Pending, "pending").expires_at(expires);
    for before in [
        vec![],
        vec![application("plain:a"), token(TokenKind::Webhook, "plain:b")],
        vec![pending(now), application("plain:a")],
        vec![pending(now - 1)],
        vec![pending(i64::MIN)],
        // The token's own text makes nothing pending.
        vec![application("pending")],
    ] {
        let portal = of.portal_with(&before).await?;
        let completed = of
            .complete(&portal, &application("plain:new"), END, now)
            .await?;
        expect("complete", false, completed)?;
        of.has(&portal, &before).await?;
    }
    Ok(())
}

async fn completed<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let now = END - 100;
    for until in [None, Some(now + 1), Some(i64::MAX)] {
        let webhook = token(TokenKind::Webhook, "plain:webhook").issued_at(1);
        let ended = token(TokenKind::Pending, "an earlier one").expires_at(now);
        let before = [
            token(TokenKind::Pending, "pending").expires_at(until),
            application("plain:old").issued_at(2),
            application("plain:older").expires_at(END - 50),
            application("plain:same").issued_at(3).expires_at(0),
            webhook.clone(),
            ended.clone(),
        ];
        let portal = of.portal_with(&before).await?;
        let new = application("plain:same").issued_at(4);
        let completed = of.complete(&portal, &new, END, now).await?;
        expect("complete", true, completed)?;
        let after = [
            application("plain:old").issued_at(2).expires_at(END),
            application("plain:older").expires_at(END - 50),
            new.clone(),
            webhook,
            ended,
        ];
        of.has(&portal, &after).await?;
        let completed = of.complete(&portal, &new, END, now).await?;
        expect("a second complete", false, completed)?;
        of.has(&portal, &after).await?;
    }
    Ok(())
}

async fn completed_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let old = application("plain:old");
        let pending = token(TokenKind::Pending, "pending").expires_at(END);
        let portal = of.portal_with(&[pending, old.clone()]).await?;
        let tokens = several();
        let calls = tokens
            .iter()
            .map(|token| -> Call<'_, _> { Box::pin(of.complete(&portal, token, END, 0)) });
        let outcomes = together(calls.collect()).await;
        let done = outcomes.iter().position(|outcome| *outcome == Ok(true));
        expect_one(outcomes)?;
        let new = done.map(|at| tokens[at].clone());
        let after: Vec<_> = new.into_iter().chain([old.expires_at(END)]).collect();
        of.has(&portal, &after).await?;
    }
    Ok(())
}

async fn token_removed<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let tokens = [
        application("plain:a"),
        application("plain:b").expires_at(0),
        token(TokenKind::Webhook, "plain:c"),
        token(TokenKind::Pending, "pending"),
    ];
    let portal = of.portal_with(&tokens).await?;
    let other = of.portal_with(&tokens).await?;
    let unknown = of.remove_token(&portal, &Secret::new("plain:d")).await?;
    expect("remove_token of another text", false, unknown)?;
    for at in 0..tokens.len() {
        of.has(&portal, &tokens[at..]).await?;
        for expected in [true, false] {
            let removed = of.remove_token(&portal, tokens[at].stored()).await?;
            expect("remove_token", expected, removed)?;
        }
    }
    of.has(&portal, &[]).await?;
    of.has(&other, &tokens).await
}

async fn token_removed_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let (token, other) = (application("plain:a"), application("plain:b"));
        let portal = of.portal_with(&[token.clone(), other.clone()]).await?;
        let calls = (0..AT_ONCE)
            .map(|_| -> Call<'_, _> { Box::pin(of.remove_token(&portal, token.stored())) });
        expect_one(together(calls.collect()).await)?;
        of.has(&portal, &[other]).await?;
    }
    Ok(())
}

async fn last_removed<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let token = application("plain:a");
    let portal = of.portal_with(from_ref(&token)).await?;
    let removed = of.remove_token(&portal, token.stored()).await?;
    expect("remove_token", true, removed)?;
    of.has(&portal, &[]).await?;
    expect("remove", false, of.remove(&portal).await?)?;
    let completed = of.complete(&portal, &token, END, 0).await?;
    expect("complete", false, completed)?;
    expect("add_first", true, of.add_first(&portal, &token).await?)?;
    of.has(&portal, &[token]).await
}

async fn removed<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let mut tokens = several();
    tokens.push(application("plain:ended").expires_at(0));
    tokens.push(token(TokenKind::Webhook, "plain:webhook"));
    tokens.push(token(TokenKind::Pending, "pending"));
    let portal = of.portal_with(&tokens).await?;
    let other = of.portal_with(&tokens).await?;
    expect("remove", true, of.remove(&portal).await?)?;
    of.has(&portal, &[]).await?;
    expect("a second remove", false, of.remove(&portal).await?)?;
    of.has(&other, &tokens).await?;
    expect("add_first", true, of.add_first(&portal, &tokens[0]).await?)
}

async fn removed_at_once<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let portal = of.portal_with(&several()).await?;
        let calls = (0..AT_ONCE).map(|_| -> Call<'_, _> { Box::pin(of.remove(&portal)) });
        expect_one(together(calls.collect()).await)?;
        of.has(&portal, &[]).await?;
    }
    Ok(())
}

async fn in_some_order<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let (a, b) = (application("plain:a"), application("plain:b"));
    for round in 0..ROUNDS {
        let portal = of.portal();
        let outcomes = in_turn(
            round,
            vec![
                Box::pin(async { of.add(&portal, &a).await.map(|()| true) }),
                Box::pin(of.add_first(&portal, &b)),
            ],
        );
        let expected = match outcomes.await?[1] {
            true => vec![a.clone(), b.clone()],
            false => vec![a.clone()],
        };
        let found = of.has(&portal, &expected).await;
        found.map_err(|found| format!("after add and add_first {found}"))?;

        // Whichever goes first, the portal is not known in the end.
        let pending = token(TokenKind::Pending, "pending");
        let portal = of.portal_with(&[pending, a.clone()]).await?;
        let outcomes = in_turn(
            round,
            vec![
                Box::pin(of.complete(&portal, &b, END, 0)),
                Box::pin(of.remove(&portal)),
            ],
        );
        expect("remove", true, outcomes.await?[1])?;
        let found = of.has(&portal, &[]).await;
        found.map_err(|found| format!("after complete and remove {found}"))?;

        let portal = of.portal_with(from_ref(&a)).await?;
        let outcomes = in_turn(
            round,
            vec![
                Box::pin(async { of.replace(&portal, &b, END).await.map(|()| true) }),
                Box::pin(of.remove(&portal)),
            ],
        );
        expect("remove", true, outcomes.await?[1])?;
        let found = of.tokens(&portal).await?;
        if !found.is_empty() {
            let found = of.has(&portal, from_ref(&b)).await;
            found.map_err(|found| format!("after replace and remove {found}"))?;
        }
    }
    Ok(())
}

/// Makes both calls at once, the second first in every other round.
async fn in_turn(round: usize, mut calls: Vec<Call<'_, Outcome<bool>>>) -> Outcome<Vec<bool>> {
    let is_reversed = round % 2 == 1;
    if is_reversed {
        calls.reverse();
    }
    let mut outcomes = together(calls).await;
    if is_reversed {
        outcomes.reverse();
    }
    outcomes.into_iter().collect()
}

/// The calls that change a portal.
const CHANGES: [&str; 6] = [
    "add",
    "add_first",
    "replace",
    "complete",
    "remove_token",
    "remove",
];

/// A portal, what it has before a change, and what after.
struct Change<'a, S: ?Sized> {
    of: &'a Probe<'a, S>,
    call: &'static str,
    portal: String,
    before: Vec<PortalToken>,
    after: Vec<PortalToken>,
}

impl<'a, S: TokenStore + ?Sized> Change<'a, S> {
    const NEW: &'static str = "plain:new";

    async fn prepare(of: &'a Probe<'a, S>, call: &'static str) -> Outcome<Self> {
        let new = application(Self::NEW).issued_at(1);
        let olds = || (0..3).map(|at| application(&format!("plain:{at}")));
        let pending = token(TokenKind::Pending, "pending");
        let ended = || {
            olds()
                .map(|token| token.expires_at(END))
                .chain([new.clone()])
        };
        let (before, after) = match call {
            "add" => (olds().collect(), olds().chain([new]).collect()),
            "add_first" => (vec![], vec![new]),
            "replace" => (olds().collect(), ended().collect()),
            "complete" => (olds().chain([pending]).collect(), ended().collect()),
            "remove_token" => (olds().chain([new]).collect(), olds().collect()),
            _ => (olds().collect::<Vec<_>>(), vec![]),
        };
        let portal = of.portal_with(&before).await?;
        Ok(Self {
            of,
            call,
            portal,
            before,
            after,
        })
    }

    fn call(&self) -> Call<'_, Outcome> {
        let (of, portal) = (self.of, &self.portal);
        let new = application(Self::NEW).issued_at(1);
        Box::pin(async move {
            match self.call {
                "add" => of.add(portal, &new).await,
                "add_first" => of.add_first(portal, &new).await.map(drop),
                "replace" => of.replace(portal, &new, END).await,
                "complete" => of.complete(portal, &new, END, 0).await.map(drop),
                "remove_token" => of.remove_token(portal, new.stored()).await.map(drop),
                _ => of.remove(portal).await.map(drop),
            }
        })
    }

    /// That nothing of the change is there, or all.
    async fn is_whole(&self) -> Outcome {
        let found = self.of.tokens(&self.portal).await?;
        match is_same(&found, &self.before) || is_same(&found, &self.after) {
            true => Ok(()),
            false => Err(format!(
                "expected {} to be whole or not there, found a part",
                self.call
            )),
        }
    }

    async fn is_done(&self) -> Outcome {
        let found = self.of.has(&self.portal, &self.after).await;
        found.map_err(|found| format!("after {} {found}", self.call))
    }
}

async fn seen_whole<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    for call in CHANGES {
        for _ in 0..ROUNDS {
            let change = Change::prepare(of, call).await?;
            let readers = (0..AT_ONCE).map(|_| -> Call<'_, Outcome> {
                Box::pin(async {
                    change.is_whole().await?;
                    change.is_whole().await
                })
            });
            let calls = [change.call()].into_iter().chain(readers).collect();
            together(calls).await.into_iter().collect::<Outcome>()?;
            change.is_done().await?;
        }
    }
    Ok(())
}

async fn whole_when_given_up<S: TokenStore + ?Sized>(of: &Probe<'_, S>) -> Outcome {
    let mut changes = Vec::new();
    for call in CHANGES {
        for polls in 1..=16 {
            let change = Change::prepare(of, call).await?;
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
        change.of.remove(&change.portal).await?;
        of.has(&change.portal, &[]).await?;
        for token in &change.before {
            of.add(&change.portal, token).await?;
        }
    }
    for changes in changes.chunks(AT_ONCE) {
        let calls = changes.iter().map(|change| change.call());
        together(calls.collect())
            .await
            .into_iter()
            .collect::<Outcome>()?;
        for change in changes {
            change.is_done().await?;
        }
    }
    Ok(())
}
