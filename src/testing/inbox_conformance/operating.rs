//! Rules about what an operator does.

use std::time::Duration;

use super::harness::{Checked, Harness, expect, retry};
use crate::inbox::{Filter, InboxStore, Outcome, State};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn dead() -> Outcome {
    let error = "gone".to_owned();
    Outcome::Dead { error }
}

pub(super) async fn reopened<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..3).map(|_| store.entry("a", Some(1))).collect();
    store.accept(&entries).await?;
    let first = store.expect_claimed(&[&entries[0]]).await?.remove(0);
    store.end(&first, dead()).await?;
    let second = store.expect_claimed(&[&entries[1]]).await?.remove(0);
    let reopened = store.reopen(Filter::new().seq(first.seq), false).await?;
    expect("the number of entries", &1, &reopened)?;
    // It does not overtake the one that holds the lane, and comes before the third.
    store.expect_claimed(&[]).await?;
    store.done(&second).await?;
    let again = store.expect_claimed(&[&entries[0]]).await?.remove(0);
    expect(
        "the attempts that count",
        &1,
        &(again.attempts - again.forgiven),
    )?;
    expect("replayed", &false, &again.replayed)?;
    store.end(&again, retry(HOUR)).await?;
    store.expect_claimed(&[]).await?;
    let reopened = store.reopen(Filter::new().seq(first.seq), false).await?;
    expect("the number of entries that wait", &1, &reopened)?;
    let again = store.expect_claimed(&[&entries[0]]).await?.remove(0);
    store.end(&again, dead()).await?;
    let reopened = store.reopen(Filter::new().state(State::Dead), true).await?;
    expect("the number of replayed entries", &1, &reopened)?;
    expect("replayed", &true, &store.get(first.seq).await?.replayed)?;
    let missing = store.reopen(Filter::new().seq(i64::MAX), true).await?;
    expect("the number of missing entries", &0, &missing)
}

pub(super) async fn discarded<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..3).map(|_| store.entry("a", Some(1))).collect();
    store.accept(&entries).await?;
    let records = store.list(Filter::new()).await?;
    expect("the number of entries", &3, &records.len())?;
    expect("discard", &true, &store.discard(records[0].seq).await?)?;
    expect("discard", &false, &store.discard(records[0].seq).await?)?;
    let record = store.get(records[0].seq).await?;
    expect("the state", &State::Done, &record.state)?;
    expect("the body", &true, &record.entry.body.is_empty())?;
    let claimed = store.expect_claimed(&[&entries[1]]).await?;
    expect(
        "discard of a running entry",
        &false,
        &store.discard(claimed[0].seq).await?,
    )?;
    store.end(&claimed[0], dead()).await?;
    expect(
        "discard of a dead entry",
        &true,
        &store.discard(claimed[0].seq).await?,
    )?;
    store.expect_claimed(&[&entries[2]]).await?;
    Ok(())
}

pub(super) async fn listed<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let mut entries: Vec<_> = (0..6)
        .map(|at| store.entry(if at % 2 == 0 { "a" } else { "b" }, None))
        .collect();
    entries[5].code = "ONCRMDEALADD".to_owned();
    store.accept(&entries).await?;
    let keys = |records: Vec<crate::inbox::Record>| -> Vec<_> {
        records.iter().map(|record| record.entry.key).collect()
    };
    let all = store.list(Filter::new()).await?;
    expect("the number of entries", &6, &all.len())?;
    let after = Filter::new().after(all[1].seq).member_id("a");
    let expected = vec![entries[2].key, entries[4].key];
    expect(
        "the page of a portal",
        &expected,
        &keys(store.list(after).await?),
    )?;
    let between = Filter::new().after(all[0].seq).until(all[2].seq);
    let expected = vec![entries[1].key, entries[2].key];
    expect(
        "the entries between two",
        &expected,
        &keys(store.list(between).await?),
    )?;
    let code = Filter::new().code("ONCRMDEALADD");
    expect(
        "the code",
        &vec![entries[5].key],
        &keys(store.list(code).await?),
    )?;
    let state = store.list(Filter::new().state(State::Done)).await?;
    expect("the done ones", &vec![], &keys(state))?;
    let page = store.store.list(&Filter::new(), 2).await;
    let page = page.map_err(|error| error.into().to_string())?;
    expect(
        "the first page",
        &vec![entries[0].key, entries[1].key],
        &keys(page),
    )?;
    let stats = store.store.stats().await;
    let stats = stats.map_err(|error| error.into().to_string())?;
    expect("the waiting ones", &6, &stats.waiting)
}

pub(super) async fn portal_removed<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let kept = store.entry("b", Some(2));
    store.accept_one(&kept).await?;
    for _ in 0..3 {
        store.accept_one(&store.entry("a", Some(1))).await?;
    }
    store.claim().await?;
    let removed = store.store.remove_portal("a").await;
    let removed = removed.map_err(|error| error.into().to_string())?;
    expect("the number of entries", &3, &removed)?;
    expect("the entry left", &kept, &store.only().await?.entry)
}

pub(super) async fn purged<S: InboxStore>(store: &Harness<'_, S>) -> Checked {
    let entries: Vec<_> = (0..3).map(|_| store.entry("a", None)).collect();
    store.accept(&entries).await?;
    let claimed = store.claim().await?;
    expect("the number of entries", &3, &claimed.len())?;
    store.done(&claimed[0]).await?;
    store.end(&claimed[1], dead()).await?;
    let purge = async |done, dead| {
        let purged = store.store.purge(done, dead).await;
        purged.map_err(|error| error.into().to_string())
    };
    expect("the purged ones", &0, &purge(HOUR, HOUR).await?)?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    expect("the done one", &1, &purge(Duration::ZERO, HOUR).await?)?;
    expect("the dead one", &1, &purge(HOUR, Duration::ZERO).await?)?;
    expect(
        "the entry left",
        &entries[2].key,
        &store.only().await?.entry.key,
    )?;

    // A duplicate stays one after the purge.
    store.clean_up().await;
    let mut sent_once = store.entry("a", Some(1));
    sent_once.once = true;
    store.accept_one(&sent_once).await?;
    let claimed = store.expect_claimed(&[&sent_once]).await?.remove(0);
    store.done(&claimed).await?;
    store.accept_one(&sent_once).await?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    expect("the done one", &1, &purge(Duration::ZERO, HOUR).await?)?;
    let left = store.list(Filter::new()).await?.len();
    expect("the duplicates left", &0, &left)
}
