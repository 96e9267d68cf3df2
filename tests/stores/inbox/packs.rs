//! Accepted entries: they wait in packs until they get their place.

#[cfg(feature = "metrics")]
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[cfg(feature = "metrics")]
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower::service_fn;
use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::{
    Accept, Backoff, Claim, ClaimRequest, Entry, FORMAT, Filter, Finish, Inbox, InboxStore,
    Outcome, Owned, SqliteInbox, State, WorkerRequest,
};

use super::{Directory, form, key, records, respond, send};

/// An entry of a lane with this key.
fn entry(lane: u8, key: u64) -> Entry {
    let mut bytes = [lane; 32];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    Entry {
        key: DedupKey::from_bytes(bytes),
        lane: Some([lane; 32]),
        merge: None,
        once: false,
        member_id: "a".to_owned(),
        code: "ONCRMDEALUPDATE".to_owned(),
        subject: format!("crm.deal {lane}"),
        handler_id: None,
        timestamp: None,
        format: FORMAT,
        key_id: None,
        body: key.to_be_bytes().to_vec().into(),
    }
}

fn request(backoff: &Backoff) -> ClaimRequest<'_> {
    ClaimRequest {
        owner: "w",
        limit: 16,
        lease: Duration::from_secs(60),
        backoff,
        alone: true,
        portal_limit: 16,
        running: &[],
        after: "",
    }
}

/// Returns the counts of accepted entries by outcome, which begin at zero again.
#[cfg(feature = "metrics")]
fn accepted(recorder: &DebuggingRecorder) -> BTreeMap<String, u64> {
    let values = recorder.snapshotter().snapshot().into_vec().into_iter();
    let values = values.filter(|(key, ..)| key.key().name() == "bitrix24_inbox_accepted_total");
    let counts = values.filter_map(|(key, _, _, value)| match value {
        DebugValue::Counter(count) => {
            let outcome = key.key().labels().next()?;
            Some((outcome.value().to_owned(), count))
        }
        _ => None,
    });
    counts.collect()
}

/// Returns the numbers of the packs of several portals, and of those that are kept apart.
async fn packs_of_each_kind(file: &Path) -> [i64; 2] {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.unwrap();
    let counts = "SELECT (SELECT count(*) FROM bitrix24_inbox_accepted), \
        (SELECT count(*) FROM bitrix24_inbox_backlog)";
    let counts = sqlx::query(counts)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    [0, 1].map(|at| counts.get(at))
}

async fn packs(file: &Path) -> i64 {
    packs_of_each_kind(file).await.iter().sum()
}

#[tokio::test]
async fn backlog_of_many_steps_keeps_its_order_and_what_it_says_of_duplicates_and_merges() {
    #[cfg(feature = "metrics")]
    let recorder = DebuggingRecorder::new();
    #[cfg(feature = "metrics")]
    let _metrics = metrics::set_default_local_recorder(&recorder);
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    // Three lanes in turn, in calls of every length: entries that follow each other, one entry 700 times,
    // and updates that replace each other.
    let all: Vec<Entry> = (0..2100)
        .map(|number| match number % 3 {
            0 => entry(0, number),
            1 => entry(1, 1),
            _ => Entry {
                merge: Some([9; 32]),
                ..entry(2, number)
            },
        })
        .collect();
    let mut rest = &all[..];
    for len in (1..).map(|number| number * 37 % 700) {
        let (first, others) = rest.split_at(len.min(rest.len()));
        store.accept(first).await.unwrap();
        rest = others;
        if rest.is_empty() {
            break;
        }
    }
    assert!(packs(&directory.file()).await > 3);

    let backoff = Backoff::new();
    // A claim has no time for all of them.
    while packs(&directory.file()).await > 0 {
        let step = ClaimRequest {
            limit: 0,
            ..step(&backoff)
        };
        store.claim(&step).await.unwrap();
    }
    let claims = store.claim(&request(&backoff)).await.unwrap().entries;
    let claimed = claims.iter().map(|claim| claim.record.entry.clone());
    let expected = [all[0].clone(), all[1].clone(), all[2099].clone()];
    assert_eq!(claimed.collect::<Vec<_>>(), expected);
    assert_eq!(claims[2].record.merged, 699);
    let behind = records(&store).await.into_iter();
    let behind = behind.filter(|record| record.state == State::Waiting);
    let behind: Vec<Entry> = behind.map(|record| record.entry).collect();
    let expected: Vec<Entry> = (3..2100)
        .step_by(3)
        .map(|number| entry(0, number))
        .collect();
    assert_eq!(behind, expected);

    #[cfg(feature = "metrics")]
    assert_eq!(
        accepted(&recorder),
        BTreeMap::from([("duplicate".to_owned(), 699), ("merged".to_owned(), 699)])
    );
    store.close().await;
}

/// Places one step of the packs of several portals, and one of the others.
fn step(backoff: &Backoff) -> ClaimRequest<'_> {
    ClaimRequest {
        lease: Duration::ZERO,
        ..request(backoff)
    }
}

/// Two quiet portals do not wait for the backlog of some that flood alike.
pub(super) async fn entries_of_others_beside_a_backlog<S>(store: &S, flooding: u8)
where
    S: InboxStore<Error: Debug>,
{
    let of_flood = |number| {
        let portal = (number % u64::from(flooding)) as u8;
        Entry {
            member_id: format!("a{portal}"),
            ..entry(10 + portal, number)
        }
    };
    let flood: Vec<Entry> = (0..10_000).map(of_flood).collect();
    for batch in flood.chunks(250) {
        store.accept(batch).await.unwrap();
    }
    let of = |portal: &str, lane| Entry {
        member_id: portal.to_owned(),
        ..entry(lane, 1)
    };
    // Alone, and with many of the flood.
    store.accept(&[of("b", 2)]).await.unwrap();
    let with_flood = [&flood[..9], &[of("c", 3)]].concat();
    store.accept(&with_flood).await.unwrap();
    let backoff = Backoff::new();
    // The portals share packs until there is a backlog.
    for _ in 0..4 {
        let without_place = ClaimRequest {
            limit: 0,
            ..step(&backoff)
        };
        store.claim(&without_place).await.unwrap();
    }
    let claims = store.claim(&step(&backoff)).await.unwrap();
    let entries = claims.entries.iter().map(|claim| &claim.record.entry);
    let portals: BTreeSet<&str> = entries.map(|entry| &*entry.member_id).collect();
    assert!(
        portals.is_superset(&BTreeSet::from(["b", "c"])),
        "{portals:?}"
    );
    assert!(claims.is_partial);
}

/// Calls `look` after each call that accepts.
pub(super) async fn order_of_entries_placed_before_older_ones<S>(
    store: &S,
    mut look: impl AsyncFnMut(),
) where
    S: InboxStore<Error: Debug>,
{
    let backoff = Backoff::new();
    let step = ClaimRequest {
        limit: 0,
        ..step(&backoff)
    };
    let mut random = 7_u64;
    let mut below = move |end: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        (random >> 33) % end
    };
    // Callbacks that a secret of the URL verifies have no portal.
    let mut names = vec![String::new(), "\u{1}".to_owned()];
    names.extend((2..20).map(|portal| format!("portal {portal}")));
    let mut all = Vec::new();
    for _ in 0..200 {
        // Few portals crowd a call, and many share a pack. Some calls take several packs.
        let (portals, len) = (1 + below(20), 1 + below(50));
        let entries: Vec<Entry> = (0..len)
            .map(|number| {
                let portal = below(portals) as u8;
                Entry {
                    member_id: names[portal as usize].clone(),
                    body: vec![portal; 30_000].into(),
                    ..entry(2 * portal + below(2) as u8, all.len() as u64 + number)
                }
            })
            .collect();
        store.accept(&entries).await.unwrap();
        all.extend(entries);
        if below(8) == 0 {
            store.claim(&step).await.unwrap();
        }
        look().await;
    }
    let stored = records(store).await;
    for lane in 0..40 {
        let of_lane = |entry: &&Entry| entry.lane == Some([lane; 32]);
        let stored = stored.iter().map(|record| &record.entry);
        let stored: Vec<_> = stored.filter(of_lane).map(|entry| entry.key).collect();
        let accepted: Vec<_> = all.iter().filter(of_lane).map(|entry| entry.key).collect();
        assert_eq!(stored, accepted, "lane {lane}");
    }
}

#[tokio::test]
async fn claims_place_the_packs_of_the_portals_in_turn() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    for number in 0..60 {
        for (lane, portal) in ["", "a", "b"].into_iter().enumerate() {
            let of_portal = |key| Entry {
                member_id: portal.to_owned(),
                ..entry(lane as u8, key)
            };
            let entries: Vec<Entry> = (number * 256..(number + 1) * 256).map(of_portal).collect();
            store.accept(&entries).await.unwrap();
        }
    }
    let quiet = Entry {
        member_id: "quiet".to_owned(),
        ..entry(9, 1)
    };
    store.accept(&[quiet]).await.unwrap();
    let backoff = Backoff::new();
    let is_quiet = |claim: &Claim| claim.record.entry.member_id == "quiet";
    let mut claims = 1;
    while !store
        .claim(&step(&backoff))
        .await
        .unwrap()
        .entries
        .iter()
        .any(is_quiet)
    {
        claims += 1;
    }
    // Those of several portals take some.
    assert!(claims < 15, "{claims}");
    store.close().await;
}

#[tokio::test]
async fn packs_apart_that_cannot_be_read_delay_no_claim() {
    for change in ["format = 2", "entries = x'ff'"] {
        let directory = Directory::new();
        let store = SqliteInbox::open(directory.file()).await.unwrap();
        for number in 0..12 {
            store.accept(&[entry(1, number)]).await.unwrap();
        }
        assert!(packs_of_each_kind(&directory.file()).await[1] > 0);
        let options = SqliteConnectOptions::new().filename(directory.file());
        let mut writer = options.connect().await.unwrap();
        let sql = format!("UPDATE bitrix24_inbox_backlog SET {change}");
        writer.execute(AssertSqlSafe(sql)).await.unwrap();
        writer.close().await.unwrap();
        let backoff = Backoff::new();
        store.claim(&step(&backoff)).await.unwrap();
        store.claim(&step(&backoff)).await.unwrap();
        assert!(!store.claim(&step(&backoff)).await.unwrap().is_partial);
        store.purge(Duration::ZERO, Duration::ZERO).await.unwrap();
        assert!(packs(&directory.file()).await > 0);
        store.close().await;
    }
}

#[tokio::test]
async fn portal_does_not_wait_until_the_backlog_of_another_has_its_place() {
    for flooding in [1, 10] {
        let directory = Directory::new();
        let store = SqliteInbox::open(directory.file()).await.unwrap();
        entries_of_others_beside_a_backlog(&store, flooding).await;
        assert!(packs(&directory.file()).await > 0);
        store.close().await;
    }
}

#[tokio::test]
async fn entries_that_are_placed_before_older_ones_of_others_keep_the_order_of_their_portal() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let mut both = 0;
    order_of_entries_placed_before_older_ones(&store, async || {
        let packs = packs_of_each_kind(&directory.file()).await;
        both += i32::from(packs.into_iter().all(|packs| packs > 3));
    })
    .await;
    assert!(both > 20, "{both}");
    store.close().await;
}

#[tokio::test]
async fn entry_that_no_row_can_hold_is_rejected_before_it_is_in_the_way_of_others() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    for member_id in ["a\0b".to_owned(), "x".repeat(1025)] {
        let impossible = Entry {
            member_id,
            ..entry(1, 1)
        };
        let entries = [entry(2, 2), impossible];
        let error = store.accept(&entries).await.unwrap_err();
        assert!(error.to_string().contains("1 KiB"), "{error}");
        assert_eq!(records(&store).await.len(), 0);
    }
    store.accept(&[entry(2, 2)]).await.unwrap();
    assert_eq!(records(&store).await.len(), 1);
    store.close().await;
}

#[tokio::test]
async fn worker_without_a_free_place_gives_entries_theirs() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store, key()).build();
    let (started, mut starts) = mpsc::channel(1);
    let service = service_fn(move |_: WorkerRequest| {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            std::future::pending::<()>().await;
            respond(200)
        }
    });
    let worker = inbox.worker(service).concurrency(1).spawn();
    let send_from = async |portal| send(&inbox, form("ONCRMDEALADD", 1, 1, portal)).await;
    assert_eq!(send_from("flood").await, 200);
    starts.recv().await.unwrap();
    assert_eq!(send_from("quiet").await, 200);
    let placed = async {
        while packs(&directory.file()).await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), placed).await;
    in_time.expect("the entry to have its place");
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(records(inbox.store()).await[1].attempts, 0);
    inbox.store().close().await;
}

/// A call that shows entries cannot place them then, and shows those that have a place.
#[tokio::test]
async fn entries_are_listed_while_another_process_writes_for_long() {
    let directory = Directory::new();
    let store = SqliteInbox::builder().call_timeout(Duration::from_secs(2));
    let store = store.open(directory.file()).await.unwrap();
    store.accept(&[entry(1, 1)]).await.unwrap();
    assert_eq!(records(&store).await.len(), 1);
    store.accept(&[entry(2, 2)]).await.unwrap();
    let options = SqliteConnectOptions::new().filename(directory.file());
    let mut writer = options.connect().await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let listed = store.list(&Filter::new(), 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(store.stats().await.unwrap().waiting, 1);
    writer.execute("ROLLBACK").await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(records(&store).await.len(), 2);
    store.close().await;
}

#[tokio::test]
async fn large_bodies_are_in_many_packs_and_keep_their_order() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let entries: Vec<Entry> = (0..40)
        .map(|number| Entry {
            body: vec![7; if number == 20 { 3 << 20 } else { 200_000 }].into(),
            ..entry(1, number)
        })
        .collect();
    store.accept(&entries).await.unwrap();
    // Five of them fit in 1 MiB, and the largest has one of its own.
    assert_eq!(packs(&directory.file()).await, 9);
    let stored = records(&store).await.into_iter();
    let stored: Vec<Entry> = stored.map(|record| record.entry).collect();
    assert!(stored == entries);
    store.close().await;
}

#[tokio::test]
async fn many_updates_replace_the_waiting_entries_of_many_lanes() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let update = |lane, key| Entry {
        merge: Some([9; 32]),
        ..entry(lane, key)
    };
    // In half of the lanes the update waits behind another entry.
    let behind = (0..200).step_by(2).map(|lane| entry(lane, 1));
    let first: Vec<Entry> = behind.chain((0..200).map(|lane| update(lane, 2))).collect();
    store.accept(&first).await.unwrap();
    let before = records(&store).await;
    let rounds = (3..6).flat_map(|key| (0..200).map(move |lane| (lane, key)));
    let updates: Vec<Entry> = rounds.map(|(lane, key)| update(lane, key)).collect();
    store.accept(&updates).await.unwrap();
    let after = records(&store).await;
    assert_eq!(after.len(), 300);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.seq, after.seq);
        if before.entry.merge.is_none() {
            assert_eq!(after.entry, before.entry);
            continue;
        }
        let lane = after.entry.lane.unwrap()[0];
        assert_eq!(after.entry, update(lane, 5));
        assert_eq!(after.merged, 3);
        assert_eq!(after.first_received, before.first_received);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_of_a_file_hand_out_each_entry_once_and_in_order() {
    const BATCHES: u64 = 40;
    let directory = Directory::new();
    let handled = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for (handle, owner) in ["first", "second"].into_iter().enumerate() {
        let store = SqliteInbox::builder().call_timeout(Duration::from_secs(60));
        let store = store.open(directory.file()).await.unwrap();
        let sender = store.clone();
        tasks.spawn(async move {
            for key in 0..BATCHES {
                let lanes = (0..5).map(|lane| lane + 5 * u8::try_from(handle).unwrap());
                let batch: Vec<Entry> = lanes.map(|lane| entry(lane, key)).collect();
                sender.accept(&batch).await.unwrap();
            }
        });
        let handled = handled.clone();
        tasks.spawn(async move {
            let backoff = Backoff::new();
            let request = ClaimRequest {
                owner,
                ..request(&backoff)
            };
            while handled.lock().unwrap().len() < 10 * BATCHES as usize {
                let claimed = store.claim(&request).await.unwrap().entries;
                let ended = |claim: &Claim| Finish {
                    owned: Owned {
                        seq: claim.record.seq,
                        attempt: claim.record.attempts,
                    },
                    outcome: Outcome::Done,
                };
                let finishes: Vec<Finish> = claimed.iter().map(ended).collect();
                let entries = claimed.into_iter().map(|claim| claim.record.entry);
                handled.lock().unwrap().extend(entries);
                let finished = store.finish(owner, &finishes).await.unwrap();
                assert!(finished.into_iter().all(|finished| finished));
                // Other calls that place entries.
                store.stats().await.unwrap();
                let hour = Duration::from_secs(60 * 60);
                assert_eq!(store.purge(hour, hour).await.unwrap(), 0);
                assert_eq!(store.remove_portal("other").await.unwrap(), 0);
            }
            store.close().await;
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let handled = handled.lock().unwrap();
    for lane in 0..10 {
        let of_lane = handled
            .iter()
            .filter(|entry| entry.lane == Some([lane; 32]));
        let expected: Vec<Entry> = (0..BATCHES).map(|key| entry(lane, key)).collect();
        assert_eq!(of_lane.cloned().collect::<Vec<_>>(), expected);
    }
}

/// A commit of eight is too small for a pack of each portal.
#[tokio::test]
async fn quiet_portal_does_not_wait_for_a_flood_in_small_commits() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let of = |portal: &str, lane, key| Entry {
        member_id: portal.to_owned(),
        ..entry(lane, key)
    };
    for call in 0..1000 {
        let mut entries: Vec<Entry> = (7 * call..7 * call + 7)
            .map(|key| of("flood", 1, key))
            .collect();
        entries.push(of("other", 2, call));
        store.accept(&entries).await.unwrap();
    }
    store.accept(&[of("quiet", 3, 1)]).await.unwrap();
    let backoff = Backoff::new();
    let is_quiet = |claim: &Claim| claim.record.entry.member_id == "quiet";
    let mut claims = 1;
    loop {
        let claimed = store.claim(&step(&backoff)).await.unwrap().entries;
        if claimed.iter().any(is_quiet) {
            break;
        }
        claims += 1;
    }
    assert!(claims < 8, "{claims}");
    store.close().await;
}
