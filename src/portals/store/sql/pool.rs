//! A pool of connections in which nothing waits without a bound.
//!
//! That of sqlx tests a connection that is given back for as long as the network likes, and its
//! place is taken meanwhile. Here nothing is sent when a connection is given back: only a connection
//! whose last statement succeeded is used again, and all others are closed.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::StoreError;
use super::dialect::Dialect;

/// A connection older than this is not used again, so that a store follows a server that moved.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Settings<D: Dialect> {
    pub(super) options: <D::Connection as Connection>::Options,
    pub(super) max_connections: usize,
    /// Bounds each attempt to connect.
    pub(super) connect_timeout: Duration,
    /// Bounds the first statement of a connection that was idle, which may be dead. `None` if a
    /// connection cannot die.
    pub(super) idle_timeout: Option<Duration>,
}

pub(super) struct Pool<D: Dialect>(Arc<Shared<D>>);

struct Shared<D: Dialect> {
    settings: Settings<D>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Live<D>>>,
}

struct Live<D: Dialect> {
    connection: D::Connection,
    since: Instant,
}

/// A connection and its place in the pool. Dropping it closes the connection and frees the place;
/// [`release`](Self::release) keeps the connection.
pub(super) struct Lease<D: Dialect> {
    live: Live<D>,
    was_idle: bool,
    pool: Pool<D>,
    deadline: Instant,
    _place: OwnedSemaphorePermit,
}

impl<D: Dialect> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialect> Pool<D> {
    pub(super) fn new(settings: Settings<D>) -> Self {
        Self(Arc::new(Shared {
            places: Arc::new(Semaphore::new(settings.max_connections)),
            idle: Mutex::default(),
            settings,
        }))
    }

    /// Waits for a place, and connects if no connection is idle.
    pub(super) async fn lease(&self, deadline: Instant) -> Result<Lease<D>, StoreError> {
        let places = Arc::clone(&self.0.places);
        let place = match timeout_at(deadline, places.acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::connection("the store is closed")),
            Err(_) => return Err(StoreError::timed_out()),
        };
        let idle = self.take_idle();
        let was_idle = idle.is_some();
        let live = match idle {
            Some(live) => live,
            None => self.connect(deadline).await?,
        };
        Ok(Lease {
            live,
            was_idle,
            pool: self.clone(),
            deadline,
            _place: place,
        })
    }

    /// Closes all connections, after the calls that have begun.
    pub(super) async fn close(&self, limit: Duration) {
        let all = u32::try_from(self.0.settings.max_connections).unwrap_or(u32::MAX);
        let places = timeout(limit, self.0.places.acquire_many(all)).await;
        self.0.places.close();
        drop(places);
        let idle = std::mem::take(&mut *self.idle());
        for live in idle {
            // A connection that does not end in time is dropped.
            let _ = timeout(limit, live.connection.close()).await;
        }
    }

    fn take_idle(&self) -> Option<Live<D>> {
        let mut idle = self.idle();
        idle.retain(|live| live.since.elapsed() < MAX_LIFETIME);
        idle.pop()
    }

    /// Connects, again and again while the server is not there or not ready yet.
    async fn connect(&self, deadline: Instant) -> Result<Live<D>, StoreError> {
        let settings = &self.0.settings;
        let mut pause = FIRST_PAUSE;
        loop {
            let limit = deadline.min(Instant::now() + settings.connect_timeout);
            let failed = match timeout_at(limit, settings.options.connect()).await {
                Ok(Ok(mut connection)) => {
                    within(Some(settings.connect_timeout), D::prepare(&mut connection)).await?;
                    let since = Instant::now();
                    return Ok(Live { connection, since });
                }
                Ok(Err(error)) if D::is_transient(&error) => not_connected(&error),
                Ok(Err(error)) => return Err(not_connected(&error)),
                Err(_) => StoreError::timed_out(),
            };
            if Instant::now() + pause >= deadline {
                return Err(failed);
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Live<D>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialect> Lease<D> {
    pub(super) fn connection(&mut self) -> &mut D::Connection {
        &mut self.live.connection
    }

    /// The bound of the first statement.
    pub(super) fn first_limit(&self) -> Option<Duration> {
        self.pool.0.settings.idle_timeout.filter(|_| self.was_idle)
    }

    /// Connects anew if the first statement failed and the connection was idle, hence possibly dead:
    /// the statement is to be repeated then. The other idle connections are closed as well, since
    /// what happened to one happened to all.
    pub(super) async fn reconnect_if_dead<T>(
        &mut self,
        first: &Result<T, StoreError>,
    ) -> Result<bool, StoreError> {
        if first.is_ok() || self.first_limit().is_none() {
            return Ok(false);
        }
        self.pool.idle().clear();
        self.live = self.pool.connect(self.deadline).await?;
        self.was_idle = false;
        Ok(true)
    }

    /// Keeps the connection for the next call. Its last statement must have succeeded, and no
    /// transaction may be open.
    pub(super) fn release(self) {
        if !self.pool.0.places.is_closed() {
            self.pool.idle().push(self.live);
        }
    }
}

fn not_connected(error: &sqlx::Error) -> StoreError {
    StoreError::connection("there is no connection to the database").because(error.to_string())
}

/// Bounds the wait for the database's answer, if there is a limit.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match limit {
        Some(limit) => timeout(limit, answer)
            .await
            .unwrap_or_else(|_| Err(StoreError::timed_out())),
        None => answer.await,
    }
}
