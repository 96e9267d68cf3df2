//! Rules about concurrent and cancelled calls, run in the caller's task without a runtime.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::slice::from_ref;
use std::task::Poll;

use super::harness::{
    CONCURRENT_CALLS, END, Harness, Outcome, application, expect, several_tokens,
};
use crate::portals::{PortalToken, TokenStore};

/// Concurrent calls meet by chance, so each rule tries several times.
const ROUNDS: usize = 4;

type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Polls all calls in the caller's task. Returns their outputs in the same order.
async fn join_all<T>(mut calls: Vec<Call<'_, T>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = calls.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (call, output) in calls.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                if let Poll::Ready(done) = call.as_mut().poll(context) {
                    *output = Some(done);
                }
            }
        }
        if outputs.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Polls the call, and drops it after `polls` polls. Returns `None` if it was dropped.
async fn cancel_after<T>(mut call: Call<'_, T>, polls: usize) -> Option<T> {
    let mut pending = 0;
    poll_fn(move |context| match call.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            pending += 1;
            if pending < polls {
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
        }
    })
    .await
}

pub(super) async fn exchanged_at_once<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let known = application("plain:known").with_issued_at(1);
    let of_same_text = |at: i64| vec![known.clone().with_issued_at(at + 2)];
    for _ in 0..ROUNDS {
        for (before, after) in [
            // The first tokens of an unknown portal: there is no row to lock yet.
            (
                vec![],
                several_tokens()
                    .into_iter()
                    .map(|token| vec![token])
                    .collect(),
            ),
            (
                vec![known.clone()],
                several_tokens()
                    .into_iter()
                    .map(|token| vec![known.clone().with_expires_at(END), token])
                    .collect(),
            ),
            (
                vec![known.clone()],
                (0..CONCURRENT_CALLS as i64).map(of_same_text).collect(),
            ),
            (vec![known.clone()], vec![vec![]; CONCURRENT_CALLS]),
        ] {
            let after: Vec<Vec<PortalToken>> = after;
            let portal = store.portal_with(&before).await?;
            let calls = after.iter().map(|tokens| -> Call<'_, _> {
                Box::pin(store.exchange(&portal, &before, tokens))
            });
            let outcomes = join_all(calls.collect()).await;
            let outcomes: Vec<bool> = outcomes.into_iter().collect::<Outcome<_>>()?;
            let mut done = after.iter().zip(&outcomes).filter(|(_, done)| **done);
            let (Some((tokens, _)), None) = (done.next(), done.next()) else {
                let found = outcomes.iter().filter(|done| **done).count();
                return Err(format!(
                    "expected one of {CONCURRENT_CALLS} to return true, found {found}"
                ));
            };
            store.has(&portal, tokens).await?;
        }
    }
    Ok(())
}

/// Each call adds a token to the ones it finds, and retries if another call was first.
pub(super) async fn decided_at_once<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    for _ in 0..ROUNDS {
        let portal = store.unknown_portal();
        let all = several_tokens();
        let calls = all.iter().map(|token| -> Call<'_, Outcome> {
            Box::pin(async {
                // A call only fails if another has succeeded in between.
                for _ in 0..CONCURRENT_CALLS {
                    let known = store.tokens(&portal).await?;
                    let next = [&known[..], from_ref(token)].concat();
                    if store.exchange(&portal, &known, &next).await? {
                        return Ok(());
                    }
                }
                Err(format!(
                    "expected a decision within {CONCURRENT_CALLS} tries"
                ))
            })
        });
        let outcomes = join_all(calls.collect()).await;
        outcomes.into_iter().collect::<Outcome>()?;
        store.has(&portal, &all).await?;
    }
    Ok(())
}

/// The exchanges that are tried: adding the first tokens, changing some, removing the last.
const CHANGES: [&str; 3] = ["first", "mixed", "last"];

struct Exchange<'a, S: ?Sized> {
    store: &'a Harness<'a, S>,
    portal: String,
    before: Vec<PortalToken>,
    after: Vec<PortalToken>,
}

impl<'a, S: TokenStore + ?Sized> Exchange<'a, S> {
    async fn prepare(store: &'a Harness<'a, S>, change: &str) -> Outcome<Self> {
        let olds = || (0..3).map(|at| application(&format!("plain:{at}")));
        let ended = || olds().skip(1).map(|token| token.with_expires_at(END));
        let new = application("plain:new").with_issued_at(1);
        let mixed = ended().chain([new]).collect::<Vec<_>>();
        let (before, after) = match change {
            "first" => (vec![], mixed),
            "mixed" => (olds().collect(), mixed),
            _ => (mixed, vec![]),
        };
        let portal = store.portal_with(&before).await?;
        Ok(Self {
            store,
            portal,
            before,
            after,
        })
    }

    fn call(&self) -> Call<'_, Outcome<bool>> {
        Box::pin(self.store.exchange(&self.portal, &self.before, &self.after))
    }

    async fn is_whole(&self) -> Outcome {
        let found = self.store.tokens(&self.portal).await?;
        let is = |tokens| PortalToken::are_same(&found, tokens);
        if is(&self.before) || is(&self.after) {
            Ok(())
        } else {
            Err("expected compare_exchange to be whole or not there, found a part".to_owned())
        }
    }

    async fn is_done(&self) -> Outcome {
        let found = self.store.has(&self.portal, &self.after).await;
        found.map_err(|found| format!("after compare_exchange {found}"))
    }
}

pub(super) async fn seen_whole<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    for change in CHANGES {
        for _ in 0..ROUNDS {
            let change = Exchange::prepare(store, change).await?;
            let readers = (0..CONCURRENT_CALLS).map(|_| -> Call<'_, Outcome> {
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
            join_all(calls).await.into_iter().collect::<Outcome>()?;
            change.is_done().await?;
        }
    }
    Ok(())
}

pub(super) async fn cancelled_whole<S: TokenStore + ?Sized>(store: &Harness<'_, S>) -> Outcome {
    let mut changes = Vec::new();
    for change in CHANGES {
        for polls in 1..=16 {
            let change = Exchange::prepare(store, change).await?;
            let outcome = cancel_after(change.call(), polls).await;
            let is_done = outcome.transpose()?.is_some();
            change.is_whole().await?;
            changes.push(change);
            if is_done {
                break;
            }
        }
    }
    // Cancelled calls must not hold a lock, nor undo later changes.
    for change in &changes {
        change.is_whole().await?;
        let found = store.tokens(&change.portal).await?;
        store.change(&change.portal, &found, &change.before).await?;
    }
    for changes in changes.chunks(CONCURRENT_CALLS) {
        let calls = changes.iter().map(Exchange::call);
        let outcomes = join_all(calls.collect()).await;
        for done in outcomes {
            expect("compare_exchange", true, done?)?;
        }
        for change in changes {
            change.is_done().await?;
        }
    }
    Ok(())
}
