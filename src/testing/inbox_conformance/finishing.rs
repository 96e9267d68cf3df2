//! Rules about the end of attempts and about leases.

use std::time::Duration;

use super::harness::{Checked, Harness, LEASE, WORKER, expect, owned, retry};
use crate::inbox::{Filter, InboxStore, Outcome, Owned, State};

const SHORT: Duration = Duration::from_millis(20);

fn dead() -> Outcome {
    let error = "gone".to_owned();
    Outcome::Dead { error }
}

pub(super) async fn fenced<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let outcomes = [Outcome::Done, dead(), retry(SHORT), Outcome::Released];
    store.accept_one(&store.entry("a", Some(1))).await?;
    let claims = store.claim_as(|request| request.lease = SHORT).await?;
    expect("the number of entries", &1, &claims.entries.len())?;
    let first = owned(&claims.entries[0].record);
    tokio::time::sleep(SHORT * 3).await;
    // The same worker again, as after a pause of the process.
    let second = store.claim().await?;
    expect("the number of entries", &1, &second.len())?;
    let second = owned(&second[0]);
    for outcome in &outcomes {
        let late = store.end_as(WORKER, first, outcome.clone()).await?;
        expect("finish of an old attempt", &false, &late)?;
        let other = store.end_as("another", second, outcome.clone()).await?;
        expect("finish of another's attempt", &false, &other)?;
        let missing = Owned {
            seq: i64::MAX,
            attempt: 1,
        };
        let missing = store.end_as(WORKER, missing, outcome.clone()).await?;
        expect("finish of no entry", &false, &missing)?;
    }
    expect(
        "extend",
        &false,
        &store.extend_as(WORKER, first, LEASE).await?,
    )?;
    expect(
        "extend",
        &false,
        &store.extend_as("another", second, LEASE).await?,
    )?;
    let both = [first, second];
    let extended = store.extend_all(WORKER, &both, LEASE).await?;
    expect("extend of both attempts", &vec![false, true], &extended)?;
    let record = store.get(second.seq).await?;
    expect("the state", &State::Running, &record.state)?;
    let finished = store.end_all(WORKER, &both, Outcome::Done).await?;
    expect("finish of both attempts", &vec![false, true], &finished)?;
    let again = store.end_as(WORKER, second, Outcome::Done).await?;
    expect("finish once more", &false, &again)?;
    let record = store.get(second.seq).await?;
    expect("the state", &State::Done, &record.state)?;
    expect("a head", &false, &record.head)
}

pub(super) async fn together<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (first, second) = (store.entry("a", Some(1)), store.entry("a", Some(1)));
    store.accept(&[first.clone(), second.clone()]).await?;
    let claimed = store.expect_claimed(&[&first]).await?;
    let attempt = owned(&claimed[0]);
    let (ended, claims) = store.done_and_claim(attempt).await?;
    expect("the end of the attempt", &vec![true], &ended)?;
    let keys: Vec<_> = claims.entries.iter().map(|c| c.record.entry.key).collect();
    expect("the claimed keys", &vec![second.key], &keys)?;
    let (ended, claims) = store.done_and_claim(attempt).await?;
    expect("the end of the attempt once more", &vec![false], &ended)?;
    expect("the number of entries", &0, &claims.entries.len())
}

pub(super) async fn extended<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    store.accept_one(&store.entry("a", Some(1))).await?;
    let claims = store
        .claim_as(|request| request.lease = Duration::from_millis(100))
        .await?;
    expect("the number of entries", &1, &claims.entries.len())?;
    let owned = owned(&claims.entries[0].record);
    expect(
        "extend",
        &true,
        &store.extend_as(WORKER, owned, LEASE).await?,
    )?;
    tokio::time::sleep(Duration::from_millis(150)).await;
    store.expect_claimed(&[]).await?;
    expect(
        "finish",
        &true,
        &store.end_as(WORKER, owned, Outcome::Done).await?,
    )
}

pub(super) async fn dead_frees_the_lane<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let (first, second) = (store.entry("a", Some(1)), store.entry("a", Some(1)));
    store.accept(&[first.clone(), second.clone()]).await?;
    let claimed = store.expect_claimed(&[&first]).await?;
    expect("finish", &true, &store.end(&claimed[0], dead()).await?)?;
    store.expect_claimed(&[&second]).await?;
    let letters = store.list(Filter::new().state(State::Dead)).await?;
    expect("the number of dead entries", &1, &letters.len())?;
    expect("the error", &Some("gone".to_owned()), &letters[0].error)?;
    expect("the body", &first.body, &letters[0].entry.body)
}

pub(super) async fn released<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entry = store.entry("a", Some(1));
    store.accept_one(&entry).await?;
    let claimed = store.expect_claimed(&[&entry]).await?;
    expect(
        "finish",
        &true,
        &store.end(&claimed[0], Outcome::Released).await?,
    )?;
    // It was tried, so an equal one is no duplicate.
    store.accept_one(&entry).await?;
    let again = store.expect_claimed(&[&entry]).await?;
    expect("the sequence number", &claimed[0].seq, &again[0].seq)?;
    expect("the attempts", &2, &again[0].attempts)?;
    expect("the forgiven attempts", &1, &again[0].forgiven)
}
