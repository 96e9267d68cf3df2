//! Rules about claiming entries.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use super::harness::{Checked, Harness, LEASE, WORKER, expect, owned, retry};
use crate::inbox::{Backoff, FORMAT, Filter, InboxStore, State};

/// A lease that ends at once, and the pause after which it has.
const SHORT: Duration = Duration::from_millis(20);

/// A pause within the caller's runtime, whichever that is.
async fn pause() {
    tokio::time::sleep(SHORT * 3).await;
}

pub(super) async fn order_of_a_lane<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..4).map(|_| store.entry("a", Some(1))).collect();
    let other = store.entry("a", Some(2));
    store.accept(&entries[..2]).await?;
    store.accept_one(&other).await?;
    store.accept(&entries[2..]).await?;
    let claimed = store.expect_claimed(&[&entries[0], &other]).await?;
    expect("the state", &State::Running, &claimed[0].state)?;
    expect("the attempts", &1, &claimed[0].attempts)?;
    store.expect_claimed(&[]).await?;
    store.done(&claimed[0]).await?;
    for entry in &entries[1..] {
        let claimed = store.expect_claimed(&[entry]).await?;
        store.expect_claimed(&[]).await?;
        store.done(&claimed[0]).await?;
    }
    store.expect_claimed(&[]).await?;
    Ok(())
}

pub(super) async fn without_lane<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..3).map(|_| store.entry("a", None)).collect();
    store.accept(&entries).await?;
    let all: Vec<_> = entries.iter().collect();
    store.expect_claimed(&all).await?;
    Ok(())
}

pub(super) async fn portals_in_turn<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let flood: Vec<_> = (0..200).map(|_| store.entry("b", None)).collect();
    store.accept(&flood).await?;
    let others = [store.entry("a", None), store.entry("c", None)];
    store.accept(&others).await?;
    let claims = store.claim_as(|request| request.limit = 0).await?;
    expect("the entries of a claim of 0", &0, &claims.entries.len())?;
    let claims = store.claim_as(|request| request.limit = 6).await?;
    let portals: HashSet<_> = claims
        .entries
        .iter()
        .map(|claim| claim.record.entry.member_id.clone())
        .collect();
    expect("the number of entries", &6, &claims.entries.len())?;
    expect("the number of portals", &3, &portals.len())?;

    // One at a time, each portal gets its turn.
    store
        .accept(&[store.entry("a", None), store.entry("c", None)])
        .await?;
    let mut after = claims.after;
    let mut turns = HashSet::new();
    for _ in 0..3 {
        let claims = store
            .claim_as(|request| {
                request.limit = 1;
                request.after = &after;
            })
            .await?;
        let portals = claims
            .entries
            .iter()
            .map(|claim| &claim.record.entry.member_id);
        turns.extend(portals.cloned());
        after = claims.after;
    }
    expect("the portals of three claims", &3, &turns.len())?;

    let running = [("b".to_owned(), 3)];
    let claims = store
        .claim_as(|request| {
            request.portal_limit = 5;
            request.running = &running;
        })
        .await?;
    expect("the entries within the limit", &2, &claims.entries.len())?;
    let running = [("b".to_owned(), 5)];
    let claims = store
        .claim_as(|request| {
            request.portal_limit = 5;
            request.running = &running;
        })
        .await?;
    expect("the entries beyond the limit", &0, &claims.entries.len())?;

    // Also one without a name, which sorts before all others.
    let unnamed: Vec<_> = (0..6).map(|_| store.entry("", None)).collect();
    store.accept(&unnamed).await?;
    after.clear();
    turns.clear();
    for _ in 0..4 {
        let claims = store
            .claim_as(|request| {
                request.limit = 1;
                request.after = &after;
            })
            .await?;
        let portals = claims.entries.iter();
        turns.extend(portals.map(|claim| claim.record.entry.member_id.clone()));
        after = claims.after;
    }
    expect(
        "a turn of the portal without a name",
        &true,
        &turns.contains(""),
    )?;
    expect("a turn of another", &true, &turns.contains("b"))
}

pub(super) async fn retried_head<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (first, second) = (store.entry("a", Some(1)), store.entry("a", Some(1)));
    store.accept(&[first.clone(), second]).await?;
    let claimed = store.expect_claimed(&[&first]).await?;
    // Longer than any check.
    store.end(&claimed[0], retry(LEASE * 10)).await?;
    let record = store.get(claimed[0].seq).await?;
    expect("the state", &State::Waiting, &record.state)?;
    expect("the error", &Some("failed".to_owned()), &record.error)?;
    let blocked = store.blocked_lanes(0).await?;
    let shown: Vec<_> = blocked
        .iter()
        .map(|lane| (lane.head.seq, lane.behind))
        .collect();
    expect("the blocked lanes", &vec![(record.seq, 1)], &shown)?;
    let since = blocked[0].head.failing_since;
    let is_since = since.is_some_and(|since| since >= record.first_received);
    expect("the time of the first failure", &true, &is_since)?;
    let next_page = store.blocked_lanes(record.seq).await?.len();
    expect("the blocked lanes after it", &0, &next_page)?;
    let other = store.entry("a", Some(2));
    store.accept_one(&other).await?;
    store.expect_claimed(&[&other]).await?;

    // An operator makes it due, and it fails once more.
    let reopened = store.reopen(Filter::new().seq(record.seq), false).await?;
    expect("the number of retried entries", &1, &reopened)?;
    let again = store.expect_claimed(&[&first]).await?;
    store.end(&again[0], retry(SHORT)).await?;
    let since = store.get(record.seq).await?.failing_since;
    expect("a time of the failure", &true, &since.is_some())?;
    pause().await;
    let again = store.expect_claimed(&[&first]).await?;
    expect("the attempts", &3, &again[0].attempts)?;
    expect("the first failure", &since, &again[0].failing_since)?;
    store.done(&again[0]).await?;
    let blocked = store.blocked_lanes(0).await?.len();
    expect("the blocked lanes after a success", &0, &blocked)
}

pub(super) async fn ended_lease<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (entry, other) = (store.entry("a", Some(1)), store.entry("a", Some(2)));
    store.accept_one(&entry).await?;
    let claims = store.claim_as(|request| request.lease = SHORT).await?;
    expect("the number of entries", &1, &claims.entries.len())?;
    store.accept_one(&other).await?;
    pause().await;
    let claims = store.claim_as(|_| {}).await?;
    expect("the entries if it runs alone", &1, &claims.entries.len())?;
    let claim = &claims.entries[0];
    expect("the key", &entry.key, &claim.record.entry.key)?;
    expect("alone", &true, &claim.alone)?;
    expect("the attempts", &2, &claim.record.attempts)?;
    store.done(&claim.record).await?;
    store.expect_claimed(&[&other]).await?;
    Ok(())
}

pub(super) async fn others_beside_a_suspect<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entry = store.entry("a", Some(1));
    store.accept_one(&entry).await?;
    store.claim_as(|request| request.lease = SHORT).await?;
    let (behind, other) = (store.entry("a", Some(1)), store.entry("a", Some(2)));
    store.accept(&[behind, other.clone()]).await?;
    pause().await;
    for others in [vec![other.key], Vec::new()] {
        let claims = store.claim_as(|request| request.alone = false).await?;
        let keys: Vec<_> = claims.entries.iter().map(|c| c.record.entry.key).collect();
        expect("the entries beside a suspect", &others, &keys)?;
        let is_alone = claims.entries.iter().any(|claim| claim.alone);
        expect("alone", &false, &is_alone)?;
        expect("has_suspect", &true, &claims.has_suspect)?;
    }
    let claims = store.claim_as(|request| request.limit = 0).await?;
    expect("has_suspect without a place", &false, &claims.has_suspect)?;
    let running = [("a".to_owned(), 16)];
    let claims = store.claim_as(|request| request.running = &running).await?;
    let found = (claims.entries.len(), claims.has_suspect);
    expect(
        "what is there for a portal without room",
        &(0, false),
        &found,
    )?;
    let suspect = store.expect_claimed(&[&entry]).await?;
    store.done(&suspect[0]).await?;
    Ok(())
}

pub(super) async fn poison<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (entry, next) = (store.entry("a", Some(1)), store.entry("a", Some(1)));
    store.accept(&[entry.clone(), next.clone()]).await?;
    let backoff = Backoff::new().first(Duration::ZERO).max_attempts(2);
    for _ in 0..2 {
        let claims = store
            .claim_as(|request| {
                request.lease = SHORT;
                request.backoff = &backoff;
            })
            .await?;
        expect("the number of entries", &1, &claims.entries.len())?;
        expect("the key", &entry.key, &claims.entries[0].record.entry.key)?;
        pause().await;
    }
    let claims = store.claim_as(|request| request.backoff = &backoff).await?;
    let keys: Vec<_> = claims.entries.iter().map(|c| c.record.entry.key).collect();
    expect("the next of the lane", &vec![next.key], &keys)?;
    let dead = store.list(Filter::new().state(State::Dead)).await?;
    expect("the number of dead entries", &1, &dead.len())?;
    expect("an error", &true, &dead[0].error.is_some())?;
    expect("the body", &entry.body, &dead[0].entry.body)
}

pub(super) async fn later_format<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (mut later, callback) = (store.entry("a", Some(1)), store.entry("a", Some(2)));
    later.format = FORMAT + 1;
    let mut event = store.entry("a", Some(3));
    event.format = 1;
    let all = [later, callback.clone(), event.clone()];
    store.accept(&all).await?;
    store.expect_claimed(&[&callback, &event]).await?;
    Ok(())
}

pub(super) async fn concurrent<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..64)
        .map(|at| store.entry("a", Some(at as u8 / 2)))
        .collect();
    store.accept(&entries).await?;
    let owners: Vec<String> = (0..8).map(|at| format!("{WORKER}-{at}")).collect();
    let calls = owners.iter().map(|owner| {
        Box::pin(store.claim_as(move |request| {
            request.owner = owner;
            request.limit = 8;
            request.portal_limit = 64;
            request.lease = LEASE;
        }))
    });
    let mut claimed = HashSet::new();
    let mut lanes = HashSet::new();
    for (claims, owner) in join_all(calls.collect()).await.into_iter().zip(&owners) {
        for claim in claims?.entries {
            let is_new = claimed.insert(claim.record.seq);
            expect("each entry to be handed out once", &true, &is_new)?;
            let is_new = lanes.insert(claim.record.entry.lane);
            expect("each lane to run one entry", &true, &is_new)?;
            let ended = store.extend_as(owner, owned(&claim.record), LEASE).await?;
            expect("extend", &true, &ended)?;
        }
    }
    expect("the number of entries", &32, &claimed.len())
}

/// Polls all calls in the caller's task. Returns their outputs in the same order.
async fn join_all<F: Future + Unpin>(mut calls: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (call, output) in calls.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                if let std::task::Poll::Ready(done) = std::pin::Pin::new(call).poll(cx) {
                    *output = Some(done);
                }
            }
        }
        if outputs.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
