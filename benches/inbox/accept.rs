//! A commit per event against group commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use tokio::task::JoinSet;
use tower_bitrix24::inbox::InboxStore;

use super::{
    Opened, entry, form, inbox, load_average, median, next_deal, send, unix_seconds, written,
};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);
const GOAL: f64 = 10.0;

/// Events a second, the sorted times of the calls, and what an event costs.
struct Rate {
    rate: f64,
    times: Vec<Duration>,
    /// Of all processors.
    microseconds: f64,
    /// Written by the process to the log and, by checkpoints, to the file.
    kilobytes: f64,
}

impl Rate {
    fn quantile(&self, quantile: f64) -> String {
        let at = (self.times.len() as f64 * quantile) as usize;
        format!("{:.2}", self.times[at].as_secs_f64() * 1e3)
    }
}

/// Calls from many senders at the same time, each one call after another.
async fn rate<F>(senders: usize, call: impl Fn() -> F + Send + Sync + 'static) -> Rate
where
    F: Future<Output = ()> + Send,
{
    let call = Arc::new(call);
    let (started, processor, before) = (Instant::now(), ProcessTime::now(), written());
    let mut tasks = JoinSet::new();
    for _ in 0..senders {
        let call = call.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < ROUND {
                let called = Instant::now();
                call().await;
                times.push(called.elapsed());
            }
            times
        });
    }
    let mut times: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let events = times.len() as f64;
    let rate = events / started.elapsed().as_secs_f64();
    times.sort();
    Rate {
        rate,
        times,
        microseconds: processor.elapsed().as_secs_f64() * 1e6 / events,
        kilobytes: (written() - before) / 1e3 / events,
    }
}

async fn single<S: InboxStore + 'static>(senders: usize, opened: Opened<S>) -> Rate {
    let store = Arc::new(opened.store);
    let call = move || {
        let store = store.clone();
        async move {
            let accepted = store.accept(&[entry()]).await;
            accepted.map_err(Into::into).unwrap();
        }
    };
    rate(senders, call).await
}

async fn group<S: InboxStore + 'static>(senders: usize, opened: Opened<S>) -> Rate {
    let receive = inbox(opened.store).receive();
    let call = move || {
        let receive = receive.clone();
        async move {
            let (portal, deal) = next_deal();
            send(&receive, form(portal, deal, unix_seconds())).await;
        }
    };
    rate(senders, call).await
}

pub(super) async fn measure<S: InboxStore + 'static>(
    database: &str,
    open: impl AsyncFn() -> Opened<S>,
    senders: &[usize],
) {
    println!("\n{database}, {}\n", load_average());
    println!(
        "| senders | a commit per event | group commit | ratio | p50, ms | p99, ms \
         | processor, µs | written, KB |\n|---|---|---|---|---|---|---|---|"
    );
    for &senders in senders {
        let (mut singles, mut groups, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for _ in 0..ROUNDS {
            let single = single(senders, open().await).await;
            let group = group(senders, open().await).await;
            ratios.push(group.rate / single.rate);
            singles.push(single.rate);
            groups.push(group.rate);
            last = Some(group);
        }
        let last = last.unwrap();
        println!(
            "| {senders} | {:.0}/s | {:.0}/s | {:.1} | {} | {} | {:.0} | {:.1} |",
            median(singles),
            median(groups),
            median(ratios),
            last.quantile(0.5),
            last.quantile(0.99),
            last.microseconds,
            last.kilobytes
        );
    }
    println!(
        "\nGoal at 128 senders in SQLite: a ratio of at least {GOAL}, 20,000/s on a calm disk."
    );
}
