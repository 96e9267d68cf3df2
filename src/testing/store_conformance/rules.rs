//! The rules of a token store, each a function.

use std::slice::from_ref;

use super::concurrent::{cancelled_whole, decided_at_once, exchanged_at_once, seen_whole};
use super::harness::{
    CONCURRENT_CALLS, END, Harness, Outcome, application, expect, several_tokens, token,
};
use crate::portals::{PortalToken, TokenKind, TokenStore};

const KINDS: [TokenKind; 3] = [
    TokenKind::Application,
    TokenKind::Webhook,
    TokenKind::Pending,
];

pub(super) async fn check<S: TokenStore + ?Sized>(
    store: &Harness<'_, S>,
    mut report: impl FnMut(&'static str, Outcome),
) {
    report(
        "a portal that is not known has no tokens",
        unknown(store).await,
    );
    report("all that is known of a token is kept", kept(store).await);
    report("texts are kept byte for byte", texts(store).await);
    report("portals are kept apart", portals(store).await);
    report(
        "compare_exchange replaces all tokens of the portal",
        replaced(store).await,
    );
    report(
        "compare_exchange changes nothing if the portal has other tokens",
        unexpected(store).await,
    );
    report(
        "compare_exchange compares all that is known of a token",
        compared(store).await,
    );
    report(
        "expected tokens come in any order",
        in_any_order(store).await,
    );
    report(
        "a portal that is left without tokens is not known",
        left_empty(store).await,
    );
    report(
        "of several that expect the same at once, one changes it",
        exchanged_at_once(store).await,
    );
    report(
        "of decisions at once, none is lost",
        decided_at_once(store).await,
    );
    report(
        "a call is seen whole or not at all",
        seen_whole(store).await,
    );
    report(
        "a cancelled call takes full effect or none",
        cancelled_whole(store).await,
    );
}

async fn unknown<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let portal = store.unknown_portal();
    store.has(&portal, &[]).await?;
    store.change(&portal, &[], &[]).await?;
    store.has(&portal, &[]).await
}

async fn kept<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
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
    let portal = store.portal_with(&tokens).await?;
    store.has(&portal, &tokens).await
}

async fn texts<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
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
    let portal = store.portal_with(&tokens).await?;
    store.has(&portal, &tokens).await?;
    for at in 0..tokens.len() {
        store
            .change(&portal, &tokens[at..], &tokens[at + 1..])
            .await?;
        store.has(&portal, &tokens[at + 1..]).await?;
    }
    Ok(())
}

async fn portals<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let id = store.unknown_portal();
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
    let portals: Vec<_> = ids.into_iter().map(|id| store.use_id(id)).collect();
    // All have the same token; only the time of issue differs.
    let token = |at: usize| application("plain:a").with_issued_at(at as i64);
    for (at, portal) in portals.iter().enumerate() {
        store.change(portal, &[], &[token(at)]).await?;
    }
    for (at, portal) in portals.iter().enumerate() {
        store.has(portal, &[token(at)]).await?;
    }
    let other = application("plain:b");
    for (at, portal) in portals.iter().enumerate() {
        store.change(portal, &[token(at)], from_ref(&other)).await?;
        store.has(portal, from_ref(&other)).await?;
        store.change(portal, from_ref(&other), &[]).await?;
        store.has(portal, &[]).await?;
        if let Some(next) = portals.get(at + 1) {
            store.has(next, &[token(at + 1)]).await?;
        }
    }
    Ok(())
}

async fn replaced<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let before = [
        application("plain:stays").with_issued_at(1),
        application("plain:changes").with_issued_at(2),
        application("plain:goes"),
        token(TokenKind::Webhook, "plain:webhook").with_added_at(3),
        token(TokenKind::Pending, "pending").with_expires_at(END),
    ];
    let portal = store.portal_with(&before).await?;
    let other = store.portal_with(&before).await?;
    // Changes one token field by field, and then all back again.
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
        store.change(&portal, &now, &next).await?;
        store.has(&portal, &next).await?;
        now = next;
    }
    store.has(&other, &before).await
}

async fn unexpected<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let known = [
        application("plain:a"),
        application("plain:b").with_expires_at(0),
    ];
    let more = [&known[..], &[application("plain:c")]].concat();
    let others = [
        application("plain:a"),
        application("plain:c").with_expires_at(0),
    ];
    let portal = store.portal_with(&known).await?;
    let unknown = store.unknown_portal();
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
            let exchanged = store.exchange(portal, expected, tokens).await?;
            expect("compare_exchange", false, exchanged)?;
            store.has(portal, has).await?;
        }
    }
    Ok(())
}

async fn compared<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
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
    let portal = store.portal_with(from_ref(&token)).await?;
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
            let exchanged = store.exchange(&portal, from_ref(&expected), tokens).await?;
            let found = expect("compare_exchange", false, exchanged);
            found.map_err(|found| format!("with another {what} {found}"))?;
            store.has(&portal, from_ref(&token)).await?;
        }
    }
    let portal = store.portal_with(&[application("plain:a")]).await?;
    let exchanged = store.exchange(&portal, from_ref(&token), &[]).await?;
    expect("compare_exchange", false, exchanged)
}

async fn in_any_order<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let mut tokens = several_tokens();
    let portal = store.portal_with(&tokens).await?;
    for _ in 0..CONCURRENT_CALLS {
        tokens.rotate_left(1);
        let mut next = tokens.clone();
        next[0] = next[0].clone().with_used_at(END);
        store.change(&portal, &tokens, &next).await?;
        tokens = next;
        tokens.reverse();
    }
    store.has(&portal, &tokens).await
}

async fn left_empty<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let token = application("plain:a");
    let portal = store.portal_with(from_ref(&token)).await?;
    for _ in 0..2 {
        store.change(&portal, from_ref(&token), &[]).await?;
        store.has(&portal, &[]).await?;
        let exchanged = store.exchange(&portal, from_ref(&token), &[]).await?;
        expect("a second compare_exchange", false, exchanged)?;
        store.change(&portal, &[], from_ref(&token)).await?;
    }
    store.has(&portal, &[token]).await
}
