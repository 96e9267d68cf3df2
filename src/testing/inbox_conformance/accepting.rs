//! Rules about accepting entries.

use std::time::Duration;

use super::harness::{Checked, Harness, expect, retry};
use crate::inbox::{Accepted, Filter, InboxStore, State};

/// A store that decides later has stored it.
fn expect_outcome(expected: Accepted, found: Accepted) -> Checked {
    match found {
        Accepted::Stored => Ok(()),
        found => expect("accept", &expected, &found),
    }
}

pub(super) async fn stored_as_it_is<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let mut bare = store.entry("b", None);
    bare.handler_id = None;
    bare.timestamp = None;
    bare.key_id = None;
    bare.subject = String::new();
    let full = store.entry("a", Some(1));
    let accepted = store.accept(&[full.clone(), bare.clone()]).await?;
    expect("accept", &vec![Accepted::Stored; 2], &accepted)?;
    let records = store.list(Filter::new()).await?;
    let entries: Vec<_> = records.iter().map(|record| record.entry.clone()).collect();
    expect("the entries", &vec![full, bare], &entries)?;
    let first = &records[0];
    expect("the state", &State::Waiting, &first.state)?;
    expect("the attempts", &0, &first.attempts)?;
    expect("merged", &0, &first.merged)?;
    expect("the last receipt", &first.first_received, &first.received)?;
    let is_recent = first.first_received > 1_700_000_000_000;
    expect("the receipt in unix milliseconds", &true, &is_recent)?;
    expect("the order", &true, &(records[0].seq < records[1].seq))?;
    expect("accept of nothing", &vec![], &store.accept(&[]).await?)
}

pub(super) async fn duplicate<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entry = store.entry("a", Some(1));
    store.accept_one(&entry).await?;
    let mut again = entry.clone();
    again.body = b"another seal".to_vec().into();
    expect_outcome(Accepted::Duplicate, store.accept_one(&again).await?)?;
    expect("the entry", &entry, &store.only().await?.entry)
}

pub(super) async fn once<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    for once in [false, true] {
        let mut entry = store.entry("a", None);
        entry.once = once;
        store.accept_one(&entry).await?;
        let record = store.expect_claimed(&[&entry]).await?.remove(0);
        let expected = if once {
            Accepted::Duplicate
        } else {
            Accepted::Stored
        };
        expect_outcome(expected, store.accept_one(&entry).await?)?;
        store.end(&record, retry(Duration::from_secs(60))).await?;
        expect_outcome(Accepted::Duplicate, store.accept_one(&entry).await?)?;
        let entries = store.list(Filter::new()).await?.len();
        expect("the number of entries", &(2 - usize::from(once)), &entries)?;
        store.clean_up().await;
    }
    Ok(())
}

pub(super) async fn merged<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let update = || {
        let mut entry = store.entry("a", Some(1));
        entry.merge = Some([9; 32]);
        entry.subject = "crm.deal 1".to_owned();
        entry
    };
    let (first, mut second) = (update(), update());
    // The body is sealed with the code, however that is written.
    second.code = "onCrmDealUpdate".to_owned();
    store.accept_one(&first).await?;
    let seq = store.only().await?.seq;
    expect_outcome(Accepted::Merged, store.accept_one(&second).await?)?;
    let record = store.only().await?;
    expect("the entry", &second, &record.entry)?;
    expect("its place", &seq, &record.seq)?;
    expect("merged", &1, &record.merged)?;

    // Not into a running one, nor into one that was tried.
    let claimed = store.expect_claimed(&[&second]).await?.remove(0);
    expect(
        "accept",
        &Accepted::Stored,
        &store.accept_one(&update()).await?,
    )?;
    store.end(&claimed, retry(Duration::from_secs(60))).await?;
    store.clean_up().await;
    store.accept_one(&first).await?;
    let claimed = store.expect_claimed(&[&first]).await?.remove(0);
    store.end(&claimed, retry(Duration::from_secs(60))).await?;
    expect(
        "accept",
        &Accepted::Stored,
        &store.accept_one(&update()).await?,
    )?;

    // Not past another entry of the lane, nor into one of another lane or key.
    let other = store.entry("a", Some(1));
    store.accept_one(&other).await?;
    expect(
        "accept",
        &Accepted::Stored,
        &store.accept_one(&update()).await?,
    )?;
    let mut elsewhere = update();
    elsewhere.lane = Some([2; 32]);
    expect(
        "accept",
        &Accepted::Stored,
        &store.accept_one(&elsewhere).await?,
    )?;
    let mut different = update();
    different.merge = Some([8; 32]);
    expect(
        "accept",
        &Accepted::Stored,
        &store.accept_one(&different).await?,
    )
}

pub(super) async fn batch<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entry = |lane, merge: Option<u8>| {
        let mut entry = store.entry("a", lane);
        entry.merge = merge.map(|merge| [merge; 32]);
        entry
    };
    let first = entry(Some(1), Some(1));
    let mut entries = vec![
        first.clone(),
        first.clone(),
        entry(Some(1), Some(1)),
        entry(Some(1), Some(2)),
        entry(Some(1), Some(1)),
        entry(None, None),
        entry(Some(2), None),
        entry(Some(2), None),
    ];
    entries.extend((0..300).map(|_| entry(None, None)));
    let outcomes = store.accept(&entries).await?;
    expect("the number of outcomes", &entries.len(), &outcomes.len())?;
    for (at, outcome) in outcomes.into_iter().enumerate() {
        let expected = match at {
            1 => Accepted::Duplicate,
            2 => Accepted::Merged,
            _ => Accepted::Stored,
        };
        expect_outcome(expected, outcome)?;
    }
    let heads = store.list(Filter::new()).await?;
    let merged = heads.first().map(|record| record.merged);
    expect("merged", &Some(1), &merged)?;
    let heads = heads.iter().take(6).map(|record| record.head);
    let expected = vec![true, false, false, true, true, false];
    expect("the heads", &expected, &heads.collect())?;

    // A duplicate of what is stored is not in the way of a merge.
    store.clean_up().await;
    let stored = entry(Some(3), Some(1));
    store.accept_one(&stored).await?;
    let updates = [stored, entry(Some(3), Some(1)), entry(Some(3), Some(1))];
    let outcomes = store.accept(&updates).await?;
    expect("the number of outcomes", &updates.len(), &outcomes.len())?;
    let expected = [Accepted::Duplicate, Accepted::Merged, Accepted::Merged];
    for (expected, found) in expected.into_iter().zip(outcomes) {
        expect_outcome(expected, found)?;
    }
    expect("merged", &2, &store.only().await?.merged)
}
